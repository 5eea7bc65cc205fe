use sip::register::{Contact, Wanted};

use super::*;

const TRUNK: Uuid = Uuid::from_u128(1);
const START: i64 = 1_790_000_000_000_000;

fn at(seconds: u64) -> Now {
    let now = Now { instant: tokio::time::Instant::now().into_std(), wall: Timestamp::from_micros(START) };
    now.plus(Duration::from_secs(seconds))
}

fn flow(peer: &str, connection: u64) -> Flow {
    let transport = if connection == 0 { Transport::Udp } else { Transport::Tcp };
    Flow { listener: 2, transport, peer: peer.parse().unwrap(), connection }
}

/// Every connection is.
fn up(_: u64) -> bool {
    true
}

/// A request for one contact, for so many seconds.
fn ask(uri: &str, (cseq, expires): (u32, u32), flow: Flow) -> Ask {
    let contact = Contact { uri: uri.to_owned(), q: 900, expires: Some(expires) };
    let registration = Registration {
        call_id: "a".to_owned(),
        cseq,
        wanted: Wanted::Contacts(vec![contact]),
        expires: None,
        path: "<sip:p;lr>".to_owned(),
    };
    Ask { trunk: TRUNK, registration, flow, user_agent: "phone".to_owned() }
}

fn uris(bindings: &[Arc<Binding>]) -> Vec<&str> {
    bindings.iter().map(|binding| binding.stored.contact.as_str()).collect()
}

/// Binds, renews and removes; what is to be written each time, and what is bound then.
#[test]
fn what_a_request_does() {
    let (rules, random) = (Rules::default(), Random::seeded(1));
    let by = |now| By { node: 7, now, rules: &rules, random: &random, is_connected: &up };
    let mut held = Held::default();
    let phone = flow("203.0.113.9:5062", 0);
    let rows = apply(&ask("sip:a@10.0.0.7", (1, 600), phone), &mut held, &by(at(0))).unwrap();
    let [Row::Put(first)] = &rows[..] else { panic!("{rows:?}") };
    let expected = StoredRegistration {
        id: first.id,
        trunk: TRUNK,
        contact: "sip:a@10.0.0.7".to_owned(),
        source: phone.peer,
        transport: Transport::Udp,
        path: "<sip:p;lr>".to_owned(),
        q: 900,
        node: 7,
        listener: 2,
        call_id: "a".to_owned(),
        cseq: 1,
        user_agent: "phone".to_owned(),
        registered_at: at(0).wall,
        expires_at: at(600).wall,
        version: 0,
    };
    assert_eq!((first, &held.live[0].stored), (&expected, &expected));
    assert_eq!((held.live[0].target.address, held.live[0].connection), (phone.peer, 0));

    apply(&ask("sip:b@10.0.0.7", (2, 90), phone), &mut held, &by(at(1))).unwrap();
    assert_ne!(held.live[0].stored.id, held.live[1].stored.id);
    // From another port, as behind a NAT that forgot the first: it is the same binding.
    let moved = flow("203.0.113.9:40001", 0);
    let rows = apply(&ask("sip:a@10.0.0.7", (3, 600), moved), &mut held, &by(at(2))).unwrap();
    let [Row::Put(again)] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((again.id, again.source, again.expires_at), (expected.id, moved.peer, at(602).wall));
    assert_eq!(uris(&held.live), ["sip:b@10.0.0.7", "sip:a@10.0.0.7"]);
    let seconds: Vec<_> = listed(&held.live, at(3).wall).iter().map(|listed| listed.expires).collect();
    assert_eq!(seconds, [88, 599]);

    let late = apply(&ask("sip:a@10.0.0.7", (3, 600), phone), &mut held, &by(at(4)));
    assert_eq!(late, Err(register::Error::OutOfOrder));
    assert_eq!(held.live[1].stored.source, moved.peer, "it changed nothing");
    let rows = apply(&ask("sip:a@10.0.0.7", (4, 0), phone), &mut held, &by(at(5))).unwrap();
    assert_eq!((rows, uris(&held.live)), (vec![Row::Remove(expected.id)], vec!["sip:b@10.0.0.7"]));
    // What is new takes the row of what is no more.
    let rows = apply(&ask("sip:c@10.0.0.7", (5, 600), phone), &mut held, &by(at(6))).unwrap();
    let [Row::Put(new)] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((new.id, held.free.len()), (expected.id, 0));
}

/// So is the table of a trunk that has a new contact each time.
#[test]
fn rows_are_bounded() {
    let (rules, random) = (Rules::default(), Random::seeded(1));
    let by = By { node: 7, now: at(0), rules: &rules, random: &random, is_connected: &up };
    let (mut held, mut rows) = (Held::default(), std::collections::HashSet::new());
    for turn in 0..50 {
        for contact in 0..10 {
            let uri = format!("sip:{turn}-{contact}@10.0.0.7");
            let put =
                apply(&ask(&uri, (turn + 1, 600), flow("203.0.113.9:5062", 0)), &mut held, &by).unwrap();
            rows.extend(put.iter().map(|row| match row {
                Row::Put(stored) => stored.id,
                Row::Remove(id) => *id,
            }));
        }
    }
    assert_eq!(held.live.len(), rules.bindings_max);
    assert!(rows.len() <= rules.bindings_max + register::CONTACTS_MAX, "{}", rows.len());
}

/// Equipment whose Contact has the port of its connection is another contact with each: those whose connection is gone
/// give way, and then what registered first.
#[test]
fn who_reconnects_is_not_locked_out() {
    let (rules, random) = (Rules { bindings_max: 3, ..Rules::default() }, Random::seeded(1));
    // The number of the one connection that is up, and of one besides.
    let bind = |held: &mut Held, (second, connection): (u64, u64), kept: &[u64]| {
        let is_connected = |asked: u64| asked == connection || kept.contains(&asked);
        let by = By { node: 7, now: at(second), rules: &rules, random: &random, is_connected: &is_connected };
        let uri = format!("sip:a@203.0.113.9:{connection};transport=tcp");
        let mut ask = ask(&uri, (1, 600), flow(&format!("203.0.113.9:{connection}"), connection));
        ask.registration.call_id = format!("call-{connection}");
        apply(&ask, held, &by).unwrap();
    };
    let mut held = Held::default();
    (1..=11).for_each(|number| bind(&mut held, (number, 40_000 + number), &[40_001]));
    let connections: Vec<_> = held.live.iter().map(|binding| binding.connection).collect();
    assert_eq!(connections, [40_010, 40_001, 40_011], "the oldest is up");
    bind(&mut held, (12, 40_012), &[40_001, 40_010, 40_011]);
    let connections: Vec<_> = held.live.iter().map(|binding| binding.connection).collect();
    assert_eq!(connections, [40_010, 40_011, 40_012], "all are up");
}

/// Two sites with the same private address are two contacts, and each goes on where its NAT moves it.
#[test]
fn sites_with_the_same_address() {
    let (rules, random) = (Rules::default(), Random::seeded(1));
    let mut held = Held::default();
    let mut bind = |uri: &str, (call, cseq): (&str, u32), from: &str| {
        let now = at(u64::from(cseq));
        let by = By { node: 7, now, rules: &rules, random: &random, is_connected: &up };
        let mut ask = ask(uri, (cseq, 600), flow(from, 0));
        ask.registration.call_id = call.to_owned();
        apply(&ask, &mut held, &by).unwrap();
        let mut sources: Vec<_> = held.live.iter().map(|one| one.stored.source.to_string()).collect();
        sources.sort();
        sources
    };
    let private = "sip:a@192.168.1.10:5060";
    let [east, west, moved] = ["203.0.113.9:5062", "198.51.100.9:5062", "198.51.100.9:7000"];
    assert_eq!(bind(private, ("east", 1), east), [east]);
    assert_eq!(bind(private, ("west", 1), west), [west, east]);
    assert_eq!(bind(private, ("east", 2), east), [west, east]);
    assert_eq!(bind(private, ("west, begun anew", 1), moved), [moved, east]);
    // The address of a line changes, and its equipment goes on with its Call-ID.
    assert_eq!(bind(private, ("east", 3), "203.0.113.77:5062"), [moved, "203.0.113.77:5062"]);
    // A public one is itself, wherever it is seen.
    let public = "sip:a@203.0.113.9:5060";
    assert_eq!(bind(public, ("public", 1), east).len(), 3);
    assert_eq!(bind(public, ("other", 1), west).len(), 3);
}

#[test]
fn the_last_second_is_one_yet() {
    let (rules, random) = (Rules::default(), Random::seeded(1));
    let mut held = Held::default();
    let by = By { node: 7, now: at(0), rules: &rules, random: &random, is_connected: &up };
    apply(&ask("sip:a@b", (1, 60), flow("203.0.113.9:5062", 0)), &mut held, &by).unwrap();
    let almost = at(60).wall.minus(Duration::from_micros(1));
    assert_eq!(listed(&held.live, almost)[0].expires, 1);
}

fn stored(id: u128, (q, registered): (u16, u64), transport: Transport) -> StoredRegistration {
    StoredRegistration {
        id: Uuid::from_u128(id),
        trunk: TRUNK,
        contact: format!("sip:{id}@203.0.113.9"),
        source: "203.0.113.9:5062".parse().unwrap(),
        transport,
        path: String::new(),
        q,
        node: 7,
        listener: 0,
        call_id: "a".to_owned(),
        cseq: 1,
        user_agent: String::new(),
        registered_at: at(registered).wall,
        expires_at: at(100 + registered).wall,
        version: 1,
    }
}

#[test]
fn in_the_order_of_calls_until_they_expire() {
    let bindings = Bindings::default();
    let all = [
        stored(1, (500, 9), Transport::Udp),
        stored(2, (1000, 1), Transport::Tcp),
        stored(3, (1000, 5), Transport::Tls),
        stored(4, (1000, 5), Transport::Udp),
    ];
    let all = all.into_iter().map(|stored| Arc::new(Binding::new(stored, 0, at(0)))).collect();
    bindings.put(TRUNK, all);
    let ids = |seconds| -> Vec<u128> {
        bindings.of(TRUNK, at(seconds).wall).iter().map(|binding| binding.stored.id.as_u128()).collect()
    };
    let count = |seconds| bindings.count(at(seconds).wall).map(|(_, count)| count);
    assert_eq!((ids(0), count(0)), (vec![3, 4, 2, 1], [2, 1, 1]));
    assert_eq!((ids(101), count(101)), (vec![3, 4, 1], [2, 0, 1]));
    assert_eq!((ids(105), count(105)), (vec![1], [1, 0, 0]));
    assert_eq!((ids(109), count(109)), (Vec::new(), [0, 0, 0]));
    bindings.purge(at(105).wall);
    assert_eq!(ids(0).len(), 4, "one of them lives");
    bindings.purge(at(109).wall);
    assert!(ids(0).is_empty());
    bindings.put(TRUNK, Vec::new());
    assert!(bindings.of(Uuid::nil(), at(0).wall).is_empty());
}

#[test]
fn trunks_are_told_apart() {
    let (bindings, trunk) = (Bindings::default(), Uuid::from_u128);
    for id in 1..=300 {
        let one = StoredRegistration { trunk: trunk(id), ..stored(id, (1000, 0), Transport::Udp) };
        bindings.put(trunk(id), vec![Arc::new(Binding::new(one, 0, at(0)))]);
    }
    for id in 1..=300 {
        let found = bindings.of(trunk(id), at(0).wall);
        let found: Vec<_> = found.iter().map(|binding| binding.stored.id.as_u128()).collect();
        assert_eq!(found, [id]);
    }
    assert_eq!(bindings.count(at(0).wall).map(|(_, count)| count), [300, 0, 0]);
    bindings.purge(at(101).wall);
    assert!((1..=300).all(|id| bindings.of(trunk(id), at(0).wall).is_empty()));
}

/// What is read keeps its connection and its health as long as the same request has made it.
#[test]
fn what_is_known_of_what_is_read() {
    let first = stored(1, (1000, 0), Transport::Tcp);
    let known = Binding::new(first.clone(), 77, at(0));
    (0..3).for_each(|_| known.target.health.silent(at(0).instant));
    let known = [Arc::new(known)];
    let again = Binding::read(StoredRegistration { version: 9, ..first.clone() }, &known, at(1));
    assert_eq!((again.connection, again.target.health.is_up()), (77, false));
    for other in [
        StoredRegistration { cseq: 2, ..first.clone() },
        StoredRegistration { call_id: "b".to_owned(), ..first.clone() },
        StoredRegistration { source: "203.0.113.9:5063".parse().unwrap(), ..first.clone() },
        StoredRegistration { id: Uuid::from_u128(2), ..first.clone() },
        StoredRegistration { registered_at: at(1).wall, ..first },
    ] {
        let other = Binding::read(other, &known, at(1));
        assert_eq!((other.connection, other.target.health.is_up()), (0, true), "{other:?}");
    }
}

#[test]
fn where_a_connection_may_be_made_again() {
    let table = [
        ("sip:a@203.0.113.9:5070;transport=tcp", Transport::Tcp, Some("203.0.113.9:5070")),
        ("sip:a@203.0.113.9", Transport::Tcp, Some("203.0.113.9:5060")),
        ("sip:a@203.0.113.9", Transport::Tls, Some("203.0.113.9:5061")),
        ("sip:a@203.0.113.9:0", Transport::Tcp, None),
        ("sip:a@10.0.0.7:5070", Transport::Tcp, None),
        ("sip:a@phone.example", Transport::Tcp, None),
        ("sip:a@198.51.100.1:5060", Transport::Udp, None),
    ];
    for (contact, transport, expected) in table {
        let one = StoredRegistration { contact: contact.to_owned(), ..stored(1, (0, 0), transport) };
        let expected = expected.map(|address| address.parse().unwrap());
        assert_eq!(Binding::new(one, 0, at(0)).again, expected, "{contact} {transport:?}");
    }
}

fn bound(contact: &str, source: &str, transport: Transport) -> StoredRegistration {
    let ask = ask(contact, (1, 600), Flow { transport, ..flow(source, 0) });
    let registration = Registration { path: String::new(), ..ask.registration };
    let ask = Ask { registration, ..ask };
    let (rules, random) = (Rules::default(), Random::seeded(1));
    let by = By { node: 7, now: at(0), rules: &rules, random: &random, is_connected: &up };
    let mut held = Held::default();
    apply(&ask, &mut held, &by).unwrap();
    held.live[0].stored.clone()
}

/// What only a NAT explains.
#[test]
fn who_is_behind_a_nat() {
    let from = "203.0.113.9:5062";
    for (contact, behind) in [
        ("sip:a@10.0.0.7:5062", true),
        ("sip:a@203.0.113.9", true),
        ("sip:a@203.0.113.9:5062", false),
        ("sip:a@203.0.113.9:5062;ob", false),
        ("sip:a@[::ffff:203.0.113.9]:5062", false),
        ("sip:a@phone.invalid:5062", true),
    ] {
        let udp = bound(contact, from, Transport::Udp);
        assert_eq!(Binding::new(udp.clone(), 0, at(0)).behind_nat, behind, "{contact}");
        let edge = StoredRegistration { path: "<sip:edge;lr>".to_owned(), ..udp };
        assert!(!Binding::new(edge, 0, at(0)).behind_nat, "its edge is: {contact}");
        for transport in [Transport::Tcp, Transport::Tls] {
            let stream = bound(contact, from, transport);
            assert!(!Binding::new(stream, 0, at(0)).behind_nat, "{contact} {transport:?}");
        }
    }
    let default = bound("sip:a@203.0.113.9", "203.0.113.9:5060", Transport::Udp);
    assert!(!Binding::new(default, 0, at(0)).behind_nat);
}

/// A source is one as long as something of it is bound, however much is, and no longer.
#[test]
fn sources_of_what_is_bound() {
    let bindings = Bindings::default();
    let bind = |trunk: u128, all: &[(&str, u64)]| {
        let one = |(source, lives): &(&str, u64)| {
            let stored = bound("sip:a@10.0.0.7", source, Transport::Udp);
            let stored =
                StoredRegistration { trunk: Uuid::from_u128(trunk), expires_at: at(*lives).wall, ..stored };
            Arc::new(Binding::new(stored, 0, at(0)))
        };
        bindings.put(Uuid::from_u128(trunk), all.iter().map(one).collect());
    };
    let has = |source: &str, second: u64| {
        bindings.has_source(source.parse().unwrap(), Transport::Udp, at(second).wall)
    };
    let (proxy, phone) = ("203.0.113.1:5060", "203.0.113.9:5062");
    bind(1, &[(proxy, 600), (phone, 60)]);
    bind(2, &[(proxy, 300)]);
    assert!(has(proxy, 0) && has("[::ffff:203.0.113.1]:5060", 599) && has(phone, 59));
    assert!(!has(proxy, 600) && !has(phone, 60) && !has("203.0.113.1:5061", 0));
    assert!(!bindings.has_source(proxy.parse().unwrap(), Transport::Tcp, at(0).wall));
    // Renewed, moved and removed.
    bind(1, &[(proxy, 700), ("203.0.113.9:5070", 700)]);
    assert!(has(proxy, 699) && !has(phone, 0) && has("203.0.113.9:5070", 699));
    bind(1, &[]);
    assert!(has(proxy, 299), "the other one has it yet");
    bindings.purge(at(299).wall);
    assert!(has(proxy, 299));
    bindings.purge(at(300).wall);
    assert!(!has(proxy, 0), "nothing is left of it");
    assert_eq!(bindings.sources.read().0.len(), 0);
}

/// Each part has its own.
#[test]
fn parts_of_all_bindings() {
    let bindings = Bindings::default();
    for trunk in 0..200 {
        let stored = bound("sip:a@10.0.0.7", "203.0.113.9:5062", Transport::Udp);
        let node = if trunk < 130 { 7 } else { 8 };
        let stored = StoredRegistration { id: Uuid::from_u128(trunk), node, ..stored };
        bindings.put(Uuid::from_u128(trunk), vec![Arc::new(Binding::new(stored, 0, at(0)))]);
    }
    let mut found = Vec::new();
    for part in 0..SHARDS {
        let of_part = bindings.behind_nat(part, 7, at(0).wall);
        assert!((2..=3).contains(&of_part.len()), "{part}");
        found.extend(of_part.iter().map(|binding| binding.stored.id.as_u128()));
    }
    found.sort_unstable();
    assert_eq!(found, (0..130).collect::<Vec<_>>());
    assert!(bindings.behind_nat(SHARDS, 7, at(0).wall).is_empty());
    assert!(bindings.behind_nat(1, 7, at(600).wall).is_empty(), "their time is over");
}
