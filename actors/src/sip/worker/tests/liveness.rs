use uuid::Uuid;

use super::*;
use crate::sip::worker::Input;

/// A call that was last heard of ten minutes ago, after a minute of talk; what the sides are asked about it.
fn asked(node: &mut Node) -> (Uuid, Vec<Sent>) {
    let (_, ok) = answered(node, "a");
    let dialog = node.events[0].dialog;
    node.pass(60 * SECOND);
    let update = Within { method: "UPDATE", cseq: 2, branch: "u" }.caller(&ok);
    let sent = node.receive(CUSTOMER, update);
    node.receive(VENDORS[0], response(&sent[0], 200, "x"));
    node.happened();
    node.pass(600 * SECOND);
    let asked = node.handle(vec![Input::Check(dialog)]);
    assert_eq!(words(&asked), ["OPTIONS>192.0.2.10:5060", "OPTIONS>198.51.100.1:5060"]);
    (dialog, asked)
}

/// Caller and callee answer what they are asked so, or nothing, as long as this takes; what they are sent besides, and
/// how often they are asked.
fn converse(
    node: &mut Node,
    asked: Vec<Sent>,
    answers: [Option<u16>; 2],
    time: Duration,
) -> (Vec<String>, usize) {
    let (mut told, mut questions) = (Vec::new(), Vec::new());
    let mut sent = asked;
    let end = node.now.instant + time;
    while !sent.is_empty() || node.now.instant < end {
        for sent in std::mem::take(&mut sent) {
            let peer = sent.to.to_string();
            let [caller, callee] = answers;
            let code = if peer == CUSTOMER { caller } else { callee };
            match code {
                _ if sent.word() != "OPTIONS" => told.push(format!("{}>{peer}", sent.word())),
                Some(code) => {
                    let answer = response(&sent, code, "x");
                    told.extend(words(&node.receive(&peer, answer)));
                }
                None => {}
            }
            if sent.word() == "OPTIONS" && !questions.contains(&sent.sender) {
                questions.push(sent.sender);
            }
        }
        sent = node.pass(SECOND);
    }
    (told, questions.len())
}

/// Both sides are asked whether the call is up; one that does not know it, or is silent twice, ends it, and the other is
/// told. It costs for as long as either of them had it.
#[test]
fn dead_calls_are_found() {
    // What the caller and the callee answer, whether that is the end, and whether it was up until then.
    let cases: [(Option<u16>, Option<u16>, bool, bool); 10] = [
        (Some(200), Some(200), false, true),
        (Some(405), Some(200), false, true),
        (Some(481), Some(200), true, true),
        (None, Some(200), true, true),
        (Some(408), Some(200), true, true),
        (Some(200), Some(481), true, true),
        (Some(200), None, true, true),
        (Some(481), Some(481), true, false),
        (Some(481), None, true, false),
        (None, None, true, false),
    ];
    for (caller, callee, ends, until_now) in cases {
        let what = format!("{caller:?} {callee:?}");
        let mut node = Node::new();
        let (_, asked) = asked(&mut node);
        assert!(asked[1].text().contains("CSeq: 2 OPTIONS\r\n"), "in nobody's way: {}", asked[1].text());
        assert!(asked[0].text().contains("CSeq: 0 OPTIONS\r\n"), "the callee sent none: {}", asked[0].text());
        let (told, questions) = converse(&mut node, asked, [caller, callee], 66 * SECOND);
        let silent = [caller, callee].iter().any(|code| matches!(code, None | Some(408)));
        assert_eq!(questions, if silent { 4 } else { 2 }, "{what}");
        let byes = told.iter().filter(|word| word.starts_with("BYE>198")).count();
        assert_eq!(byes > 0, ends, "{what}: {told:?}");
        assert_eq!(node.worker.dialogs(), usize::from(!ends), "{what}");
        if ends {
            let ended = node.events.last().unwrap();
            let ago = node.now.instant.duration_since(ended.at.instant);
            assert_eq!(ago < 70 * SECOND, until_now, "{what}: {ago:?}");
            assert_eq!(node.happened(), ["ended 200 dead_call None"], "{what}");
        }
    }
}

/// What is lost once ends no call.
#[test]
fn a_side_that_is_silent_once() {
    for silent in [[None, Some(200)], [Some(200), None], [None, None]] {
        let mut node = Node::new();
        let (_, asked) = asked(&mut node);
        let first: Vec<u64> = asked.iter().map(|sent| sent.sender).collect();
        let (told, _) = converse(&mut node, asked, silent, 30 * SECOND);
        assert!(told.is_empty(), "{told:?}");
        let again = node.pass(4 * SECOND).into_iter().filter(|sent| !first.contains(&sent.sender)).collect();
        let (told, questions) = converse(&mut node, again, [Some(200); 2], 300 * SECOND);
        assert_eq!((told.len(), questions, node.worker.dialogs()), (0, 2, 1), "{silent:?}");
        assert!(node.happened().is_empty(), "{silent:?}");
    }
}

/// An answer to an earlier question says nothing of a later one.
#[test]
fn questions_that_overlap() {
    let mut node = Node::new();
    let (dialog, first) = asked(&mut node);
    node.receive(VENDORS[0], response(&first[1], 200, "x"));
    node.pass(10 * SECOND);
    for _ in 0..3 {
        let next = node.handle(vec![Input::Check(dialog)]);
        for (from, asked) in [(CUSTOMER, &next[0]), (VENDORS[0], &next[1])] {
            node.receive(from, response(asked, 200, "x"));
        }
        node.pass(10 * SECOND);
    }
    assert_eq!((node.happened().len(), node.worker.dialogs()), (0, 1), "the silence was of the first");
    // Nor does a late word of one that is over.
    node.receive(CUSTOMER, response(&first[0], 481, "x"));
    assert_eq!(node.worker.dialogs(), 1);
}

/// Who says that it knows no call does not say what it pays, where the other side cannot be asked.
#[test]
fn a_call_that_one_side_denies_costs_until_then() {
    let mut node = Node::new();
    let (_, asked) = asked(&mut node);
    node.undelivered(&asked[1]);
    assert!(node.happened().is_empty(), "the other side may be there");
    node.receive(CUSTOMER, response(&asked[0], 481, "x"));
    assert_eq!(node.events.last().map(|event| event.at.instant), Some(node.now.instant));
    assert_eq!(node.happened(), ["ended 200 dead_call None"]);
}

/// Who has no credentials for its BYE gives the call up all the same: it is asked, and the other side is told.
#[test]
fn a_bye_that_ends_nothing() {
    for (has_credentials, ended) in
        [(true, "ended 200 answered Some(Caller)"), (false, "ended 200 dead_call None")]
    {
        let mut node = Node::new();
        let (_, ok) = answered(&mut node, "a");
        node.happened();
        let bye = Within { method: "BYE", cseq: 2, branch: "bye" }.caller(&ok);
        let sent = node.receive(CUSTOMER, bye);
        node.receive(VENDORS[0], response(&sent[0], 407, "x"));
        node.pass(SECOND);
        if has_credentials {
            let bye = Within { method: "BYE", cseq: 3, branch: "again" }.caller(&ok);
            let sent = node.receive(CUSTOMER, bye);
            node.receive(VENDORS[0], response(&sent[0], 200, "x"));
        }
        let asked = node.pass(5 * SECOND);
        assert_eq!(asked.iter().any(|sent| sent.word() == "OPTIONS"), !has_credentials);
        let (told, _) = converse(&mut node, asked, [Some(481), Some(200)], 10 * SECOND);
        assert_eq!(told.iter().any(|word| word == "BYE>198.51.100.1:5060"), !has_credentials, "{told:?}");
        assert_eq!(node.happened(), [ended]);
    }
}
