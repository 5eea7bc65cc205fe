use std::time::Duration;

use runtime::log::{Attested, CallIdentity, Verstat};
use runtime::model::Money;

use super::*;
use crate::sip::event::Answered;
use crate::sip::identities::testing::Pki;
use crate::sip::testing::{CUSTOMER, Node, VENDORS, Within, invite, response, voice};

/// A call that is up and whose events are all applied.
fn call(node: &mut Node) -> (LiveCall, Record, String) {
    call_of(node, &invite("a", "+15551234"))
}

fn call_of(node: &mut Node, invite: &str) -> (LiveCall, Record, String) {
    let sent = node.receive(CUSTOMER, invite.to_owned());
    node.now = node.now.plus(Duration::from_millis(30));
    node.receive(VENDORS[0], response(&sent[1], 180, "callee"));
    node.now = node.now.plus(Duration::from_secs(5));
    let sent = node.receive(VENDORS[0], response(&sent[1], 200, "callee"));
    let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&sent[0]);
    let mut events = std::mem::take(&mut node.events).into_iter();
    let first = events.next().unwrap();
    let What::Started(started) = first.what else { panic!("{first:?}") };
    let mut call = LiveCall::begin(first.dialog, (7, Duration::ZERO), first.at, *started).unwrap();
    let mut record = None;
    for event in events {
        if let Some(Effect::Record(written)) = call.apply(event) {
            record = Some(written);
        }
    }
    (call, record.expect("an answered call has a record"), bye)
}

fn cdr(effect: Effect) -> (Cdr, Vec<Attempt>) {
    match effect {
        Effect::Cdr(cdr, attempts) => (*cdr, attempts),
        Effect::Record(record) => panic!("{record:?}"),
    }
}

#[test]
fn what_the_record_says() {
    let mut node = Node::new();
    let (mut call, _, bye) = call(&mut node);
    let usage = node.snapshot().trunks[0].usage.clone();
    assert_eq!((call.is_up(), usage.channels()), (true, 1));
    node.now = node.now.plus(Duration::from_millis(61_001));
    let sent = node.receive(CUSTOMER, bye);
    node.now = node.now.plus(Duration::from_millis(500));
    node.receive(VENDORS[0], response(&sent[0], 200, "x"));
    let (cdr, attempts) = cdr(call.apply(node.events.pop().unwrap()).unwrap());
    assert_eq!((cdr.duration_ms, cdr.billed_seconds), (61_001, 62), "the answer to the BYE costs nobody");
    assert_eq!((cdr.status, cdr.reason, cdr.ended_by), (200, Reason::Answered, EndedBy::Caller));
    assert_eq!((cdr.pdd_us, cdr.attempts, cdr.recovered), (Some(30_000), 1, false));
    assert_eq!((&*cdr.caller, &*cdr.callee, &*cdr.call_id), ("+15550001", "+15551234", "a@192.0.2.10"));
    assert_eq!(cdr.rate, Money::from_nanos(1_000_000));
    assert_eq!(
        (attempts[0].status, attempts[0].reason, attempts[0].number),
        (Some(200), Reason::Answered, 1)
    );
    assert_eq!(usage.channels(), 0);
}

#[test]
fn another_process_ends_it_by_the_wall_clock() {
    let mut node = Node::new();
    let (before, record, _) = call(&mut node);
    assert!(record.state.len() < 1500, "{}", record.state.len());
    drop(before);
    let now = node.now.plus(Duration::from_secs(600));
    let (mut call, dialog) = LiveCall::recover(&record, now).unwrap();
    assert_eq!(dialog.id, record.id);
    assert_eq!(dialog.callee.tag(), b"callee");
    let ended = Ended::new(sip::StatusCode::OK, Reason::Recovered, None);
    let (cdr, attempts) = cdr(call.end(ended, now));
    assert_eq!((cdr.duration_ms, cdr.recovered, cdr.ended_by), (600_000, true, EndedBy::System));
    assert_eq!((cdr.id, attempts.len()), (record.id, 1));
}

/// The cookie of a BYE is told while the record of the call is found: it tells less.
#[test]
fn a_record_stands_above_a_cookie() {
    let mut node = Node::new();
    let (before, record, _) = call(&mut node);
    drop(before);
    let now = node.now.plus(Duration::from_secs(600));
    let (mut call, dialog) = LiveCall::recover(&record, now).unwrap();
    let answered = What::Answered(Box::new(Answered { dialog, channel: None }));
    assert!(call.apply(CallEvent { dialog: record.id, at: now, what: answered }).is_none());
    let ended = Ended::new(sip::StatusCode::OK, Reason::Answered, None);
    assert_eq!(cdr(call.end(ended, now)).0.duration_ms, 600_000);
}

#[test]
fn how_a_call_was_signed_stands_in_its_record_whoever_writes_it() {
    let mut voice = voice();
    voice.vendors[0].sign_calls = true;
    let mut node = Node::with_identities(voice, &Pki::new().identities());
    let (mut call, record, _) = call_of(&mut node, &invite("a", "+15551234"));
    let ended = Ended::new(sip::StatusCode::OK, Reason::Operator, None);
    let signed = CallIdentity { signed: Some(Attested::B), ..CallIdentity::default() };
    assert_eq!(cdr(call.end(ended, node.now)).0.identity, signed);
    let (mut call, _) = LiveCall::recover(&record, node.now).unwrap();
    // What the end of a call tells that never came up.
    let failed = CallIdentity { verstat: Some(Verstat::Failed), ..CallIdentity::default() };
    let ended = Ended { identity: failed, ..ended };
    let expected = CallIdentity { verstat: Some(Verstat::Failed), ..signed };
    assert_eq!(cdr(call.end(ended, node.now)).0.identity, expected);
}

#[test]
fn a_damaged_record_is_told() {
    let mut node = Node::new();
    let (_, record, _) = call(&mut node);
    for len in 0..record.state.len() {
        let damaged = Record { state: record.state.slice(..len), ..record.clone() };
        let unreadable = LiveCall::recover(&damaged, node.now).expect_err("damaged");
        let cdr = unreadable.cdr;
        assert_eq!((cdr.id, cdr.reason, cdr.recovered), (record.id, Reason::Recovered, true), "{len} octets");
        assert_eq!(cdr.answered_at, Some(record.answered_at), "{len} octets");
    }
}

/// A record in the form of another program is closed at its last sign of life, with all that any form says.
#[test]
fn a_record_of_another_form_is_closed() {
    let mut node = Node::new();
    let (_, record, _) = call(&mut node);
    let trunk = node.snapshot().trunks[0].config.clone();
    let (id, answered_at) = (record.id, record.answered_at);
    let mut state = record.state.to_vec();
    state[0] += 1;
    state.truncate(state.len() - 100);
    let updated_at = answered_at.plus(Duration::from_millis(90_500));
    let other = Record { state: state.into(), updated_at, ..record };
    let unreadable = LiveCall::recover(&other, node.now).expect_err("another form");
    assert!(unreadable.to_string().contains(&id.to_string()), "{unreadable}");
    let cdr = *unreadable.cdr;
    assert_eq!((cdr.id, cdr.customer, cdr.trunk), (id, trunk.customer, trunk.id));
    assert_eq!(
        (&*cdr.caller, &*cdr.callee, cdr.vendor),
        ("+15550001", "+15551234", Some(Uuid::from_u128(31)))
    );
    assert_eq!((cdr.duration_ms, cdr.billed_seconds, cdr.ended_at), (90_500, 91, updated_at));
    assert_eq!((cdr.status, cdr.reason, cdr.recovered), (200, Reason::Recovered, true));
    // Of a record that says nothing at all no more than its row is known.
    let nothing = Record { state: bytes::Bytes::new(), ..other };
    let cdr = *LiveCall::recover(&nothing, node.now).expect_err("nothing").cdr;
    assert_eq!((cdr.id, cdr.customer, cdr.duration_ms), (id, Uuid::nil(), 90_500));
}

/// Of headers that find no room in a record only what requests need is kept.
#[test]
fn a_call_with_long_names() {
    let mut node = Node::new();
    let long = invite("a", "+15551234").replace("From: \"A\"", &format!("From: \"{}\"", "A".repeat(5000)));
    let (_, record, _) = call_of(&mut node, &long);
    assert!(record.state.len() < DIALOG_STATE_MAX, "{}", record.state.len());
    let (_, dialog) = LiveCall::recover(&record, node.now).unwrap();
    assert_eq!(&*dialog.caller.name, b"<sip:+15550001@192.0.2.10>;tag=from-a");
    assert_eq!((dialog.caller.tag(), dialog.callee.tag()), (&b"from-a"[..], &b"callee"[..]));
}

/// A call whose targets find no room is closed by the next process, as one that was up until then.
#[test]
fn a_call_with_long_targets_is_closed_by_the_next_process() {
    let mut node = Node::new();
    let contact = format!("Contact: <sip:{}@192.0.2.10:5060>", "c".repeat(5000));
    let long = invite("a", "+15551234").replace("Contact: <sip:caller@192.0.2.10:5060>", &contact);
    let (mut call, record, _) = call_of(&mut node, &long);
    assert!(record.state.len() > DIALOG_STATE_MAX, "the log does not take it: {}", record.state.len());
    let record = call.written_to_close(record.updated_at);
    assert!(record.state.len() < DIALOG_STATE_MAX, "{}", record.state.len());
    let later = node.now.plus(Duration::from_secs(3600));
    let cdr = *LiveCall::recover(&record, later).expect_err("it has no dialog").cdr;
    assert_eq!((&*cdr.caller, &*cdr.callee, cdr.billed_seconds), ("+15550001", "+15551234", 3600));
    assert_eq!((cdr.status, cdr.reason, cdr.recovered), (200, Reason::Recovered, true));
    assert!(call.written(node.now.wall).state.len() > 5000, "it goes on here as it was");
}

#[test]
fn the_longest_call() {
    let mut voice = voice();
    voice.trunks[0].max_duration = Duration::from_secs(100);
    let mut node = Node::with(voice);
    let (before, record, _) = call(&mut node);
    assert_eq!(before.deadline(), Some(node.now.instant + Duration::from_secs(100)));
    let now = node.now.plus(Duration::from_secs(70));
    let (call, _) = LiveCall::recover(&record, now).unwrap();
    assert_eq!(call.deadline(), Some(now.instant + Duration::from_secs(30)));
}

/// Sides that agreed to refresh the session are given that time, and the time that a refresh may be under way.
#[test]
fn a_session_expires() {
    let table = [
        (Some("1800;refresher=uac"), Some(1832)),
        (Some("90"), Some(120)),
        (Some("1"), Some(120)),
        (Some("x"), None),
        (None, None),
    ];
    for (agreed, expected) in table {
        let mut node = Node::new();
        let sent = node.receive(CUSTOMER, invite("a", "+15551234"));
        let with = |message: bytes::Bytes| {
            let text = String::from_utf8(message.to_vec()).unwrap();
            let header = agreed.map(|value| format!("Session-Expires: {value}\r\n")).unwrap_or_default();
            text.replace("Content-Length:", &format!("{header}Content-Length:"))
        };
        let ok = node.receive(VENDORS[0], with(response(&sent[1], 200, "callee"))).remove(0);
        let mut events = std::mem::take(&mut node.events).into_iter();
        let first = events.next().unwrap();
        let What::Started(started) = first.what else { panic!("{first:?}") };
        let mut call = LiveCall::begin(first.dialog, (7, Duration::ZERO), first.at, *started).unwrap();
        let record = events.filter_map(|event| call.apply(event)).last().unwrap();
        let after = |call: &LiveCall, now: Now| call.expires().map(|at| (at - now.instant).as_secs());
        assert_eq!(after(&call, node.now), expected, "{agreed:?}");
        // The next process gives it as much from its beginning.
        let Effect::Record(record) = record else { panic!("{record:?}") };
        let later = node.now.plus(Duration::from_secs(3000));
        assert_eq!(after(&LiveCall::recover(&record, later).unwrap().0, later), expected, "{agreed:?}");
        // A refresh gives it anew, and ends it where the answer does not agree to another.
        for (agrees, expected) in [(true, expected), (false, None)] {
            node.now = node.now.plus(Duration::from_secs(60));
            let branch = format!("u-{agrees}");
            let update = Within { method: "UPDATE", cseq: 2, branch: &branch }.caller(&ok);
            let sent = node.receive(CUSTOMER, update);
            let answer = response(&sent[0], 200, "callee");
            if agrees {
                node.receive(VENDORS[0], with(answer));
            } else {
                node.receive(VENDORS[0], answer);
            }
            call.apply(node.events.pop().unwrap());
            assert_eq!(after(&call, node.now), expected, "{agreed:?} {agrees}");
        }
    }
}
