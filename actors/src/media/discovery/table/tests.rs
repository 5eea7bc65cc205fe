use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// An entry as Kamailio's table has it.
fn row(setid: &str, url: &str, weight: &str, disabled: &str) -> Row {
    let value = |text: &str| (text != "-").then(|| Bytes::copy_from_slice(text.as_bytes()));
    [setid, url, weight, disabled].into_iter().map(value).collect()
}

fn found(address: &str, weight: u32) -> Found {
    Found { address: address.parse().unwrap(), weight, drains: false }
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
        Ok(Some(Found { address: address.parse().unwrap(), weight, drains }))
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
            read(&row(setid, url, weight, disabled), 0),
            expected,
            "{setid} {url} {weight} {disabled}"
        );
    }
    assert_eq!(read(&[], 0), Err(Error::Url), "no columns");
    assert_eq!(read(&[None, Some(Bytes::from_static(&[0xff]))], 0), Err(Error::Url), "not UTF-8");
    assert_eq!(read(&row("4", "udp:192.0.2.20:22222", "50", "0"), 4), node("192.0.2.20:22222", 50, false));
}

#[test]
fn a_node_goes_when_two_looks_do_not_show_it() {
    let (one, two) = (found("192.0.2.1:2223", 50), found("192.0.2.2:2223", 50));
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
        let shown = shown.iter().copied().cloned().collect();
        assert_eq!(known.follow(shown), changes, "look {place}");
        assert!(known.nodes().iter().eq(expected.iter().copied()), "look {place}: {known:?}");
    }
}

#[test]
fn the_configuration_comes_first() {
    let own = [configured(1, "192.0.2.1:2223"), configured(200, "192.0.2.9:2223")];
    let seen = [found("192.0.2.1:2223", 50), found("192.0.2.2:2223", 50)];
    let nodes = merged(&own, &seen);
    assert_eq!(nodes[..2], own);
    let [beside] = &nodes[2..] else { panic!("{nodes:?}") };
    assert_eq!((beside.name.as_str(), beside.weight), ("redis-192.0.2.2:2223", 50));
    assert_eq!(beside.state, MediaNodeState::Active);
    let drains = Found { drains: true, ..found("192.0.2.2:2223", 50) };
    assert_eq!(merged(&own, &[drains])[2].state, MediaNodeState::Draining);
    // Its number is some configured node's already.
    let taken = configured(beside.number, "192.0.2.8:2223");
    let moved = merged(std::slice::from_ref(&taken), &seen[1..]);
    assert_ne!(moved[1].number, beside.number);
    // And where all are, it is left out.
    let all: Vec<_> = (128..=255).map(|n| configured(n, &format!("192.0.2.{n}:2"))).collect();
    assert_eq!(merged(&all, &seen), all);
}

proptest! {
    /// However many there are, each has a number of its own, above those of a configuration that has made few.
    #[test]
    fn numbers_are_of_one_node_each(hosts in prop::collection::btree_set(1_u8..255, 0..128)) {
        let seen: Vec<_> = hosts.iter().map(|host| found(&format!("192.0.2.{host}:2223"), 1)).collect();
        let nodes = merged(&[], &seen);
        let numbers: BTreeSet<u8> = nodes.iter().map(|node| node.number).collect();
        prop_assert_eq!(numbers.len(), seen.len());
        prop_assert!(numbers.iter().all(|number| *number >= NUMBERS_FROM));
        // The first keeps its number without the others.
        if let (Some(first), Some(node)) = (seen.first(), nodes.first()) {
            let alone = merged(&[], std::slice::from_ref(first));
            prop_assert_eq!(&alone[0], node);
        }
    }

    #[test]
    fn whatever_stands_there_is_read_or_refused(
        values in prop::collection::vec(any::<Option<Vec<u8>>>(), 0..6),
    ) {
        let row: Row = values.into_iter().map(|value| value.map(Bytes::from)).collect();
        if let Ok(Some(found)) = read(&row, 0) {
            prop_assert!(found.weight <= WEIGHT_MAX && found.address.port() != 0);
        }
    }
}
