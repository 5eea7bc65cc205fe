use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// An entry as Kamailio's table has it.
fn row(setid: &str, url: &str, weight: &str, disabled: &str) -> Row {
    let value = |text: &str| (text != "-").then(|| Bytes::copy_from_slice(text.as_bytes()));
    [setid, url, weight, disabled].into_iter().map(value).collect()
}

/// The node that an entry names.
fn found(entry: u8, address: &str, weight: u32) -> Found {
    Found { number: number(entry), address: address.parse().unwrap(), weight, drains: false }
}

/// What a look shows, so many seconds after the first.
fn look(shown: &[&Found], unfit: &[u8], seconds: u64) -> Look {
    static BEGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let begin = BEGIN.get_or_init(|| tokio::time::Instant::now().into_std());
    Look {
        shown: shown.iter().copied().cloned().collect(),
        unfit: unfit.iter().copied().map(number).collect(),
        at: *begin + Duration::from_secs(seconds),
    }
}

fn configured(number: u8, address: &str) -> MediaNode {
    MediaNode {
        id: Uuid::from_u128(number.into()),
        number,
        name: format!("media-{number}"),
        address: address.parse().unwrap(),
        weight: 7,
        state: MediaNodeState::Disabled,
    }
}

#[test]
fn entries_are_read() {
    let node = |address: &str, weight: u32, drains: bool| {
        Ok(Some(Found { number: 130, address: address.parse().unwrap(), weight, drains }))
    };
    let table = [
        (("0", "udp:192.0.2.20:22222", "50", "0"), node("192.0.2.20:22222", 50, false)),
        (("0", "udp:192.0.2.20:22222", "50", "1"), node("192.0.2.20:22222", 50, true)),
        (("-", " udp:192.0.2.20:22222 ", "-", "-"), node("192.0.2.20:22222", 1, false)),
        (("0", "udp:192.0.2.20:22222=3", "-", "0"), node("192.0.2.20:22222", 3, false)),
        (("0", "udp:192.0.2.20:22222=3", "5", "0"), node("192.0.2.20:22222", 5, false)),
        (("0", "udp6:[2001:db8::20]:2223", "1", ""), node("[2001:db8::20]:2223", 1, false)),
        (("0", "udp:192.0.2.20:1", "0", "0"), node("192.0.2.20:1", 0, false)),
        (("1", "udp:192.0.2.20:22222", "50", "0"), Ok(None)),
        // What another set says need not be understood.
        (("1", "-", "x", "y"), Ok(None)),
        (("x", "udp:192.0.2.20:22222", "50", "0"), Err(Error::Number("setid"))),
        (("0", "udp:192.0.2.20:22222", "10001", "0"), Err(Error::Number("weight"))),
        (("0", "udp:192.0.2.20:22222", "-1", "0"), Err(Error::Number("weight"))),
        (("0", "udp:192.0.2.20:22222", "1", "no"), Err(Error::Number("disabled"))),
        (("0", "-", "50", "0"), Err(Error::Url)),
        (("0", "192.0.2.20:22222", "50", "0"), Err(Error::Url)),
        (("0", "udp:192.0.2.20", "50", "0"), Err(Error::Url)),
        (("0", "udp:192.0.2.20:0", "50", "0"), Err(Error::Url)),
        (("0", "udp:0.0.0.0:22222", "50", "0"), Err(Error::Url)),
        (("0", "udp:239.1.1.1:22222", "50", "0"), Err(Error::Url)),
        (("0", "udp6:[::ffff:192.0.2.20]:22222", "50", "0"), Err(Error::Url)),
        (("0", "udp:media.example.net:22222", "50", "0"), Err(Error::Url)),
        (("0", "udp:192.0.2.20:22222=x", "50", "0"), Err(Error::Url)),
        (("0", "ws://192.0.2.20:22222/ng", "50", "0"), Err(Error::Url)),
    ];
    for ((setid, url, weight, disabled), expected) in table {
        assert_eq!(
            read(&row(setid, url, weight, disabled), 3, 0),
            expected,
            "{setid} {url} {weight} {disabled}"
        );
    }
    assert_eq!(read(&[], 3, 0), Err(Error::Url), "no columns");
    assert_eq!(read(&[None, Some(Bytes::from_static(&[0xff]))], 3, 0), Err(Error::Url), "not UTF-8");
    assert_eq!(read(&row("4", "udp:192.0.2.20:22222", "50", "0"), 3, 4), node("192.0.2.20:22222", 50, false));
    let numbers: BTreeSet<u8> = ENTRIES.map(number).collect();
    assert_eq!((numbers.len(), numbers.first()), (64, Some(&128)), "each entry has its own");
}

#[test]
fn a_node_goes_when_two_looks_do_not_show_it() {
    let (one, two) = (found(1, "192.0.2.1:2223", 50), found(2, "192.0.2.2:2223", 50));
    let heavier = Found { weight: 90, ..one };
    // What a look shows, whether anything is another then, and what is known.
    let looks: [(&[&Found], bool, &[&Found]); 10] = [
        (&[], false, &[]),
        (&[&two, &one], true, &[&one, &two]),
        (&[&one, &two, &one], false, &[&one, &two]),
        (&[&one], false, &[&one, &two]),
        (&[&one, &two], false, &[&one, &two]),
        (&[&one], false, &[&one, &two]),
        (&[], false, &[&one, &two]),
        (&[&heavier], true, &[&heavier]),
        (&[], false, &[&heavier]),
        (&[&two], true, &[&heavier, &two]),
    ];
    let mut known = Known::default();
    for (place, (shown, changes, expected)) in looks.into_iter().enumerate() {
        assert_eq!(known.follow(look(shown, &[], 5), |_| false), changes, "look {place}");
        assert!(known.nodes().iter().eq(expected.iter().copied()), "look {place}: {known:?}");
    }
}

/// What the table lacks, or names another in place of, gets no new calls, and goes with its last one.
#[test]
fn calls_keep_their_node() {
    let (one, two) = (found(1, "192.0.2.1:2223", 50), found(2, "192.0.2.2:2223", 50));
    let (other, drains) = (found(1, "192.0.2.9:2223", 50), Found { drains: true, ..one });
    let known = || Known::of(vec![one.clone(), two.clone()]);
    for shown in [&[&two][..], &[&other, &two]] {
        let mut known = known();
        assert!(!known.follow(look(shown, &[], 0), |_| true));
        assert!(known.follow(look(shown, &[], 5), |address| address == one.address));
        assert_eq!(known.nodes(), [drains.clone(), two.clone()]);
        assert!(!known.follow(look(shown, &[], 3_600), |_| true), "nobody else has its number");
        // It is there again, and is not.
        assert!(known.follow(look(&[&one, &two], &[], 3_605), |_| true));
        assert_eq!(known.nodes(), [one.clone(), two.clone()]);
        known.follow(look(shown, &[], 3_610), |_| true);
        known.follow(look(shown, &[], 3_615), |_| true);
        let seconds = if shown.len() == 1 { 3_620 } else { 3_610 + 6 * 3_600 };
        assert!(known.follow(look(shown, &[], seconds), |_| shown.len() == 2), "for ever");
        assert!(known.nodes().iter().eq(shown.iter().copied()), "{known:?}");
    }
    // A typing error says nothing of a node.
    let mut known = known();
    for seconds in [0, 5, 10] {
        assert!(!known.follow(look(&[&two], &[1], seconds), |_| false));
    }
    known.follow(look(&[&two], &[], 15), |_| false);
    assert!(known.follow(look(&[&two], &[], 20), |_| false), "it is gone and not unfit");
}

/// By its address a node is known, and keeps the number that calls know it by.
#[test]
fn entries_that_change_places_move_no_number() {
    let (one, two) = (found(1, "192.0.2.1:2223", 50), found(2, "192.0.2.2:2223", 50));
    let mut known = Known::of(vec![one.clone(), two.clone()]);
    let (first, second) = (found(1, "192.0.2.2:2223", 50), found(2, "192.0.2.1:2223", 70));
    assert!(known.follow(look(&[&first, &second], &[], 0), |_| false));
    assert_eq!(known.nodes(), [Found { weight: 70, ..one }, two]);
    // What cannot be read then is what it was named by.
    assert!(!known.follow(look(&[&first], &[2], 5), |_| false));
    assert!(!known.follow(look(&[&first], &[2], 10), |_| false));
    // Of two entries of one node the first counts.
    let mut known = Known::default();
    let twice = Found { number: number(2), ..one };
    assert!(known.follow(look(&[&twice, &one], &[], 0), |_| false));
    assert_eq!(known.nodes(), [one]);
}

#[test]
fn the_configuration_comes_first() {
    let own = [configured(1, "192.0.2.1:2223"), configured(200, "192.0.2.9:2223")];
    let seen = [found(1, "192.0.2.1:2223", 50), found(2, "192.0.2.2:2223", 50)];
    let nodes = merged(&own, &seen);
    assert_eq!(nodes[..2], own);
    let [beside] = &nodes[2..] else { panic!("{nodes:?}") };
    assert_eq!((beside.name.as_str(), beside.weight), ("redis-192.0.2.2:2223", 50));
    assert_eq!(beside.state, MediaNodeState::Active);
    let drains = Found { drains: true, ..found(2, "192.0.2.2:2223", 50) };
    assert_eq!(merged(&own, &[drains])[2].state, MediaNodeState::Draining);
    // Its number is some configured node's already: it would be two nodes'.
    let taken = [configured(beside.number, "192.0.2.8:2223")];
    assert_eq!(merged(&taken, &seen[1..]), taken);
}

proptest! {
    /// However many there are, each has a number of its own, above those of a configuration, and one that comes or goes
    /// changes that of no other: calls know their node by it.
    #[test]
    fn numbers_are_of_one_node_each(
        hosts in prop::collection::btree_map(1_u8..=64, 1_u8..255, 0..64),
        changed in 1_u8..=64,
    ) {
        let node = |(entry, host): (&u8, &u8)| found(*entry, &format!("192.0.{host}.{entry}:2223"), 1);
        let seen: Vec<_> = hosts.iter().map(node).collect();
        let nodes = merged(&[], &seen);
        let numbers: BTreeSet<u8> = nodes.iter().map(|node| node.number).collect();
        prop_assert_eq!(numbers.len(), seen.len());
        prop_assert!(numbers.iter().all(|number| *number > MediaNode::NUMBER_MAX));
        let others: Vec<_> = hosts.iter().filter(|(entry, _)| **entry != changed).map(node).collect();
        let others = merged(&[], &others);
        prop_assert!(others.iter().all(|node| nodes.contains(node)));
        prop_assert!(nodes.len() - others.len() <= 1);
    }

    #[test]
    fn whatever_stands_there_is_read_or_refused(
        values in prop::collection::vec(any::<Option<Vec<u8>>>(), 0..6),
    ) {
        let row: Row = values.into_iter().map(|value| value.map(Bytes::from)).collect();
        if let Ok(Some(found)) = read(&row, 1, 0) {
            prop_assert!(found.weight <= WEIGHT_MAX && found.address.port() != 0);
        }
    }
}
