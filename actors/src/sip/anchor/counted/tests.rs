use ng::Reply;

use super::*;
use crate::sip::testing::dialog;

/// What RTPEngine 10.5 answered to the deletion of a call by its caller's tag. The first attempt had not been deleted.
/// The caller sent 50 packets, the callee 48 and left two out, which the caller reported.
const DELETED: &[u8] = include_bytes!("deleted.bencode");

fn read(body: &[u8]) -> Counted {
    Counted::read(Reply::parse(body).unwrap().done().unwrap())
}

#[test]
fn each_side_has_what_it_sent() {
    let (counted, dialog) = (read(DELETED), dialog("callee"));
    let caller = MediaSent { packets: Some(50), ..MediaSent::default() };
    let callee = MediaSent { packets: Some(48), lost: Some(2), jitter_ms: Some(3), mos_tenths: Some(43) };
    assert_eq!((counted.of(End::Caller, &dialog), counted.of(End::Callee, &dialog)), (caller, callee));
}

/// Who did not answer there has sent nothing that is known.
#[test]
fn a_side_that_the_node_does_not_know_has_nothing() {
    let (counted, dialog) = (read(DELETED), dialog("another"));
    assert_eq!(counted.of(End::Caller, &dialog).packets, Some(50));
    assert_eq!(counted.of(End::Callee, &dialog), MediaSent::default());
}

#[test]
fn a_node_that_counts_nothing_tells_nothing() {
    let mut bodies = [Vec::new(), Vec::new()];
    let [ok, warning] = &mut bodies;
    ng::reply::write::ok(ok);
    ng::reply::write::warning(warning, "Call-ID not found or tags didn't match");
    for body in bodies {
        assert_eq!(read(&body), Counted::default());
    }
}

/// What no column holds is nothing, not another number.
#[test]
fn figures_that_are_too_large_are_left_out() {
    let text = String::from_utf8(DELETED.to_vec()).unwrap();
    let large = text.replace("6:jitteri3e", "6:jitteri4294967296e").replace("3:MOSi43e", "3:MOSi256e");
    let callee = read(large.as_bytes()).of(End::Callee, &dialog("callee"));
    let expected = MediaSent { packets: Some(48), lost: Some(2), ..MediaSent::default() };
    assert_eq!(callee, expected);
}
