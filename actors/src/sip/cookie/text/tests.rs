use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::sip::cookie::{Cookie, Secret};

const KINDS: [Kind; 4] = [Kind::CallId, Kind::CallName, Kind::Contact, Kind::Back];
const CALL: &[u8] = b"3848276298220188511@atlanta.example.com";

fn secret(number: u8, octet: u8) -> Secret {
    Secret { number, key: [octet; 16] }
}

#[test]
fn a_text_is_of_its_kind_and_call_and_key() {
    let keys = Keys::new(secret(3, 7), None);
    for kind in KINDS {
        let sealed = keys.seal_text(kind, CALL, b"sip:alice@192.0.2.10", None);
        assert_eq!(keys.open_text(kind, CALL, &sealed).as_deref(), Some(&b"sip:alice@192.0.2.10"[..]));
        assert_eq!(keys.open_text(kind, b"other", &sealed), None, "{kind:?}");
        assert_eq!(Keys::new(secret(3, 8), None).open_text(kind, CALL, &sealed), None, "another key");
        assert_eq!(Keys::new(secret(4, 7), None).open_text(kind, CALL, &sealed), None, "another number");
        for other in KINDS.into_iter().filter(|other| *other != kind) {
            assert_eq!(keys.open_text(other, CALL, &sealed), None, "{kind:?} as {other:?}");
        }
    }
}

/// A dialog that was sealed for by one key goes on with it while another one seals for new ones.
#[test]
fn keys_change_and_texts_stay() {
    let before = Keys::new(secret(3, 7), None);
    let both = Keys::new(secret(4, 8), Some(secret(3, 7)));
    let text = before.seal_text(Kind::CallId, b"", CALL, None);
    assert_eq!(both.open_text(Kind::CallId, b"", &text).as_deref(), Some(CALL));
    assert_eq!(both.seal_text(Kind::CallId, b"", CALL, key_number(&text)), text);
    let anew = both.seal_text(Kind::CallId, b"", CALL, None);
    assert_ne!(anew, text);
    assert_eq!((key_number(&text), key_number(&anew)), (Some(3), Some(4)));
    assert_eq!(both.seal_text(Kind::CallId, b"", CALL, Some(9)), anew, "no such key");
    let later = Keys::new(secret(5, 9), Some(secret(4, 8)));
    assert_eq!(later.open_text(Kind::CallId, b"", &text), None);
    assert!(later.open_text(Kind::CallId, b"", &anew).is_some());
}

#[test]
fn cookies_are_no_texts() {
    let keys = Keys::new(secret(3, 7), None);
    let cookie = Cookie {
        dialog: uuid::Uuid::nil(),
        trunk: 1,
        vendor: 2,
        media: 0,
        owner: 7,
        inbound: false,
        withheld: false,
        answers: 0,
        hides: crate::sip::hiding::Hides::default(),
    };
    let call = Call { call_id: CALL, caller_tag: b"" };
    let sealed = keys.seal(&cookie, &call);
    assert_eq!(key_number(&sealed), Some(3));
    for kind in KINDS {
        assert_eq!(keys.open_text(kind, CALL, &sealed), None, "{kind:?}");
        // As long as a cookie.
        let text = keys.seal_text(kind, CALL, &[1; super::super::PLAIN_LEN], None);
        assert_eq!(text.len(), sealed.len());
        assert!(keys.open(&text, &call).is_err(), "{kind:?}");
    }
    assert_eq!(key_number(b"Ab"), None);
    assert_eq!(key_number(b"A.B="), None);
}

proptest! {
    #[test]
    fn any_text_comes_back_and_is_always_the_same(plain in vec(any::<u8>(), 0..400), call: Vec<u8>) {
        let keys = Keys::new(secret(15, 1), None);
        let sealed = keys.seal_text(Kind::Back, &call, &plain, None);
        prop_assert!(sealed.iter().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(octet)));
        prop_assert_eq!(sealed.len(), ((plain.len() + 17) * 4).div_ceil(3));
        prop_assert_eq!(&keys.seal_text(Kind::Back, &call, &plain, None), &sealed);
        prop_assert_eq!(keys.open_text(Kind::Back, &call, &sealed), Some(plain));
    }

    #[test]
    fn a_changed_character_is_refused(at in 0_usize..76, octet: u8) {
        let keys = Keys::new(secret(0, 1), None);
        let mut text = keys.seal_text(Kind::CallId, b"", CALL, None);
        prop_assume!(at < text.len() && text[at] != octet);
        text[at] = octet;
        prop_assert_eq!(keys.open_text(Kind::CallId, b"", &text), None);
    }

    #[test]
    fn a_text_cut_short_is_refused(len in 0_usize..75) {
        let keys = Keys::new(secret(0, 1), None);
        let text = keys.seal_text(Kind::CallId, b"", CALL, None);
        prop_assert!(len < text.len());
        prop_assert_eq!(keys.open_text(Kind::CallId, b"", &text[..len]), None);
    }

    #[test]
    fn anything_else_is_refused(text: Vec<u8>) {
        let keys = Keys::new(secret(0, 1), None);
        for kind in KINDS {
            prop_assert_eq!(keys.open_text(kind, b"", &text), None);
        }
    }
}

#[test]
#[ignore = "measures; proves nothing"]
fn what_a_text_costs() {
    const TEXTS: u32 = 200_000;
    let keys = Keys::new(secret(3, 7), None);
    let begun = tokio::time::Instant::now();
    let texts: Vec<_> = (0..TEXTS)
        .map(|at| keys.seal_text(Kind::CallId, b"", format!("{at}@192.0.2.10").as_bytes(), None))
        .collect();
    let sealed = begun.elapsed() / TEXTS;
    let begun = tokio::time::Instant::now();
    assert!(texts.iter().all(|text| keys.open_text(Kind::CallId, b"", text).is_some()));
    eprintln!("seal {sealed:?}, open {:?}", begun.elapsed() / TEXTS);
}
