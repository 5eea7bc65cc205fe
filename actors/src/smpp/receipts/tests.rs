use smpp::dlr::Receipt;

use super::*;
use crate::smpp::testing;
use crate::smpp::vendor_bind::ending;

#[test]
fn error_codes_stay_within_their_field() {
    for (error, written) in [
        (None, &b"000"[..]),
        (Some(""), b"000"),
        (Some(" stat:DELIVRD"), b"000"),
        (Some("0a1 stat:DELIVRD"), b"0a1"),
        (Some("12345678901234567890"), b"1234567890123456"),
    ] {
        assert_eq!(error_code(error), written, "{error:?}");
    }
}

#[test]
fn a_long_error_makes_no_empty_receipt() {
    let ending = Ending::ours(&"9".repeat(300));
    let row = make(
        &testing::smpp(testing::config()).0,
        &testing::message(1),
        MessageState::Delivered,
        (&ending, Timestamp::from_micros(0)),
    );
    let (_, row) = row.unwrap();
    let sm = Sm::decode(&row.body).unwrap();
    assert_eq!(Receipt::of(&sm).unwrap().err, Some(&b"9999999999999999"[..]));
}

#[test]
fn what_a_vendor_calls_an_error_becomes_text_that_any_store_takes() {
    for (err, kept) in [
        (&b"0\x00a\xff"[..], Some("0")),
        (b"0\xffa", Some("0a")),
        (b"\x00", None),
        (b"12345678901234567890", Some("1234567890123456")),
    ] {
        let text = [b"id:1 sub:001 dlvrd:001 stat:UNDELIV err:", err, b" text:"].concat();
        let sm = Sm { esm_class: EsmClass(4), short_message: &text, ..Sm::default() };
        let receipt = Receipt::of(&sm).unwrap();
        assert_eq!(ending(&receipt).error.as_deref(), kept);
    }
}

#[test]
fn what_does_not_fit_a_deliver_sm_names_its_field() {
    let long = [b'1'; 21];
    let address = Address { ton: 1, npi: 1, addr: &long };
    for (sm, status) in [
        (Sm { source: address, ..Sm::default() }, CommandStatus::ESME_RINVSRCADR),
        (Sm { destination: address, ..Sm::default() }, CommandStatus::ESME_RINVDSTADR),
    ] {
        assert_eq!(encode_body(&sm).map_err(|error| unfit(&error)), Err(status));
    }
}
