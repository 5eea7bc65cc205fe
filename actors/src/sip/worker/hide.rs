//! Messages that cross from one side of a call to the other, where a side is not shown the other one.

use std::borrow::Cow;

use bytes::Bytes;
use sip::{Edits, HeaderId, Message, Method, NameAddr, StatusCode};
use uuid::Uuid;

use super::challenged::{as_refusal, is_challenge};
use super::receive::{from_tag, to_tag};
use super::{Worker, identity};
use crate::sip::cookie::{self, Cookie};
use crate::sip::dialog::{Dialog, End};
use crate::sip::flow::Flow;
use crate::sip::hiding::{self, Hides, Restored, Sent, Veil};
use crate::sip::transactions::TransactionId;

/// Whom a response goes back to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Back {
    pub(super) dialog: Uuid,
    /// Who sent the request.
    pub(super) from: End,
    /// Its transaction.
    pub(super) server: TransactionId,
    /// Its number, as who sent it has it.
    pub(super) number: Option<u32>,
    /// Whether it began the call.
    pub(super) initial: bool,
    /// The media node that carries what it began, where that is another one than the cookie in it says.
    pub(super) carried: Option<u8>,
}

/// The Call-IDs of a call of which only the cookie is known, and who is not shown the other side.
pub(super) struct Known {
    pub(super) call_id: Box<[u8]>,
    pub(super) call_id_shown: Box<[u8]>,
    pub(super) hides: Hides,
}

impl Worker {
    /// What the call of a message is known by, whichever side that comes from.
    pub(super) fn call_name<'m>(&self, message: &'m Message) -> Cow<'m, [u8]> {
        let call_id = message.value(HeaderId::CallId).unwrap_or_default();
        hiding::call_name(&self.settings.cookies, call_id)
    }

    /// The cookie of a call that is known by the first of these, and that has the second as the Call-ID of a
    /// message. The last version bound the cookie of a long Call-ID to that itself, and such a call hides
    /// nothing.
    pub(super) fn opened(
        &self,
        sealed: &[u8],
        (name, call_id): (&[u8], &[u8]),
        caller_tag: &[u8],
    ) -> Option<Cookie> {
        let open = |call_id| self.settings.cookies.open(sealed, &cookie::Call { call_id, caller_tag }).ok();
        open(name).or_else(|| if name == call_id { None } else { open(call_id) })
    }

    /// Changes the cookie that we gave with an INVITE, in that or in a response to it: the first of those that are meant.
    ///
    /// It is sealed by the key that it was: the Call-ID of a hidden vendor was sealed with it, and is made again by the key
    /// of the cookie.
    pub(super) fn change_cookie(
        &self,
        edits: &mut Edits<'_>,
        is_meant: impl Fn(&Cookie) -> bool,
        change: impl FnOnce(&mut Cookie),
    ) -> Option<()> {
        let message = edits.message();
        let call_id = self.call_name(message);
        let call = cookie::Call { call_id: &call_id, caller_tag: from_tag(message).unwrap_or_default() };
        let keys = &self.settings.cookies;
        let ours = message.list(HeaderId::RecordRoute).find_map(|element| {
            let uri = NameAddr::parse(element).ok()?.uri().ok()?.sip()?;
            let sealed = self.is_ours(&uri).then(|| uri.params.get(b"w"))??.value?;
            Some((sealed, keys.open(sealed, &call).ok().filter(&is_meant)?))
        });
        let Some((sealed, mut cookie)) = ours else { return Some(()) };
        change(&mut cookie);
        edits.replace(sealed, &keys.seal_by(&cookie, &call, cookie::key_number(sealed))).ok()
    }

    /// A response as the side that sent the request gets it, with what `add` adds; `None` when it cannot be
    /// written.
    pub(super) fn response_back(
        &mut self,
        message: &Message,
        back: Back,
        add: impl FnOnce(&mut Edits<'_>) -> Option<()>,
    ) -> Option<Bytes> {
        let own = |sent: &Sent| sent.dialog == back.dialog && sent.end == back.from;
        let restored = hiding::restored(&self.settings, message);
        // What was sealed for another sender is not shown this one.
        let restored = restored.filter(|restored| restored.sent.as_ref().is_none_or(own));
        let Some(Restored { whole, .. }) = restored else {
            self.counters.responses_stray.add(1);
            return None;
        };
        let mut edits = Edits::new(&whole);
        self.towards_sender(&mut edits, back.dialog, back.from, back.number)?;
        if !back.initial {
            self.names_of_sender(&mut edits, back.dialog, back.server)?;
        }
        if let Some(node) = back.carried {
            let is_its = |cookie: &Cookie| cookie.dialog == back.dialog;
            self.change_cookie(&mut edits, is_its, |cookie| cookie.media = node)?;
        }
        add(&mut edits)?;
        let octets = self.edited(&edits)?;
        // Of a call that is over nothing is known any more, and nothing told.
        let hides = self.dialogs.get(&back.dialog).is_none_or(|dialog| dialog.hides.is_from(back.from));
        if !hides {
            return Some(octets);
        }
        let listener = self.transactions.get(back.server).map_or(0, |server| server.flow.listener);
        Veil::new(&self.settings, listener)?.of(back.dialog).response(octets)
    }

    /// A response to a request of an earlier process as the sender of that gets it, perhaps without its body: as within
    /// its dialog, where that is known. `None` where it is not known what that one may see.
    ///
    /// Else it may be of a caller who is not to be known. One with a cookie of ours (`given`) is not: that is bound to who
    /// sent the request, and so that was the caller. A redirection is of no call that is up, and nothing without its
    /// Contact.
    pub(super) fn orphan_back(
        &mut self,
        Restored { whole, sent }: &Restored<'_>,
        (flow, to): (Flow, Flow),
        (given, status, method): (Option<&Cookie>, StatusCode, Method),
        bare: bool,
    ) -> Option<Bytes> {
        let mut edits = Edits::new(whole);
        if bare {
            edits.set_body(b"", b"").ok()?;
        }
        // What it asks about is forgotten, and its transaction is over with our ACK: nothing else would
        // follow.
        if is_challenge(status) {
            as_refusal(&mut edits)?;
        }
        let known = match sent {
            Some(sent) => self.dialogs.contains_key(&sent.dialog).then_some((sent.dialog, sent.end)),
            None => self.known_call(whole, flow, given),
        };
        let hides = if let Some((id, sender)) = known {
            let dialog = self.dialogs.get(&id)?;
            // What went to a hidden side has told us who sent it, and our Via says so.
            if sent.is_none() && dialog.hides.is_from(sender.other()) {
                return None;
            }
            let hides = dialog.hides.is_from(sender);
            self.towards_sender(&mut edits, id, sender, None)?;
            hides
        } else {
            // A trunk that may be anywhere is known by the cookie alone.
            let hides = given.map_or_else(|| self.is_hidden_from(to), |cookie| cookie.hides.caller);
            if given.is_none() && !(300..400).contains(&status.as_u16()) {
                identity::hide(&mut edits)?;
            }
            Self::towards_unknown(&mut edits, given)?;
            self.name_unknown(&mut edits, (given, method), (sent.as_ref(), hides))?;
            hides
        };
        let octets = self.edited(&edits)?;
        if hides { Veil::new(&self.settings, to.listener)?.response(octets) } else { Some(octets) }
    }

    /// The call that is up which a response is of, and who sent the request: by the cookie, else by the Call-ID as the side
    /// that answers knows it, and by the caller's tag. Of a call that came back to us those of both rounds may be the same:
    /// then it is the one of whose sides this is.
    fn known_call(&self, response: &Message, flow: Flow, given: Option<&Cookie>) -> Option<(Uuid, End)> {
        // It is sealed for the caller's INVITE alone.
        if let Some(given) = given {
            return self.dialogs.contains_key(&given.dialog).then_some((given.dialog, End::Caller));
        }
        let call_id = response.value(HeaderId::CallId).unwrap_or_default();
        let [from, to] = [from_tag(response), to_tag(response)].map(Option::unwrap_or_default);
        let known = self.dialogs_of(call_id, (from, to)).filter_map(|dialog| {
            let sender = match dialog.caller.tag() {
                caller if caller == from => End::Caller,
                caller if caller == to => End::Callee,
                _ => return None,
            };
            let answers = sender.other();
            let at = dialog.side(answers).is_at(flow.peer.ip());
            (*dialog.call_id_of(answers) == *call_id).then_some((at, dialog.id, sender))
        });
        known.max_by_key(|(at, ..)| *at).map(|(_, id, sender)| (id, sender))
    }

    /// Call-ID and From of a response to a call of which nothing is known, as the sender of the request has them; `None`
    /// where that cannot be told.
    ///
    /// A Call-ID is opened only for who is known to have made it: what our Via in a hidden side's response says, nobody
    /// else can.
    fn name_unknown(
        &self,
        edits: &mut Edits<'_>,
        (given, method): (Option<&Cookie>, Method),
        (sent, hides): (Option<&Sent>, bool),
    ) -> Option<()> {
        let Some(sent) = sent else {
            if given.is_some_and(|cookie| cookie.hides.callee) {
                return None;
            }
            // The caller of a call that rings has it from itself.
            return (!hides || method == Method::Invite).then_some(());
        };
        if sent.end == End::Callee {
            // Whether it was shown another one is not known.
            return (!hides).then_some(());
        }
        let call_id = edits.message().value(HeaderId::CallId)?;
        edits.set(HeaderId::CallId, &hiding::callers(&self.settings.cookies, call_id)?).ok()?;
        if !sent.name.is_empty() {
            edits.set(HeaderId::From, &sent.name).ok()?;
        }
        Some(())
    }

    /// Whether some call that is up has the Call-ID of a message.
    pub(super) fn is_of_known_call(&self, message: &Message) -> bool {
        let call_id = message.value(HeaderId::CallId).unwrap_or_default();
        let [from, to] = [from_tag(message), to_tag(message)].map(Option::unwrap_or_default);
        self.dialogs_of(call_id, (from, to)).any(|dialog| has_call_id(dialog, call_id))
    }

    /// Whether who is at the other end of a flow is not shown the other sides of its calls, as the
    /// configuration has it.
    fn is_hidden_from(&self, flow: Flow) -> bool {
        let snapshot = self.snapshot.load();
        let peer = self.settings.peer(&snapshot, flow);
        let trunk = peer.trunk.or(peer.listed).and_then(|place| snapshot.trunk(place));
        let vendor = peer.vendor.and_then(|place| snapshot.vendor(place));
        trunk.is_some_and(|trunk| trunk.config.hide_topology)
            || vendor.is_some_and(|vendor| vendor.config.hide_topology)
    }

    /// What the Call-ID of a message of one side tells of both; `key` is the number of the key that sealed
    /// the cookie, and with it the callee's Call-ID. `None` where only the record has the caller's.
    ///
    /// The cookie says who is hidden: what the configuration has by now is for other calls, and a callee that is shown all
    /// may have a Call-ID that was sealed for another one.
    pub(super) fn known_by(
        &self,
        call_id: &[u8],
        (cookie, from): (&Cookie, End),
        key: Option<u8>,
    ) -> Option<Known> {
        let (keys, hides) = (&self.settings.cookies, cookie.hides);
        let own = Box::from(call_id);
        if !hides.callee {
            return Some(Known { call_id: own, call_id_shown: Box::default(), hides });
        }
        let (call_id, call_id_shown) = match from {
            End::Caller => (own, hiding::sealed(keys, call_id, key)),
            End::Callee => (hiding::callers(keys, call_id)?.into_boxed_slice(), own),
        };
        Some(Known { call_id, call_id_shown, hides })
    }
}

fn has_call_id(dialog: &Dialog, call_id: &[u8]) -> bool {
    *dialog.call_id == *call_id || (!dialog.call_id_shown.is_empty() && *dialog.call_id_shown == *call_id)
}
