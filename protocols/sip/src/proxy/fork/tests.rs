use proptest::prelude::*;

use super::*;
use crate::proxy::FailoverOptions;
use crate::transaction::Failure;

const fn status(code: u16) -> StatusCode {
    StatusCode::new(code).unwrap()
}

const C: Duration = Duration::from_secs(185);
const A: BranchId = BranchId(0);
const B: BranchId = BranchId(1);
const D: BranchId = BranchId(2);

struct Call {
    context: ForkContext,
    options: Options,
}

impl Call {
    /// So many branches are tried at once, without timers of their own.
    fn new(wave: u8) -> Self {
        let mut out = Vec::new();
        let mut call = Self { context: ForkContext::start(wave, &mut out), options: Options::default() };
        assert_eq!(out, [Step::NextVendor(A)]);
        for index in 0..wave {
            let mut expected = vec![Step::Arm(ProxyTimer::C, BranchId(index), C)];
            if index + 1 < wave {
                expected.push(Step::NextVendor(BranchId(index + 1)));
            }
            assert!(call.context.is_opening());
            assert_eq!(call.on(Input::Started { branch: BranchId(index), pdd: None }), expected);
        }
        assert!(!call.context.is_opening() && !call.context.is_closed());
        call
    }

    fn on(&mut self, input: Input) -> Vec<Step> {
        let mut out = Vec::new();
        self.context.handle(input, &self.options, &mut out);
        out
    }

    fn answers(&mut self, branch: BranchId, code: u16) -> Vec<Step> {
        self.on(Input::Response { branch, status: status(code), sdp: false })
    }

    /// All client transactions end; nothing but the end may follow.
    fn ends(&mut self, branches: u8) {
        for index in 0..branches - 1 {
            assert_eq!(self.on(Input::Terminated(BranchId(index))), []);
        }
        assert_eq!(self.on(Input::Terminated(BranchId(branches - 1))), [Step::Finished]);
        assert!(self.context.is_finished());
        assert_eq!(self.on(Input::Cancel), []);
    }
}

const fn no_c(branch: BranchId) -> Step {
    Step::DisarmOf(ProxyTimer::C, branch)
}

fn ringing(call: &mut Call, branch: BranchId) {
    let expected = [Step::Arm(ProxyTimer::C, branch, C), Step::Forward(branch, status(180))];
    assert_eq!(call.answers(branch, 180), expected);
}

#[test]
fn the_first_answer_ends_the_others() {
    let mut call = Call::new(3);
    assert_eq!(call.answers(A, 100), [], "hop by hop");
    ringing(&mut call, A);
    ringing(&mut call, B);
    let won = [no_c(B), Step::Forward(B, status(200)), no_c(A), Step::Cancel(A), no_c(D), Step::Cancel(D)];
    assert_eq!(call.answers(B, 200), won);
    assert!(call.context.is_done());
    assert_eq!(call.answers(B, 200), [Step::Forward(B, status(200))], "retransmitted by the callee");
    assert_eq!(call.answers(A, 487), []);
    assert_eq!(call.answers(D, 180), [], "too late");
    assert_eq!(call.answers(D, 200), [Step::EndAtVendor(D)], "it crossed the CANCEL");
    assert_eq!(call.answers(D, 200), [Step::EndAtVendor(D)], "once more");
    assert_eq!(call.on(Input::Cancel), [], "too late");
    call.ends(3);
}

#[test]
fn the_best_refusal_when_all_have_failed() {
    // What each says, 0 for silence, and what the caller is told, from which one.
    for (codes, expected) in [
        ([486, 404, 503], Step::ForwardKept(A, status(486))),
        ([500, 404, 486], Step::ForwardKept(B, status(404))),
        ([0, 404, 500], Step::ForwardKept(B, status(404))),
        ([302, 404, 500], Step::ForwardKept(A, status(302))),
    ] {
        let mut call = Call::new(3);
        let mut last = Vec::new();
        for (branch, code) in [A, B, D].into_iter().zip(codes) {
            assert!(!call.context.is_done(), "{codes:?}");
            last = match code {
                0 => call.on(Input::Failed { branch, failure: Failure::Timeout }),
                code => call.answers(branch, code),
            };
        }
        assert_eq!(last.last(), Some(&expected), "{codes:?}");
        call.ends(3);
    }
}

#[test]
fn a_6xx_speaks_for_all() {
    let mut call = Call::new(3);
    ringing(&mut call, A);
    let stops = [no_c(B), Step::Keep(B), no_c(A), Step::Cancel(A), no_c(D), Step::Cancel(D)];
    assert_eq!(call.answers(B, 603), stops);
    assert!(call.context.is_closed() && !call.context.is_done(), "what rings is waited for");
    assert_eq!(call.answers(A, 487), [Step::ForwardKept(B, status(603))]);
    call.ends(3);

    let mut call = Call::new(2);
    ringing(&mut call, A);
    call.answers(B, 603);
    assert_eq!(call.answers(A, 200), [Step::Forward(A, status(200))], "it was answered before");
    call.ends(2);
}

#[test]
fn the_caller_cancels() {
    let mut call = Call::new(3);
    ringing(&mut call, A);
    ringing(&mut call, B);
    let all = [no_c(A), Step::Cancel(A), no_c(B), Step::Cancel(B), no_c(D), Step::Cancel(D)];
    assert_eq!(call.on(Input::Cancel), all);
    assert_eq!(call.answers(A, 487), []);
    assert_eq!(call.answers(B, 487), [Step::Respond(status(487))], "what has said nothing is not waited for");
    assert_eq!(call.answers(D, 200), [Step::EndAtVendor(D)]);
    call.ends(3);

    let mut call = Call::new(2);
    ringing(&mut call, A);
    call.on(Input::Cancel);
    assert_eq!(call.answers(A, 200), [Step::Forward(A, status(200))], "the caller ends it");
    call.ends(2);

    let mut call = Call::new(2);
    let at_once = call.on(Input::Cancel);
    assert_eq!(at_once.last(), Some(&Step::Respond(status(487))), "nothing was heard");
    call.ends(2);
}

/// While the way of a branch is being chosen.
#[test]
fn what_begins_too_late_is_cancelled() {
    let mut out = Vec::new();
    let mut context = ForkContext::start(3, &mut out);
    let options = Options::default();
    context.handle(Input::Started { branch: A, pdd: None }, &options, &mut out);
    out.clear();
    context.handle(Input::Response { branch: A, status: status(200), sdp: true }, &options, &mut out);
    assert_eq!(out, [no_c(A), Step::Forward(A, status(200))]);
    out.clear();
    context.handle(Input::Started { branch: B, pdd: None }, &options, &mut out);
    assert_eq!(out, [Step::Cancel(B)], "and no third one");
    out.clear();
    context.handle(Input::Response { branch: B, status: status(200), sdp: true }, &options, &mut out);
    assert_eq!(out, [Step::EndAtVendor(B)]);
    out.clear();
    context.handle(Input::Terminated(A), &options, &mut out);
    context.handle(Input::Terminated(B), &options, &mut out);
    assert_eq!(out, [Step::Finished]);
}

#[test]
fn a_timer_is_of_one_branch() {
    let mut call = Call::new(2);
    ringing(&mut call, A);
    let given_up = [no_c(B), Step::Cancel(B)];
    assert_eq!(call.on(Input::Timer(ProxyTimer::C, B)), given_up);
    assert_eq!(call.on(Input::Timer(ProxyTimer::C, B)), [], "once");
    assert_eq!(call.on(Input::Timer(ProxyTimer::Pdd, A)), [], "it has none");
    assert_eq!(call.answers(A, 486), [no_c(A), Step::Keep(A), Step::ForwardKept(A, status(486))]);
    call.ends(2);

    let mut call = Call::new(2);
    call.on(Input::Timer(ProxyTimer::C, A));
    let won = [Step::Forward(A, status(200)), no_c(B), Step::Cancel(B)];
    assert_eq!(call.answers(A, 200), won, "no other has answered");
    call.ends(2);
}

/// Until another one is tried in its place it may still have the call.
#[test]
fn who_is_given_up_for_another_answers_too_late() {
    let passes = |call: &Call, branch, code| call.context.passes(branch, status(code));
    let mut call = Call::new(2);
    assert!(passes(&call, A, 183) && passes(&call, A, 200) && !passes(&call, D, 200));
    call.on(Input::Timer(ProxyTimer::C, A));
    let given_up = [no_c(B), Step::Cancel(B), Step::NextVendor(D)];
    assert_eq!(call.on(Input::Timer(ProxyTimer::C, B)), given_up);
    assert!(!passes(&call, A, 183) && passes(&call, A, 200));
    assert_eq!(call.on(Input::Started { branch: D, pdd: None }), [Step::Arm(ProxyTimer::C, D, C)]);
    assert!(!passes(&call, A, 200) && passes(&call, D, 183));
    assert_eq!(call.answers(A, 200), [Step::EndAtVendor(A)]);
    assert_eq!(call.answers(D, 200), [no_c(D), Step::Forward(D, status(200))]);
    assert!(passes(&call, D, 200) && !passes(&call, D, 183) && !passes(&call, B, 200));
    call.ends(3);
}

#[test]
fn silence_leads_on_and_a_refusal_does_not() {
    let pdd = Some(Duration::from_secs(8));
    for (code, leads_on) in [(0, true), (503, true), (486, false), (408, true)] {
        let mut out = Vec::new();
        let mut call = Call { context: ForkContext::start(2, &mut out), options: Options::default() };
        for branch in [A, B] {
            let steps = call.on(Input::Started { branch, pdd });
            assert_eq!(steps[1], Step::Arm(ProxyTimer::Pdd, branch, Duration::from_secs(8)));
        }
        let silent = [no_c(A), Step::DisarmOf(ProxyTimer::Pdd, A), Step::Cancel(A)];
        assert_eq!(call.on(Input::Timer(ProxyTimer::Pdd, A)), silent);
        let steps = match code {
            0 => call.on(Input::Timer(ProxyTimer::Pdd, B)),
            code => call.answers(B, code),
        };
        assert_eq!(steps.contains(&Step::NextVendor(D)), leads_on, "{code}: {steps:?}");
        assert!(!call.context.is_opening());
        if leads_on {
            let told = call.on(Input::NoVendor(status(480)));
            assert!(matches!(told[..], [Step::Respond(_) | Step::ForwardKept(..)]), "{code}: {told:?}");
        }
        assert!(call.context.is_done());
        call.ends(2);
    }
}

#[test]
fn fewer_ways_than_were_asked_for() {
    let mut out = Vec::new();
    let mut call = Call { context: ForkContext::start(3, &mut out), options: Options::default() };
    call.on(Input::Started { branch: A, pdd: None });
    assert_eq!(call.on(Input::NoVendor(status(480))), [], "the first one goes on");
    assert!(!call.context.is_opening());
    let refused = [no_c(A), Step::Keep(A), Step::ForwardKept(A, status(404))];
    assert_eq!(call.answers(A, 404), refused);
    call.ends(1);

    for (given, sent) in [(480, 480), (200, 500)] {
        let mut out = Vec::new();
        let mut call = Call { context: ForkContext::start(2, &mut out), options: Options::default() };
        assert_eq!(call.on(Input::NoVendor(status(given))), [Step::Respond(status(sent)), Step::Finished]);
    }
}

/// A transaction that fails while it begins is told before its beginning.
#[test]
fn what_fails_at_once_holds_nothing_up() {
    let mut out = Vec::new();
    let mut call = Call { context: ForkContext::start(2, &mut out), options: Options::default() };
    let failed = call.on(Input::Failed { branch: A, failure: Failure::Transport });
    assert_eq!(failed, [no_c(A), Step::NextVendor(B)]);
    assert_eq!(call.on(Input::Terminated(A)), []);
    assert_eq!(call.on(Input::Started { branch: A, pdd: None }), []);
    assert_eq!(call.on(Input::Started { branch: B, pdd: None }), [Step::Arm(ProxyTimer::C, B, C)]);
    assert_eq!(call.answers(B, 486).last(), Some(&Step::ForwardKept(B, status(486))));
    assert_eq!(call.on(Input::Terminated(B)), [Step::Finished]);
}

#[derive(Clone, Copy, Debug)]
enum Happening {
    Choose(bool),
    Answers(u8, u16),
    Fails(u8),
    Fires(bool, u8),
    Cancel,
}

fn happening() -> impl Strategy<Value = Happening> {
    let code =
        prop_oneof![Just(100), Just(180), Just(200), Just(302), Just(486), Just(487), Just(503), Just(603)];
    prop_oneof![
        4 => any::<bool>().prop_map(Happening::Choose),
        6 => (0_u8..6, code).prop_map(|(branch, code)| Happening::Answers(branch, code)),
        1 => (0_u8..6).prop_map(Happening::Fails),
        1 => (any::<bool>(), 0_u8..6).prop_map(|(c, branch)| Happening::Fires(c, branch)),
        1 => Just(Happening::Cancel),
    ]
}

/// A context, and what has become of its branches.
struct World {
    context: ForkContext,
    options: Options,
    choice: Option<BranchId>,
    started: Vec<BranchId>,
    /// Branches that have ended by themselves.
    over: Vec<BranchId>,
    cancelled: Vec<BranchId>,
    answered: Option<BranchId>,
    finals: usize,
    finished: usize,
}

impl World {
    fn new(wave: u8, options: Options) -> Self {
        let mut out = Vec::new();
        let context = ForkContext::start(wave, &mut out);
        assert_eq!(out, [Step::NextVendor(A)]);
        let (started, over, cancelled) = (Vec::new(), Vec::new(), Vec::new());
        let (choice, answered) = (Some(A), None);
        Self { context, options, choice, started, over, cancelled, answered, finals: 0, finished: 0 }
    }

    fn input(&mut self, input: Input) {
        let mut steps = Vec::new();
        let mut passes = None;
        if let Input::Response { branch, status, .. } = input
            && (101..300).contains(&status.as_u16())
        {
            passes = Some(self.context.passes(branch, status));
        }
        self.context.handle(input, &self.options, &mut steps);
        let forwarded = steps.iter().any(|step| matches!(step, Step::Forward(..)));
        assert!(passes.is_none_or(|passes| passes == forwarded), "{input:?} {steps:?}");
        let mut forgotten = None;
        if let Input::Response { branch, status, .. } = input
            && status.is_success()
        {
            forgotten = Some(branch);
        }
        for step in &steps {
            match *step {
                Step::NextVendor(branch) => assert_eq!(self.choice.replace(branch), None),
                Step::Forward(branch, status) if status.is_success() => {
                    assert!(self.answered.is_none_or(|answered| answered == branch));
                    self.finals += usize::from(self.answered.replace(branch).is_none());
                    forgotten = forgotten.filter(|forgotten| *forgotten != branch);
                }
                Step::Forward(..) | Step::Keep(_) | Step::Arm(..) | Step::DisarmOf(..) => {}
                Step::Disarm(_) => panic!("several branches are tried"),
                Step::ForwardKept(..) | Step::Respond(_) => self.finals += 1,
                Step::Cancel(branch) => {
                    assert!(!self.cancelled.contains(&branch) && !self.over.contains(&branch));
                    self.cancelled.push(branch);
                }
                Step::EndAtVendor(branch) => forgotten = forgotten.filter(|forgotten| *forgotten != branch),
                Step::Finished => self.finished += 1,
            }
        }
        assert_eq!(forgotten, None, "a call was forgotten: {input:?} {steps:?}");
    }

    fn lives(&self, branch: BranchId) -> bool {
        self.started.contains(&branch) && !self.over.contains(&branch)
    }

    fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Choose(found) => match self.choice.take() {
                Some(branch) if found => {
                    self.started.push(branch);
                    self.input(Input::Started { branch, pdd: Some(C) });
                }
                Some(_) => self.input(Input::NoVendor(status(503))),
                None => {}
            },
            Happening::Answers(index, code) if self.lives(BranchId(index)) => {
                let (branch, status) = (BranchId(index), status(code));
                // A transaction passes one refusal.
                if status.is_final() && !status.is_success() {
                    self.over.push(branch);
                }
                self.input(Input::Response { branch, status, sdp: false });
            }
            Happening::Fails(index) if self.lives(BranchId(index)) => {
                self.over.push(BranchId(index));
                self.input(Input::Failed { branch: BranchId(index), failure: Failure::Timeout });
            }
            Happening::Fires(c, index) => {
                let timer = if c { ProxyTimer::C } else { ProxyTimer::Pdd };
                self.input(Input::Timer(timer, BranchId(index)));
            }
            Happening::Cancel => self.input(Input::Cancel),
            Happening::Answers(..) | Happening::Fails(_) => {}
        }
    }

    /// Nothing more is found, and nobody says anything more.
    fn run_out(&mut self) {
        for _ in 0..2 * ATTEMPTS_MAX {
            self.happens(Happening::Choose(false));
            for branch in self.started.clone() {
                self.happens(Happening::Fails(branch.0));
            }
        }
    }
}

proptest! {
    /// One final response, no 2xx that is neither the caller's nor ended, and an end.
    #[test]
    fn one_final_response_and_no_call_forgotten(
        wave in 2_u8..6,
        attempts_max in 0_u8..8,
        happenings in proptest::collection::vec(happening(), 0..60),
    ) {
        let failover = FailoverOptions { attempts_max, ..FailoverOptions::default() };
        let mut world = World::new(wave, Options { failover, ..Options::default() });
        happenings.into_iter().for_each(|happening| world.happens(happening));
        world.run_out();
        prop_assert_eq!(world.finals, 1);
        for branch in world.started.clone() {
            world.input(Input::Terminated(branch));
        }
        prop_assert_eq!((world.finals, world.finished), (1, 1));
    }
}
