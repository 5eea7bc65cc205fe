use std::collections::HashMap as Map;
use std::net::IpAddr;

use runtime::telemetry::metrics::Metrics as Registry;
use tokio::time::advance;

use super::*;

type Records<T> = Map<&'static str, Result<Vec<T>, Failure>>;

/// A table of answers; what is not in it does not exist.
#[derive(Default)]
struct Zone {
    naptr: Records<Naptr>,
    srv: Records<Srv>,
    addresses: Records<IpAddr>,
    asked: usize,
}

const TTL: Duration = Duration::from_secs(60);

#[derive(Clone, Default)]
struct Table(Arc<Mutex<Zone>>);

impl Table {
    fn answer<T: Clone>(&self, name: &str, of: impl Fn(&Zone) -> &Records<T>) -> Result<Answer<T>, Failure> {
        let mut zone = self.0.lock();
        zone.asked += 1;
        let records = of(&zone).get(name).cloned().unwrap_or(Err(Failure::Absent))?;
        Ok(Answer { records, ttl: TTL })
    }
}

impl Lookup for Table {
    fn naptr<'a>(&'a self, name: &'a str) -> Asked<'a, Naptr> {
        Box::pin(async move { self.answer(name, |zone| &zone.naptr) })
    }

    fn srv<'a>(&'a self, name: &'a str) -> Asked<'a, Srv> {
        Box::pin(async move { self.answer(name, |zone| &zone.srv) })
    }

    fn addresses<'a>(&'a self, name: &'a str) -> Asked<'a, IpAddr> {
        Box::pin(async move { self.answer(name, |zone| &zone.addresses) })
    }
}

fn resolver(table: &Table, options: Options) -> Resolver {
    let metrics = Metrics::new(&Registry::new());
    Resolver::new(options, Box::new(table.clone()), Handle::current(), Random::seeded(1), metrics)
}

fn name(host: &str) -> Target {
    Target { host: host.to_owned(), port: None, transport: None, sips: false }
}

fn srv(priority: u16, target: &str) -> Srv {
    Srv { priority, weight: 1, port: 5080, target: target.to_owned() }
}

fn found(list: &[(&str, Transport)]) -> Found {
    let destination = |(address, transport): &(&str, Transport)| Destination {
        address: address.parse().unwrap(),
        transport: *transport,
    };
    Found::Destinations(list.iter().map(destination).collect())
}

fn carrier() -> Table {
    let table = Table::default();
    let mut zone = table.0.lock();
    let naptr = |order, services: &str, replacement: &str| Naptr {
        order,
        preference: 0,
        flags: "s".to_owned(),
        services: services.to_owned(),
        replacement: replacement.to_owned(),
    };
    zone.naptr.insert("a.test", Ok(vec![naptr(2, "SIP+D2U", "u.a.test"), naptr(1, "SIP+D2T", "t.a.test")]));
    zone.srv.insert("u.a.test", Ok(vec![srv(1, "one.test")]));
    zone.srv.insert(
        "t.a.test",
        Ok(vec![srv(2, "two.test"), srv(1, "gone.test"), srv(0, "one.test"), srv(0, ".")]),
    );
    zone.srv.insert("_sip._udp.b.test", Ok(vec![srv(0, "two.test")]));
    zone.srv.insert("_sips._tcp.b.test", Ok(vec![srv(0, "one.test")]));
    zone.srv.insert("_sip._tcp.half.test", Err(Failure::Unavailable));
    zone.addresses.insert("one.test", Ok(vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()]));
    zone.addresses.insert("two.test", Ok(vec!["192.0.2.2".parse().unwrap()]));
    zone.addresses.insert("bare.test", Ok(vec!["192.0.2.3".parse().unwrap()]));
    zone.addresses.insert("half.test", Ok(vec!["192.0.2.4".parse().unwrap()]));
    drop(zone);
    table
}

#[tokio::test(start_paused = true)]
async fn targets_are_resolved_as_rfc_3263_says() {
    use Transport::{Tcp, Tls, Udp};
    let table = [
        (
            name("a.test"),
            found(&[
                ("192.0.2.1:5080", Tcp),
                ("[2001:db8::1]:5080", Tcp),
                ("192.0.2.2:5080", Tcp),
                ("192.0.2.1:5080", Udp),
                ("[2001:db8::1]:5080", Udp),
            ]),
        ),
        (
            name("b.test"),
            found(&[("192.0.2.2:5080", Udp), ("192.0.2.1:5080", Tls), ("[2001:db8::1]:5080", Tls)]),
        ),
        (
            Target { sips: true, ..name("b.test") },
            found(&[("192.0.2.1:5080", Tls), ("[2001:db8::1]:5080", Tls)]),
        ),
        (Target { transport: Some(Tcp), ..name("bare.test") }, found(&[("192.0.2.3:5060", Tcp)])),
        (Target { transport: Some(Tls), ..name("bare.test") }, found(&[("192.0.2.3:5061", Tls)])),
        (Target { port: Some(5099), ..name("b.test") }, Found::Nothing(Failure::Absent)),
        (Target { port: Some(5099), ..name("bare.test") }, found(&[("192.0.2.3:5099", Udp)])),
        (name("bare.test"), found(&[("192.0.2.3:5060", Udp)])),
        (name("192.0.2.9"), found(&[("192.0.2.9:5060", Udp)])),
        (name("nowhere.test"), Found::Nothing(Failure::Absent)),
        // Whether it has servers is not known: its bare address is not taken instead.
        (Target { transport: Some(Tcp), ..name("half.test") }, Found::Nothing(Failure::Unavailable)),
    ];
    let resolver = resolver(&carrier(), Options::default());
    for (target, expected) in table {
        assert_eq!(resolver.resolve(&target).await, expected, "{target:?}");
        assert_eq!(resolver.get(&target), expected, "{target:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_lookup_answers_all_and_is_remembered() {
    let table = carrier();
    let resolver = resolver(&table, Options::default());
    let target = Target { port: Some(1), ..name("bare.test") };
    assert_eq!((resolver.get(&target), resolver.get(&target)), (Found::Pending, Found::Pending));
    let (a, b) = tokio::join!(resolver.resolve(&target), resolver.resolve(&target));
    assert_eq!(a, found(&[("192.0.2.3:1", Transport::Udp)]));
    assert_eq!(a, b);
    advance(TTL / 2).await;
    assert_eq!(resolver.get(&target), a);
    assert_eq!(table.0.lock().asked, 1);
}

#[tokio::test(start_paused = true)]
async fn an_outdated_answer_is_served_while_no_other_can_be_had() {
    let table = carrier();
    let options = Options::default();
    let resolver = resolver(&table, options.clone());
    let target = Target { port: Some(1), ..name("bare.test") };
    let known = resolver.resolve(&target).await;
    table.0.lock().addresses.insert("bare.test", Err(Failure::Unavailable));
    advance(TTL).await;
    // Served at once, and asked again; not again while the failure is fresh.
    for _ in 0..3 {
        assert_eq!(resolver.get(&target), known);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(table.0.lock().asked, 2);
    }
    assert!(resolver.0.metrics.stale.get() > 0);
    advance(options.stale_max).await;
    assert_eq!(resolver.resolve(&target).await, Found::Nothing(Failure::Unavailable));
    // It is back, and asked for after the failure's time.
    table.0.lock().addresses.insert("bare.test", Ok(vec!["192.0.2.77".parse().unwrap()]));
    advance(options.negative).await;
    assert_eq!(resolver.resolve(&target).await, found(&[("192.0.2.77:1", Transport::Udp)]));
    // An answer that there is none is believed.
    table.0.lock().addresses.remove("bare.test");
    advance(TTL).await;
    let _ = resolver.get(&target);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(resolver.get(&target), Found::Nothing(Failure::Absent));
}

#[tokio::test(start_paused = true)]
async fn names_are_bounded_and_old_ones_give_way() {
    let options = Options { names_max: 2, ..Options::default() };
    let resolver = resolver(&carrier(), options.clone());
    for host in ["a.test", "b.test"] {
        resolver.resolve(&name(host)).await;
    }
    assert_eq!(resolver.get(&name("bare.test")), Found::Nothing(Failure::TooMany));
    advance(options.ttl_max).await;
    assert_eq!(resolver.resolve(&name("bare.test")).await, found(&[("192.0.2.3:5060", Transport::Udp)]));
}
