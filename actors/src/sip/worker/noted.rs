//! What records need of the attempts of a call.

use runtime::log::CallIdentity;
use sip::StatusCode;
use sip::proxy::{BranchId, Input, Step};
use sip::transaction::Failure;

use super::call::{Kind, Way};
use super::{Turn, Worker};
use crate::sip::event::{Attempted, CallEvent, What};
use crate::sip::routing;
use crate::sip::transactions::CallId;

impl Worker {
    /// Keeps what records need of an input.
    pub(super) fn note(&mut self, id: CallId, input: Input, steps: &[Step], turn: &mut Turn<'_>) {
        let (branch, status, received) = match input {
            Input::Response { branch, status, .. } => (branch, status, true),
            Input::Failed { branch, failure } => (branch, failure.status(), false),
            // Given up for want of an answer; what comes of it later is nobody's.
            Input::Timer(_, branch) if steps.contains(&Step::Cancel(branch)) => {
                (branch, StatusCode::REQUEST_TIMEOUT, false)
            }
            Input::Started { .. }
            | Input::NoVendor(_)
            | Input::Terminated(_)
            | Input::Timer(..)
            | Input::Cancel => return,
        };
        let Some(call) = self.calls.get_mut(id) else { return };
        let Some(attempt) = call.attempts.get_mut(branch.index()) else { return };
        let status = attempt.challenged.take().unwrap_or(status);
        // A refusal is no ringing.
        let rings =
            received && (status.is_success() || (status.is_provisional() && status != StatusCode::TRYING));
        if rings && attempt.ringing.is_none() {
            attempt.ringing = Some(turn.now);
        }
        if !status.is_final() || attempt.told || call.kind != Kind::Initial {
            return;
        }
        // Where nobody listens on TCP, the same vendor gets it by UDP (18.1.1).
        if attempt.moved_to_tcp && matches!(input, Input::Failed { failure: Failure::Transport, .. }) {
            (attempt.told, attempt.channel) = (true, None);
            if let Some(setup) = &mut call.setup
                && let Way::Plan { next, .. } = &mut setup.way
            {
                *next = attempt.hop;
                setup.tcp_failed = true;
                setup.stale.extend(attempt.anchor.clone());
            }
            return;
        }
        self.tell(id, branch, (status, received), turn);
    }

    /// Those that were tried at the same time as the one that has decided a call: they are cancelled, and what comes of
    /// that comes after the record.
    pub(super) fn note_rest(&mut self, id: CallId, before: bool, turn: &mut Turn<'_>) {
        let Some(call) = self.calls.get(id) else { return };
        if before || !call.context.is_done() || !call.context.is_parallel() {
            return;
        }
        let places = (0..).zip(&call.attempts).filter(|(_, attempt)| !attempt.told);
        let rest: Vec<BranchId> = places.map(|(place, _)| BranchId::new(place)).collect();
        for branch in rest {
            self.tell(id, branch, (StatusCode::REQUEST_TERMINATED, false), turn);
        }
    }

    /// The record of an attempt that has come to its end, or was answered.
    fn tell(
        &mut self,
        id: CallId,
        branch: BranchId,
        (status, received): (StatusCode, bool),
        turn: &mut Turn<'_>,
    ) {
        let Some(call) = self.calls.get_mut(id) else { return };
        let dialog = call.dialog;
        let Some(attempt) = call.attempts.get_mut(branch.index()) else { return };
        attempt.told = true;
        // A vendor that refused has no channel any more.
        if !status.is_success() {
            attempt.channel = None;
            if let (Some(anchor), Some(setup)) = (&attempt.anchor, &mut call.setup) {
                setup.stale.push(anchor.clone());
            }
        }
        let Some(setup) = call.setup.as_deref() else { return };
        let Way::Plan { plan, .. } = &setup.way else { return };
        let Some((hop, vendor, target)) = plan.hop(attempt.hop) else { return };
        if received {
            target.health.answered();
        } else if status != StatusCode::REQUEST_TERMINATED {
            target.health.silent(turn.now.instant);
        }
        let attempted = Attempted {
            attempt: u8::try_from(branch.index()).unwrap_or(u8::MAX),
            vendor: hop.vendor,
            vendor_id: Some(vendor.config.id),
            address: attempt.flow.peer,
            callee: attempt.callee.clone(),
            rate: hop.rate,
            prefix: routing::prefix(&plan.number, hop.prefix_len),
            high_cost: plan.high_cost,
            started: attempt.started,
            ringing: attempt.ringing,
            status,
            received,
            identity: CallIdentity { signed: attempt.signed, ..setup.identified.noted },
        };
        let what = What::Attempted(Box::new(attempted));
        turn.out.events.push(CallEvent { dialog, at: turn.now, what });
    }
}
