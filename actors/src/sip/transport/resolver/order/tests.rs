use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn target(host: &str, port: Option<u16>, transport: Option<Transport>, sips: bool) -> Target {
    Target { host: host.to_owned(), port, transport, sips }
}

#[test]
fn what_is_asked_follows_from_what_is_given() {
    use Transport::{Tcp, Tls, Udp};
    let known =
        |address: &str, transport| Plan::Known(Destination { address: address.parse().unwrap(), transport });
    let table = [
        (target("192.0.2.1", None, None, false), known("192.0.2.1:5060", Udp)),
        (target("192.0.2.1", Some(5070), Some(Tcp), false), known("192.0.2.1:5070", Tcp)),
        (target("192.0.2.1", None, Some(Tls), false), known("192.0.2.1:5061", Tls)),
        (target("192.0.2.1", None, Some(Tcp), true), known("192.0.2.1:5061", Tls)),
        (target("[2001:db8::1]", None, None, false), known("[2001:db8::1]:5060", Udp)),
        (target("2001:db8::1", None, None, false), known("[2001:db8::1]:5060", Udp)),
        (target("example.com", Some(5060), None, false), Plan::Addresses(Udp, 5060)),
        (target("example.com", Some(5060), None, true), Plan::Addresses(Tls, 5060)),
        (target("example.com", None, Some(Tcp), false), Plan::Service(Tcp)),
        (target("example.com", None, Some(Tcp), true), Plan::Service(Tls)),
        (target("example.com", None, None, false), Plan::Discover),
    ];
    for (target, plan) in table {
        assert_eq!(target.plan(), plan, "{target:?}");
    }
}

#[test]
fn naptr_records_are_tried_by_order_and_preference() {
    let record = |order, preference, flags: &str, services: &str, replacement: &str| Naptr {
        order,
        preference,
        flags: flags.to_owned(),
        services: services.to_owned(),
        replacement: replacement.to_owned(),
    };
    // The example of RFC 3263, 4.1, out of order, with records that are not for us.
    let records = vec![
        record(100, 50, "s", "SIP+D2U", "_sip._udp.example.com"),
        record(90, 50, "s", "SIP+D2T", "_sip._tcp.example.com"),
        record(50, 50, "s", "SIPS+D2T", "_sips._tcp.example.com"),
        record(10, 10, "u", "SIP+D2U", "."),
        record(10, 10, "s", "SIP+D2S", "_sip._sctp.example.com"),
        record(90, 40, "S", "sip+d2u", "other.example.com"),
    ];
    let all = [
        (Transport::Tls, "_sips._tcp.example.com".to_owned()),
        (Transport::Udp, "other.example.com".to_owned()),
        (Transport::Tcp, "_sip._tcp.example.com".to_owned()),
        (Transport::Udp, "_sip._udp.example.com".to_owned()),
    ];
    assert_eq!(services(records.clone(), false), all);
    assert_eq!(services(records, true), all[..1]);
}

fn server(priority: u16, weight: u16, last: u8) -> Server {
    Server { priority, weight, port: 5060, addresses: vec![[192, 0, 2, last].into()] }
}

fn lasts(services: &[Service], below: impl FnMut(u64) -> u64) -> Vec<u8> {
    order(services, below)
        .iter()
        .map(|destination| match destination.address.ip() {
            IpAddr::V4(address) => address.octets()[3],
            IpAddr::V6(_) => 0,
        })
        .collect()
}

#[test]
fn servers_come_by_priority_and_weight() {
    let service = |transport, servers: &[Server]| Service { transport, servers: servers.to_vec() };
    let services = [
        service(Transport::Tcp, &[server(20, 0, 1), server(10, 60, 2), server(10, 40, 3), server(10, 0, 4)]),
        service(Transport::Udp, &[server(0, 0, 9)]),
    ];
    // Drawn from 0..=100, then from what is left.
    let table = [
        (vec![0, 0, 0, 0, 0], [4, 2, 3, 1, 9]),
        (vec![1, 0, 1, 0, 0], [2, 4, 3, 1, 9]),
        (vec![60, 40, 0, 0, 0], [2, 3, 4, 1, 9]),
        (vec![61, 60, 0, 0, 0], [3, 2, 4, 1, 9]),
        (vec![100, 0, 60, 0, 0], [3, 4, 2, 1, 9]),
    ];
    for (draws, expected) in table {
        let mut draws = draws.into_iter();
        assert_eq!(lasts(&services, |_| draws.next().unwrap()), expected);
    }
}

#[test]
fn weights_are_shares() {
    let services = [Service { transport: Transport::Udp, servers: vec![server(0, 75, 1), server(0, 25, 2)] }];
    let random = runtime::random::Random::seeded(7);
    let first = (0..4_000).filter(|_| lasts(&services, |n| random.below(n))[0] == 1).count();
    assert!((2_850..3_150).contains(&first), "{first}");
}

proptest! {
    #[test]
    fn nothing_is_lost_or_twice_and_priorities_rise(
        servers in vec((0..4_u16, any::<u16>()), 0..20),
        draws in vec(any::<u64>(), 20),
    ) {
        let servers: Vec<Server> = servers
            .into_iter()
            .enumerate()
            .map(|(n, (priority, weight))| server(priority, weight, u8::try_from(n).unwrap()))
            .collect();
        let services = [Service { transport: Transport::Udp, servers: servers.clone() }];
        let mut draws = draws.into_iter();
        let drawn = lasts(&services, |n| draws.next().unwrap() % n);
        let priorities: Vec<u16> = drawn.iter().map(|&n| servers[usize::from(n)].priority).collect();
        prop_assert!(priorities.is_sorted());
        let mut sorted = drawn;
        sorted.sort_unstable();
        prop_assert_eq!(sorted, (0..u8::try_from(servers.len()).unwrap()).collect::<Vec<_>>());
    }
}
