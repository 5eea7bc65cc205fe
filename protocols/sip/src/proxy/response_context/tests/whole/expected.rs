//! Which final response the caller is owed, from everything that the context was told.

use super::super::*;

#[derive(Default)]
pub(super) struct Expected {
    best: Option<Answer>,
    /// Branches whose outcome is known.
    over: Vec<BranchId>,
    /// Branches that were cancelled.
    cancelled: Vec<BranchId>,
    by_caller: bool,
    refusal: Option<StatusCode>,
}

impl Expected {
    /// Before the context is told.
    pub(super) fn told(&mut self, input: Input) {
        match input {
            Input::Response { branch, status, .. } if status.is_final() && !self.over.contains(&branch) => {
                self.over.push(branch);
                // A 487 may be the answer to our CANCEL, and is taken for it.
                let own = status.as_u16() == 487 && self.cancelled.contains(&branch);
                if !status.is_success() && !own {
                    self.fold(Answer { status, received: true });
                }
            }
            Input::Failed { branch, failure } => self.failed(branch, failure.status()),
            Input::Terminated(branch) => self.failed(branch, StatusCode::REQUEST_TIMEOUT),
            Input::Cancel => self.by_caller = true,
            Input::NoVendor(status) => self.refusal = Some(status),
            Input::Response { .. } | Input::Started { .. } | Input::Timer(..) => {}
        }
    }

    /// A branch that we cancel counts as 408.
    pub(super) fn cancels(&mut self, branch: BranchId) {
        self.cancelled.push(branch);
        if !self.by_caller {
            self.fold(Answer { status: StatusCode::REQUEST_TIMEOUT, received: false });
        }
    }

    /// The final response that goes upstream is the one that is owed.
    pub(super) fn check(&self, sent: Step, in_hand: Option<StatusCode>, pass_503: bool) {
        if self.by_caller {
            let crossed = |status: StatusCode| {
                in_hand == Some(status) && status.class() != 5 && ![401, 407].contains(&status.as_u16())
            };
            let right = if let Step::ForwardKept(_, status) = sent {
                crossed(status)
            } else {
                sent == Step::Respond(status(487))
            };
            assert!(right, "{sent:?} to a caller that cancelled");
            return;
        }
        let Some(best) = self.best else {
            assert_eq!(Some(sent), self.refusal.map(Step::Respond), "nobody was asked");
            return;
        };
        let hidden = best.status.as_u16() == 503 && !(pass_503 && best.received);
        let owed = if hidden { status(500) } else { best.status };
        if let Step::ForwardKept(_, status) = sent {
            assert_eq!((status, best.received), (owed, true));
        } else {
            assert_eq!((sent, best.received && !hidden), (Step::Respond(owed), false));
        }
    }

    fn failed(&mut self, branch: BranchId, status: StatusCode) {
        if !self.over.contains(&branch) {
            self.over.push(branch);
            if !self.cancelled.contains(&branch) {
                self.fold(Answer { status, received: false });
            }
        }
    }

    fn fold(&mut self, answer: Answer) {
        if self.best.is_none_or(|best| is_better(answer, best)) {
            self.best = Some(answer);
        }
    }
}
