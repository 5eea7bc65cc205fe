use super::*;
use crate::sip::live_call::Effect;
use crate::sip::testing::{CUSTOMER, Node, VENDORS, Within, invite, response};

/// One call: refused by the first vendor, answered by the second after a while, ended by the caller.
fn call(node: &mut Node) {
    let sent = node.receive(CUSTOMER, invite("a", "+15551234"));
    node.now = node.now.plus(Duration::from_millis(40));
    let sent = node.receive(VENDORS[0], response(&sent[1], 503, "no"));
    let second = sent.iter().find(|sent| sent.word() == "INVITE").unwrap().clone();
    node.now = node.now.plus(Duration::from_millis(100));
    node.receive(VENDORS[1], response(&second, 180, "callee"));
    node.now = node.now.plus(Duration::from_secs(2));
    let sent = node.receive(VENDORS[1], response(&second, 200, "callee"));
    let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&sent[0]);
    node.now = node.now.plus(Duration::from_secs(30));
    let sent = node.receive(CUSTOMER, bye);
    node.receive(VENDORS[1], response(&sent[0], 200, "x"));
}

/// As the actor of a dialog does it.
fn count(metrics: &CallMetrics, node: &mut Node) {
    let snapshot = node.snapshot();
    let mut live = None;
    for event in std::mem::take(&mut node.events) {
        let (dialog, at) = (event.dialog, event.at);
        if let What::Started(started) = event.what {
            let call = LiveCall::begin(dialog, (7, Duration::ZERO), at, *started).unwrap();
            metrics.on_begun(&call, &snapshot);
            live = Some(call);
            continue;
        }
        let call = live.as_mut().unwrap();
        metrics.on_event(call, &event, &snapshot);
        let before = call.pdd();
        if let Some(Effect::Cdr(cdr, _)) = call.apply(event) {
            metrics.on_ended(&cdr, &snapshot);
        }
        if let (None, Some(pdd)) = (before, call.pdd()) {
            metrics.on_pdd(call, pdd, &snapshot);
        }
    }
}

#[test]
fn a_call_that_failed_over() {
    let (registry, mut node) = (Metrics::new(), Node::new());
    let metrics = CallMetrics::new(&registry);
    call(&mut node);
    count(&metrics, &mut node);
    let page = registry.render();
    for line in [
        "warp_sip_vendor_attempts_total{vendor=\"vendor-1\"} 1",
        "warp_sip_vendor_answers_total{vendor=\"vendor-1\"} 0",
        "warp_sip_vendor_asr_ratio{vendor=\"vendor-1\"} 0",
        "warp_sip_vendor_attempts_total{vendor=\"vendor-2\"} 1",
        "warp_sip_vendor_answers_total{vendor=\"vendor-2\"} 1",
        "warp_sip_vendor_asr_ratio{vendor=\"vendor-2\"} 1",
        "warp_sip_vendor_acd_seconds{vendor=\"vendor-2\"} 30",
        "warp_sip_vendor_pdd_seconds_sum{vendor=\"vendor-2\"} 0.1",
        "warp_sip_vendor_pdd_seconds_count{vendor=\"vendor-1\"} 0",
        "warp_sip_trunk_attempts_total{trunk=\"acme-main\"} 1",
        "warp_sip_trunk_answers_total{trunk=\"acme-main\"} 1",
        "warp_sip_trunk_asr_ratio{trunk=\"acme-main\"} 1",
        "warp_sip_trunk_acd_seconds{trunk=\"acme-main\"} 30",
        "warp_sip_trunk_pdd_seconds_sum{trunk=\"acme-main\"} 0.14",
        "warp_sip_trunk_call_seconds_count{trunk=\"acme-main\"} 1",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
    }
}

#[test]
fn labels_stay_few() {
    let registry = Metrics::new();
    let metrics = CallMetrics::new(&registry);
    let names: Vec<String> = (0..PARTIES_MAX + 5).map(|number| format!("v{number}")).collect();
    for round in 1..=2 {
        for (id, name) in (0..).zip(&names) {
            metrics.vendors.of(Uuid::from_u128(id), || Some(name)).attempts.inc();
        }
        let page = registry.render();
        let lines = page.lines().filter(|line| line.starts_with("warp_sip_vendor_attempts_total{")).count();
        assert_eq!(lines, PARTIES_MAX + 1);
        let other = format!("warp_sip_vendor_attempts_total{{vendor=\"other\"}} {}", 5 * round);
        assert!(page.lines().any(|line| line == other), "{other}");
    }
    metrics.vendors.of(Uuid::max(), || None).attempts.inc();
    assert_eq!(metrics.vendors.known.read().len(), PARTIES_MAX);
}

/// Expensive calls of one trunk, all in one minute, when the node knows what is usual: one alert.
#[test]
fn toll_fraud() {
    let (registry, mut node) = (Metrics::new(), Node::new());
    let metrics = CallMetrics::new(&registry);
    call(&mut node);
    let snapshot = node.snapshot();
    let mut events = std::mem::take(&mut node.events).into_iter();
    let first = events.next().unwrap();
    let What::Started(started) = first.what else { panic!("{first:?}") };
    let live = LiveCall::begin(first.dialog, (7, Duration::ZERO), first.at, *started).unwrap();
    let mut answered = events.filter(|event| match &event.what {
        What::Attempted(attempted) => attempted.status.is_success(),
        What::Started(_) | What::Answered(_) | What::Refreshed(_) | What::Ended(_) | What::Media(_) => false,
    });
    let mut event = answered.next().unwrap();
    let What::Attempted(attempted) = &mut event.what else { panic!("{event:?}") };
    attempted.high_cost = true;
    event.at = event.at.plus(Duration::from_secs(600));
    let line = "warp_sip_toll_fraud_alerts_total{trunk=\"acme-main\"} 1";
    for calls in 1..=200 {
        metrics.on_spent(&live, &event, (&snapshot, 0));
        assert!(!registry.render().contains(line) || calls > 10, "{calls}");
        metrics.on_spent(&live, &event, (&snapshot, 8));
        assert_eq!(registry.render().contains(line), calls >= 10, "{calls}");
    }
}
