use proptest::prelude::*;

use super::*;
use crate::esm_class::EsmClass;
use crate::tlv::TlvBuf;
use crate::wire::body;
use MessageState::{Delivered, Enroute, Expired, Rejected, Undeliverable, Unknown};

/// id, stat, sub, dlvrd, submit date, done date, err, text.
type Row<'a> = (&'a str, MessageState, Option<u16>, Option<u16>, [Option<&'a str>; 4]);

const STANDARD: &str =
    "id:0123 sub:001 dlvrd:001 submit date:2611211530 done date:2611211531 stat:DELIVRD err:000 text:Hello";

type Found = (String, MessageState, Option<u16>, Option<u16>, [Option<String>; 4]);

fn row(text: &str) -> Option<Found> {
    let string = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
    let found = Receipt::parse(text.as_bytes())?;
    let strings = [found.submit_date, found.done_date, found.err, found.text].map(|field| field.map(string));
    Some((string(found.id), found.stat, found.sub, found.dlvrd, strings))
}

#[test]
fn receipts_as_they_come() {
    let one = Some(1);
    let dates = |submit, done, err, text| [Some(submit), Some(done), Some(err), Some(text)];
    let cases: [(&str, Row<'_>); 20] = [
        (STANDARD, ("0123", Delivered, one, one, dates("2611211530", "2611211531", "000", "Hello"))),
        (
            "ID:ab SUB:1 DLVRD:0 SUBMIT DATE:2611211530 DONE DATE:2611211531 STAT:UNDELIV ERR:5 TEXT:x",
            ("ab", Undeliverable, one, Some(0), dates("2611211530", "2611211531", "5", "x")),
        ),
        (
            "stat:EXPIRED done date:2611211531 err:0x1F id:77 submit date:2611211530 text:x",
            ("77", Expired, None, None, dates("2611211530", "2611211531", "0x1F", "x")),
        ),
        ("id:77 stat:UNDELIV err:000\0", ("77", Undeliverable, None, None, [None, None, Some("000"), None])),
        (
            "id:77\0 stat:DELIVRD\0err:00A\0\0text:hi\0",
            ("77", Delivered, None, None, [None, None, Some("00A"), Some("hi")]),
        ),
        ("\0id:77 stat:EXPIRED err:\0", ("77", Expired, None, None, [None; 4])),
        ("id:77 stat:REJECTD", ("77", Rejected, None, None, [None; 4])),
        (
            "id: 77  sub: 001 dlvrd: 001 submit date: 2611211530 done date: 2611211531 stat: DELIVRD err: 000 text: hi ",
            ("77", Delivered, one, one, dates("2611211530", "2611211531", "000", "hi")),
        ),
        (
            "id:77 submit date:261121153059 done date:20261121153159 stat:DELIVRD",
            ("77", Delivered, None, None, [Some("261121153059"), Some("20261121153159"), None, None]),
        ),
        (
            "id:77 submit_date:2611211530 donedate:2611211531 stat:DELIVRD",
            ("77", Delivered, None, None, [Some("2611211530"), Some("2611211531"), None, None]),
        ),
        ("id:77 submit date:26-11-21 done date:none stat:DELIVRD", ("77", Delivered, None, None, [None; 4])),
        (
            "id:6f9619ff-8b86-d011-b42d-00cf4fc964ff stat:DELIVRD",
            ("6f9619ff-8b86-d011-b42d-00cf4fc964ff", Delivered, None, None, [None; 4]),
        ),
        ("id:a:b/c+d=stat:? stat:DELIVRD", ("a:b/c+d=stat:?", Delivered, None, None, [None; 4])),
        (
            "id:77 sub:001 dlvrd:001 submit date:20220101120000 done date:20220101120005 Text:DELIVRD",
            (
                "77",
                Delivered,
                one,
                one,
                [Some("20220101120000"), Some("20220101120005"), None, Some("DELIVRD")],
            ),
        ),
        (
            "id:77 stat:DELIVRD text:id:9 stat:EXPIRED err:1",
            ("77", Delivered, None, None, [None, None, None, Some("id:9 stat:EXPIRED err:1")]),
        ),
        (
            "text:two words id:5 stat:ENROUTE",
            ("5", Enroute, None, None, [None, None, None, Some("two words")]),
        ),
        (
            "id:77 text:two words stat:EXPIRED",
            ("77", Expired, None, None, [None, None, None, Some("two words")]),
        ),
        ("id:77 stat:WHATEVER", ("77", Unknown, None, None, [None; 4])),
        ("id:77 err: stat:DELIVRD text:", ("77", Delivered, None, None, [None, None, None, Some("")])),
        (
            "id:77\nsub:abc\r\nfoo:bar baz\nstat:DELIVRD\nid:88 stat:EXPIRED",
            ("77", Delivered, None, None, [None; 4]),
        ),
    ];
    for (text, (id, stat, sub, dlvrd, strings)) in cases {
        let expected = (id.to_owned(), stat, sub, dlvrd, strings.map(|field| field.map(str::to_owned)));
        assert_eq!(row(text), Some(expected), "{text}");
    }
}

#[test]
fn texts_that_are_no_receipts() {
    for text in [
        "",
        "   ",
        "Hello",
        "id",
        "id:",
        "id: stat:DELIVRD",
        "stat:DELIVRD",
        "id:77",
        "id:77 text:Hello",
        ":::",
    ] {
        assert_eq!(Receipt::parse(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn octets_beyond_ascii_are_kept() {
    let receipt = Receipt::parse(b"id:\xE4\xF6 stat:DELIVRD text:\xFF\x00\x80").unwrap();
    assert_eq!((receipt.id, receipt.text), (&b"\xE4\xF6"[..], Some(&b"\xFF\x00\x80"[..])));
}

#[test]
fn tlvs_come_first() {
    let octets = body("deliver_sm");
    let receipt = Receipt::of(&Sm::decode(&octets).unwrap()).unwrap();
    assert_eq!((receipt.id, receipt.stat, receipt.err), (&b"0123"[..], Delivered, Some(&b"000"[..])));
    assert_eq!(receipt.network_error, Some(NetworkError { network_type: 3, code: 0 }));
    let mut tlvs = TlvBuf::new();
    tlvs.push(Tag::RECEIPTED_MESSAGE_ID, b"no-nul").unwrap();
    tlvs.push(Tag::MESSAGE_STATE, &[0, 0, 0, 5]).unwrap();
    let sm = Sm {
        esm_class: EsmClass::DELIVERY_RECEIPT,
        short_message: STANDARD.as_bytes(),
        tlvs: tlvs.as_tlvs(),
        ..Sm::default()
    };
    let receipt = Receipt::of(&sm).unwrap();
    assert_eq!((receipt.id, receipt.stat, receipt.sub), (&b"no-nul"[..], Undeliverable, Some(1)));
    let bare = Sm { short_message: b"", ..sm };
    assert_eq!(Receipt::of(&bare).map(|receipt| receipt.stat), Some(Undeliverable));
}

#[test]
fn tlvs_that_say_nothing_leave_it_to_the_text() {
    let mut tlvs = TlvBuf::new();
    tlvs.push_c_octet(Tag::RECEIPTED_MESSAGE_ID, b" ").unwrap();
    tlvs.push_u8(Tag::MESSAGE_STATE, 99);
    let sm = Sm {
        esm_class: EsmClass::INTERMEDIATE_NOTIFICATION,
        short_message: STANDARD.as_bytes(),
        tlvs: tlvs.as_tlvs(),
        ..Sm::default()
    };
    let receipt = Receipt::of(&sm).unwrap();
    assert_eq!((receipt.id, receipt.stat), (&b"0123"[..], Delivered));
}

#[test]
fn a_subscriber_cannot_write_a_receipt() {
    let sm = Sm { short_message: STANDARD.as_bytes(), ..Sm::default() };
    assert_eq!(Receipt::of(&sm), None);
    assert!(Receipt::of(&Sm { esm_class: EsmClass::DELIVERY_RECEIPT, ..sm }).is_some());
}

#[test]
fn receipts_in_message_payload_and_behind_a_header() {
    let mut tlvs = TlvBuf::new();
    tlvs.push(Tag::MESSAGE_PAYLOAD, STANDARD.as_bytes()).unwrap();
    let sm = Sm { esm_class: EsmClass::DELIVERY_RECEIPT, tlvs: tlvs.as_tlvs(), ..Sm::default() };
    assert_eq!(Receipt::of(&sm).unwrap().id, b"0123");
    let headed = [&[5, 0, 3, 1, 1, 1], STANDARD.as_bytes()].concat();
    let esm_class = EsmClass::DELIVERY_RECEIPT.with_udhi(true);
    let sm = Sm { esm_class, short_message: &headed, ..Sm::default() };
    assert_eq!(Receipt::of(&sm).unwrap().id, b"0123");
}

#[test]
fn states_and_their_words() {
    for value in 0..=u8::MAX {
        let state = MessageState::from_u8(value);
        assert_eq!(state.is_some(), value <= 9);
        if let Some(state) = state {
            assert_eq!(state.as_u8(), value);
            assert_eq!(MessageState::parse_stat(state.stat().as_bytes()), Some(state));
            assert_eq!(state.stat().len(), 7, "{state:?}");
        }
    }
    let cases: [(&[u8], Option<MessageState>); 12] = [
        (b"delivrd", Some(Delivered)),
        (b"DELIVERED", Some(Delivered)),
        (b" DELIVRD ", Some(Delivered)),
        (b"Undelivered", Some(Undeliverable)),
        (b"FAILED", Some(Undeliverable)),
        (b"EXPIRED,", Some(Expired)),
        (b"EN_ROUTE", Some(Enroute)),
        (b"2", Some(Delivered)),
        (b"8", Some(Rejected)),
        (b"22", None),
        (b"", None),
        (b"HELLO", None),
    ];
    for (word, expected) in cases {
        assert_eq!(MessageState::parse_stat(word), expected, "{}", word.escape_ascii());
    }
    let open: Vec<u8> = (0..10).filter(|v| !MessageState::from_u8(*v).unwrap().is_final()).collect();
    assert_eq!(open, [0, 1, 6]);
}

#[test]
fn dates_in_every_length() {
    let date = |year, month, day, hour, minute| Some(Date { year, month, day, hour, minute });
    let cases: [(&[u8], Option<Date>); 11] = [
        (b"2611211530", date(2026, 11, 21, 15, 30)),
        (b"261121153059", date(2026, 11, 21, 15, 30)),
        (b"202611211530", date(2026, 11, 21, 15, 30)),
        (b"20261121153059", date(2026, 11, 21, 15, 30)),
        (b"0002290000", date(2000, 2, 29, 0, 0)),
        (b"2613211530", None),
        (b"2611311530", None),
        (b"2611212430", None),
        (b"2611211560", None),
        (b"26112115", None),
        (b"26112115 0", None),
    ];
    for (digits, expected) in cases {
        assert_eq!(Date::parse(digits), expected, "{}", digits.escape_ascii());
    }
    let date = Date::parse(b"2611211530").unwrap();
    assert_eq!(date.unix_micros(), 1_795_275_000_000_000);
}

#[test]
fn written_text_is_that_of_appendix_b() {
    let receipt = ReceiptText {
        id: b"0123",
        sub: 1,
        dlvrd: 1,
        submit: Date { year: 2026, month: 11, day: 21, hour: 15, minute: 30 },
        done: Date { year: 2026, month: 11, day: 21, hour: 15, minute: 31 },
        stat: Delivered,
        err: b"000",
        text: b"Hello",
    };
    let written = |receipt: &ReceiptText<'_>| {
        let mut out = Vec::new();
        write_text(receipt, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(written(&receipt), STANDARD);
    let wide = ReceiptText { sub: 12_345, dlvrd: 0, text: b"abcdefghijklmnopqrstuvwxyz", ..receipt };
    let text = written(&wide);
    assert!(text.contains("sub:999 dlvrd:000 ") && text.ends_with("text:abcdefghijklmnopqrst"), "{text}");
}

#[test]
fn forms_of_an_id() {
    let cases: [(&str, &[(Form, &str)]); 10] = [
        ("0A1B", &[(Form::Exact, "0A1B"), (Form::Plain, "a1b"), (Form::Decimal, "2587")]),
        ("255", &[(Form::Exact, "255"), (Form::Hex, "ff"), (Form::Decimal, "597")]),
        ("00ff", &[(Form::Exact, "00ff"), (Form::Plain, "ff"), (Form::Decimal, "255")]),
        (" FF ", &[(Form::Exact, " FF "), (Form::Plain, "ff"), (Form::Decimal, "255")]),
        ("7", &[(Form::Exact, "7")]),
        ("000", &[(Form::Exact, "000"), (Form::Plain, "0")]),
        ("", &[(Form::Exact, "")]),
        ("+5", &[(Form::Exact, "+5")]),
        ("6F96-XY", &[(Form::Exact, "6F96-XY"), (Form::Plain, "6f96-xy")]),
        (
            "ffffffffffffffffffffffffffffffff",
            &[
                (Form::Exact, "ffffffffffffffffffffffffffffffff"),
                (Form::Decimal, "340282366920938463463374607431768211455"),
            ],
        ),
    ];
    for (id, expected) in cases {
        let forms: Vec<(Form, String)> =
            id_forms(id.as_bytes()).map(|(form, value)| (form, String::from_utf8(value).unwrap())).collect();
        let expected: Vec<(Form, String)> =
            expected.iter().map(|(form, value)| (*form, (*value).to_owned())).collect();
        assert_eq!(forms, expected, "{id}");
    }
    let beyond = "1ffffffffffffffffffffffffffffffff";
    assert_eq!(id_forms(beyond.as_bytes()).count(), 1, "over 128 bits");
    assert_eq!(id_forms(b"\xFF\xFE").count(), 1, "no text");
}

/// The id of the response as the receipt may bring it back.
#[test]
fn receipt_and_response_meet_in_some_form() {
    let cases = [
        ("1a2b3c4d", "439041101"),
        ("439041101", "1A2B3C4D"),
        ("0000001A", "26"),
        ("000000001a", "1A"),
        ("123456", "0000123456"),
        ("ABCDEF", "abcdef"),
        ("6F9619FF-8B86", "6f9619ff-8b86"),
    ];
    for (response, receipt) in cases {
        let stored: Vec<Vec<u8>> = id_forms(response.as_bytes()).map(|(_, value)| value).collect();
        let met = id_forms(receipt.as_bytes()).any(|(_, value)| stored.contains(&value));
        assert!(met, "{response} and {receipt}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        id in "[0-9A-Za-z-]{1,40}", sub in 0..1000_u16, dlvrd in 0..1000_u16, state in 0..10_u8,
        (year, month, day) in (2000..2100_u16, 1..13_u8, 1..29_u8), (hour, minute) in (0..24_u8, 0..60_u8), err in "[0-9A-F]{1,4}", text in "[a-z ]{0,20}",
    ) {
        let date = Date { year, month, day, hour, minute };
        let stat = MessageState::from_u8(state).unwrap();
        let mut out = Vec::new();
        let written = ReceiptText {
            id: id.as_bytes(), sub, dlvrd, submit: date, done: date, stat, err: err.as_bytes(), text: text.as_bytes(),
        };
        write_text(&written, &mut out);
        let read = Receipt::parse(&out).unwrap();
        prop_assert_eq!((read.id, read.sub, read.dlvrd), (id.as_bytes(), Some(sub), Some(dlvrd)));
        prop_assert_eq!((read.stat, read.err), (stat, Some(err.as_bytes())));
        prop_assert_eq!(read.done_date.and_then(Date::parse), Some(date));
        prop_assert_eq!(read.text, Some(text.trim().as_bytes()));
    }

    #[test]
    fn any_text_is_judged(text in "(id|stat|text|err|sub|submit date|:| |[a-z0-9]{1,3}){0,60}") {
        if let Some(receipt) = Receipt::parse(text.as_bytes()) {
            prop_assert!(!receipt.id.is_empty());
        }
    }

    #[test]
    fn forms_are_distinct_and_begin_with_the_exact_one(id in prop::collection::vec(any::<u8>(), 0..40)) {
        let forms: Vec<_> = id_forms(&id).collect();
        prop_assert_eq!(&forms[0], &(Form::Exact, id));
        for (index, (_, value)) in forms.iter().enumerate() {
            prop_assert!(forms[..index].iter().all(|(_, earlier)| earlier != value));
        }
    }
}
