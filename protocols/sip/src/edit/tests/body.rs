//! Parts of bodies that give way to others, beside other changes.

use super::*;

const OLD: &str = "v=0\r\ns=old\r\n";
const NEW: &[u8] = b"v=0\r\ns=a longer one\r\nt=0 0\r\n";

/// A request with these lines before and behind Content-Type, and this body.
fn text(content_type: &str, length: &str, body: &str) -> String {
    format!("INVITE sip:a SIP/2.0\r\nVia: x\r\nc:  {content_type}\r\n{length}Subject:s\r\n\r\n{body}")
}

fn parts(sdp: &str) -> String {
    format!("pre\n--b\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--b\r\n\r\n\u{1}\r\n--b--")
}

fn replaced(before: &str) -> Result<String, EditError> {
    edited(before, |edits| edits.replace_sdp(&edits.message().sdp().unwrap(), NEW))
}

#[test]
fn a_description_gives_way_to_another() {
    let new = std::str::from_utf8(NEW).unwrap();
    for (content_type, body) in
        [("application/SDP;x=y", OLD.to_owned()), ("multipart/mixed;boundary=b", parts(OLD))]
    {
        let (length, after) = (body.len(), body.replace(OLD, new));
        for name in ["Content-Length: ", "l:", "L :  "] {
            let before = text(content_type, &format!("{name}{length}\r\n"), &body);
            let expected = text(content_type, &format!("{name}{}\r\n", after.len()), &after);
            assert_eq!(replaced(&before), Ok(expected));
        }
        let twice = text(content_type, &format!("l: {length}\r\nContent-Length: {length}\r\n"), &body);
        assert_eq!(replaced(&twice), Ok(text(content_type, &format!("l: {}\r\n", after.len()), &after)));
        let expected = text(content_type, "", "")
            .replace("Subject:s\r\n", &format!("Subject:s\r\nContent-Length: {}\r\n", after.len()));
        assert_eq!(replaced(&text(content_type, "", &body)), Ok(format!("{expected}{after}")));
    }
}

/// What others do to the message comes before or after: it is the same.
#[test]
fn other_changes_go_with_it() {
    type Change = fn(&mut Edits<'_>) -> Result<(), EditError>;
    let changes: [Change; 5] = [
        |edits| edits.replace_sdp(&edits.message().sdp().unwrap(), NEW),
        |edits| edits.ensure_content_length(),
        |edits| edits.append("X-1", b"2"),
        |edits| edits.push_via(b"y"),
        |edits| edits.remove(HeaderId::Subject).map(|_| ()),
    ];
    for length in ["", "l: 12\r\n"] {
        let before = text("application/sdp", length, OLD);
        for first in 0..changes.len() {
            let found = edited(&before, |edits| {
                let mut order = changes.iter().cycle().skip(first).take(changes.len());
                order.try_for_each(|change| change(edits))
            });
            let found = message(&found.unwrap());
            assert_eq!((found.body(), found.defect()), (NEW, None));
            let lengths: Vec<&[u8]> = found.values(HeaderId::ContentLength).collect();
            assert_eq!(lengths, [NEW.len().to_string().as_bytes()]);
            assert!(found.values_named(b"x-1").eq([b"2"]) && !found.has(HeaderId::Subject));
            assert_eq!(found.header_count(), 5);
        }
    }
}

#[test]
fn a_length_that_was_added_follows_the_body() {
    let before = "BYE sip:a SIP/2.0\r\nVia: x\r\n\r\nbody";
    let found = edited(before, |edits| {
        edits.ensure_content_length()?;
        edits.append("X-1", b"Content-Length: 7")?;
        edits.set_body(b"a/b", b"cd")
    });
    let after = "BYE sip:a SIP/2.0\r\nVia: x\r\nContent-Length: 2\r\nX-1: Content-Length: 7\r\n\
        Content-Type: a/b\r\n\r\ncd";
    assert_eq!(found.as_deref(), Ok(after));
    let found = edited(before, |edits| {
        edits.ensure_content_length()?;
        edits.replace_in_body(&edits.message().body()[1..3], b"")
    });
    assert_eq!(found.as_deref(), Ok("BYE sip:a SIP/2.0\r\nVia: x\r\nContent-Length: 2\r\n\r\nby"));
}

#[test]
fn a_body_changes_once() {
    type Change = fn(&mut Edits<'_>) -> Result<(), EditError>;
    let part: Change = |edits| edits.replace_in_body(&edits.message().body()[..3], b"x");
    let rest: Change = |edits| edits.replace_in_body(&edits.message().body()[3..], b"x");
    let whole: Change = |edits| edits.set_body(b"a/b", b"c");
    let none: Change = |edits| edits.set_body(b"", b"");
    for length in ["", "l: 12\r\n"] {
        for (first, second) in [(part, part), (part, rest), (part, whole), (whole, part), (none, rest)] {
            let twice = edited(&text("application/sdp", length, OLD), |edits| {
                first(edits)?;
                second(edits)
            });
            assert_eq!(twice, Err(EditError::Overlap));
        }
    }
}

#[test]
fn no_other_body_comes_of_it() {
    let before = text("multipart/mixed;boundary=b", "", &parts(OLD));
    for evil in [&b""[..], b"--b--\r\n", b"v=0\r\n--b\r\n", b"v=0\r--b", b"v=0\n--"] {
        let found = edited(&before, |edits| edits.replace_sdp(&edits.message().sdp().unwrap(), evil));
        assert_eq!(found, Err(EditError::Form), "{}", evil.escape_ascii());
    }
    let elsewhere = edited(&before, |edits| edits.replace_in_body(b"v=0", b"x"));
    assert_eq!(elsewhere, Err(EditError::Absent), "a copy is no part of the message");
    let head =
        edited(&before, |edits| edits.replace_in_body(edits.message().value(HeaderId::Via).unwrap(), b"x"));
    assert_eq!(head, Err(EditError::Absent), "a header is no part of the body");
}

proptest! {
    /// Replaced, written and read again, it is the new one, and no header but Content-Length is another.
    #[test]
    fn descriptions_are_replaced_and_nothing_else(
        old in "v=0\r\n([a-z]=[ -~]{0,9}\r?\n){0,5}", new in "v=0\r\n([a-z]=[ -~]{0,9}\r\n){0,90}",
        lengths in prop::sample::subsequence(vec!["l: ", "Content-Length:", "L : 00"], 0..3),
        in_parts in any::<bool>(),
        others in prop::collection::vec("X-[a-z]{1,4}: [!-~]{1,9}\r\n", 0..4),
    ) {
        let content_type = if in_parts { "multipart/mixed; boundary=\"b\"" } else { "application/sdp" };
        let body = if in_parts { parts(&old) } else { old.clone() };
        let length: String = lengths.iter().map(|name| format!("{name}{}\r\n", body.len())).collect();
        let before = message(&text(content_type, &format!("{}{length}", others.concat()), &body));
        prop_assert_eq!(before.defect(), None);
        let found = before.sdp().unwrap();
        prop_assert_eq!(found.octets, old.as_bytes());
        let mut edits = Edits::new(&before);
        prop_assert_eq!(edits.replace_sdp(&found, new.as_bytes()), Ok(()));
        let after = message(&written(&edits));
        prop_assert_eq!(after.defect(), None);
        prop_assert_eq!(after.sdp().unwrap().octets, new.as_bytes());
        let expected = body.replacen(&old, &new, 1);
        prop_assert_eq!(after.body(), expected.as_bytes());
        let rest = |message: &Message| -> Vec<Vec<u8>> {
            let others = message.headers().filter(|header| header.id != HeaderId::ContentLength);
            others.map(|header| [header.name, header.value].concat()).collect()
        };
        prop_assert_eq!(rest(&after), rest(&before));
    }
}
