//! Calls that we end ourselves.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use bytes::Bytes;
use runtime::log::Reason;
use sip::proxy::{BranchId, Input as CallInput};
use sip::{CSeq, Edits, HeaderId, List, Message, Method, NameAddr, Request, StatusCode, Via};
use uuid::Uuid;

use super::call::Kind;
use super::recent::Noted;
use super::{Hand, Turn, Worker};
use crate::sip::branch;
use crate::sip::dialog::{self, Answer, Dialog, End, Verdict, flow_to, unfolded};
use crate::sip::event::{CallEvent, Ended, What};
use crate::sip::flow::{Flow, Outbound};
use crate::sip::hiding;
use crate::sip::transactions::{ByeId, CallId, Now, Owner, TransactionId, Tries, Wake};

/// When a BYE that came at a bad time is tried again.
const BYE_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// After a BYE that ended nothing its sender has so long for another one, before it is asked whether it has the call.
const CHECK_AFTER: Duration = Duration::from_secs(5);
/// Who was silent is asked again after this time, in which networks and switches come back; so are sides of which none
/// could be asked.
const CHECK_AGAIN_AFTER: Duration = Duration::from_secs(30);
/// Lines in the log of BYEs that had no effect.
const BYE_LOGS_PER_SECOND: u32 = 5;

/// Calls of one INVITE that a vendor is helped to end; it has to see to more of them itself.
const FORKS_MAX: usize = 16;

/// Where what follows an answer goes that nobody shall have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aim {
    /// Where the answer says.
    Said,
    /// There, if that is an address of who answers; else back to where it came from.
    Near,
    /// To where the INVITE went: who answers is known by what it has said, and would aim us at others.
    Back,
}

/// A request of ours within somebody's dialog.
struct Own<'a> {
    uri: &'a [u8],
    from: &'a [u8],
    to: &'a [u8],
    call_id: &'a [u8],
    cseq: u32,
    routes: &'a [&'a [u8]],
    flow: Flow,
}

impl Worker {
    /// Ends a call: a BYE to both sides of one that is up, a refusal to the caller of one that is not.
    pub(super) fn hang_up(&mut self, id: Uuid, reason: Reason, turn: &mut Turn<'_>) {
        let Some(dialog) = self.dialogs.get(&id) else { return };
        if !dialog.confirmed {
            let early = |call: &super::call::Call| call.dialog == id && call.kind == Kind::Initial;
            let call = self.calls.iter().find(|(_, call)| early(call)).map(|(call, _)| call);
            if let Some(call) = call {
                if let Some(call) = self.calls.get_mut(call) {
                    call.hung_up = Some(reason);
                }
                self.call_input(call, CallInput::Cancel, Hand::default(), turn);
            }
            return;
        }
        self.end_call(id, (reason, turn.now), turn);
    }

    /// Asks both sides of a call whether it is up there, by an OPTIONS in its dialog. It has the number of the last
    /// request: one of its own would be in the way of the next (12.2.2).
    pub(super) fn check(&mut self, id: Uuid, turn: &mut Turn<'_>) {
        let Some(dialog) = self.dialogs.get_mut(&id).filter(|dialog| dialog.confirmed) else { return };
        if dialog.seen.is_asking(turn.now.instant, self.settings.timers.t1.saturating_mul(64)) {
            return;
        }
        let question = dialog.seen.ask(turn.now.instant);
        let dialog = dialog.clone();
        for end in [End::Caller, End::Callee] {
            let cseq = dialog.cseq_at(end, dialog.side(end.other()).cseq);
            let routes: Vec<&[u8]> = List::new(&dialog.side(end).routes).collect();
            let flow = self.flow_to_side(dialog.side(end), (dialog.trunk, turn.now));
            let from = self.other_name(&dialog, end, flow);
            let own = Own { flow, from: &from, ..between(&dialog, end, cseq, &routes) };
            let branch = self.branches.make(0);
            let key = self.keys.client(&branch, Method::Options);
            let octets = self.own_request(&own, Method::Options, &branch);
            let octets = octets.map(|octets| self.question_signed(octets, (id, end), flow));
            let owner = Owner::Alive(id, end, question);
            let asked = octets.and_then(|octets| self.begin_client(key, (own.flow, octets), owner, turn));
            if asked.is_none() {
                self.checked(id, end, (question, Answer::Unknown), turn);
            }
        }
    }

    /// A side that knows of no such call, or that is silent again and again, has none: what is left of the call is
    /// ended, when the other one has been heard of too.
    pub(super) fn checked(
        &mut self,
        id: Uuid,
        end: End,
        (question, answer): (u32, Answer),
        turn: &mut Turn<'_>,
    ) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        match dialog.seen.answer(end, (question, answer), turn.now) {
            None | Some(Verdict::Up) => {}
            Some(Verdict::AskAgain) => self.check_later(id, turn.now.instant + CHECK_AGAIN_AFTER),
            Some(Verdict::Over(at)) => self.end_call(id, (Reason::DeadCall, at), turn),
        }
    }

    /// Who ends a call gives it up, also where the BYE ended nothing: it is asked whether it has.
    pub(super) fn check_after_bye(&mut self, id: Uuid, now: Now) {
        self.check_later(id, now.instant + CHECK_AFTER);
    }

    fn check_later(&mut self, id: Uuid, at: Instant) {
        let Some(dialog) = self.dialogs.get_mut(&id).filter(|dialog| dialog.seen.is_unarmed()) else {
            return;
        };
        // Without room for a timer the next question of its actor finds out.
        dialog.seen.arm(self.transactions.arm_call(Wake::Check(id), at).is_some());
    }

    /// The time has come that [`Worker::check_later`] waited for.
    pub(super) fn check_now(&mut self, id: Uuid, turn: &mut Turn<'_>) {
        let Some(dialog) = self.dialogs.get_mut(&id) else { return };
        dialog.seen.arm(false);
        // What was asked before may have been answered before, too.
        if dialog.seen.is_asking(turn.now.instant, self.settings.timers.t1.saturating_mul(64)) {
            self.check_later(id, turn.now.instant + CHECK_AFTER);
        } else {
            self.check(id, turn);
        }
    }

    /// A BYE to both sides of a call that is up; it was up until then.
    pub(super) fn end_call(&mut self, id: Uuid, (reason, at): (Reason, Now), turn: &mut Turn<'_>) {
        let Some(dialog) = self.forget(id, turn.now) else { return };
        let media = self.release(&dialog, turn);
        for end in [End::Caller, End::Callee] {
            self.end_side(&dialog, end, turn);
        }
        let retransmissions = Some(dialog.repeats);
        let ended = Ended { retransmissions, media, ..Ended::new(StatusCode::OK, reason, None) };
        turn.out.events.push(CallEvent { dialog: id, at, what: What::Ended(ended) });
    }

    /// A BYE of ours to one side, as if the other had sent it.
    pub(super) fn end_side(&mut self, dialog: &Dialog, end: End, turn: &mut Turn<'_>) {
        let cseq = dialog.side(end.other()).cseq.saturating_add(dialog.unseen).saturating_add(1);
        let cseq = dialog.cseq_at(end, cseq);
        let routes: Vec<&[u8]> = List::new(&dialog.side(end).routes).collect();
        let flow = self.flow_to_side(dialog.side(end), (dialog.trunk, turn.now));
        let asked = Some(dialog).filter(|dialog| dialog.vendor_end() == end);
        let vendor = asked.map(|dialog| dialog.vendor);
        let from = self.other_name(dialog, end, flow);
        let own = Own { flow, from: &from, ..between(dialog, end, cseq, &routes) };
        self.send_bye(&own, (vendor, asked), turn);
    }

    /// The other side's name as one side knows it: with our address, where it is not shown that one's.
    fn other_name<'d>(&self, dialog: &'d Dialog, end: End, flow: Flow) -> Cow<'d, [u8]> {
        let name = if end == End::Callee { dialog.caller_name(end) } else { &*dialog.callee.name };
        let hides = dialog.hides.is_from(end);
        let hidden = hides.then(|| hiding::with_host(&self.settings, name, self.sent_by(flow))).flatten();
        hidden.map_or(Cow::Borrowed(name), |hidden| Cow::Owned(hidden.into_vec()))
    }

    /// The vendor's 2xx is one that the caller shall not have: it is acknowledged, and the call ended there, once for
    /// each To tag.
    pub(super) fn end_at_vendor(
        &mut self,
        id: CallId,
        branch: BranchId,
        hand: Hand<'_>,
        turn: &mut Turn<'_>,
    ) {
        let Some((message, flow)) = hand.message else { return };
        let Some(call) = self.calls.get_mut(id) else { return };
        let dialog = Some(call.dialog);
        let Some(attempt) = call.attempts.get_mut(branch.index()) else { return };
        let tag = super::receive::to_tag(message).unwrap_or_default();
        let again = attempt.ended.iter().any(|ended| ended == tag);
        if !again && attempt.ended.len() >= FORKS_MAX {
            return;
        }
        if !again {
            attempt.ended.push(tag.to_vec());
        }
        let (sent, aim) = (attempt.flow, if attempt.pinned { Aim::Back } else { Aim::Said });
        let of = (attempt.vendor, dialog);
        self.end_answer(message, (flow, sent), (again, aim, of), turn);
    }

    /// A 2xx to an INVITE whose call is over, of this vendor where that is known. What follows goes to the peer that it
    /// came from and to nobody else, and a BYE goes once.
    pub(super) fn end_orphan(
        &mut self,
        message: &Message,
        flow: Flow,
        vendor: Option<u32>,
        turn: &mut Turn<'_>,
    ) {
        let call_id = message.value(HeaderId::CallId).unwrap_or_default();
        let tag = super::receive::to_tag(message).unwrap_or_default();
        let peer = flow.peer.ip().to_string();
        let key = branch::digest_of(self.settings.seed, [call_id, tag, peer.as_bytes()]);
        match self.unwanted.note(key, turn.now.instant) {
            Noted::Full => self.counters.responses_stray.add(1),
            noted @ (Noted::First | Noted::Again) => self.end_answer(
                message,
                (flow, flow),
                (noted == Noted::Again, Aim::Near, (vendor, None)),
                turn,
            ),
        }
    }

    fn end_answer(
        &mut self,
        message: &Message,
        flows: (Flow, Flow),
        (again, aim, (vendor, dialog)): (bool, Aim, (Option<u32>, Option<Uuid>)),
        turn: &mut Turn<'_>,
    ) {
        let routes: Vec<_> = self.routes_within(message, dialog).into_iter().rev().map(unfolded).collect();
        let routes: Vec<&[u8]> = routes.iter().map(|route| &**route).collect();
        let value = |id| unfolded(message.value(id).unwrap_or_default());
        let names = (value(HeaderId::From), value(HeaderId::To));
        let said = flow_of(message, &routes, flows);
        let flow = match aim {
            Aim::Said => said,
            Aim::Near if self.is_same_peer(said, flows.0) => said,
            Aim::Near => flows.0,
            // What connection the INVITE was given is known by what came back.
            Aim::Back if flows.0.connection != 0 => flows.0,
            Aim::Back => flows.1,
        };
        // Without a Contact, to where it came from.
        let address = format!("sip:{}", flows.1.peer);
        let contact = message.list(HeaderId::Contact).next().and_then(|value| NameAddr::parse(value).ok());
        let uri =
            contact.filter(|contact| contact.uri().is_ok()).map_or(address.as_bytes(), |contact| contact.uri);
        let Some(own) = own(message, (uri, &names.0, &names.1), &routes, flow) else { return };
        self.send_ack_of_2xx(&own, turn);
        if !again {
            self.counters.ended_at_vendor.add(1);
            self.send_bye(&Own { cseq: own.cseq.saturating_add(1), ..own }, (vendor, None), turn);
        }
    }

    /// Whether two addresses are of one trunk or vendor.
    fn is_same_peer(&self, one: Flow, other: Flow) -> bool {
        // One for both: places are those of one snapshot.
        let snapshot = self.snapshot.load();
        let [one, other] = [one, other].map(|flow| self.settings.peer(&snapshot, flow));
        let same = |one: Option<u32>, other| one.is_some() && one == other;
        same(one.trunk, other.trunk) || same(one.vendor, other.vendor)
    }

    fn send_ack_of_2xx(&mut self, own: &Own<'_>, turn: &mut Turn<'_>) {
        let branch = self.branches.make(0);
        if let Some(octets) = self.own_request(own, Method::Ack, &branch) {
            turn.out.messages.push(Outbound { flow: own.flow, octets, sender: Outbound::NOBODY });
        }
    }

    /// A BYE of ours, to this vendor where that is known, with credentials where the vendor of the dialog `asked` for them.
    fn send_bye(
        &mut self,
        own: &Own<'_>,
        (vendor, asked): (Option<u32>, Option<&Dialog>),
        turn: &mut Turn<'_>,
    ) {
        let branch = self.branches.make(0);
        let octets = self.own_request(own, Method::Bye, &branch);
        let octets = octets.map(|octets| self.bye_signed(octets, asked, own.flow));
        let key = self.keys.client(&branch, Method::Bye);
        let owner = Owner::Bye(Tries::Another, vendor);
        let sent = octets.and_then(|octets| self.begin_client(key, (own.flow, octets), owner, turn));
        if sent.is_none() {
            self.counters.byes_unanswered.add(1);
            if self.bye_log.take_attempt(BYE_LOGS_PER_SECOND, turn.now.instant) {
                let (peer, call_id) = (own.flow.peer, own.call_id.escape_ascii());
                tracing::warn!(%peer, %call_id, "a BYE of ours could not be made or had no room, the call may still be up at this peer: ask its operator");
            }
        }
    }

    /// What became of a BYE of ours. The call's record does not wait for it: it is told to those who look.
    pub(super) fn bye_answered(
        &mut self,
        id: TransactionId,
        (tries, vendor): (Tries, Option<u32>),
        (status, received): (StatusCode, bool),
        now: Now,
    ) {
        let gone =
            matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST);
        if received && (gone || status.is_success()) {
            return;
        }
        let Some((flow, bye)) = self.stored_request(id) else { return };
        // It came out of order, or crossed another request: a later number does better.
        let badly_timed = matches!(status, StatusCode::SERVER_INTERNAL_ERROR | StatusCode::REQUEST_PENDING);
        if received && badly_timed && tries == Tries::Another {
            let at = now.instant + BYE_AGAIN_AFTER;
            let waiting = self.byes.insert((flow, bye, vendor));
            if self.transactions.arm_call(Wake::Bye(waiting), at).is_none() {
                self.byes.remove(waiting);
            }
            return;
        }
        let counter = if received { &self.counters.byes_refused } else { &self.counters.byes_unanswered };
        counter.add(1);
        if self.bye_log.take_attempt(BYE_LOGS_PER_SECOND, now.instant) {
            let call_id = bye.value(HeaderId::CallId).unwrap_or_default().escape_ascii();
            let (peer, status) = (flow.peer, status.as_u16());
            tracing::warn!(
                %peer, %call_id, status, received,
                "a call that we ended may still be up at this peer, which did not take the BYE: ask its operator"
            );
        }
    }

    /// Tries a BYE once more, as a new request.
    pub(super) fn bye_again(&mut self, id: ByeId, turn: &mut Turn<'_>) {
        let Some((flow, bye, vendor)) = self.byes.remove(id) else { return };
        let branch = self.branches.make(0);
        let Some(octets) = self.renewed(&bye, &branch) else { return };
        let key = self.keys.client(&branch, Method::Bye);
        self.begin_client(key, (flow, octets), Owner::Bye(Tries::Last, vendor), turn);
    }

    /// The same request with another branch and a later number.
    fn renewed(&mut self, request: &Message, branch: &[u8]) -> Option<Bytes> {
        let via = Via::parse(request.list(HeaderId::Via).next()?).ok()?;
        let number = CSeq::parse(request.value(HeaderId::CSeq)?).ok()?.number.saturating_add(super::CSEQ_GAP);
        let mut edits = Edits::new(request);
        edits.replace(via.branch?, branch).ok()?;
        edits.set(HeaderId::CSeq, format!("{number} BYE").as_bytes()).ok()?;
        self.written(|out| {
            edits.write(out);
            true
        })
    }

    fn own_request(&mut self, own: &Own<'_>, method: Method, branch: &[u8; branch::LEN]) -> Option<Bytes> {
        let listener = self.settings.listeners.get(usize::from(own.flow.listener))?;
        let mut via =
            format!("SIP/2.0/{} {};branch=", listener.via_transport(), listener.sent_by).into_bytes();
        via.extend_from_slice(branch);
        let next = dialog::strict(own.uri, own.routes.iter().copied());
        let strict: Option<(_, Vec<&[u8]>)> =
            next.as_ref().map(|(uri, routes)| (*uri, routes.iter().map(|route| &**route).collect()));
        let (uri, routes) = match &strict {
            Some((uri, routes)) => (*uri, routes.as_slice()),
            None => (own.uri, own.routes),
        };
        let request = Request {
            method,
            uri,
            via: &via,
            from: own.from,
            to: own.to,
            call_id: own.call_id,
            cseq: own.cseq,
            routes,
            headers: &[],
            body: None,
        };
        self.written(|out| request.write(out).is_ok())
    }
}

/// What goes to one side of a dialog as if the other had sent it.
fn between<'a>(dialog: &'a Dialog, end: End, cseq: u32, routes: &'a [&'a [u8]]) -> Own<'a> {
    let (side, other) = (dialog.side(end), dialog.side(end.other()));
    // Of a side whose Contact an earlier process knew, its name has to do.
    let name = NameAddr::parse(&side.name).map_or(&[][..], |name| name.uri);
    Own {
        uri: if side.target.is_empty() { name } else { &side.target },
        from: &other.name,
        to: &side.name,
        call_id: dialog.call_id_of(end),
        cseq,
        routes,
        flow: side.flow,
    }
}

/// What follows a 2xx: to its Contact, by its Record-Routes.
fn own<'a>(
    response: &'a Message,
    (uri, from, to): (&'a [u8], &'a [u8], &'a [u8]),
    routes: &'a [&'a [u8]],
    flow: Flow,
) -> Option<Own<'a>> {
    let cseq = CSeq::parse(response.value(HeaderId::CSeq)?).ok()?.number;
    Some(Own { uri, from, to, call_id: response.value(HeaderId::CallId)?, cseq, routes, flow })
}

/// Where what follows a 2xx goes: to its first Record-Route or its Contact, else where the INVITE went.
fn flow_of(response: &Message, routes: &[&[u8]], (flow, sent): (Flow, Flow)) -> Flow {
    let contact = response.list(HeaderId::Contact).next();
    let next = routes.first().copied().or(contact).and_then(|value| NameAddr::parse(value).ok());
    next.map_or(sent, |next| flow_to(next.uri, Flow { listener: sent.listener, ..flow }))
}
