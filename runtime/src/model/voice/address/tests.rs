use proptest::prelude::*;

use super::*;

#[test]
fn gateways_are_read_leniently_and_printed_in_one_form() {
    for (text, printed) in [
        ("sip:192.0.2.1:5060;transport=udp", "sip:192.0.2.1:5060;transport=udp"),
        ("192.0.2.1", "sip:192.0.2.1"),
        ("SIP:Carrier.Example;Transport=TCP", "sip:carrier.example;transport=tcp"),
        ("carrier.example:5080", "sip:carrier.example:5080"),
        ("sips:carrier.example", "sip:carrier.example;transport=tls"),
        ("2001:db8::1", "sip:[2001:db8::1]"),
        ("sip:[2001:DB8:0::1]:5061;transport=tls", "sip:[2001:db8::1]:5061;transport=tls"),
        ("sip:[2001:db8::1]", "sip:[2001:db8::1]"),
        ("sip:gw_1.internal.", "sip:gw_1.internal."),
        ("sip", "sip:sip"),
    ] {
        let gateway: Gateway = text.parse().unwrap();
        assert_eq!(gateway.to_string(), printed);
        assert_eq!(printed.parse::<Gateway>().unwrap(), gateway);
    }
    assert_eq!("[2001:db8::1]".parse::<Gateway>().unwrap().address(), "2001:db8::1".parse().ok());
    for bad in [
        "",
        "sip:",
        "sip:user@carrier.example",
        "carrier.example:0",
        "carrier.example:65536",
        "carrier.example:+5060",
        "carrier.example;transport=sctp",
        "carrier.example;lr",
        "carrier.example;transport=udp;lr",
        "sips:carrier.example;transport=udp",
        "192.0.2.256",
        "192.0.2",
        "[192.0.2.1]:5060",
        "[2001:db8::1",
        "[2001:db8::1]5060",
        "a..b",
        "-a.b",
        "a b",
        "a\r\nb",
        "tel:+15550001111",
    ] {
        assert!(bad.parse::<Gateway>().is_err(), "{bad}");
    }
}

#[test]
fn sources_are_read_and_printed_in_one_form() {
    for (text, printed) in [
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7/32", "192.0.2.7"),
        ("192.0.2.7:5060/udp", "192.0.2.7:5060/udp"),
        ("192.0.2.0/24:5060", "192.0.2.0/24:5060"),
        ("192.0.2.0/24/tcp", "192.0.2.0/24/tcp"),
        ("192.0.2.7/tls", "192.0.2.7/tls"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("2001:db8::1/udp", "2001:db8::1/udp"),
        ("[2001:db8::/32]:5060/udp", "[2001:db8::/32]:5060/udp"),
        ("[2001:db8::1]:5060", "[2001:db8::1]:5060"),
    ] {
        let source: AclSource = text.parse().unwrap();
        assert_eq!(source.to_string(), printed);
        assert_eq!(printed.parse::<AclSource>().unwrap(), source);
    }
    for (bad, reason) in [
        ("192.0.2.7/24", "bits outside of the prefix"),
        ("::ffff:192.0.2.0/120", "write IPv4 as IPv4"),
        ("192.0.2.7:0", "a source such as"),
        ("192.0.2.7/sctp", "a source such as"),
        ("192.0.2.7:5060/", "a source such as"),
        ("carrier.example", "a source such as"),
        ("", "a source such as"),
    ] {
        let refused = bad.parse::<AclSource>().unwrap_err().to_string();
        assert!(refused.contains(reason), "{refused}");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_the_readers_and_what_they_take_prints_back(text in "[0-9a-f:./;=\\[\\]ipstudrn ]{0,40}") {
        if let Ok(gateway) = text.parse::<Gateway>() {
            prop_assert_eq!(gateway.to_string().parse::<Gateway>().unwrap(), gateway);
        }
        if let Ok(source) = text.parse::<AclSource>() {
            prop_assert_eq!(source.to_string().parse::<AclSource>().unwrap(), source);
        }
    }
}
