//! The response context of one INVITE that is forked in parallel (RFC 3261 16.7 to 16.10).
//!
//! The first branches, as many as the context is told, are begun at once: each as soon as the one before it has begun.
//! The first 2xx is the caller's, and ends the others; without one the best response is, when all have come to their
//! end. Where that says no more than that nobody answered, further branches follow, one after the other, as in a
//! [`ResponseContext`](super::ResponseContext).
//!
//! A branch that is cancelled for the caller, or because of a 6xx, is waited for if it was heard of: its 2xx may be on its
//! way, and is the caller's then. One that has said nothing is not: it cannot even be cancelled before it has. The 2xx of
//! one that was given up for want of an answer is the caller's until another branch is begun in its place. Challenges are
//! refusals like others here; they are not gathered.

use std::time::Duration;

use super::best::{self, Answer, is_better};
use super::{ATTEMPTS_MAX, BranchId, Input, Options, ProxyTimer, Step, failover};
use crate::status::StatusCode;
use crate::transaction::TIME_MAX;

/// One INVITE's branches. Settings come with every input: those of the branch that was begun last.
#[derive(Clone, Debug)]
pub struct ForkContext {
    phase: Phase,
    /// Branches that are begun at once.
    wave: u8,
    branches: [Branch; ATTEMPTS_MAX],
    attempts: u8,
    best: Option<(BranchId, Answer)>,
    /// A provisional response with a session description went upstream.
    early_media: bool,
    /// A [`Step::NextVendor`] has no answer yet.
    choosing: bool,
    finished: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// More branches are begun beside those that there are.
    Opening,
    /// All have begun. One more follows when all of them have failed, if any.
    Waiting,
    /// None follows; what was heard of is waited for.
    Stopping(StoppedBy),
    /// A final response went upstream.
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StoppedBy {
    Caller,
    /// A 6xx, which speaks for all.
    Refusal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Branch {
    state: State,
    /// Its client transaction has not ended.
    live: bool,
    /// Any provisional response came, 100 included.
    heard: bool,
    /// Whether its own timer is armed, beside timer C.
    pdd: bool,
}

const NONE: Branch = Branch { state: State::Failed, live: false, heard: false, pdd: false };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It may still answer.
    Trying,
    /// Cancelled; its final response, or the end of its transaction, is waited for.
    Awaited,
    /// Cancelled; what comes of it is not waited for.
    Cancelled,
    /// Cancelled, and another is tried in its place: its 2xx comes too late.
    GivenUp,
    /// Ended, or not begun, without an answer for the caller.
    Failed,
    /// Its 2xx is the caller's.
    Answered,
}

impl ForkContext {
    /// Begins, with the first [`Step::NextVendor`]; this many branches are begun at once.
    pub fn start(wave: u8, out: &mut Vec<Step>) -> Self {
        out.push(Step::NextVendor(BranchId(0)));
        Self {
            phase: Phase::Opening,
            wave,
            branches: [NONE; ATTEMPTS_MAX],
            attempts: 0,
            best: None,
            early_media: false,
            choosing: true,
            finished: false,
        }
    }

    /// Advances the context; `out` is appended to.
    pub fn handle(&mut self, input: Input, options: &Options, out: &mut Vec<Step>) {
        match input {
            Input::Started { branch, pdd } => self.started(branch, pdd, options, out),
            Input::NoVendor(status) => self.no_vendor(status, out),
            Input::Response { branch, status, sdp } => match status.class() {
                1 => {
                    let forwarded = self.provisional(branch, status, options, out);
                    self.early_media |= forwarded && sdp;
                }
                2 => self.success(branch, status, out),
                _ => self.failed(branch, Answer { status, received: true }, out),
            },
            Input::Failed { branch, failure } => {
                self.failed(branch, Answer { status: failure.status(), received: false }, out);
            }
            Input::Terminated(branch) => self.terminated(branch, out),
            Input::Timer(timer, branch) => self.timer(timer, branch, out),
            Input::Cancel => self.cancel(out),
        }
        self.go_on(options, out);
        self.finish(out);
    }

    /// Whether a final response went upstream.
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// Whether no branch follows, whatever comes.
    pub const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Stopping(_) | Phase::Done)
    }

    /// Whether the branch that is asked for is begun beside others.
    pub fn is_opening(&self) -> bool {
        self.phase == Phase::Opening
    }

    /// Whether this branch may still answer, and is not given up.
    pub fn is_trying(&self, branch: BranchId) -> bool {
        self.branch(branch).is_some_and(|branch| branch.state == State::Trying)
    }

    /// Whether a response of this branch, a provisional one or a 2xx, would go upstream.
    pub fn passes(&self, branch: BranchId, status: StatusCode) -> bool {
        let open = !self.is_done();
        match self.branch(branch).map(|branch| branch.state) {
            Some(State::Trying) => open,
            Some(State::Awaited | State::Cancelled) => open && status.is_success(),
            Some(State::Answered) => status.is_success(),
            Some(State::GivenUp | State::Failed) | None => false,
        }
    }

    /// Whether [`Step::Finished`] was given.
    pub const fn is_finished(&self) -> bool {
        self.finished
    }

    fn started(&mut self, branch: BranchId, pdd: Option<Duration>, options: &Options, out: &mut Vec<Step>) {
        if !self.begin(branch) {
            return;
        }
        if self.is_closed() {
            // The call was over while the way was being chosen.
            self.set(branch, State::Cancelled);
            out.push(Step::Cancel(branch));
            return;
        }
        if self.phase == Phase::Waiting {
            let given_up = self.branches.iter_mut().filter(|branch| branch.state == State::Cancelled);
            given_up.for_each(|branch| branch.state = State::GivenUp);
        }
        if let Some(slot) = self.branches.get_mut(branch.index()) {
            slot.pdd = pdd.is_some();
        }
        out.push(Step::Arm(ProxyTimer::C, branch, options.bounded_timer_c()));
        out.extend(pdd.map(|pdd| Step::Arm(ProxyTimer::Pdd, branch, pdd.min(TIME_MAX))));
    }

    /// Whether it is the branch that was asked for, which is now.
    fn begin(&mut self, branch: BranchId) -> bool {
        if !self.choosing || branch.0 != self.attempts {
            return false;
        }
        self.choosing = false;
        self.attempts = self.attempts.saturating_add(1);
        if let Some(slot) = self.branches.get_mut(branch.index()) {
            *slot = Branch { state: State::Trying, live: true, ..NONE };
        }
        true
    }

    fn no_vendor(&mut self, status: StatusCode, out: &mut Vec<Step>) {
        if !std::mem::take(&mut self.choosing) || self.is_closed() {
            return;
        }
        if self.attempts == 0 {
            let refusal = if status.class() < 3 { StatusCode::SERVER_INTERNAL_ERROR } else { status };
            self.respond(refusal, out);
        } else if self.phase == Phase::Opening {
            self.phase = Phase::Waiting;
        } else {
            // None is left behind those that have failed.
            self.phase = Phase::Stopping(StoppedBy::Refusal);
        }
    }

    /// Whether it goes upstream.
    fn provisional(
        &mut self,
        branch: BranchId,
        status: StatusCode,
        options: &Options,
        out: &mut Vec<Step>,
    ) -> bool {
        let closed = self.is_closed();
        let Some(slot) = self.branches.get_mut(branch.index()) else { return false };
        if closed || slot.state != State::Trying {
            return false;
        }
        slot.heard = true;
        // 100 is hop by hop, and no sign of ringing.
        if status == StatusCode::TRYING {
            return false;
        }
        if status != StatusCode::EARLY_DIALOG_TERMINATED && std::mem::take(&mut slot.pdd) {
            out.push(Step::DisarmOf(ProxyTimer::Pdd, branch));
        }
        out.push(Step::Arm(ProxyTimer::C, branch, options.bounded_timer_c()));
        out.push(Step::Forward(branch, status));
        true
    }

    fn success(&mut self, branch: BranchId, status: StatusCode, out: &mut Vec<Step>) {
        let Some(state) = self.branch(branch).map(|branch| branch.state) else { return };
        let open = !self.is_done();
        match state {
            // Also of one that was cancelled: no other has answered, or is tried in its place.
            State::Trying | State::Awaited | State::Cancelled if open => {
                self.disarm(branch, out);
                self.set(branch, State::Answered);
                self.phase = Phase::Done;
                out.push(Step::Forward(branch, status));
                self.cancel_all(out);
            }
            State::Answered => out.push(Step::Forward(branch, status)),
            State::Trying | State::Awaited | State::Cancelled | State::GivenUp | State::Failed => {
                self.set(branch, State::Failed);
                out.push(Step::EndAtVendor(branch));
            }
        }
    }

    fn failed(&mut self, branch: BranchId, answer: Answer, out: &mut Vec<Step>) {
        // A transaction can fail while it begins, before the context hears of it.
        if !answer.received {
            self.begin(branch);
        }
        let Some(state) = self.branch(branch).map(|branch| branch.state) else { return };
        if matches!(state, State::Failed | State::Answered) {
            return;
        }
        self.disarm(branch, out);
        self.set(branch, State::Failed);
        if self.is_done() {
            return;
        }
        // What only answers our CANCEL says nothing.
        let says = answer.received && answer.status != StatusCode::REQUEST_TERMINATED;
        if state == State::Trying || says {
            self.fold(branch, answer, out);
        }
        if answer.received && answer.status.class() == 6 && !self.is_closed() {
            self.phase = Phase::Stopping(StoppedBy::Refusal);
            self.cancel_all(out);
        }
    }

    /// Compares with the best so far.
    fn fold(&mut self, branch: BranchId, answer: Answer, out: &mut Vec<Step>) {
        if self.best.is_none_or(|(_, best)| is_better(answer, best)) {
            self.best = Some((branch, answer));
            if answer.received {
                out.push(Step::Keep(branch));
            }
        }
    }

    fn timer(&mut self, timer: ProxyTimer, branch: BranchId, out: &mut Vec<Step>) {
        let Some(slot) = self.branches.get(branch.index()) else { return };
        let armed = timer == ProxyTimer::C || slot.pdd;
        if slot.state != State::Trying || !armed {
            return;
        }
        self.disarm(branch, out);
        self.set(branch, State::Cancelled);
        // As if a 408 had come (16.8); but a call may still come up there.
        self.fold(branch, Answer { status: StatusCode::REQUEST_TIMEOUT, received: false }, out);
        out.push(Step::Cancel(branch));
    }

    fn cancel(&mut self, out: &mut Vec<Step>) {
        if self.is_done() {
            return;
        }
        self.phase = Phase::Stopping(StoppedBy::Caller);
        self.cancel_all(out);
    }

    /// Cancels what may still answer.
    fn cancel_all(&mut self, out: &mut Vec<Step>) {
        for branch in (0..self.attempts).map(BranchId) {
            if !self.is_trying(branch) {
                continue;
            }
            self.disarm(branch, out);
            let heard = self.branch(branch).is_some_and(|branch| branch.heard);
            self.set(branch, if heard { State::Awaited } else { State::Cancelled });
            out.push(Step::Cancel(branch));
        }
    }

    fn terminated(&mut self, branch: BranchId, out: &mut Vec<Step>) {
        // A transaction tells its outcome first; where it was lost, this is a timeout.
        self.failed(branch, Answer { status: StatusCode::REQUEST_TIMEOUT, received: false }, out);
        if let Some(branch) = self.branches.get_mut(branch.index()) {
            branch.live = false;
        }
    }

    /// The next branch, or the end, where it is time for either.
    fn go_on(&mut self, options: &Options, out: &mut Vec<Step>) {
        if self.phase == Phase::Opening && !self.choosing {
            if self.attempts < self.wave && usize::from(self.attempts) < ATTEMPTS_MAX {
                self.next(out);
            } else {
                self.phase = Phase::Waiting;
            }
        }
        match self.phase {
            Phase::Waiting if !self.choosing && !self.any(|branch| branch.state == State::Trying) => {
                let best = self.best.map(|(_, answer)| answer);
                let goes_on =
                    |answer| failover::goes_on(&options.failover, self.attempts, self.early_media, answer);
                if best.is_some_and(goes_on) { self.next(out) } else { self.conclude(options, out) }
            }
            Phase::Stopping(by) if !self.any(|branch| branch.state == State::Awaited) => match by {
                StoppedBy::Caller => self.respond(StatusCode::REQUEST_TERMINATED, out),
                StoppedBy::Refusal => self.conclude(options, out),
            },
            Phase::Opening | Phase::Waiting | Phase::Stopping(_) | Phase::Done => {}
        }
    }

    fn next(&mut self, out: &mut Vec<Step>) {
        self.choosing = true;
        out.push(Step::NextVendor(BranchId(self.attempts)));
    }

    fn conclude(&mut self, options: &Options, out: &mut Vec<Step>) {
        self.phase = Phase::Done;
        out.push(best::last_word(self.best, options.pass_503));
    }

    fn respond(&mut self, status: StatusCode, out: &mut Vec<Step>) {
        self.phase = Phase::Done;
        out.push(Step::Respond(status));
    }

    fn finish(&mut self, out: &mut Vec<Step>) {
        let waiting = self.choosing || self.any(|branch| branch.live);
        if self.phase == Phase::Done && !waiting && !self.finished {
            self.finished = true;
            out.push(Step::Finished);
        }
    }

    /// The timers of a branch that may still answer.
    fn disarm(&mut self, branch: BranchId, out: &mut Vec<Step>) {
        let slot = self.branches.get_mut(branch.index());
        let Some(slot) = slot.filter(|slot| slot.state == State::Trying) else { return };
        out.push(Step::DisarmOf(ProxyTimer::C, branch));
        if std::mem::take(&mut slot.pdd) {
            out.push(Step::DisarmOf(ProxyTimer::Pdd, branch));
        }
    }

    fn any(&self, is: impl Fn(&Branch) -> bool) -> bool {
        self.branches.iter().any(is)
    }

    /// A branch that was started.
    fn branch(&self, branch: BranchId) -> Option<Branch> {
        self.branches.get(branch.index()).copied().filter(|_| branch.0 < self.attempts)
    }

    fn set(&mut self, branch: BranchId, state: State) {
        if let Some(branch) = self.branches.get_mut(branch.index()) {
            branch.state = state;
        }
    }
}

#[cfg(test)]
mod tests;
