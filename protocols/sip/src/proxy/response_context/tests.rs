use proptest::prelude::*;

use super::super::TIMER_C_MIN;
use super::*;
use crate::proxy::FailoverOptions;
use crate::transaction::Failure;

mod gaps;
mod whole;

const fn status(code: u16) -> StatusCode {
    StatusCode::new(code).unwrap()
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const C: Duration = secs(185);
const A: BranchId = BranchId(0);
const B: BranchId = BranchId(1);

struct Call {
    context: ResponseContext,
    options: Options,
}

impl Call {
    /// The first vendor is being tried, without a timer of its own.
    fn new() -> Self {
        Self::with(Options::default())
    }

    fn with(options: Options) -> Self {
        let mut out = Vec::new();
        let mut call = Self { context: ResponseContext::start(&mut out), options };
        assert_eq!(out, [Step::NextVendor(A)]);
        assert_eq!(call.started(A), [Step::Arm(ProxyTimer::C, A, C)]);
        call
    }

    fn on(&mut self, input: Input) -> Vec<Step> {
        let mut out = Vec::new();
        self.context.handle(input, &self.options, &mut out);
        out
    }

    fn started(&mut self, branch: BranchId) -> Vec<Step> {
        self.on(Input::Started { branch, pdd: None })
    }

    fn answers(&mut self, branch: BranchId, code: u16) -> Vec<Step> {
        self.on(Input::Response { branch, status: status(code), sdp: false })
    }

    fn fails(&mut self, branch: BranchId, failure: Failure) -> Vec<Step> {
        self.on(Input::Failed { branch, failure })
    }

    fn fires(&mut self, timer: ProxyTimer, branch: BranchId) -> Vec<Step> {
        self.on(Input::Timer(timer, branch))
    }

    /// All client transactions end; nothing but the end may follow.
    fn ends(&mut self, branches: &[BranchId]) {
        let (last, others) = branches.split_last().unwrap();
        for branch in others {
            assert_eq!(self.on(Input::Terminated(*branch)), []);
        }
        assert_eq!(self.on(Input::Terminated(*last)), [Step::Finished]);
        assert!(self.context.is_finished());
        assert_eq!(self.on(Input::Cancel), []);
    }
}

const NO_C: Step = Step::Disarm(ProxyTimer::C);
const NO_PDD: Step = Step::Disarm(ProxyTimer::Pdd);

fn ringing(call: &mut Call, branch: BranchId, code: u16) {
    let expected = [Step::Arm(ProxyTimer::C, branch, C), Step::Forward(branch, status(code))];
    assert_eq!(call.answers(branch, code), expected);
}

#[test]
fn an_answered_call() {
    let mut call = Call::new();
    assert_eq!(call.answers(A, 100), [], "hop by hop");
    ringing(&mut call, A, 180);
    assert_eq!(call.answers(A, 200), [NO_C, Step::Forward(A, status(200))]);
    assert_eq!(call.answers(A, 200), [Step::Forward(A, status(200))], "retransmitted by the vendor");
    for code in [100, 180, 486, 603] {
        assert_eq!(call.answers(A, code), [], "{code} after 200");
    }
    assert_eq!(call.on(Input::Cancel), [], "too late");
    call.ends(&[A]);
}

#[test]
fn failover_ends_with_the_best_response() {
    let mut call = Call::new();
    assert_eq!(call.answers(A, 503), [NO_C, Step::Keep(A), Step::NextVendor(B)]);
    assert_eq!(call.started(B), [Step::Arm(ProxyTimer::C, B, C)]);
    let c = BranchId(2);
    assert_eq!(call.answers(B, 500), [NO_C, Step::Keep(B), Step::NextVendor(c)]);
    call.started(c);
    assert_eq!(
        call.fails(c, Failure::Timeout),
        [NO_C, Step::NextVendor(BranchId(3))],
        "408 is better than 5xx"
    );
    assert_eq!(call.on(Input::NoVendor(status(404))), [Step::Respond(status(408))]);
    call.ends(&[A, B, c]);
}

#[test]
fn a_refusal_of_the_number_is_final() {
    for code in [302, 404, 486, 487, 603] {
        let mut call = Call::new();
        let forwarded = [NO_C, Step::Keep(A), Step::ForwardKept(A, status(code))];
        assert_eq!(call.answers(A, code), forwarded);
        assert!(call.context.is_done());
        call.ends(&[A]);
    }
}

#[test]
fn a_6xx_stops_everything() {
    let mut call = Call::new();
    call.answers(A, 503);
    call.started(B);
    let codes = (300..700).filter_map(StatusCode::new).collect();
    call.options.failover.codes = codes;
    assert_eq!(call.answers(B, 603), [NO_C, Step::Keep(B), Step::ForwardKept(B, status(603))]);
}

#[test]
fn a_503_becomes_500_unless_all_say_it_and_may() {
    let only = FailoverOptions { attempts_max: 1, ..FailoverOptions::default() };
    let (pass, options) = (true, Options { failover: only, ..Options::default() });
    let mut call = Call::with(options);
    assert_eq!(call.answers(A, 503), [NO_C, Step::Keep(A), Step::Respond(status(500))]);
    let mut call = Call::with(Options { pass_503: pass, ..options });
    assert_eq!(call.answers(A, 503), [NO_C, Step::Keep(A), Step::ForwardKept(A, status(503))]);
    let mut call = Call::with(Options { pass_503: pass, ..options });
    assert_eq!(call.fails(A, Failure::Transport), [NO_C, Step::Respond(status(500))], "nobody said 503");
    let mut call = Call::with(Options { pass_503: pass, ..Options::default() });
    call.answers(A, 503);
    call.started(B);
    assert_eq!(call.answers(B, 404)[2], Step::ForwardKept(B, status(404)));
}

#[test]
fn no_vendor_at_all() {
    for (given, sent) in [(404, 404), (503, 503), (200, 500), (100, 500)] {
        let mut out = Vec::new();
        let mut context = ResponseContext::start(&mut out);
        out.clear();
        context.handle(Input::NoVendor(status(given)), &Options::default(), &mut out);
        assert_eq!(out, [Step::Respond(status(sent)), Step::Finished]);
    }
}

#[test]
fn the_first_challenge_stays() {
    let mut call = Call::new();
    call.options.failover.codes = [401, 407, 503].map(status).into_iter().collect();
    assert_eq!(call.answers(A, 401), [NO_C, Step::Keep(A), Step::NextVendor(B)]);
    call.started(B);
    call.answers(B, 503);
    let (c, d) = (BranchId(2), BranchId(3));
    call.started(c);
    assert_eq!(call.answers(c, 407), [NO_C, Step::NextVendor(d)], "it is no better");
    assert_eq!(call.on(Input::NoVendor(status(404))), [Step::ForwardKept(A, status(401))]);

    let mut call = Call::new();
    call.options.failover.codes = [407].map(status).into_iter().collect();
    call.answers(A, 407);
    call.started(B);
    assert_eq!(call.answers(B, 302)[2], Step::ForwardKept(B, status(302)));
}

#[test]
fn a_challenge_does_not_push_out_its_equal() {
    for code in [415, 420, 484] {
        let mut call = Call::new();
        call.options.failover.codes = [code, 407].map(status).into_iter().collect();
        assert_eq!(call.answers(A, code), [NO_C, Step::Keep(A), Step::NextVendor(B)]);
        call.started(B);
        assert_eq!(call.answers(B, 407), [NO_C, Step::NextVendor(BranchId(2))], "{code} stays the best");
        assert_eq!(call.on(Input::NoVendor(status(404))), [Step::ForwardKept(A, status(code))]);
    }
}

#[test]
fn no_new_vendor_after_early_media() {
    let media = Input::Response { branch: A, status: status(183), sdp: true };
    let mut call = Call::new();
    assert_eq!(call.on(media)[1], Step::Forward(A, status(183)));
    assert_eq!(call.answers(A, 503), [NO_C, Step::Keep(A), Step::Respond(status(500))]);

    let mut call = Call::new();
    call.options.failover.after_early_media = true;
    call.on(media);
    assert_eq!(call.answers(A, 503), [NO_C, Step::Keep(A), Step::NextVendor(B)]);

    let mut call = Call::new();
    ringing(&mut call, A, 183);
    assert_eq!(call.answers(A, 503)[2], Step::NextVendor(B), "ringing without media");
}

#[test]
fn timer_c() {
    let mut call = Call::new();
    assert_eq!(call.answers(A, 100), [], "does not reset it");
    for code in [101, 180, 183, 199] {
        ringing(&mut call, A, code);
    }
    assert_eq!(call.fires(ProxyTimer::C, B), [], "not of this branch");
    assert_eq!(call.fires(ProxyTimer::C, A), [Step::Cancel(A)]);
    assert_eq!(call.answers(A, 180), [], "not forwarded any more");
    assert_eq!(call.answers(A, 487), [Step::Respond(status(408))], "the caller did not cancel");
    call.ends(&[A]);

    for (answer, expected) in [(486, Some(486)), (500, None), (603, Some(603))] {
        let mut call = Call::new();
        call.answers(A, 100);
        call.fires(ProxyTimer::C, A);
        let steps = call.answers(A, answer);
        let own = vec![Step::Respond(status(408))];
        let theirs = |code| vec![Step::Keep(A), Step::ForwardKept(A, status(code))];
        assert_eq!(steps, expected.map_or(own, theirs), "an answer that crossed the CANCEL");
    }
    let mut call = Call::new();
    call.answers(A, 100);
    call.fires(ProxyTimer::C, A);
    assert_eq!(call.fails(A, Failure::Cancelled), [Step::Respond(status(408))]);

    let mut call = Call::new();
    assert_eq!(call.fires(ProxyTimer::C, A), [Step::Cancel(A), Step::NextVendor(B)], "as if 408");
}

#[test]
fn timer_c_leaves_the_best_response_to_the_caller() {
    let mut call = Call::new();
    call.options.failover.codes = [404, 503].map(status).into_iter().collect();
    call.answers(A, 404);
    call.started(B);
    call.answers(B, 180);
    call.fires(ProxyTimer::C, B);
    assert_eq!(call.answers(B, 487), [Step::ForwardKept(A, status(404))], "better than our 408");

    let mut call = Call::new();
    call.answers(A, 503);
    call.started(B);
    call.answers(B, 180);
    call.fires(ProxyTimer::C, B);
    assert_eq!(call.fails(B, Failure::Cancelled), [Step::Respond(status(408))], "better than 503");
}

#[test]
fn timer_c_and_the_vendors_own() {
    let mut call = impatient();
    assert_eq!(call.fires(ProxyTimer::C, A), [NO_PDD, Step::Cancel(A), Step::NextVendor(B)]);
    let mut call = impatient();
    call.answers(A, 100);
    assert_eq!(call.fires(ProxyTimer::C, A), [NO_PDD, Step::Cancel(A)]);
    assert_eq!(call.on(Input::Cancel), [], "cancelled already");
    let forwarded = [Step::Keep(A), Step::ForwardKept(A, status(487))];
    assert_eq!(call.answers(A, 487), forwarded, "now it is what the caller asked for");
}

#[test]
fn what_would_go_to_the_caller() {
    let passes = |call: &Call, branch, code| call.context.passes(branch, status(code));
    let mut call = impatient();
    assert!(passes(&call, A, 183) && passes(&call, A, 200) && !passes(&call, B, 200));
    call.fires(ProxyTimer::Pdd, A);
    assert!(!passes(&call, A, 183) && passes(&call, A, 200), "no other is tried yet");
    call.started(B);
    assert!(!passes(&call, A, 200) && passes(&call, B, 183));
    call.answers(B, 200);
    assert!(passes(&call, B, 200) && !passes(&call, B, 183) && !passes(&call, A, 200));
}

#[test]
fn a_context_is_small() {
    assert!(size_of::<ResponseContext>() <= 96, "{} octets", size_of::<ResponseContext>());
}

#[test]
fn timer_c_is_never_short_nor_endless() {
    let options = Options { timer_c: secs(5), ..Options::default() };
    let mut out = Vec::new();
    let mut context = ResponseContext::start(&mut out);
    out.clear();
    context.handle(Input::Started { branch: A, pdd: None }, &options, &mut out);
    assert_eq!(out, [Step::Arm(ProxyTimer::C, A, TIMER_C_MIN)]);
    assert!(TIMER_C_MIN > secs(180), "larger than 3 minutes (16.6 step 11)");
    out.clear();
    let (options, pdd) = (Options { timer_c: Duration::MAX, ..options }, Some(Duration::MAX));
    ResponseContext::start(&mut Vec::new()).handle(Input::Started { branch: A, pdd }, &options, &mut out);
    let both = [ProxyTimer::C, ProxyTimer::Pdd].map(|timer| Step::Arm(timer, A, TIME_MAX));
    assert_eq!(out, both, "can be added to the clock");
}

#[test]
fn a_cancelled_call() {
    let mut call = Call::new();
    ringing(&mut call, A, 180);
    assert_eq!(call.on(Input::Cancel), [NO_C, Step::Cancel(A)]);
    assert_eq!(call.on(Input::Cancel), [], "retransmitted");
    assert_eq!(call.answers(A, 487), [Step::Keep(A), Step::ForwardKept(A, status(487))]);
    call.ends(&[A]);

    let mut call = Call::new();
    call.on(Input::Cancel);
    assert_eq!(call.answers(A, 503), [Step::Respond(status(487))], "no new vendor");

    let mut call = Call::new();
    call.on(Input::Cancel);
    assert_eq!(call.fails(A, Failure::Cancelled), [Step::Respond(status(487))], "the vendor is gone");

    let mut call = Call::new();
    call.on(Input::Cancel);
    assert_eq!(call.answers(A, 200), [Step::Forward(A, status(200))], "the race is the caller's to end");
    call.ends(&[A]);
}

#[test]
fn a_cancel_between_two_vendors() {
    let mut call = Call::new();
    call.answers(A, 503);
    assert_eq!(call.on(Input::Cancel), [Step::Respond(status(487))]);
    assert_eq!(call.on(Input::Terminated(A)), [], "the choice is still to be answered");
    assert_eq!(call.started(B), [Step::Cancel(B)]);
    assert_eq!(call.answers(B, 180), []);
    assert_eq!(call.answers(B, 487), []);
    call.ends(&[B]);

    let mut call = Call::new();
    call.answers(A, 503);
    call.on(Input::Cancel);
    call.on(Input::Terminated(A));
    assert_eq!(call.on(Input::NoVendor(status(404))), [Step::Finished]);
}

/// The vendor's own timer runs for branch A.
fn impatient() -> Call {
    let mut out = Vec::new();
    let mut call = Call { context: ResponseContext::start(&mut out), options: Options::default() };
    let armed = [Step::Arm(ProxyTimer::C, A, C), Step::Arm(ProxyTimer::Pdd, A, secs(4))];
    assert_eq!(call.on(Input::Started { branch: A, pdd: Some(secs(4)) }), armed);
    call
}

#[test]
fn a_silent_vendor_is_given_up() {
    let mut call = impatient();
    call.answers(A, 100);
    assert_eq!(call.fires(ProxyTimer::Pdd, A), [NO_C, Step::Cancel(A), Step::NextVendor(B)]);
    call.started(B);
    assert_eq!(call.answers(A, 183), [], "too late");
    assert_eq!(call.answers(A, 487), [], "not the caller's");
    ringing(&mut call, B, 180);
    assert_eq!(call.answers(B, 200), [NO_C, Step::Forward(B, status(200))]);
    call.ends(&[A, B]);
}

#[test]
fn a_late_refusal_counts() {
    let mut call = impatient();
    call.fires(ProxyTimer::Pdd, A);
    assert_eq!(call.answers(A, 404), [Step::Keep(A)], "while the next vendor is chosen");
    assert_eq!(call.on(Input::NoVendor(status(503))), [Step::ForwardKept(A, status(404))]);
    call.ends(&[A]);

    let mut call = impatient();
    call.fires(ProxyTimer::Pdd, A);
    call.started(B);
    assert_eq!(call.answers(A, 503), [], "no better than the 408 in its place");
    assert_eq!(call.answers(A, 404), [], "a second one");
    call.answers(B, 503);
    assert_eq!(call.on(Input::NoVendor(status(404))), [Step::Respond(status(408))]);

    let mut call = impatient();
    call.fires(ProxyTimer::Pdd, A);
    call.started(B);
    call.on(Input::Cancel);
    assert_eq!(call.answers(A, 404), [], "the caller has gone");
    assert_eq!(call.fails(B, Failure::Cancelled), [Step::Respond(status(487))]);
}

#[test]
fn a_late_6xx_stops_everything() {
    let mut call = impatient();
    call.fires(ProxyTimer::Pdd, A);
    assert_eq!(call.answers(A, 603), [Step::Keep(A), Step::ForwardKept(A, status(603))]);
    assert_eq!(call.on(Input::Terminated(A)), [], "the choice is still to be answered");
    assert_eq!(call.on(Input::NoVendor(status(404))), [Step::Finished]);

    for (answer, last) in [(487, None), (486, None), (600, None), (200, Some(Step::Forward(B, status(200))))]
    {
        let mut call = impatient();
        call.fires(ProxyTimer::Pdd, A);
        call.on(Input::Started { branch: B, pdd: Some(secs(4)) });
        assert_eq!(call.answers(A, 603), [Step::Keep(A), NO_C, NO_PDD, Step::Cancel(B)]);
        assert_eq!(call.answers(B, 180), []);
        let last = last.unwrap_or(Step::ForwardKept(A, status(603)));
        assert_eq!(call.answers(B, answer), [last], "{answer} to our CANCEL");
        call.ends(&[A, B]);
    }
}

#[test]
fn a_sign_of_ringing_stops_the_vendors_timer() {
    let mut call = impatient();
    let expected = [NO_PDD, Step::Arm(ProxyTimer::C, A, C), Step::Forward(A, status(180))];
    assert_eq!(call.answers(A, 180), expected);
    assert_eq!(call.fires(ProxyTimer::Pdd, A), [], "it fired just before");
    let mut call = impatient();
    ringing(&mut call, A, 199);
    assert_eq!(call.fires(ProxyTimer::Pdd, A)[1], Step::Cancel(A), "a fork of the vendor ended, none rings");
    let mut call = impatient();
    assert_eq!(call.answers(A, 200), [NO_C, NO_PDD, Step::Forward(A, status(200))]);
    let mut call = impatient();
    assert_eq!(call.on(Input::Cancel), [NO_C, NO_PDD, Step::Cancel(A)]);
}

#[test]
fn a_late_200_is_ended_at_its_vendor() {
    let mut call = impatient();
    call.fires(ProxyTimer::Pdd, A);
    call.started(B);
    assert_eq!(call.answers(A, 200), [Step::EndAtVendor(A)], "before the other's answer");
    assert_eq!(call.answers(A, 200), [Step::EndAtVendor(A)], "of another fork, or again");
    assert_eq!(call.answers(B, 200), [NO_C, Step::Forward(B, status(200))]);
    assert_eq!(call.answers(A, 200), [Step::EndAtVendor(A)]);
    call.ends(&[A, B]);

    let mut call = impatient();
    call.fires(ProxyTimer::Pdd, A);
    call.started(B);
    call.answers(B, 486);
    assert_eq!(call.answers(A, 200), [Step::EndAtVendor(A)], "after the final response of another");
    call.ends(&[A, B]);

    let mut call = Call::new();
    call.answers(A, 503);
    call.started(B);
    assert_eq!(call.answers(A, 200), [Step::EndAtVendor(A)], "a vendor that answers twice");
    assert_eq!(call.answers(B, 486)[2], Step::ForwardKept(B, status(486)));
    assert_eq!(call.answers(B, 200), [Step::EndAtVendor(B)], "even the one whose refusal went upstream");
    call.ends(&[A, B]);
}

#[test]
fn attempts_are_bounded() {
    let mut call = Call::new();
    call.options.failover.attempts_max = u8::MAX;
    for index in 0..16 {
        let steps = call.fails(BranchId(index), Failure::Transport);
        if index == 15 {
            assert_eq!(steps, [NO_C, Step::Respond(status(500))]);
        } else {
            assert_eq!(steps, [NO_C, Step::NextVendor(BranchId(index + 1))]);
            call.started(BranchId(index + 1));
        }
    }
}

#[test]
fn a_transaction_that_ends_without_a_word_has_timed_out() {
    let mut call = Call::new();
    assert_eq!(call.on(Input::Terminated(A)), [NO_C, Step::NextVendor(B)]);
    assert_eq!(call.on(Input::NoVendor(status(404))), [Step::Respond(status(408)), Step::Finished]);
}

#[test]
fn inputs_of_no_branch_change_nothing() {
    let mut call = Call::new();
    for branch in [B, BranchId(15), BranchId(16), BranchId(255)] {
        for code in [180, 200, 486] {
            assert_eq!(call.answers(branch, code), []);
        }
        assert_eq!(call.fails(branch, Failure::Timeout), []);
        assert_eq!(call.on(Input::Terminated(branch)), []);
        assert_eq!(call.started(branch), []);
        assert_eq!(call.fires(ProxyTimer::C, branch), []);
    }
    assert_eq!(call.on(Input::NoVendor(status(404))), [], "nobody asked");
    assert_eq!(call.answers(A, 200), [NO_C, Step::Forward(A, status(200))]);
}
