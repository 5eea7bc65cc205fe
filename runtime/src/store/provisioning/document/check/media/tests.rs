use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::model::MediaNodeState;

fn entry(name: &str, address: &str) -> MediaNodeEntry {
    let address = address.parse().unwrap();
    MediaNodeEntry { name: name.to_owned(), address, weight: 50, state: MediaNodeState::Active }
}

fn stored(number: u8, address: &str) -> MediaNode {
    MediaNode {
        id: Uuid::from_u128(number.into()),
        number,
        name: format!("media-{number}"),
        address: address.parse().unwrap(),
        weight: 50,
        state: MediaNodeState::Active,
    }
}

fn media(profile: &str) -> Result<(), String> {
    let profile: MediaProfile = toml::from_str(profile).map_err(|error| error.to_string())?;
    let at = Entry { kind: "trunk", key: "acme" };
    at.media(&profile).map_err(|error| error.to_string())
}

#[test]
fn profiles_with_values_that_cannot_be_are_refused_with_their_key() {
    let seventeen: Vec<String> = (0..17).map(|n| format!("\"c{n}\"")).collect();
    let seventeen = format!("codecs = [{}]", seventeen.join(", "));
    for (profile, error) in [
        ("", None),
        ("codecs = [\"PCMA\", \"opus/48000/2\", \"G.722-x_1\"]\ntranscode = [\"PCMU\"]", None),
        ("codecs = [\"\"]", Some("trunk \"acme\": media.codecs: \"\" is not 1 to 32 letters")),
        ("codecs = [\"a b\"]", Some("media.codecs: \"a b\" is not")),
        ("codecs = [\"é\"]", Some("media.codecs: \"é\" is not")),
        ("transcode = [\"012345678901234567890123456789012\"]", Some("media.transcode: ")),
        ("transcode = [\"pcma\", \"PCMA\"]", Some("media.transcode: PCMA stands in it twice")),
        (seventeen.as_str(), Some("media.codecs: 17 of them, more than 16")),
        ("ptime = \"0s\"", None),
        ("ptime = \"10ms\"", None),
        ("ptime = \"200ms\"", None),
        ("ptime = \"5ms\"", Some("media.ptime: it is 0s, or 10ms to 200ms in steps of 10ms")),
        ("ptime = \"25ms\"", Some("media.ptime")),
        ("ptime = \"210ms\"", Some("media.ptime")),
        ("ptime = \"1s\"", Some("media.ptime")),
        ("interface = \"public-2_a\"", None),
        ("interface = \"a/b\"", Some("media.interface: \"a/b\" is not at most 32")),
        ("interface = \"012345678901234567890123456789012\"", Some("media.interface: ")),
        ("recording = true\nrecording_retention = \"3650d\"", None),
        ("recording_retention = \"3651d\"", Some("media.recording_retention: it is over 3650d")),
        ("path = \"direct\"", None),
        ("path = \"direct\"\nrecording = true", Some("media.recording: what goes direct")),
    ] {
        let refused = media(profile).err();
        assert_eq!(refused.is_some(), error.is_some(), "{profile}: {refused:?}");
        assert!(refused.clone().unwrap_or_default().contains(error.unwrap_or_default()), "{refused:?}");
    }
}

#[test]
fn nodes_that_nobody_can_talk_to_are_refused() {
    for (address, refused) in [
        ("192.0.2.20:2223", false),
        ("[2001:db8::20]:2223", false),
        ("127.0.0.1:1", false),
        ("192.0.2.20:0", true),
        ("0.0.0.0:2223", true),
        ("[::]:2223", true),
        ("224.0.0.1:2223", true),
        ("[ff02::1]:2223", true),
        ("[::ffff:192.0.2.20]:2223", true),
    ] {
        let checked = entry("media-1", address).check();
        assert_eq!(checked.is_err(), refused, "{address} {checked:?}");
    }
    assert!(entry(" ", "192.0.2.20:2223").check().is_err());
    for (weight, refused) in [(0, false), (10_000, false), (10_001, true)] {
        let checked = MediaNodeEntry { weight, ..entry("media-1", "192.0.2.20:2223") }.check();
        assert_eq!(checked.is_err(), refused, "{weight}");
    }
}

#[test]
fn no_name_and_no_address_is_two_nodes() {
    let known = [stored(1, "192.0.2.1:2223"), stored(2, "192.0.2.2:2223")];
    for (entries, error) in [
        (vec![entry("media-1", "192.0.2.1:2223"), entry("media-3", "192.0.2.3:2223")], None),
        (vec![entry("media-1", "192.0.2.9:2223")], None),
        (
            vec![entry("media-3", "192.0.2.3:2223"), entry("media-3", "192.0.2.4:2223")],
            Some("media_node \"media-3\" stands in the file twice"),
        ),
        (
            vec![entry("media-3", "192.0.2.3:2223"), entry("media-4", "192.0.2.3:2223")],
            Some("media_node \"media-4\": address: 192.0.2.3:2223 is media node \"media-3\"'s"),
        ),
        (
            vec![entry("media-3", "192.0.2.2:2223")],
            Some("media_node \"media-3\": address: 192.0.2.2:2223 is media node \"media-2\"'s"),
        ),
        (
            vec![entry("media-1", "192.0.2.2:2223"), entry("media-2", "192.0.2.1:2223")],
            Some("media_node \"media-1\": address: 192.0.2.2:2223 is media node \"media-2\"'s"),
        ),
    ] {
        let refused = nodes(&entries, &known).map_err(|error| error.to_string()).err();
        assert_eq!(refused.is_some(), error.is_some(), "{entries:?}: {refused:?}");
        assert!(refused.clone().unwrap_or_default().contains(error.unwrap_or_default()), "{refused:?}");
    }
}

#[test]
fn there_is_a_number_for_127_nodes() {
    let known: Vec<MediaNode> = (1..=126).map(|n| stored(n, &format!("192.0.2.{n}:2223"))).collect();
    let last = [entry("last", "192.0.2.255:2223"), entry("media-7", "192.0.2.7:2224")];
    assert!(nodes(&last, &known).is_ok());
    let more = [entry("last", "192.0.2.255:2223"), entry("one-more", "198.51.100.1:2223")];
    let refused = nodes(&more, &known).unwrap_err().to_string();
    assert_eq!(refused, "media_node \"one-more\": name: there are 127 media nodes already");
}

proptest! {
    /// What is taken can be written into a command to a node without a thought for separators.
    #[test]
    fn a_codec_that_is_taken_has_no_separator(codec in "[a-zA-Z0-9._/,;=é -]{0,34}") {
        let profile = MediaProfile { codecs: vec![codec.clone()], ..MediaProfile::default() };
        let taken = Entry { kind: "trunk", key: "acme" }.media(&profile).is_ok();
        let plain = |octet: u8| octet.is_ascii_graphic() && !b",;:=\"'()[]{}<>@".contains(&octet);
        prop_assert!(!taken || (!codec.is_empty() && codec.len() <= 32 && codec.bytes().all(plain)), "{codec}");
    }
}
