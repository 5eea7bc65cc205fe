use proptest::prelude::*;

use super::*;

/// RFC 8225, A.
const HEADER: &str = "eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9jZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmNlciJ9";
const CLAIMS: &str = "eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6MTQ3MTM3NTQxOCwib3JpZyI6eyJ0biI6\
                      IjEyMTU1NTUxMjEyIn19";

fn header() -> Header {
    Header { x5u: "https://cert.example.org/passport.cer".to_owned(), ppt: None }
}

fn claims() -> Claims {
    Claims {
        orig: Party::Number("12155551212".to_owned()),
        dest_tn: Vec::new(),
        dest_uri: vec!["sip:alice@example.com".to_owned()],
        iat: 1_471_375_418,
        shaken: None,
    }
}

/// RFC 8588, 6, which writes `"dest":{"tn":["12125551213"]}` and so on in other lines.
fn shaken() -> Claims {
    Claims {
        orig: Party::Number("12155551212".to_owned()),
        dest_tn: vec!["12125551213".to_owned()],
        dest_uri: Vec::new(),
        iat: 1_443_208_345,
        shaken: Some(Shaken {
            attest: Attestation::A,
            origid: "123e4567-e89b-12d3-a456-426655440000".to_owned(),
        }),
    }
}

fn encoded(json: &str) -> String {
    URL_SAFE_NO_PAD.encode(json)
}

#[test]
fn the_example_of_rfc_8225() {
    assert_eq!(signing_input(&header(), &claims()), format!("{HEADER}.{CLAIMS}"));
    assert_eq!(Header::decode(HEADER), Ok(header()));
    assert_eq!(Claims::decode(CLAIMS), Ok(claims()));
}

#[test]
fn the_example_of_rfc_8588() {
    let header = Header { ppt: Some("shaken".to_owned()), ..header() };
    let json =
        r#"{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"https://cert.example.org/passport.cer"}"#;
    assert_eq!(header.json(), json);
    assert_eq!(Header::decode(&encoded(json)), Ok(header));
    let json = r#"{"attest":"A","dest":{"tn":["12125551213"]},"iat":1443208345,"orig":{"tn":"12155551212"},"origid":"123e4567-e89b-12d3-a456-426655440000"}"#;
    assert_eq!(shaken().json(), json);
    assert_eq!(Claims::decode(&encoded(json)), Ok(shaken()));
    // As others write it: in another order, with white space, with more than is read.
    let other = r#" { "origid" : "123e4567-e89b-12d3-a456-426655440000", "orig":{"tn":"12155551212"},
        "mky":[{"alg":"sha-256","dig":"02"}], "iat":1443208345, "dest":{"tn":["12125551213"],"uri":[]}, "attest":"A" } "#;
    assert_eq!(Claims::decode(&encoded(other)), Ok(shaken()));
}

#[test]
fn keys_of_both_kinds_of_destinations() {
    let claims = Claims { dest_uri: vec!["sip:\"a\\b@c".to_owned()], ..shaken() };
    let json = claims.json();
    assert!(json.contains(r#""dest":{"tn":["12125551213"],"uri":["sip:\"a\\b@c"]}"#), "{json}");
    assert_eq!(Claims::decode(&encoded(&json)), Ok(claims));
    let claims = Claims { orig: Party::Uri("sip:bob@example.com".to_owned()), ..shaken() };
    assert_eq!(Claims::decode(&encoded(&claims.json())), Ok(claims));
}

#[test]
fn headers_that_are_none() {
    for (json, failure) in [
        ("", Failure::Malformed),
        ("[]", Failure::Malformed),
        ("{}", Failure::Malformed),
        (r#"{"alg":"ES256","typ":"JWT","x5u":"https://x"}"#, Failure::Malformed),
        (r#"{"alg":"ES256","typ":"passport"}"#, Failure::Malformed),
        (r#"{"alg":"ES256","typ":"passport","x5u":1}"#, Failure::Malformed),
        (r#"{"alg":"ES256","ppt":1,"typ":"passport","x5u":"https://x"}"#, Failure::Malformed),
        (r#"{"typ":"passport","x5u":"https://x"}"#, Failure::Malformed),
        (r#"{"alg":"none","typ":"passport","x5u":"https://x"}"#, Failure::Credential),
        (r#"{"alg":"HS256","typ":"passport","x5u":"https://x"}"#, Failure::Credential),
    ] {
        assert_eq!(Header::decode(&encoded(json)), Err(failure), "{json}");
    }
    for text in ["!", "e30=", "e3"] {
        assert_eq!(Header::decode(text), Err(Failure::Malformed), "{text}");
    }
}

#[test]
fn claims_that_are_none() {
    let whole = shaken().json();
    for (part, other) in [
        (r#""iat":1443208345"#, r#""iat":"1443208345""#),
        (r#""iat":1443208345"#, r#""iat":-1"#),
        (r#""iat":1443208345"#, r#""iat":1.5"#),
        (r#""orig":{"tn":"12155551212"}"#, r#""orig":{"tn":["12155551212"]}"#),
        (r#""orig":{"tn":"12155551212"}"#, r#""orig":{"tn":"1","uri":"sip:a@b"}"#),
        (r#""orig":{"tn":"12155551212"}"#, r#""orig":{}"#),
        (r#""orig":{"tn":"12155551212"}"#, r#""orig":"12155551212""#),
        (r#"{"tn":["12125551213"]}"#, r#"{"tn":"12125551213"}"#),
        (r#"{"tn":["12125551213"]}"#, r#"{"tn":[]}"#),
        (r#"{"tn":["12125551213"]}"#, r#"{"tn":[1]}"#),
        (r#""attest":"A","#, ""),
        (r#""attest":"A""#, r#""attest":"D""#),
        (r#""attest":"A""#, r#""attest":1"#),
        (r#","origid":"123e4567-e89b-12d3-a456-426655440000""#, ""),
    ] {
        assert!(whole.contains(part), "{part}");
        let changed = whole.replace(part, other);
        assert_eq!(Claims::decode(&encoded(&changed)), Err(Failure::Malformed), "{changed}");
    }
    let many = Claims { dest_tn: vec!["1".to_owned(); DESTINATIONS_MAX + 1], ..shaken() };
    assert_eq!(Claims::decode(&encoded(&many.json())), Err(Failure::Malformed));
    for at in 0..whole.len() {
        assert_eq!(Claims::decode(&encoded(whole.get(..at).unwrap())), Err(Failure::Malformed), "{at}");
    }
    assert_eq!(Claims::decode(&encoded(&"[".repeat(2000))), Err(Failure::Malformed), "deep");
}

#[test]
fn signatures_have_their_length() {
    for len in [0, 63, 65, 66] {
        assert_eq!(signature(&URL_SAFE_NO_PAD.encode(vec![7; len])), Err(Failure::Malformed), "{len}");
    }
    assert_eq!(signature(&URL_SAFE_NO_PAD.encode([7; 64])), Ok([7; 64]));
}

fn party() -> impl Strategy<Value = Party> {
    prop_oneof!["[0-9*#]{1,15}".prop_map(Party::Number), any::<String>().prop_map(Party::Uri)]
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        orig in party(),
        dest_tn in prop::collection::vec("[0-9]{1,15}", 1..4),
        dest_uri in prop::collection::vec(any::<String>(), 0..3),
        iat in any::<u64>(),
        attest in prop::sample::select(vec![Attestation::A, Attestation::B, Attestation::C]),
        origid in any::<String>(),
        is_shaken in any::<bool>(),
    ) {
        let shaken = is_shaken.then_some(Shaken { attest, origid });
        let claims = Claims { orig, dest_tn, dest_uri, iat, shaken };
        let text = URL_SAFE_NO_PAD.encode(claims.json());
        prop_assert_eq!(Claims::decode(&text), Ok(claims));
    }

    /// The form is one: what JSON of sorted keys gives.
    #[test]
    fn keys_are_sorted(orig in party(), uri in any::<String>(), iat in any::<u64>()) {
        let shaken = Shaken { attest: Attestation::B, origid: "x".to_owned() };
        let claims = Claims { orig, dest_tn: vec!["1".to_owned()], dest_uri: vec![uri], iat, shaken: Some(shaken) };
        let sorted: std::collections::BTreeMap<String, Value> = serde_json::from_str(&claims.json()).unwrap();
        prop_assert_eq!(serde_json::to_string(&sorted).unwrap(), claims.json());
    }
}
