//! Calls that another node has: requests of them wait here while the finder looks for the record, and calls that
//! another node has taken over are let go of.
//!
//! Nothing waits for ever: a finder that says nothing is given up after a while, and what waited is refused. What ends a
//! call waits for nothing: it goes on by its cookie, and what came of it is told when it is known whose call it was.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use runtime::log::Reason;
use sip::timer_wheel::TimerId;
use sip::{Message, StatusCode};
use uuid::Uuid;

use super::orphan::RINGS_MAX;
use super::rebuilt::began;
use super::receive::Request;
use super::recent::Noted;
use super::{GIVEN_FOR, Turn, Worker, admit};
use crate::sip::dialog::{Dialog, End};
use crate::sip::event::{CallEvent, Ended, What};
use crate::sip::finder::{Found, Outcome, ToFinder};
use crate::sip::flow::Flow;
use crate::sip::transactions::Wake;

/// Calls that are looked for at one time; requests of more are refused, and may come again.
const LOOKS_MAX: usize = 1024;
/// Requests of one call that wait.
const BEHIND_MAX: usize = 32;
/// The longest that they wait: their senders send them again some times in it.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// A call that is looked for.
#[derive(Debug, Default)]
pub(super) struct Look {
    waiting: VecDeque<(Flow, Message)>,
    timer: Option<TimerId>,
    /// Its BYE has gone on.
    bye: Option<Box<Passed>>,
    /// What happened to it meanwhile.
    events: Vec<CallEvent>,
}

/// A call whose BYE went on before anybody knew whose it was.
#[derive(Debug)]
struct Passed {
    /// As its cookie and the BYE tell it.
    dialog: Dialog,
    /// Where the BYE came from.
    source: SocketAddr,
}

impl Worker {
    /// A request waits until its dialog is found.
    ///
    /// Errors: the status that it is refused with, where no other node can have the dialog, or too much waits.
    pub(super) fn wait_for_record(
        &mut self,
        request: &Request<'_>,
        dialog: Uuid,
        turn: &mut Turn<'_>,
    ) -> Result<(), StatusCode> {
        if !self.settings.shared {
            return Err(StatusCode::SERVER_INTERNAL_ERROR);
        }
        if !self.look_for(dialog, turn) {
            return Err(super::FULL);
        }
        let look = self.looks.entry(dialog).or_default();
        let again = look.waiting.iter().any(|(_, known)| known.bytes() == request.message.bytes());
        if !again && look.waiting.len() >= BEHIND_MAX {
            return Err(super::FULL);
        }
        if !again {
            look.waiting.push_back((request.flow, request.message.clone()));
        }
        // An INVITE gets no 100 yet: where its refusal is lost, which has no transaction, it is to come again.
        Ok(())
    }

    /// A BYE has gone on, or is about to, by what its cookie says: the record of its call tells what the call costs.
    /// False where none is looked for.
    pub(super) fn look_for_passed(
        &mut self,
        dialog: &Dialog,
        source: SocketAddr,
        turn: &mut Turn<'_>,
    ) -> bool {
        if !self.settings.shared || !self.look_for(dialog.id, turn) {
            return false;
        }
        let look = self.looks.entry(dialog.id).or_default();
        look.bye = Some(Box::new(Passed { dialog: dialog.clone(), source }));
        true
    }

    /// Asks the finder, once; false where there is no room for one more call.
    fn look_for(&mut self, dialog: Uuid, turn: &mut Turn<'_>) -> bool {
        if self.looks.contains_key(&dialog) {
            return true;
        }
        let is_full = self.dialogs.len() + self.looks.len() >= self.settings.dialogs_max;
        if is_full || self.looks.len() >= LOOKS_MAX {
            return false;
        }
        let Some(timer) = self.transactions.arm_call(Wake::Look(dialog), turn.now.instant + WAIT_MAX) else {
            return false;
        };
        turn.out.looks.push(ToFinder::Serve { worker: self.number, dialog });
        self.looks.insert(dialog, Look { timer: Some(timer), ..Look::default() });
        true
    }

    /// The finder has said nothing for too long.
    pub(super) fn look_late(&mut self, dialog: Uuid, turn: &mut Turn<'_>) {
        if let Some(look) = self.looks.get_mut(&dialog) {
            look.timer = None;
        }
        self.looked_for(Found { dialog, outcome: Outcome::Failed }, turn);
    }

    /// What became of a call that was looked for.
    pub(super) fn looked_for(&mut self, found: Found, turn: &mut Turn<'_>) {
        let Found { dialog: id, outcome } = found;
        self.hold_back(turn);
        let Look { waiting, timer, bye, events } = self.looks.remove(&id).unwrap_or_default();
        if let Some(timer) = timer {
            self.transactions.disarm_call(timer);
        }
        match (outcome, bye) {
            // With its BYE it has ended, or ends, by what its cookie said.
            (Outcome::Taken(_), Some(_)) | (Outcome::Unknown | Outcome::Failed, None) => {}
            (Outcome::Taken(dialog), None) => self.take_over(&dialog, turn),
            (Outcome::Unknown | Outcome::Failed, Some(passed)) => self.tell_passed(&passed, turn),
        }
        turn.out.events.extend(events);
        for (flow, message) in waiting {
            if self.dialogs.contains_key(&id) {
                self.take(&message, flow, turn);
            } else {
                self.counters.in_dialog.add(1);
                self.counters.in_dialog_refused.add(1);
                self.reply_statelessly(&message, flow, (StatusCode::SERVER_INTERNAL_ERROR, None), turn);
            }
        }
    }

    /// A call that another process has served goes on here: both sides count as heard now. One that has ended here
    /// before its record was found has an actor now that was not told: it is told now.
    fn take_over(&mut self, dialog: &Dialog, turn: &mut Turn<'_>) {
        let now = turn.now;
        if self.dialogs.contains_key(&dialog.id) {
            return;
        }
        if self.over.has(&dialog.id, now.instant) {
            let media = dialog.media.as_ref().map(|anchor| anchor.node);
            let ended = Ended { media, ..Ended::new(StatusCode::OK, Reason::Answered, None) };
            turn.out.events.push(CallEvent { dialog: dialog.id, at: now, what: What::Ended(ended) });
            return;
        }
        self.recover(dialog.clone());
        if let Some(dialog) = self.dialogs.get_mut(&dialog.id) {
            dialog.seen.hear(End::Caller, now);
            dialog.seen.hear(End::Callee, now);
        }
    }

    /// No record tells of a call whose BYE went on: the cookie tells when it began.
    fn tell_passed(&mut self, passed: &Passed, turn: &mut Turn<'_>) {
        let Passed { dialog, source } = passed;
        let began = began(dialog);
        if began.plus(RINGS_MAX) >= self.settings.started_at {
            let began = began.max(self.settings.started_at);
            self.tell_rebuilt(dialog, *source, (began, began), turn);
            return;
        }
        // It was answered long ago, and its record is gone: somebody has ended it.
        self.counters.byes_unrecorded.add(1);
        if let Some(dialog) = self.dialogs.remove(&dialog.id) {
            self.release(&dialog, turn);
        }
    }

    /// What happens to a call that is looked for is told when it is known whose it was.
    pub(super) fn hold_back(&mut self, turn: &mut Turn<'_>) {
        if self.looks.is_empty() {
            return;
        }
        let mut told = Vec::new();
        for event in turn.out.events.drain(..) {
            match self.looks.get_mut(&event.dialog) {
                Some(look) => look.events.push(event),
                None => told.push(event),
            }
        }
        turn.out.events = told;
    }

    /// Another node has taken a call over, as was seen at a time. Where a side was heard here since, or something of the
    /// call is under way, it is looked at again.
    pub(super) fn give(&mut self, id: Uuid, since: Instant, turn: &mut Turn<'_>) {
        let known = self.dialogs.get(&id);
        let heard = known.is_some_and(|dialog| dialog.seen.is_heard_since(since));
        let under_way = self.held.contains_key(&id)
            || self.looks.contains_key(&id)
            || self.transactions.is_relaying(id)
            // Answers that come again are to find their dialog.
            || self.calls.values().any(|call| call.dialog == id);
        if heard || under_way {
            return;
        }
        self.dialogs.remove(&id);
        if self.given.note(id, turn.now.instant) == Noted::Full {
            self.given_unnoted = Some(turn.now.instant);
        }
        turn.out.given.push(id);
    }

    /// Whether a dialog that is not known here was begun by this process, and has not gone to another node since: it has
    /// ended.
    pub(super) fn has_ended(&self, dialog: Uuid, now: Instant) -> bool {
        (self.is_own(dialog) && !self.may_be_given(dialog, now)) || self.over.has(&dialog, now)
    }

    /// Whether a dialog may have gone to another node: it has, or was let go of when there was no room to note that, or
    /// by an earlier incarnation of the worker, of which nobody knows.
    pub(super) fn may_be_given(&self, dialog: Uuid, now: Instant) -> bool {
        let unnoted = self.given_unnoted.is_some_and(|at| now.saturating_duration_since(at) < GIVEN_FOR);
        let is_older = || admit::began_millis(dialog) < self.began.wall.micros() / 1000;
        self.settings.shared && (unnoted || self.given.has(&dialog, now) || is_older())
    }
}
