use super::*;
use crate::fuzz_entry;
use crate::sdp::tests::SAMPLES;

/// What is written behind what was there before; `None` where nothing is.
fn nameless(octets: &[u8]) -> Option<String> {
    let mut out = BytesMut::from(&b"before"[..]);
    let changed = Sdp::parse(octets).unwrap().write_nameless(&mut out);
    let written = out.strip_prefix(b"before").unwrap();
    assert_eq!(changed, !written.is_empty());
    changed.then(|| String::from_utf8(written.to_vec()).unwrap())
}

#[test]
fn nobody_is_named() {
    let media = "t=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";
    for (came, expected) in [
        (
            format!("v=0\r\no=15550001 1 2 IN IP4 192.0.2.1\r\ns=-\r\n{media}"),
            format!("v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\n{media}"),
        ),
        (
            "v=0\r\no=jdoe 1 1 IN IP4 192.0.2.1\r\ns=Call of J. Doe\r\ni=A call\r\nu=http://example.com/jdoe\r\n\
             e=j.doe@example.com (Jane Doe)\r\np=+1 617 555 6011\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
             m=audio 4000 RTP/AVP 8\r\ni=Jane speaks\r\na=sendrecv\r\n"
                .to_owned(),
            "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
             m=audio 4000 RTP/AVP 8\r\na=sendrecv\r\n"
                .to_owned(),
        ),
        // Line ends are as they came, and so is what is malformed otherwise.
        ("v=0\no= 15550001\t1 IN\ns=".to_owned(), "v=0\no=-\t1 IN\ns=-".to_owned()),
        ("v=0\r\no=\r\n".to_owned(), "v=0\r\no=-\r\n".to_owned()),
        ("v=0\r\no=15550001\r\no=15550001 1\r\n".to_owned(), "v=0\r\no=-\r\no=- 1\r\n".to_owned()),
        ("v=0\r\ne=15550001".to_owned(), "v=0\r\n".to_owned()),
    ] {
        assert_eq!(nameless(came.as_bytes()).as_deref(), Some(expected.as_str()), "{came}");
        assert_eq!(nameless(expected.as_bytes()), None, "it names nobody");
    }
    assert_eq!(nameless(b"v=0\r\n"), None);
}

#[test]
fn every_beginning_of_a_description_is_written_as_one() {
    for sample in SAMPLES {
        (0..=sample.len()).for_each(|len| fuzz_entry::sdp(&sample[..len]));
    }
}
