use super::{Error, Request};
use crate::bencode;
use crate::command::Name;
use crate::testing::{body, datagrams};

#[test]
fn commands_are_read() {
    let octets = body("request", "offer");
    let request = Request::parse(&octets).unwrap();
    assert_eq!((request.name, request.command), (Some(Name::Offer), b"offer".as_slice()));
    assert_eq!(request.call_id(), Some(b"a84b4c76e66710@192.0.2.1".as_slice()));
    assert_eq!(request.from_tag(), Some(b"from1".as_slice()));
    assert_eq!((request.to_tag(), request.via_branch()), (None, None));
    assert!(request.sdp().unwrap().starts_with(b"v=0\r\n"));
    assert!(request.lists("flags", "strict-source") && !request.lists("flags", "fatal"));

    let octets = body("request", "answer");
    let request = Request::parse(&octets).unwrap();
    assert_eq!(request.to_tag(), Some(b"to1".as_slice()));
    assert_eq!(request.via_branch(), Some(b"z9hG4bK1".as_slice()));
}

#[test]
fn words_of_lists_have_spaces_or_hyphens() {
    let octets = body("request", "delete");
    let request = Request::parse(&octets).unwrap();
    assert!(request.lists("flags", "fatal"));
    assert!(request.lists("flags", "to-tag"));
    assert!(!request.lists("supports", "load limit"));
}

#[test]
fn a_limit_may_be_a_text() {
    assert_eq!(Request::parse(&body("request", "list")).unwrap().limit(), Some(10));
    assert_eq!(Request::parse(b"d7:command4:list5:limiti-1ee").unwrap().limit(), Some(-1));
}

#[test]
fn an_unknown_command_is_read_too() {
    let octets = body("request", "unknown_command");
    let request = Request::parse(&octets).unwrap();
    assert_eq!((request.name, request.command), (None, b"dance".as_slice()));
}

#[test]
fn what_is_no_command_is_refused_with_the_words_of_a_node() {
    let table: [(&str, Error, &str); 4] = [
        ("no_body", Error::Empty, "Invalid data (no payload)"),
        ("int", Error::NotDict, "Invalid NG data format"),
        ("cut_short", Error::Bencode(bencode::Error::Truncated), "Could not decode bencode dictionary"),
        ("no_command", Error::NoCommand, "Dictionary contains no key \"command\""),
    ];
    for (name, error, reason) in table {
        assert_eq!(Request::parse(&body("request", name)), Err(error), "{name}");
        assert_eq!(error.reason(), reason, "{name}");
    }
    assert_eq!(Request::parse(b"{\"command\":\"ping\"}"), Err(Error::NotDict));
    assert_eq!(Request::parse(b"d7:commandi1ee"), Err(Error::NoCommand));
}

#[test]
fn no_command_that_is_cut_is_read() {
    for (name, datagram) in datagrams("request") {
        let (_, body) = crate::cookie::split(&datagram).unwrap();
        for cut in 0..body.len() {
            assert!(Request::parse(&body[..cut]).is_err(), "{name} cut at {cut}");
        }
    }
}
