use proptest::prelude::*;

use super::*;

fn secret(text: &str) -> SecretString {
    SecretString::new(text.to_owned())
}

fn key_in(dir: &tempfile::TempDir, name: &str) -> RootKey {
    RootKey::load_or_create(&dir.path().join(name)).unwrap()
}

#[test]
fn a_secret_opens_only_for_its_row_and_key() {
    let dir = tempfile::tempdir().unwrap();
    let (key, again, other) = (key_in(&dir, "root.key"), key_in(&dir, "root.key"), key_in(&dir, "other.key"));
    let row = Uuid::new_v4();
    for (sealed, version) in
        [(key.seal(row, &secret("s3cret")).unwrap(), 2), (key.seal_direct(row, "s3cret"), 1)]
    {
        assert_eq!(sealed[0], version);
        assert!(!sealed.windows(6).any(|window| window == b"s3cret"));
        assert_eq!(again.open(row, &sealed).unwrap().expose(), "s3cret");
        assert!(key.open(Uuid::new_v4(), &sealed).is_err());
        assert!(other.open(row, &sealed).is_err());
        assert_eq!(other.rewrap(row, &sealed), Rewrapped::Closed);
    }
    let [one, other] = [(); 2].map(|()| key.seal(row, &secret("s3cret")).unwrap());
    assert_eq!(one.len(), 1 + 4 + 60 + 12 + 6 + 16);
    // Version and id are all that two values have in common.
    assert_eq!(one[..5], other[..5]);
    assert_ne!(one[5..65], other[5..65]);
}

#[test]
fn a_value_with_an_octet_changed_or_missing_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let key = key_in(&dir, "root.key");
    let row = Uuid::new_v4();
    for sealed in [key.seal(row, &secret("s3cret")).unwrap(), key.seal_direct(row, "s3cret")] {
        for at in 0..sealed.len() {
            assert!(key.open(row, &sealed[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[at] ^= 1 << bit;
                assert!(key.open(row, &changed).is_err(), "octet {at} bit {bit}");
                assert_eq!(key.rewrap(row, &changed), Rewrapped::Closed, "octet {at} bit {bit}");
            }
        }
        let longer = [&sealed[..], &[0]].concat();
        assert!(key.open(row, &longer).is_err());
    }
}

/// A data key in the place of another's, or a value of version 1 in the place of a data key.
#[test]
fn parts_of_two_values_do_not_make_a_third() {
    let dir = tempfile::tempdir().unwrap();
    let key = key_in(&dir, "root.key");
    let row = Uuid::new_v4();
    let [one, other] = ["a", "b"].map(|text| key.seal(row, &secret(text)).unwrap());
    let direct = key.seal_direct(row, &"k".repeat(32));
    for mixed in [[&one[..65], &other[65..]].concat(), [&one[..5], &direct[1..], &one[65..]].concat()] {
        assert_eq!(mixed.len(), one.len());
        assert!(key.open(row, &mixed).is_err());
    }
}

proptest! {
    #[test]
    fn octets_from_elsewhere_never_panic(octets in proptest::collection::vec(any::<u8>(), 0..200), version in 0_u8..4) {
        let keys = [Arc::new(Key::new([7; 32]).unwrap())];
        let mut octets = octets;
        prop_assert_eq!(envelope::open(&keys, Uuid::nil(), &octets), None);
        if let Some(first) = octets.first_mut() {
            *first = version;
        }
        prop_assert_eq!(envelope::open(&keys, Uuid::nil(), &octets), None);
        prop_assert_eq!(envelope::rewrap(&keys, Uuid::nil(), &octets), Rewrapped::Closed);
    }
}

#[test]
fn a_fingerprint_is_of_its_key_its_purpose_and_its_parts() {
    let dir = tempfile::tempdir().unwrap();
    let (key, again, other) = (key_in(&dir, "root.key"), key_in(&dir, "root.key"), key_in(&dir, "other.key"));
    let first = key.fingerprint("request", &[b"POST", b"/v1/users", b"{}"]);
    type Row<'a> = (&'a str, &'a RootKey, &'a str, &'a [&'a [u8]], bool);
    let table: [Row<'_>; 10] = [
        ("the same", &key, "request", &[b"POST", b"/v1/users", b"{}"], true),
        ("on another node", &again, "request", &[b"POST", b"/v1/users", b"{}"], true),
        ("another key", &other, "request", &[b"POST", b"/v1/users", b"{}"], false),
        ("another purpose", &key, "webhook", &[b"POST", b"/v1/users", b"{}"], false),
        ("another part", &key, "request", &[b"POST", b"/v1/users", b"{ }"], false),
        ("a part in another's place", &key, "request", &[b"POST/", b"v1/users", b"{}"], false),
        ("in one", &key, "request", &[b"POST/v1/users{}"], false),
        ("a part less", &key, "request", &[b"POST", b"/v1/users"], false),
        ("a part more", &key, "request", &[b"POST", b"/v1/users", b"{}", b""], false),
        ("nothing", &key, "request", &[], false),
    ];
    for (name, key, purpose, parts, same) in table {
        assert_eq!(key.fingerprint(purpose, parts) == first, same, "{name}");
        assert_eq!(key.has_fingerprint(&first, purpose, parts), same, "{name}");
    }
    assert!(!key.has_fingerprint(&first[..31], "request", &[b"POST", b"/v1/users", b"{}"]));
}

#[test]
fn fingerprints_are_known_after_a_rotation_while_somebody_knows_their_key() {
    let dir = tempfile::tempdir().unwrap();
    let (key, neighbour) = (key_in(&dir, "root.key"), key_in(&dir, "root.key"));
    let parts: &[&[u8]] = &[b"body"];
    let old = key.fingerprint("request", parts);
    key.begin_rotation(None).unwrap();
    key.finish_rotation().unwrap();
    let new = key.fingerprint("request", parts);
    assert_ne!(old, new);
    let late = key_in(&dir, "root.key");
    for (name, node, knows_old) in
        [("rotated", &key, true), ("ran meanwhile", &neighbour, true), ("started later", &late, false)]
    {
        assert!(node.has_fingerprint(&new, "request", parts), "{name}");
        assert_eq!(node.has_fingerprint(&old, "request", parts), knows_old, "{name}");
    }
}

#[test]
fn what_a_key_file_may_hold() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root.key");
    let key = |digit: &str| digit.repeat(64);
    for (text, good) in [
        (key("a"), true),
        (format!("{}\n", key("A")), true),
        (format!("{}\n{}\n", key("1"), key("2")), true),
        (format!(" {} {}", key("1"), key("2")), true),
        (String::new(), false),
        (key("a") + "a", false),
        (key("g"), false),
        ("+1".repeat(32), false),
        ("\u{e4}".repeat(32), false),
        (format!("{} x", key("1")), false),
        ([1; 5].map(|_| key("1")).join(" "), false),
    ] {
        std::fs::write(&path, &text).unwrap();
        let loaded = RootKey::load_or_create(&path);
        assert_eq!(loaded.is_ok(), good, "{text}");
        if let Err(error) = loaded {
            let error = error.to_string();
            assert!(error.contains("root.key does not hold 64 hexadecimal digits"), "{error}");
            assert!(text.is_empty() || !error.contains(&text), "{error}");
        }
    }
}

#[test]
fn rotation_keeps_both_keys_until_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root.key");
    let row = Uuid::new_v4();
    let key = key_in(&dir, "root.key");
    // Another node of the cluster, with the file on a shared disk.
    let neighbour = key_in(&dir, "root.key");
    let sealed = key.seal(row, &secret("s3cret")).unwrap();
    key.begin_rotation(None).unwrap();
    let lines = std::fs::read_to_string(&path).unwrap();
    assert_eq!(lines.lines().count(), 2);
    // The second attempt takes up what the first began.
    key.begin_rotation(None).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), lines);
    let Rewrapped::New(new) = key.rewrap(row, &sealed) else { panic!("not rewrapped") };
    assert_eq!(key.rewrap(row, &new), Rewrapped::Same);
    // Of an envelope the secret itself stays as it is.
    assert_eq!(sealed[65..], new[65..]);
    for node in [&key, &neighbour, &key_in(&dir, "root.key")] {
        assert_eq!(node.open(row, &sealed).unwrap().expose(), "s3cret");
        assert_eq!(node.open(row, &new).unwrap().expose(), "s3cret");
    }
    assert_eq!(neighbour.seal(row, &secret("x")).unwrap()[..5], new[..5], "it seals with the new key");
    key.finish_rotation().unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n", lines.lines().next().unwrap()));
    assert!(key_in(&dir, "root.key").open(row, &sealed).is_err(), "the old key is gone");
    assert_eq!(key.open(row, &sealed).unwrap().expose(), "s3cret", "what was read before goes on opening");
}

#[test]
fn a_key_file_of_somebody_else_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root.key");
    let key = key_in(&dir, "root.key");
    key.begin_rotation(None).unwrap();
    let changed = "ab".repeat(32);
    std::fs::write(&path, &changed).unwrap();
    let refused = key.finish_rotation().unwrap_err().to_string();
    assert!(refused.contains("was changed meanwhile"), "{refused}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), changed);
    std::fs::remove_file(&path).unwrap();
    assert!(key.finish_rotation().is_err() && key.begin_rotation(None).is_err());
    let refused = key_in(&dir, "other.key").begin_rotation(Some("NAME")).unwrap_err().to_string();
    assert!(refused.contains("--new-key-env is for a node with node.root_key_env"), "{refused}");
}

/// The environment of this process has no variable that holds a key: `PATH` is set and is none.
#[test]
fn a_key_in_the_environment_is_refused_with_its_variable() {
    for (name, error) in
        [("WARP_TEST_NO_SUCH_KEY", "it is not set"), ("PATH", "does not hold 64 hexadecimal digits")]
    {
        let refused = RootKey::load(KeySource::Environment(name.to_owned())).unwrap_err().to_string();
        assert!(refused.contains(name) && refused.contains(error), "{refused}");
    }
}
