//! What comes between the choice of a vendor and its beginning, or between a CANCEL and its end.

use super::*;

#[test]
fn a_late_200_is_the_answer_while_no_other_vendor_is_tried() {
    let mut call = impatient();
    call.fires(ProxyTimer::Pdd, A);
    assert_eq!(call.answers(A, 200), [Step::Forward(A, status(200))]);
    assert_eq!(call.answers(A, 200), [Step::Forward(A, status(200))], "again");
    assert_eq!(call.on(Input::Cancel), [], "too late");
    assert_eq!(call.on(Input::Terminated(A)), [], "the choice is still to be answered");
    assert_eq!(call.on(Input::NoVendor(status(404))), [Step::Finished]);

    let mut call = impatient();
    call.fires(ProxyTimer::Pdd, A);
    call.on(Input::Cancel);
    assert_eq!(call.answers(A, 200), [Step::EndAtVendor(A)], "the caller has its 487");

    let mut call = Call::new();
    call.answers(A, 503);
    assert_eq!(call.answers(A, 200), [Step::EndAtVendor(A)], "it refused before");
}

#[test]
fn a_transaction_may_fail_before_it_has_started() {
    let mut out = Vec::new();
    let mut call = Call { context: ResponseContext::start(&mut out), options: Options::default() };
    assert_eq!(call.fails(A, Failure::Transport), [Step::NextVendor(B)]);
    assert_eq!(call.started(A), [], "it has begun and failed");
    assert_eq!(call.on(Input::Terminated(A)), []);
    assert_eq!(call.on(Input::Terminated(B)), [Step::NextVendor(BranchId(2))], "without a word");
    assert_eq!(call.on(Input::NoVendor(status(404))), [Step::Respond(status(408)), Step::Finished]);
}

#[test]
fn a_transaction_may_fail_before_it_has_started_after_a_cancel() {
    let mut out = Vec::new();
    let mut call = Call { context: ResponseContext::start(&mut out), options: Options::default() };
    assert_eq!(call.on(Input::Cancel), [Step::Respond(status(487))]);
    assert!(call.context.is_done(), "so that no vendor need be asked");
    assert_eq!(call.fails(A, Failure::Transport), []);
    call.ends(&[A]);
}

#[test]
fn the_answer_to_a_cancel_goes_before_a_challenge() {
    let mut call = Call::new();
    call.options.failover.codes = [401, 407].map(status).into_iter().collect();
    let c = BranchId(2);
    call.answers(A, 401);
    call.started(B);
    call.answers(B, 407);
    call.started(c);
    assert_eq!(call.on(Input::Cancel), [NO_C, Step::Cancel(c)]);
    let expected = [Step::Keep(c), Step::ForwardKept(c, status(487))];
    assert_eq!(call.answers(c, 487), expected);
}
