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
    let by = |now| By { node: 7, now, rules: &rules, random: &random };
    let mut live = Vec::new();
    let phone = flow("203.0.113.9:5062", 0);
    let rows = apply(&ask("sip:a@10.0.0.7", (1, 600), phone), &mut live, &by(at(0))).unwrap();
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
    assert_eq!((first, &live[0].stored), (&expected, &expected));
    assert_eq!((live[0].target.address, live[0].connection), (phone.peer, 0));

    apply(&ask("sip:b@10.0.0.7", (2, 90), phone), &mut live, &by(at(1))).unwrap();
    assert_ne!(live[0].stored.id, live[1].stored.id);
    // From another port, as behind a NAT that forgot the first: it is the same binding.
    let moved = flow("203.0.113.9:40001", 0);
    let rows = apply(&ask("sip:a@10.0.0.7", (3, 600), moved), &mut live, &by(at(2))).unwrap();
    let [Row::Put(again)] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((again.id, again.source, again.expires_at), (expected.id, moved.peer, at(602).wall));
    assert_eq!(uris(&live), ["sip:b@10.0.0.7", "sip:a@10.0.0.7"]);
    let seconds: Vec<_> = listed(&live, at(3).wall).iter().map(|listed| listed.expires).collect();
    assert_eq!(seconds, [88, 599]);

    let late = apply(&ask("sip:a@10.0.0.7", (3, 600), phone), &mut live, &by(at(4)));
    assert_eq!(late, Err(register::Error::OutOfOrder));
    assert_eq!(live[1].stored.source, moved.peer, "it changed nothing");
    let rows = apply(&ask("sip:a@10.0.0.7", (4, 0), phone), &mut live, &by(at(5))).unwrap();
    assert_eq!((rows, uris(&live)), (vec![Row::Remove(expected.id)], vec!["sip:b@10.0.0.7"]));
}

#[test]
fn the_last_second_is_one_yet() {
    let (rules, random) = (Rules::default(), Random::seeded(1));
    let mut live = Vec::new();
    let by = By { node: 7, now: at(0), rules: &rules, random: &random };
    apply(&ask("sip:a@b", (1, 60), flow("203.0.113.9:5062", 0)), &mut live, &by).unwrap();
    let almost = at(60).wall.minus(Duration::from_micros(1));
    assert_eq!(listed(&live, almost)[0].expires, 1);
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
