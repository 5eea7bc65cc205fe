//! What comes between the choice of a vendor and its beginning.

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
