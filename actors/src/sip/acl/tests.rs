use std::cmp::Reverse;
use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use runtime::random::Random;
use tokio::time::Instant;

use super::*;

fn entry(network: &str, port: Option<u16>, transport: Option<Transport>, trunk: u32) -> Entry {
    Entry { network: network.parse().unwrap(), port, transport, trunk }
}

fn from(address: &str, port: u16, transport: Transport) -> Source {
    Source { address: address.parse().unwrap(), port, transport }
}

#[test]
fn the_longest_network_that_fits_port_and_transport_wins() {
    let acl = Acl::new(&[
        entry("0.0.0.0/0", Some(7777), None, 1),
        entry("192.0.2.0/24", None, None, 2),
        entry("192.0.2.128/25", None, Some(Transport::Tls), 3),
        entry("192.0.2.200", Some(5060), None, 4),
        entry("192.0.2.200", None, Some(Transport::Tcp), 5),
        entry("192.0.2.200", None, None, 6),
        entry("2001:db8::/32", None, None, 7),
        entry("2001:db8:1::/48", None, Some(Transport::Tcp), 8),
        entry("255.255.255.255", None, None, 9),
        entry("192.0.2.200", None, None, 10),
    ]);
    for (address, port, transport, trunk) in [
        ("192.0.2.1", 5060, Transport::Udp, Some(2)),
        ("192.0.2.129", 5061, Transport::Tls, Some(3)),
        ("192.0.2.129", 5060, Transport::Udp, Some(2)),
        ("192.0.2.200", 5060, Transport::Tcp, Some(4)),
        ("192.0.2.200", 9, Transport::Tcp, Some(5)),
        ("192.0.2.200", 9, Transport::Udp, Some(6)),
        ("::ffff:192.0.2.200", 9, Transport::Udp, Some(6)),
        ("192.0.2.201", 9, Transport::Tls, Some(3)),
        ("192.0.3.0", 9, Transport::Udp, None),
        ("192.0.1.255", 7777, Transport::Udp, Some(1)),
        ("255.255.255.255", 9, Transport::Udp, Some(9)),
        ("255.255.255.254", 9, Transport::Udp, None),
        ("2001:db8::1", 9, Transport::Udp, Some(7)),
        ("2001:db8:1::1", 9, Transport::Udp, Some(7)),
        ("2001:db8:1::1", 9, Transport::Tcp, Some(8)),
        ("2001:db9::", 7777, Transport::Tcp, None),
    ] {
        assert_eq!(
            acl.find(&from(address, port, transport), |_| true),
            trunk,
            "{address} {port} {transport:?}"
        );
    }
}

#[test]
fn what_is_not_admitted_is_passed_over() {
    let acl = Acl::new(&[entry("192.0.2.0/24", None, None, 1), entry("192.0.2.1", None, None, 2)]);
    let source = from("192.0.2.1", 5060, Transport::Udp);
    assert_eq!(acl.find(&source, |trunk| trunk != 2), Some(1));
    assert_eq!(acl.find(&source, |_| false), None);
    let acl = Acl::new(&[
        entry("192.0.2.1", None, None, 3),
        entry("192.0.2.1", Some(5060), None, 1),
        entry("192.0.2.1", None, Some(Transport::Udp), 2),
    ]);
    assert_eq!(acl.find(&source, |_| true), Some(1));
    assert_eq!(acl.find(&source, |trunk| trunk != 1), Some(2), "of one network the next one");
    assert_eq!(acl.find(&source, |trunk| trunk == 3), Some(3));
    assert_eq!(Acl::default().find(&source, |_| true), None);
}

fn network() -> impl Strategy<Value = Cidr> {
    // Few addresses, so that networks meet.
    let address = prop_oneof![
        (0..4_u32, 0..4_u32).prop_map(|(high, low)| IpAddr::from(Ipv4Addr::from_bits(high << 30 | low))),
        (0..4_u128, 0..4_u128).prop_map(|(high, low)| IpAddr::from(Ipv6Addr::from_bits(high << 126 | low))),
        Just(IpAddr::from(Ipv4Addr::BROADCAST)),
    ];
    (address, prop_oneof![0..4_u8, 28..=32_u8, 125..=128_u8]).prop_map(|(address, bits)| {
        let widest = if address.is_ipv4() { 32 } else { 128 };
        format!("{address}/{}", bits.min(widest)).parse().unwrap()
    })
}

fn transport() -> impl Strategy<Value = Transport> {
    prop_oneof![Just(Transport::Udp), Just(Transport::Tcp)]
}

proptest! {
    /// Against the definition: of all entries that fit, the one with the longest network, then the most specific,
    /// then the first.
    #[test]
    fn a_lookup_finds_what_a_look_at_every_entry_finds(
        entries in vec((network(), option::of(1..3_u16), option::of(transport())), 0..40),
        sources in vec((network(), 1..4_u16, transport()), 1..40),
    ) {
        let entries: Vec<Entry> = entries
            .into_iter()
            .zip(0..)
            .map(|((network, port, transport), trunk)| Entry { network, port, transport, trunk })
            .collect();
        let acl = Acl::new(&entries);
        for (network, port, transport) in sources {
            for address in [network.first(), network.last()] {
                let source = Source { address, port, transport };
                let fits = |entry: &&Entry| {
                    entry.network.contains(address)
                        && entry.port.is_none_or(|wanted| wanted == port)
                        && entry.transport.is_none_or(|wanted| wanted == transport)
                };
                let best = entries.iter().filter(fits).min_by_key(|entry| {
                    (Reverse(entry.network.bits()), Reverse((entry.port.is_some(), entry.transport.is_some())), entry.trunk)
                });
                prop_assert_eq!(acl.find(&source, |_| true), best.map(|entry| entry.trunk), "{:?}", source);
            }
        }
    }
}

#[test]
#[ignore = "measures; proves nothing"]
fn what_a_lookup_costs() {
    const ENTRIES: u32 = 1_000_000;
    const LOOKUPS: u32 = 1_000_000;
    let random = Random::seeded(1);
    let draw = |below: u64| u32::try_from(random.below(below)).unwrap();
    for family in ["IPv4", "IPv6"] {
        let address = |bits: u32| match family {
            "IPv4" => IpAddr::from(Ipv4Addr::from_bits(bits)),
            _ => IpAddr::from(Ipv6Addr::from_bits(0x2001_0db8_u128 << 96 | u128::from(bits) << 64 | 1)),
        };
        let entries = (0..ENTRIES)
            .map(|trunk| {
                let longest = if family == "IPv4" { 32 } else { 128 };
                let bits = if trunk % 10 == 0 { longest - 8 } else { longest };
                let network = format!("{}/{bits}", address(draw(1 << 32))).parse().unwrap();
                Entry { network, port: None, transport: None, trunk }
            })
            .collect::<Vec<_>>();
        let sources: Vec<Source> = (0..LOOKUPS)
            .map(|n| {
                let known = entries[draw(u64::from(ENTRIES)) as usize].network.first();
                let address = if n % 2 == 0 { known } else { address(draw(1 << 32)) };
                Source { address, port: 5060, transport: Transport::Udp }
            })
            .collect();
        let begun = Instant::now();
        let acl = Acl::new(&entries);
        let built = begun.elapsed();
        let begun = Instant::now();
        let found = sources.iter().filter(|source| acl.find(source, |_| true).is_some()).count();
        let each = begun.elapsed() / LOOKUPS;
        eprintln!("{family}: {ENTRIES} entries built in {built:?}, {each:?} a lookup, {found} found");
    }
}
