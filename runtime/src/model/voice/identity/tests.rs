use serde_json::{Value, json};

use super::*;

#[test]
fn what_is_left_out_is_the_default() {
    let empty: IdentityProfile = serde_json::from_str("{}").unwrap();
    assert_eq!(empty, IdentityProfile::default());
    let expected = json!({"caller_from": ["from"], "foreign_numbers": "pass", "default_number": "",
        "send": "as_received", "diversions": "as_received"});
    assert_eq!(serde_json::to_value(&empty).unwrap(), expected);
    let one: IdentityProfile = serde_json::from_value(json!({"send": "none"})).unwrap();
    assert_eq!(one, IdentityProfile { send: IdentityHeaders::Nothing, ..IdentityProfile::default() });
}

#[test]
fn every_word_is_read_back_as_it_was_written() {
    for (field, words) in [
        ("foreign_numbers", &["pass", "replace", "refuse"][..]),
        ("send", &["as_received", "none", "p_asserted_identity", "remote_party_id", "both"]),
        ("diversions", &["as_received", "diversion", "history_info"]),
        ("default_number", &["", "+15550100"]),
    ] {
        for word in words {
            let profile: IdentityProfile = serde_json::from_value(json!({field: word})).unwrap();
            assert_eq!(serde_json::to_value(&profile).unwrap()[field], *word, "{field}");
        }
    }
    let sources = json!(["p_asserted_identity", "p_preferred_identity", "remote_party_id", "from"]);
    let profile: IdentityProfile = serde_json::from_value(json!({"caller_from": sources})).unwrap();
    assert_eq!(serde_json::to_value(&profile).unwrap()["caller_from"], sources);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for wrong in [
        json!({"callerfrom": ["from"]}),
        json!({"caller_from": "from"}),
        json!({"caller_from": ["p-asserted-identity"]}),
        json!({"foreign_numbers": "drop"}),
        json!({"foreign_numbers": false}),
        json!({"default_number": 15_550_100}),
        json!({"send": "None"}),
        json!({"diversions": "none"}),
        Value::Null,
    ] {
        assert!(serde_json::from_value::<IdentityProfile>(wrong.clone()).is_err(), "{wrong}");
    }
}
