//! Contacts of a trunk that are called at once.

use runtime::model::Fork;

use super::*;

/// So many contacts of the trunk of our number, each at a port of its own.
fn contacts(count: u16, now: Now) -> Vec<Arc<Binding>> {
    let stored = |index: u16| StoredRegistration {
        id: Uuid::from_u128(100 + u128::from(index)),
        trunk: Uuid::from_u128(10),
        contact: "sip:acme@10.0.0.7".to_owned(),
        source: SocketAddr::from(([203, 0, 113, 9], 6000 + index)),
        transport: Transport::Udp,
        path: String::new(),
        q: 1000,
        node: 7,
        listener: 0,
        call_id: format!("r{index}"),
        cseq: 1,
        user_agent: String::new(),
        registered_at: now.wall,
        expires_at: now.wall.plus(Duration::from_secs(3600)),
        version: 1,
    };
    (0..count).map(|index| Arc::new(Binding::new(stored(index), 0, now))).collect()
}

/// INVITEs that a call of a vendor to our number makes at once.
fn rung(node: &mut Node, call: &str, headers: &str) -> usize {
    let inbound = invite(call, "+15550100").replace("192.0.2.10", "198.51.100.1");
    let inbound = inbound.replace("Content-Type:", &format!("{headers}Content-Type:"));
    node.receive(VENDORS[0], inbound).iter().filter(|sent| sent.word() == "INVITE").count()
}

/// What is told is what a worker does.
#[test]
fn contacts_that_are_called_at_once() {
    for (fork, count, expected) in [
        (Fork::Serial, 3, None),
        (Fork::Parallel, 0, None),
        (Fork::Parallel, 1, None),
        (Fork::Parallel, 2, Some(2)),
        (Fork::Parallel, 10, Some(10)),
        (Fork::Parallel, 12, Some(10)),
    ] {
        let mut voice = voice();
        voice.trunks[0].auth_type = AuthType::Digest;
        voice.trunks[0].fork = fork;
        let mut node = Node::with(voice);
        let trunk = node.snapshot().trunks[0].config.id;
        node.bindings.put(trunk, contacts(count, node.now));
        let (snapshot, wall) = (node.snapshot(), node.now.wall);
        let bound = |trunk| node.bindings.of(trunk, wall);
        let question = question(VENDORS[0], "15550100");
        let told = call(&snapshot, own(&listeners()), &question, &bound, start());
        assert_eq!((told.outcome.as_str(), told.rung_at_once), ("route", expected), "{count} {told}");
        assert_eq!(told.gateways.len(), usize::from(count) + 1, "the gateway is behind them: {told}");
        assert_eq!(serde_json::to_value(&told).unwrap()["rung_at_once"], serde_json::json!(expected));
        let line = expected.map(|wave: u8| {
            format!("  1 to {wave} are called at once, unless the caller requires 100rel: then in turn\n")
        });
        let text = told.to_string();
        assert_eq!(text.contains("called at once"), line.is_some(), "{text}");
        assert!(text.ends_with(&line.unwrap_or_default()), "{text}");

        assert_eq!(rung(&mut node, "a", ""), usize::from(expected.unwrap_or(1)), "{fork:?} {count}");
        assert_eq!(rung(&mut node, "b", "Require: 100rel\r\n"), 1, "{fork:?} {count}");
    }
}

/// A call of the trunk itself goes to vendors, one after the other.
#[test]
fn calls_to_vendors_go_in_turn() {
    let mut voice = voice();
    voice.trunks[0].fork = Fork::Parallel;
    let told = told(voice, CUSTOMER, "15551234");
    assert_eq!((told.outcome.as_str(), told.rung_at_once), ("route", None), "{told}");
}
