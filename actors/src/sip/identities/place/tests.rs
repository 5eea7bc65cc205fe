use runtime::http_client::URL_OCTETS_MAX;

use super::*;

#[test]
fn hosts_that_are_asked() {
    let hosts = |list: &[&str]| list.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>();
    let some = hosts(&["a.example.net", "*.example.org", "192.0.2.1"]);
    for (host, expected) in [
        ("a.example.net", true),
        ("b.a.example.net", false),
        ("xa.example.net", false),
        ("x.example.org", true),
        ("x.y.example.org", true),
        ("example.org", false),
        (".example.org", false),
        ("xexample.org", false),
        ("192.0.2.1", true),
        ("192.0.2.2", false),
    ] {
        assert_eq!(is_allowed(&some, host), expected, "{host}");
        assert!(is_allowed(&[], host), "without a list any is");
    }
}

/// One certificate has one name, and none that a caller may make up.
#[test]
fn places_that_are_asked() {
    let options = StirOptions::default();
    for (url, expected) in [
        ("https://a.example/own.pem", Some("https://a.example/own.pem")),
        ("HTTPS://A.Example.:443/x/../own.pem", Some("https://a.example/own.pem")),
        ("https://a.example:8443/own.pem", Some("https://a.example:8443/own.pem")),
        ("https://a.example", Some("https://a.example/")),
        ("https://a.example/own.pem?1", None),
        ("https://a.example/own.pem?", None),
        ("https://a.example/own.pem#1", None),
        ("https://a.example/own.pem#", None),
        ("https://user@a.example/own.pem", None),
        ("https://a.example:444/own.pem", None),
        ("https://a.example:80/own.pem", None),
        ("http://a.example/own.pem", None),
        ("http://a.example:443/own.pem", None),
        ("a.example/own.pem", None),
        ("", None),
    ] {
        let place = Place::read(url, &options);
        assert_eq!(place.as_ref().ok().map(|place| &*place.url), expected, "{url}: {place:?}");
        assert!(place.is_err() || &*place.unwrap().host == "a.example", "{url}");
    }
    let long = format!("https://a.example/{}", "a".repeat(URL_OCTETS_MAX));
    assert!(Place::read(&long, &options).is_err());
    let laboratory = StirOptions { private_addresses: true, ..StirOptions::default() };
    assert!(Place::read("https://a.example:444/own.pem", &laboratory).is_ok());
    let named = StirOptions { certificate_hosts: vec!["b.example".to_owned()], ..options };
    assert!(matches!(Place::read("https://a.example/own.pem", &named), Err(Error::Host)));
    assert!(Place::read("https://B.example/own.pem", &named).is_ok());
}
