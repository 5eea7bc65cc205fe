use proptest::prelude::*;

use super::*;
use crate::{HeaderId, Method};

fn request(call_id: &str, body: &str) -> String {
    let length = body.len();
    format!("OPTIONS sip:a@b SIP/2.0\r\nCall-ID: {call_id}\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// What came out, as a text each: a Call-ID and body, `line`, `ping`.
fn shown(framed: &Framed) -> String {
    match framed {
        Framed::Message(message) => {
            let id = String::from_utf8_lossy(message.value(HeaderId::CallId).unwrap_or_default());
            format!("{id} {} {:?}", message.body().escape_ascii(), message.defect())
        }
        Framed::EmptyLine => "line".to_owned(),
        Framed::Ping => "ping".to_owned(),
    }
}

/// Everything that comes out of `octets` arriving in chunks of `size`, and the error that ends it.
fn run(octets: &[u8], size: usize, limits: Limits) -> (Vec<String>, Option<FrameError>) {
    let mut framer = Framer::new(limits);
    let mut buf = BytesMut::new();
    let mut found = Vec::new();
    for chunk in octets.chunks(size) {
        buf.extend_from_slice(chunk);
        loop {
            match framer.next(&mut buf) {
                Ok(Some(framed)) => found.push(shown(&framed)),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(framer.next(&mut buf).err(), Some(error), "an end is for good");
                    return (found, Some(error));
                }
            }
        }
    }
    (found, None)
}

#[test]
fn messages_and_keep_alives() {
    let stream =
        [&request("1", "body"), "\r\n", &request("2", ""), "\r\n\r\n", "\r\n", &request("3", "\r\n\r\n")]
            .concat();
    let expected = ["1 body None", "line", "2  None", "line", "ping", "line", "3 \\r\\n\\r\\n None"];
    for size in 1..stream.len() {
        assert_eq!(
            run(stream.as_bytes(), size, Limits::default()),
            (expected.map(String::from).to_vec(), None)
        );
    }
}

#[test]
fn lines_that_end_in_lf() {
    let stream = "OPTIONS sip:a@b SIP/2.0\ni: 1\nl: 2\n\nab\n\nOPTIONS sip:a@b SIP/2.0\r\ni: 2\nl:0\n\r\n";
    let expected = ["1 ab None", "line", "ping", "2  None"];
    for size in 1..stream.len() {
        let limits = Limits { lf_line_ends: true, ..Limits::default() };
        assert_eq!(run(stream.as_bytes(), size, limits).0, expected, "{size}");
        let refused = expected.map(|shown| shown.replace("None", "Some(LineEnd)"));
        assert_eq!(run(stream.as_bytes(), size, Limits::default()).0, refused, "{size}");
    }
}

#[test]
fn pongs_are_no_pings() {
    // Pings of ours before the octets, what comes of them.
    let table: [(usize, &str, &[&str]); 5] = [
        (0, "\r\n\r\n", &["line", "ping"]),
        (1, "\r\n\r\n", &["line", "line"]),
        (2, "\r\n\r\n", &["line", "line"]),
        (1, "\r\n\r\n\r\n", &["line", "line", "ping"]),
        (2, "\r\n\r\n\r\n\r\n", &["line", "line", "line", "ping"]),
    ];
    for (pings, octets, expected) in table {
        let mut framer = Framer::new(Limits::default());
        (0..pings).for_each(|_| framer.ping_sent());
        let mut buf = BytesMut::from(octets);
        let found: Vec<String> =
            std::iter::from_fn(|| framer.next(&mut buf).unwrap().map(|framed| shown(&framed))).collect();
        assert_eq!(found, expected, "{pings} {octets:?}");
    }
    // A connection that is kept open for long.
    let mut framer = Framer::new(Limits::default());
    for _ in 0..1_000 {
        framer.ping_sent();
        let framed = framer.next(&mut BytesMut::from(PONG)).unwrap().unwrap();
        assert_eq!(shown(&framed), "line");
    }
}

#[test]
fn a_first_line_has_a_limit() {
    let limits = Limits { line: 40, ..Limits::default() };
    let line = |len: usize| {
        let rest = "OPTIONS sip: SIP/2.0".len();
        request("1", "").replace("sip:a@b", &format!("sip:{}", "a".repeat(len - rest)))
    };
    for (len, error) in
        [(40, None), (41, Some(FrameError::HeadTooLarge)), (8_000, Some(FrameError::HeadTooLarge))]
    {
        let stream = line(len);
        for size in [1, 7, stream.len()] {
            let found = run(stream.as_bytes(), size, limits);
            assert_eq!((found.0.len(), found.1), (usize::from(error.is_none()), error), "{len} {size}");
        }
    }
    let http = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(100));
    for size in [1, 50, http.len()] {
        assert_eq!(run(http.as_bytes(), size, limits).1, Some(FrameError::HeadTooLarge), "{size}");
    }
}

#[test]
fn what_cannot_be_framed_is_answered_and_ends_the_stream() {
    let limits = Limits { message: 1_000, head: 600, ..Limits::default() };
    let table = [
        ("", Defect::ContentLengthMissing),
        ("Content-Length: -999\r\n", Defect::ContentLength),
        ("Content-Length: five\r\n", Defect::ContentLength),
        ("Content-Length: 13\r\nl: 5\r\n", Defect::ContentLength),
        ("Content-Length: 99999999999999999999\r\n", Defect::ContentLength),
        ("Content-Length: 4294967295\r\n", Defect::MessageTooLarge),
        ("Content-Length: 1000\r\n", Defect::MessageTooLarge),
    ];
    for (headers, defect) in table {
        let stream = format!("OPTIONS sip:a@b SIP/2.0\r\ni: 1\r\n{headers}\r\nrest {}", request("2", ""));
        let expected = (vec![format!("1  {:?}", Some(defect))], Some(FrameError::Unframed(defect)));
        for size in [1, 7, stream.len()] {
            assert_eq!(run(stream.as_bytes(), size, limits), expected, "{headers}");
        }
    }
}

#[test]
fn other_protocols_end_the_stream_at_once() {
    let table: [(&[u8], NotSip); 6] = [
        (b"GET / HTTP/1.1\r\n", NotSip::Http),
        (b"HTTP/1.1 200 OK\r\n", NotSip::Http),
        (b"\r\n\r\nPOST /x HTTP/1.0\r\nHost: a\r\n\r\n", NotSip::Http),
        (b"\x16\x03\x01", NotSip::Tls),
        (b"hello world\r\n", NotSip::StartLine),
        (b"\0\0\0\x10", NotSip::StartLine),
    ];
    for (octets, error) in table {
        for size in 1..octets.len() {
            let found = run(octets, size, Limits::default()).1;
            assert_eq!(found, Some(FrameError::NotSip(error)), "{} {size}", octets.escape_ascii());
        }
    }
}

#[test]
fn a_head_has_a_limit() {
    let limits = Limits { head: 100, ..Limits::default() };
    let long = request("1", "").replace("Call-ID", &"X".repeat(100));
    for size in [1, 30, long.len()] {
        assert_eq!(run(long.as_bytes(), size, limits), (vec![], Some(FrameError::HeadTooLarge)));
    }
    assert_eq!(run(&[b'a'; 300], 10, limits).1, Some(FrameError::HeadTooLarge));
    assert_eq!(run(request("1", &"x".repeat(200)).as_bytes(), 9, limits).1, None);
}

#[test]
fn a_head_is_never_larger_than_its_index_can_hold() {
    let limits = Limits { head: 1 << 20, message: 1 << 20, line: 1 << 20, ..Limits::default() };
    let long = request("1", "").replace("Call-ID", &"X".repeat(70_000));
    assert_eq!(run(long.as_bytes(), 9_000, limits), (vec![], Some(FrameError::HeadTooLarge)));
    let body = "x".repeat(100_000);
    let (found, error) = run(request("1", &body).as_bytes(), 9_000, limits);
    assert_eq!((found, error), (vec![format!("1 {body} None")], None));
}

#[test]
fn framed_messages_are_read_like_datagrams() {
    let mut buf = BytesMut::from(request("1", "body").as_bytes());
    let Ok(Some(Framed::Message(message))) = Framer::new(Limits::default()).next(&mut buf) else {
        panic!("whole")
    };
    assert_eq!((message.method(), message.body()), (Some(Method::Options), &b"body"[..]));
    assert!(buf.is_empty());
}

proptest! {
    #[test]
    fn frames_do_not_depend_on_the_cut(
        parts in prop::collection::vec(prop_oneof![
            4 => ("[a-z]{1,4}", "[ -~\r\n]{0,20}").prop_map(|(id, body)| request(&id, &body)),
            2 => "(\r\n){1,3}",
            1 => "[ -~\r\n]{0,20}",
        ], 0..8),
        size in 1..60_usize,
    ) {
        let stream = parts.concat();
        let limits = Limits { message: 120, head: 100, ..Limits::default() };
        let whole = run(stream.as_bytes(), stream.len().max(1), limits);
        prop_assert_eq!(run(stream.as_bytes(), size, limits), whole);
    }

    #[test]
    fn arbitrary_octets_do_no_harm(octets in prop::collection::vec(any::<u8>(), 0..200), size in 1..20_usize) {
        let _ = run(&octets, size, Limits::default());
    }
}
