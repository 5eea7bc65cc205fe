//! Calls on the simulated disk.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::log::call::first_id_at;
use crate::log::{Attempt, Calls, Cdr, CdrFilter, Dialog};

#[derive(Debug, Clone, Default)]
pub(super) struct Tables {
    pub(super) dialogs: BTreeMap<Uuid, Dialog>,
    pub(super) cdrs: BTreeMap<Uuid, Cdr>,
    attempts: BTreeMap<(Uuid, u16), Attempt>,
}

impl Tables {
    /// Gives the number of CDRs that were there already.
    pub(super) fn apply(&mut self, calls: &Calls) -> u64 {
        self.dialogs.extend(calls.dialogs.iter().map(|row| (row.id, row.clone())));
        let before = self.cdrs.len();
        for row in &calls.cdrs {
            self.cdrs.entry(row.id).or_insert_with(|| row.clone());
        }
        let written = self.cdrs.len() - before;
        for (call, row) in &calls.attempts {
            self.attempts.entry((*call, row.number)).or_insert_with(|| row.clone());
        }
        for (call, told) in &calls.media {
            let media = self.cdrs.get_mut(call).and_then(|row| row.media.as_mut());
            if let Some(media) = media.filter(|media| media.node == told.node && !media.is_told()) {
                *media = *told;
            }
        }
        for id in &calls.dialogs_done {
            self.dialogs.remove(id);
        }
        for id in &calls.purged {
            self.cdrs.remove(id);
            self.attempts.retain(|(call, _), _| call != id);
        }
        (calls.cdrs.len() - written) as u64
    }

    pub(super) fn dialogs(&self, node: u16, after: Uuid, limit: u32) -> Vec<Dialog> {
        let rows = self.dialogs.values().filter(|row| row.node == node && row.id > after);
        rows.take(limit as usize).cloned().collect()
    }

    pub(super) fn take_dialog(&mut self, read: &Dialog, node: u16) -> bool {
        let known = self.dialogs.get_mut(&read.id);
        let same = |row: &&mut Dialog| row.node == read.node && row.updated_at == read.updated_at;
        let Some(row) = known.filter(same) else { return false };
        row.node = node;
        true
    }

    pub(super) fn cdrs(&self, filter: &CdrFilter, before: Uuid, limit: u32) -> Vec<Cdr> {
        let (first, before) = filter.ids(before);
        let rows = self.cdrs.range(first.min(before)..before).rev().map(|(_, row)| row);
        rows.filter(|row| filter.takes(row)).take(limit as usize).cloned().collect()
    }

    pub(super) fn attempts(&self, call: Uuid) -> Vec<Attempt> {
        self.attempts.range((call, 0)..=(call, u16::MAX)).map(|(_, row)| row.clone()).collect()
    }

    pub(super) fn outdated(&self, before: Timestamp, limit: usize) -> Vec<Uuid> {
        self.cdrs.range(..first_id_at(before)).take(limit).map(|(id, _)| *id).collect()
    }
}
