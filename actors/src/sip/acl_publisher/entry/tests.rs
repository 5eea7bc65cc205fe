use proptest::collection::hash_map;
use proptest::prelude::*;
use runtime::model::AclEntry;

use super::*;
use crate::sip::testing::voice;

fn entry(source: &str, ban: &str) -> Entry {
    let source: runtime::model::AclSource = source.parse().unwrap();
    Entry { network: source.network, port: source.port, transport: source.transport, ban: Arc::from(ban) }
}

fn found(entry: &Entry) -> Vec<Option<Bytes>> {
    entry.values().into_iter().map(|value| Some(Bytes::from(value))).collect()
}

#[test]
fn an_entry_has_the_form_that_kamailio_reads() {
    for (source, expected) in [
        ("203.0.113.0/28", ["100", "203.0.113.0", "28", "0", "any", "TB-1"]),
        ("203.0.113.77", ["100", "203.0.113.77", "32", "0", "any", "TB-1"]),
        ("203.0.113.77:5060/udp", ["100", "203.0.113.77", "32", "5060", "udp", "TB-1"]),
        ("[2001:db8:77::1]:5061/tls", ["100", "2001:db8:77::1", "128", "5061", "tls", "TB-1"]),
        ("2001:db8:78::/48", ["100", "2001:db8:78::", "48", "0", "any", "TB-1"]),
        ("0.0.0.0/0", ["100", "0.0.0.0", "0", "0", "any", "TB-1"]),
    ] {
        let entry = entry(source, "TB-1");
        assert_eq!(entry.values(), expected, "{source}");
        assert!(entry.is(&found(&entry)), "{source}");
    }
    let network = "203.0.113.7/28".parse().unwrap();
    let outside = Entry { network, ..entry("203.0.113.0/28", "TB-1") };
    assert_eq!(outside.values(), ["100", "203.0.113.0", "28", "0", "any", "TB-1"]);
}

#[test]
fn what_is_found_is_an_entry_only_with_all_of_its_values() {
    let entry = entry("203.0.113.77:5060/udp", "TB-1");
    let right = found(&entry);
    for at in 0..FIELDS.len() {
        for wrong in
            [None, Some(Bytes::new()), Some(Bytes::from_static(b"\xff")), Some(Bytes::from_static(b"1000"))]
        {
            let mut values = right.clone();
            values[at] = wrong;
            assert!(!entry.is(&values), "{values:?}");
        }
    }
    assert!(!entry.is(&right[..5]) && !entry.is(&[]));
}

#[test]
fn only_the_key_of_an_identifier_is_its_key() {
    let own = Uuid::from_u128(0xabc);
    assert_eq!(key(own), "address:entry:00000000-0000-0000-0000-000000000abc");
    assert_eq!(id(&key(own)), Some(own));
    for other in [
        "address:entry:",
        "address:entry:7",
        "address:entry:00000000000000000000000000000abc",
        "address:entry:00000000-0000-0000-0000-000000000ABC",
        "address:entry:{00000000-0000-0000-0000-000000000abc}",
        "address:00000000-0000-0000-0000-000000000abc",
    ] {
        assert_eq!(id(other), None, "{other}");
    }
}

#[test]
fn sources_are_published_of_whom_calls_are_taken_by_their_source() {
    let published = |change: &dyn Fn(&mut Voice)| {
        let mut voice = voice();
        change(&mut voice);
        entries(&voice)
    };
    let own = Uuid::from_u128(11);
    let expected = Entries::from([(own, entry("192.0.2.10", "TB-1"))]);
    assert_eq!(published(&|_| ()), expected);
    assert_eq!(published(&|voice| voice.customers[0].status = "TRIAL".to_owned()), expected);
    assert_eq!(published(&|voice| voice.trunks[0].auth_type = AuthType::Both), expected);
    type Withheld<'a> = (&'a str, &'a dyn Fn(&mut Voice));
    let withheld: [Withheld<'_>; 6] = [
        ("suspended", &|voice| voice.customers[0].status = "SUSPENDED".to_owned()),
        ("no customer", &|voice| voice.customers.clear()),
        ("inactive", &|voice| voice.trunks[0].active = false),
        ("by digest alone", &|voice| voice.trunks[0].auth_type = AuthType::Digest),
        ("no trunk", &|voice| voice.trunks.clear()),
        ("no source", &|voice| voice.acl.clear()),
    ];
    for (why, change) in withheld {
        assert_eq!(published(change), Entries::new(), "{why}");
    }
    let two = published(&|voice| {
        let second = AclEntry { id: Uuid::from_u128(12), port: Some(5062), ..voice.acl[0].clone() };
        voice.acl.push(second);
    });
    assert_eq!(two.get(&Uuid::from_u128(12)), Some(&entry("192.0.2.10:5062", "TB-1")));
    assert_eq!(two.len(), 2);
}

/// Few of everything, so that maps share keys and entries.
fn some_entries() -> impl Strategy<Value = Entries> {
    let id = (0_u128..12).prop_map(Uuid::from_u128);
    let source = prop::sample::select(vec!["192.0.2.1", "192.0.2.0/24", "192.0.2.1:5060", "192.0.2.1/udp"]);
    let ban = prop::sample::select(vec!["TB-1", "TB-2"]);
    hash_map(id, (source, ban).prop_map(|(source, ban)| entry(source, ban)), 0..12)
}

fn apply(changes: &Changes, held: &Entries, wanted: &Entries) -> Entries {
    let kept = held.iter().filter(|(id, _)| !changes.delete.contains(id));
    let mut after: Entries = kept.map(|(id, entry)| (*id, entry.clone())).collect();
    after.extend(changes.write.iter().map(|id| (*id, wanted[id].clone())));
    after
}

proptest! {
    #[test]
    fn changes_make_the_published_the_wanted_and_touch_nothing_else(
        published in some_entries(),
        wanted in some_entries(),
    ) {
        let changes = Changes::between(&published, &wanted);
        prop_assert_eq!(&apply(&changes, &published, &wanted), &wanted);
        prop_assert!(changes.write.iter().all(|id| published.get(id) != wanted.get(id)));
        prop_assert!(changes.delete.iter().all(|id| published.contains_key(id)));
        prop_assert_eq!(Changes::between(&wanted, &wanted), Changes::default());
    }

    #[test]
    fn what_redis_does_not_hold_rightly_is_written(held in some_entries(), wanted in some_entries()) {
        let same = |(id, entry): &(&Uuid, &Entry)| wanted.get(*id) == Some(*entry);
        let right: HashSet<Uuid> = held.iter().filter(same).map(|(id, _)| *id).collect();
        let changes = Changes::beside(&right, &wanted);
        let held = held.into_iter().filter(|(id, _)| wanted.contains_key(id)).collect();
        prop_assert_eq!(&apply(&changes, &held, &wanted), &wanted);
        prop_assert!(changes.write.iter().all(|id| held.get(id) != wanted.get(id)));
    }
}
