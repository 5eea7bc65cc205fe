//! The dialogs of a worker, by their number and by the call that they are of.

use std::collections::HashMap;

use smallvec::SmallVec;
use uuid::Uuid;

use super::Worker;
use crate::sip::branch;
use crate::sip::dialog::Dialog;
use crate::sip::hiding;

/// Dialogs that live. Bounded by whoever adds to them.
#[derive(Debug, Default)]
pub(super) struct Dialogs {
    /// In boxes: what a table moves when it grows holds all calls up.
    all: HashMap<Uuid, Known>,
    /// Those of each call, by the digest of what it is known by and of its caller's tag: few, since only a
    /// call that comes back has more than one. By a Call-ID alone a caller that has one for all its calls
    /// would have them all in one place.
    of_calls: HashMap<u64, SmallVec<[Uuid; 1]>>,
}

#[derive(Debug)]
struct Known {
    /// The digest of what its call was known by when it began: keys change, and with them what a Call-ID tells.
    call: u64,
    dialog: Box<Dialog>,
}

impl Dialogs {
    /// Adds a dialog in place of the one of its number.
    fn insert(&mut self, call: u64, dialog: Box<Dialog>) {
        let id = dialog.id;
        self.remove(&id);
        self.all.insert(id, Known { call, dialog });
        self.of_calls.entry(call).or_default().push(id);
    }

    pub(super) fn remove(&mut self, id: &Uuid) -> Option<Box<Dialog>> {
        let Known { call, dialog } = self.all.remove(id)?;
        if let Some(others) = self.of_calls.get_mut(&call) {
            others.retain(|other| *other != *id);
            if others.is_empty() {
                self.of_calls.remove(&call);
            }
        }
        Some(dialog)
    }

    pub(super) fn get(&self, id: &Uuid) -> Option<&Dialog> {
        self.all.get(id).map(|known| &*known.dialog)
    }

    pub(super) fn get_mut(&mut self, id: &Uuid) -> Option<&mut Dialog> {
        self.all.get_mut(id).map(|known| &mut *known.dialog)
    }

    pub(super) fn contains_key(&self, id: &Uuid) -> bool {
        self.all.contains_key(id)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.of_calls.is_empty()
    }

    /// Those that may be of a call with this digest.
    fn of_call(&self, call: u64) -> impl Iterator<Item = &Dialog> {
        self.of_calls.get(&call).into_iter().flatten().filter_map(move |id| self.get(id))
    }
}

impl Worker {
    /// Takes a dialog on.
    pub(super) fn keep_dialog(&mut self, dialog: Dialog) {
        let call = self.digest_of_call(&dialog.call_id, dialog.caller.tag());
        self.dialogs.insert(call, Box::new(dialog));
    }

    /// Dialogs that may be of the call with this Call-ID, whichever side's it is, whose caller has one of the
    /// tags: all that are, unless a key went since.
    pub(super) fn dialogs_of<'a>(
        &'a self,
        call_id: &[u8],
        (from, to): (&[u8], &[u8]),
    ) -> impl Iterator<Item = &'a Dialog> + use<'a> {
        let [from, to] = [from, to].map(|tag| self.digest_of_call(call_id, tag));
        self.dialogs.of_call(from).chain(self.dialogs.of_call(to))
    }

    fn digest_of_call(&self, call_id: &[u8], caller_tag: &[u8]) -> u64 {
        let name = hiding::call_name(&self.settings.cookies, call_id);
        branch::digest_of(self.settings.seed, [&*name, caller_tag])
    }
}

#[cfg(test)]
mod tests;
