use serde_json::{Value, json};

use super::*;

#[test]
fn what_is_left_out_is_the_default() {
    let empty: MediaProfile = serde_json::from_str("{}").unwrap();
    assert_eq!(empty, MediaProfile::default());
    let expected = json!({"path": "anchored", "learning": "off", "strict_source": true, "codecs": [],
        "transcode": [], "security": "rtp", "dtmf": "as_offered", "ptime": "0s", "interface": "", "t38": "pass",
        "recording": false, "recording_retention": "0s"});
    assert_eq!(serde_json::to_value(&empty).unwrap(), expected);
    let one: MediaProfile = serde_json::from_value(json!({"ptime": "20ms"})).unwrap();
    assert_eq!(one, MediaProfile { ptime: Duration::from_millis(20), ..MediaProfile::default() });
}

#[test]
fn every_word_is_read_back_as_it_was_written() {
    for (field, words) in [
        ("path", &["anchored", "direct"][..]),
        ("learning", &["off", "immediate", "delayed", "heuristic"]),
        ("security", &["rtp", "srtp", "as_offered"]),
        ("dtmf", &["as_offered", "telephone_event", "inband"]),
        ("t38", &["pass", "refuse"]),
        ("recording_retention", &["0s", "90d", "36h"]),
        ("ptime", &["0s", "20ms", "200ms"]),
    ] {
        for word in words {
            let profile: MediaProfile = serde_json::from_value(json!({field: word})).unwrap();
            assert_eq!(serde_json::to_value(&profile).unwrap()[field], *word, "{field}");
        }
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for wrong in [
        json!({"pth": "direct"}),
        json!({"path": "Direct"}),
        json!({"learning": "always"}),
        json!({"security": "zrtp"}),
        json!({"dtmf": "info"}),
        json!({"t38": true}),
        json!({"ptime": 20}),
        json!({"ptime": "20"}),
        json!({"codecs": "PCMA"}),
        json!({"recording": "yes"}),
        Value::Null,
    ] {
        assert!(serde_json::from_value::<MediaProfile>(wrong.clone()).is_err(), "{wrong}");
    }
}
