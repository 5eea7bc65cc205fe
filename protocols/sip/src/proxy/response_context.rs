//! The response context of one INVITE that is forked serially (RFC 3261 16.7 to 16.10).
//!
//! One branch is tried at a time. A branch that is given up is cancelled, and the context waits for the end of
//! its client transaction: what it answers meanwhile counts for the best response, but does not come before the
//! next vendor, and its 2xx is a call at that vendor and is ended there, unless the next is not chosen yet.

use std::time::Duration;

use super::best::{self, Answer, is_better};
use super::{ATTEMPTS_MAX, BranchId, Input, Options, ProxyTimer, Step, failover};
use crate::status::StatusCode;
use crate::transaction::TIME_MAX;

/// One INVITE's attempts. Settings come with every input: those of the attempt that is under way, which may differ from
/// one vendor to the next.
#[derive(Clone, Debug)]
pub struct ResponseContext {
    phase: Phase,
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
    /// Between two vendors.
    Choosing,
    Trying(Attempt),
    /// Cancelled, waiting for the final response; no vendor comes after it.
    Stopping(BranchId, StoppedBy),
    /// A final response went upstream.
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Attempt {
    branch: BranchId,
    /// Any provisional response, 100 included.
    provisional: bool,
    /// Whether the vendor's own timer is armed.
    pdd: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StoppedBy {
    Caller,
    /// Timer C, or the 6xx of a branch that was given up before.
    Proxy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Branch {
    state: BranchState,
    /// Its client transaction has not ended.
    live: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BranchState {
    /// The one of [`Phase::Trying`] or [`Phase::Stopping`].
    Current,
    /// Cancelled in favour of the next.
    GivenUp,
    /// Ended, or not begun, without an answer for the caller.
    Failed,
    /// Its 2xx is the caller's.
    Answered,
}

impl ResponseContext {
    /// Begins, with the first [`Step::NextVendor`].
    pub fn start(out: &mut Vec<Step>) -> Self {
        out.push(Step::NextVendor(BranchId(0)));
        Self {
            phase: Phase::Choosing,
            branches: [Branch { state: BranchState::Failed, live: false }; ATTEMPTS_MAX],
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
            Input::NoVendor(status) => self.no_vendor(status, options, out),
            Input::Response { branch, status, sdp } => match status.class() {
                1 => {
                    let forwarded = self.provisional(branch, status, options, out);
                    self.early_media |= forwarded && sdp;
                }
                2 => self.success(branch, status, out),
                _ => self.failed(branch, Answer { status, received: true }, options, out),
            },
            Input::Failed { branch, failure } => {
                self.failed(branch, Answer { status: failure.status(), received: false }, options, out);
            }
            Input::Terminated(branch) => self.terminated(branch, options, out),
            Input::Timer(timer, branch) => self.timer(timer, branch, options, out),
            Input::Cancel => self.cancel(out),
        }
        self.finish(out);
    }

    /// Whether a final response went upstream.
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// Whether this branch is the one that is tried, and is not given up.
    pub fn is_trying(&self, branch: BranchId) -> bool {
        matches!(self.phase, Phase::Trying(attempt) if attempt.branch == branch)
    }

    /// Whether a response of this branch, a provisional one or a 2xx, would go upstream.
    pub fn passes(&self, branch: BranchId, status: StatusCode) -> bool {
        match self.branch(branch).map(|branch| branch.state) {
            Some(BranchState::Current) => status.is_success() || self.is_trying(branch),
            Some(BranchState::GivenUp) => status.is_success() && self.phase == Phase::Choosing,
            Some(BranchState::Answered) => status.is_success(),
            Some(BranchState::Failed) | None => false,
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
        if self.phase != Phase::Choosing {
            // The call was over while the vendor was being chosen.
            out.push(Step::Cancel(branch));
            return;
        }
        self.phase = Phase::Trying(Attempt { branch, provisional: false, pdd: pdd.is_some() });
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
        let wanted = self.phase == Phase::Choosing;
        if let Some(slot) = self.branches.get_mut(branch.index()) {
            let state = if wanted { BranchState::Current } else { BranchState::GivenUp };
            *slot = Branch { state, live: true };
        }
        true
    }

    fn no_vendor(&mut self, status: StatusCode, options: &Options, out: &mut Vec<Step>) {
        if !std::mem::take(&mut self.choosing) || self.phase != Phase::Choosing {
            return;
        }
        if self.best.is_some() {
            self.conclude(options, out);
            return;
        }
        let refusal = if status.class() < 3 { StatusCode::SERVER_INTERNAL_ERROR } else { status };
        self.respond(refusal, out);
    }

    /// Whether it goes upstream.
    fn provisional(
        &mut self,
        branch: BranchId,
        status: StatusCode,
        options: &Options,
        out: &mut Vec<Step>,
    ) -> bool {
        let Phase::Trying(attempt) = &mut self.phase else { return false };
        if attempt.branch != branch {
            return false;
        }
        attempt.provisional = true;
        // 100 is hop by hop, and no sign of ringing.
        if status == StatusCode::TRYING {
            return false;
        }
        // The end of an early dialog is no sign of ringing either; but it is forwarded, and restarts timer C, as
        // every provisional response (RFC 6228 6).
        if status != StatusCode::EARLY_DIALOG_TERMINATED && std::mem::take(&mut attempt.pdd) {
            out.push(Step::Disarm(ProxyTimer::Pdd));
        }
        out.push(Step::Arm(ProxyTimer::C, branch, options.bounded_timer_c()));
        out.push(Step::Forward(branch, status));
        true
    }

    fn success(&mut self, branch: BranchId, status: StatusCode, out: &mut Vec<Step>) {
        let Some(state) = self.branch(branch).map(|branch| branch.state) else { return };
        match state {
            // Also of one that was given up, as long as no other has taken its place: better than a new attempt.
            BranchState::GivenUp if self.phase == Phase::Choosing => {
                self.set(branch, BranchState::Answered);
                self.phase = Phase::Done;
                out.push(Step::Forward(branch, status));
            }
            BranchState::Current => {
                self.disarm(out);
                self.set(branch, BranchState::Answered);
                self.phase = Phase::Done;
                out.push(Step::Forward(branch, status));
            }
            BranchState::Answered => out.push(Step::Forward(branch, status)),
            // Each, for the vendor may have forked: only a message tells a second call from a lost ACK.
            BranchState::GivenUp | BranchState::Failed => {
                self.set(branch, BranchState::Failed);
                out.push(Step::EndAtVendor(branch));
            }
        }
    }

    fn failed(&mut self, branch: BranchId, answer: Answer, options: &Options, out: &mut Vec<Step>) {
        // A transaction can fail while it begins, before the context hears of it.
        if !answer.received {
            self.begin(branch);
        }
        let Some(state) = self.branch(branch).map(|branch| branch.state) else { return };
        if !matches!(state, BranchState::Current | BranchState::GivenUp) {
            return;
        }
        self.set(branch, BranchState::Failed);
        if state == BranchState::GivenUp {
            self.late(branch, answer, options, out);
            return;
        }
        self.disarm(out);
        match self.phase {
            Phase::Stopping(_, StoppedBy::Caller) => self.cancelled(branch, answer, out),
            Phase::Stopping(_, StoppedBy::Proxy) => {
                // The answer to our own CANCEL says nothing.
                if answer.received && answer.status != StatusCode::REQUEST_TERMINATED {
                    self.fold(branch, answer, out);
                }
                self.conclude(options, out);
            }
            Phase::Choosing | Phase::Trying(_) | Phase::Done => self.judge(branch, answer, options, out),
        }
    }

    /// The final response of a branch that was given up takes the place of the 408 that stood for it; 487 only
    /// answers our CANCEL.
    fn late(&mut self, branch: BranchId, answer: Answer, options: &Options, out: &mut Vec<Step>) {
        let caller_is_gone = matches!(self.phase, Phase::Done | Phase::Stopping(_, StoppedBy::Caller));
        if caller_is_gone || !answer.received || answer.status == StatusCode::REQUEST_TERMINATED {
            return;
        }
        self.fold(branch, answer, out);
        // A 6xx speaks for every vendor: none is tried after it, and the present one has to end first (16.7
        // step 5).
        if answer.status.class() != 6 {
            return;
        }
        match self.phase {
            Phase::Choosing => self.conclude(options, out),
            Phase::Trying(Attempt { branch, .. }) => {
                self.disarm(out);
                self.phase = Phase::Stopping(branch, StoppedBy::Proxy);
                out.push(Step::Cancel(branch));
            }
            Phase::Stopping(..) | Phase::Done => {}
        }
    }

    /// After a branch that came to its end by itself: the next vendor, or the best response.
    fn judge(&mut self, branch: BranchId, answer: Answer, options: &Options, out: &mut Vec<Step>) {
        self.fold(branch, answer, out);
        if failover::goes_on(&options.failover, self.attempts, self.early_media, answer) {
            self.phase = Phase::Choosing;
            self.choosing = true;
            out.push(Step::NextVendor(BranchId(self.attempts)));
        } else {
            self.conclude(options, out);
        }
    }

    /// Compares with the best so far.
    fn fold(&mut self, branch: BranchId, answer: Answer, out: &mut Vec<Step>) {
        if self.best.is_some_and(|(_, best)| !is_better(answer, best)) {
            return;
        }
        self.best = Some((branch, answer));
        if answer.received {
            out.push(Step::Keep(branch));
        }
    }

    /// The end of the branch that the caller cancelled. It has no use for a vendor's fault, nor for a challenge.
    fn cancelled(&mut self, branch: BranchId, answer: Answer, out: &mut Vec<Step>) {
        if !answer.received || answer.status.class() == 5 || answer.is_challenge() {
            self.respond(StatusCode::REQUEST_TERMINATED, out);
            return;
        }
        self.phase = Phase::Done;
        // Whatever its rank.
        self.best = Some((branch, answer));
        out.extend([Step::Keep(branch), Step::ForwardKept(branch, answer.status)]);
    }

    fn timer(&mut self, timer: ProxyTimer, branch: BranchId, options: &Options, out: &mut Vec<Step>) {
        let Phase::Trying(attempt) = &mut self.phase else { return };
        if attempt.branch != branch {
            return;
        }
        // As if a 408 had come (16.8); but a call may still come up there.
        let silence = Answer { status: StatusCode::REQUEST_TIMEOUT, received: false };
        match timer {
            ProxyTimer::Pdd if !std::mem::take(&mut attempt.pdd) => return,
            ProxyTimer::C if attempt.provisional => {
                if attempt.pdd {
                    out.push(Step::Disarm(ProxyTimer::Pdd));
                }
                self.phase = Phase::Stopping(branch, StoppedBy::Proxy);
                self.fold(branch, silence, out);
                out.push(Step::Cancel(branch));
                return;
            }
            ProxyTimer::Pdd => out.push(Step::Disarm(ProxyTimer::C)),
            ProxyTimer::C if attempt.pdd => out.push(Step::Disarm(ProxyTimer::Pdd)),
            ProxyTimer::C => {}
        }
        self.set(branch, BranchState::GivenUp);
        out.push(Step::Cancel(branch));
        self.judge(branch, silence, options, out);
    }

    fn cancel(&mut self, out: &mut Vec<Step>) {
        match self.phase {
            Phase::Choosing => self.respond(StatusCode::REQUEST_TERMINATED, out),
            Phase::Trying(Attempt { branch, .. }) => {
                self.disarm(out);
                self.phase = Phase::Stopping(branch, StoppedBy::Caller);
                out.push(Step::Cancel(branch));
            }
            Phase::Stopping(branch, _) => self.phase = Phase::Stopping(branch, StoppedBy::Caller),
            Phase::Done => {}
        }
    }

    fn terminated(&mut self, branch: BranchId, options: &Options, out: &mut Vec<Step>) {
        // A transaction tells its outcome first; where it was lost, this is a timeout.
        let answer = Answer { status: StatusCode::REQUEST_TIMEOUT, received: false };
        self.failed(branch, answer, options, out);
        if let Some(branch) = self.branches.get_mut(branch.index()) {
            branch.live = false;
        }
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
        let waiting = self.choosing || self.branches.iter().any(|branch| branch.live);
        if self.phase == Phase::Done && !waiting && !self.finished {
            self.finished = true;
            out.push(Step::Finished);
        }
    }

    /// The timers of the branch that is being tried.
    fn disarm(&mut self, out: &mut Vec<Step>) {
        let Phase::Trying(attempt) = &mut self.phase else { return };
        out.push(Step::Disarm(ProxyTimer::C));
        if std::mem::take(&mut attempt.pdd) {
            out.push(Step::Disarm(ProxyTimer::Pdd));
        }
    }

    /// A branch that was started.
    fn branch(&self, branch: BranchId) -> Option<Branch> {
        self.branches.get(branch.index()).copied().filter(|_| branch.0 < self.attempts)
    }

    fn set(&mut self, branch: BranchId, state: BranchState) {
        if let Some(branch) = self.branches.get_mut(branch.index()) {
            branch.state = state;
        }
    }
}

#[cfg(test)]
mod tests;
