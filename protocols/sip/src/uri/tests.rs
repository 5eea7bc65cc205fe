use std::net::{Ipv4Addr, Ipv6Addr};

use super::compare::PARAMS_MAX;
use super::*;

fn sip(text: &str) -> SipUri<'_> {
    Uri::parse(text.as_bytes()).unwrap().sip().unwrap()
}

#[test]
fn parts_of_a_sip_uri() {
    let uri = sip("sips:alice:secret@Atlanta.example.com:5071;transport=tcp;lr?Subject=x&Priority=urgent");
    assert!(uri.secure && uri.is_loose_router());
    assert_eq!((uri.user, uri.password), (Some(&b"alice"[..]), Some(&b"secret"[..])));
    assert_eq!((uri.host, uri.port), (Host::Name(b"Atlanta.example.com"), Some(5071)));
    assert_eq!(uri.transport(), Some(&b"tcp"[..]));
    assert_eq!(uri.headers, Some(&b"Subject=x&Priority=urgent"[..]));
}

#[test]
fn users_with_unusual_octets() {
    let table: [(&str, &str, Option<&str>); 7] = [
        ("sip:user;par=u%40example.net@example.com", "user;par=u%40example.net", None),
        (
            "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
            "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*",
            Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"),
        ),
        ("sip:sips%3Auser%40example.com@example.net", "sips%3Auser%40example.com", None),
        ("sip:%00@host5.example.com", "%00", None),
        ("sip:+49-170-1234567@gw.example.com;user=phone", "+49-170-1234567", None),
        ("sip:+1555;npdi;rn=+1444@gw.example.com", "+1555;npdi;rn=+1444", None),
        ("SIP:a:@b", "a", Some("")),
    ];
    for (text, user, password) in table {
        let uri = sip(text);
        assert_eq!(uri.user, Some(user.as_bytes()), "{text}");
        assert_eq!(uri.password, password.map(str::as_bytes), "{text}");
    }
}

#[test]
fn hosts() {
    let v6 = |text: &str| Host::V6(text.parse::<Ipv6Addr>().unwrap());
    let table = [
        ("sip:192.0.2.1", Host::V4(Ipv4Addr::new(192, 0, 2, 1)), None),
        ("sip:a@192.0.2.1:5060", Host::V4(Ipv4Addr::new(192, 0, 2, 1)), Some(5060)),
        ("sip:[2001:db8::10]", v6("2001:db8::10"), None),
        ("sip:[2001:db8::10]:5070", v6("2001:db8::10"), Some(5070)),
        ("sip:[2001:db8::10:5070]", v6("2001:db8::10:5070"), None),
        ("sip:a@[::ffff:192.0.2.2];lr", v6("::ffff:192.0.2.2"), None),
        ("sip:user@[2001:db8::192.0.2.1]", v6("2001:db8::192.0.2.1"), None),
        ("sip:user@[2001:db8:::192.0.2.1]:7", v6("2001:db8::192.0.2.1"), Some(7)),
        ("sip:[:::192.0.2.1]", v6("::192.0.2.1"), None),
        ("sip:my_host.example", Host::Name(b"my_host.example"), None),
        ("sip:1.example.com", Host::Name(b"1.example.com"), None),
        ("sip:example.com.", Host::Name(b"example.com."), None),
    ];
    for (text, host, port) in table {
        assert_eq!((sip(text).host, sip(text).port), (host, port), "{text}");
    }
}

#[test]
fn malformed_uris() {
    let table = [
        ("", SyntaxError::Uri),
        ("sip", SyntaxError::Uri),
        ("1sip:a", SyntaxError::Uri),
        ("<sip:user@example.com>", SyntaxError::Uri),
        ("sip:", SyntaxError::Host),
        ("sip:@example.com", SyntaxError::Empty),
        ("sip:a@", SyntaxError::Host),
        ("sip:a@b@c", SyntaxError::Host),
        ("sip:user@example.com; lr", SyntaxError::Octet),
        ("sip:us er@example.com", SyntaxError::Octet),
        ("sip:user@example.com ", SyntaxError::Octet),
        ("sip:2001:db8::10", SyntaxError::Port),
        ("sip:user@[2001:db8:::1]", SyntaxError::Host),
        ("sip:user@[2001:db8:::192.0.2]", SyntaxError::Host),
        ("sip:user@[2001:db8::::192.0.2.1]", SyntaxError::Host),
        ("sip:user@[2001::db8:::192.0.2.1]", SyntaxError::Host),
        ("sip:user@[:::192.0.2.1:::192.0.2.1]", SyntaxError::Host),
        ("sip:user@[1111:2222:3333:4444:5555:6666:7777:8888:9999:::192.0.2.1]", SyntaxError::Host),
        ("sip:a@[2001:db8::1", SyntaxError::Host),
        ("sip:a@300.1.1.1", SyntaxError::Host),
        ("sip:a@b:", SyntaxError::Port),
        ("sip:a@b:99999", SyntaxError::Port),
        ("sip:a@b:-1", SyntaxError::Port),
        ("sip:a@b;;lr", SyntaxError::Parameter),
        ("sip:a@b;x=\"q", SyntaxError::Quote),
        ("sip:a@b?x=<y>", SyntaxError::Octet),
        ("tel:", SyntaxError::Empty),
        ("tel:+", SyntaxError::Empty),
        ("tel:+1555x", SyntaxError::Octet),
        ("urn:service sos", SyntaxError::Octet),
        ("sip:a@b;x=\"q r\"", SyntaxError::Octet),
        ("sip:a@b;x=\"q\tr\";y", SyntaxError::Octet),
        ("sip:a@b;x=\"q\0\"", SyntaxError::Octet),
        ("sip:a@b;x=\"\x7f\"", SyntaxError::Octet),
        ("sip:a@b;x=\"<q>\"", SyntaxError::Octet),
        ("sip:a@b;x= 1", SyntaxError::Octet),
        ("sip:a@b\r\n;x", SyntaxError::Octet),
        ("sip:a@\"b\"", SyntaxError::Host),
        ("tel:+1555;x= y", SyntaxError::Octet),
        ("tel:+1555;x=\"y z\"", SyntaxError::Octet),
        ("tel:+1555 ", SyntaxError::Octet),
        ("tel:+1555;x=\x01", SyntaxError::Octet),
    ];
    for (text, error) in table {
        assert_eq!(Uri::parse(text.as_bytes()), Err(error), "{text}");
    }
}

#[test]
fn quoted_parameters_are_kept() {
    let uri = sip("sip:a@b;x=\"q\";y");
    assert_eq!(uri.params.as_octets(), b";x=\"q\";y");
    assert_eq!(uri.params.get(b"x").unwrap().value, Some(&b"\"q\""[..]));
}

#[test]
fn other_schemes() {
    let urn = Uri::parse(b"urn:service:sos").unwrap();
    assert_eq!(urn, Uri::Other { scheme: b"urn", rest: b"service:sos" });
    let Uri::Tel(tel) = Uri::parse(b"tel:+1-(555).0100;phone-context=+1").unwrap() else {
        panic!("a tel URI")
    };
    assert!(tel.is_global());
    assert_eq!(tel.digits().collect::<Vec<_>>(), b"15550100");
    let Uri::Tel(local) = Uri::parse(b"tel:7042;phone-context=example.com").unwrap() else {
        panic!("a tel URI")
    };
    assert!(!local.is_global() && local.params.get(b"phone-context").is_some());
}

/// The examples of RFC 3261, 19.1.4, and more of the same kind.
#[test]
fn equivalence() {
    let equal = [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("sip:[2001:db8::1]", "sip:[2001:0DB8:0::1]"),
        ("tel:+1-555-0100", "tel:+15550100"),
        ("tel:+1555;a=1;B=2", "tel:+1555;b=2;A=1"),
        ("sip:a@b;x=1;x=2", "sip:a@b;x=2;x=1"),
        ("URN:service:sos", "urn:service:sos"),
        ("sip:a%2Fb@c", "sip:a%2fb@c"),
        ("sip:%2A@c;%78=%79", "sip:*@c;x=y"),
    ];
    for (one, other) in equal {
        let (one_uri, other_uri) =
            (Uri::parse(one.as_bytes()).unwrap(), Uri::parse(other.as_bytes()).unwrap());
        assert!(one_uri.is_equivalent(&other_uri), "{one} {other}");
        assert!(other_uri.is_equivalent(&one_uri), "{other} {one}");
        assert!(one_uri.is_equivalent(&one_uri));
    }
    let different = [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a@b", "sips:a@b"),
        ("sip:a@b", "sip:a@b;maddr=192.0.2.1"),
        ("sip:a@b", "sip:b"),
        ("sip:a@b", "tel:1"),
        ("sip:a@b;x=v%2561lue", "sip:a@b;x=value"),
        ("sip:a%3Bb@c", "sip:a;b@c"),
        ("sip:a%2Fb@c", "sip:a/b@c"),
        ("sip:a@c;x=%2B", "sip:a@c;x=+"),
        ("sip:c?a=b%26d=e", "sip:c?a=b&d=e"),
        ("tel:+1555", "tel:1555"),
        ("tel:1555;phone-context=a", "tel:1555"),
    ];
    for (one, other) in different {
        let (one_uri, other_uri) =
            (Uri::parse(one.as_bytes()).unwrap(), Uri::parse(other.as_bytes()).unwrap());
        assert!(!one_uri.is_equivalent(&other_uri), "{one} {other}");
        assert!(!other_uri.is_equivalent(&one_uri), "{other} {one}");
    }
}

/// Comparing costs no more than a fixed number of passes: past it only the same text is the same.
#[test]
fn many_parameters_are_compared_as_text() {
    let uri = |count: usize, reversed: bool| {
        let mut params: Vec<String> = (0..count).map(|at| format!(";p{at}=1")).collect();
        if reversed {
            params.reverse();
        }
        format!("sip:a@b{}", params.concat())
    };
    for (count, equal) in [(1, true), (PARAMS_MAX, true), (PARAMS_MAX + 1, false), (5_000, false)] {
        let (one, other) = (uri(count, false), uri(count, true));
        assert_eq!(sip(&one).is_equivalent(&sip(&other)), equal, "{count}");
        assert!(sip(&one).is_equivalent(&sip(&one)), "{count}");
        let headers = |uri: &str| uri.replacen(';', "?", 1).replace(';', "&");
        let (one, other) = (headers(&one), headers(&other));
        assert_eq!(sip(&one).is_equivalent(&sip(&other)), equal, "{count}");
        assert!(sip(&one).is_equivalent(&sip(&one)), "{count}");
    }
}
