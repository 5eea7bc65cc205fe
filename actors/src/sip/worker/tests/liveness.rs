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
    let (mut told, mut seen, mut questions) = (Vec::new(), Vec::new(), 0);
    let mut sent = asked;
    let end = node.now.instant + time;
    while !sent.is_empty() || node.now.instant < end {
        for sent in std::mem::take(&mut sent) {
            let is_new = !seen.contains(&sent.sender);
            seen.push(sent.sender);
            let peer = sent.to.to_string();
            let [caller, callee] = answers;
            match if peer == CUSTOMER { caller } else { callee } {
                _ if sent.word() != "OPTIONS" => {
                    told.extend(is_new.then(|| format!("{}>{peer}", sent.word())))
                }
                Some(code) => {
                    let sent = node.receive(&peer, response(&sent, code, "x"));
                    seen.extend(sent.iter().map(|sent| sent.sender));
                    told.extend(words(&sent));
                }
                None => {}
            }
            questions += usize::from(is_new && sent.word() == "OPTIONS");
        }
        sent = node.pass(SECOND);
    }
    (told, questions)
}

/// The first of each request.
fn once(sent: Vec<Sent>) -> Vec<Sent> {
    let mut seen = Vec::new();
    sent.into_iter()
        .filter(|sent| {
            seen.push(sent.sender);
            seen.iter().filter(|sender| **sender == sent.sender).count() == 1
        })
        .collect()
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
        let (told, questions) = converse(&mut node, asked, [caller, callee], 110 * SECOND);
        let silent = [caller, callee].iter().any(|code| matches!(code, None | Some(408)));
        assert_eq!(questions, if silent { 4 } else { 2 }, "{what}");
        let byes = told.iter().filter(|word| word.starts_with("BYE>198")).count();
        assert_eq!(byes > 0, ends, "{what}: {told:?}");
        assert_eq!(node.worker.dialogs(), usize::from(!ends), "{what}");
        if ends {
            let ended = node.events.last().unwrap();
            let ago = node.now.instant.duration_since(ended.at.instant);
            assert_eq!(ago < 120 * SECOND, until_now, "{what}: {ago:?}");
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
        let again = node.pass(40 * SECOND).into_iter().filter(|sent| !first.contains(&sent.sender)).collect();
        let (told, questions) = converse(&mut node, again, [Some(200); 2], 300 * SECOND);
        assert_eq!((told.len(), questions, node.worker.dialogs()), (0, 2, 1), "{silent:?}");
        assert!(node.happened().is_empty(), "{silent:?}");
    }
}

/// Sides that are silent in turns are asked once more, and not for ever.
#[test]
fn sides_that_are_silent_in_turns() {
    let mut node = Node::new();
    let (_, asked) = asked(&mut node);
    let (mut told, mut questions) = converse(&mut node, asked, [None, Some(200)], 61 * SECOND);
    let again = node.pass(2 * SECOND);
    let (more, others) = converse(&mut node, again, [Some(200), None], 300 * SECOND);
    told.extend(more);
    questions += others;
    assert_eq!((told.len(), questions, node.worker.dialogs()), (0, 4, 1), "{told:?}");
}

/// What could not be asked is asked when there may be room, or a connection, again.
#[test]
fn sides_that_cannot_be_asked() {
    let mut node = Node::new();
    let (_, asked) = asked(&mut node);
    for asked in &asked {
        assert!(node.undelivered(asked).is_empty());
    }
    let again = once(node.pass(31 * SECOND));
    assert_eq!(words(&again), ["OPTIONS>192.0.2.10:5060", "OPTIONS>198.51.100.1:5060"]);
    let (told, _) = converse(&mut node, again, [Some(481), Some(481)], SECOND);
    assert_eq!(told, ["BYE>192.0.2.10:5060", "BYE>198.51.100.1:5060"]);
}

/// A question is not asked anew while the last one waits for its answer: that would never be found silent.
#[test]
fn questions_that_overlap() {
    let mut node = Node::new();
    let (dialog, first) = asked(&mut node);
    node.receive(VENDORS[0], response(&first[1], 200, "x"));
    node.pass(10 * SECOND);
    for _ in 0..3 {
        assert!(node.handle(vec![Input::Check(dialog)]).is_empty());
    }
    let again = node
        .pass(53 * SECOND)
        .into_iter()
        .filter(|sent| !first.iter().any(|asked| asked.sender == sent.sender));
    let (told, _) = converse(&mut node, again.collect(), [None, Some(200)], 40 * SECOND);
    assert_eq!(told.iter().filter(|word| *word == "BYE>198.51.100.1:5060").count(), 1, "{told:?}");
    assert_eq!(node.happened(), ["ended 200 dead_call None"]);
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
        let asked = once(node.pass(5 * SECOND));
        let options = asked.iter().filter(|sent| sent.word() == "OPTIONS").count();
        assert_eq!(options, if has_credentials { 0 } else { 2 }, "{:?}", words(&asked));
        let (told, _) = converse(&mut node, asked, [Some(481), Some(200)], 10 * SECOND);
        assert_eq!(told.iter().any(|word| word == "BYE>198.51.100.1:5060"), !has_credentials, "{told:?}");
        assert_eq!(node.happened(), [ended]);
    }
}

/// However many BYEs end nothing, their call is asked for once.
#[test]
fn one_question_for_all_byes() {
    let mut node = Node::new();
    let (_, ok) = answered(&mut node, "a");
    for cseq in 2..6 {
        let bye = Within { method: "BYE", cseq, branch: &format!("bye-{cseq}") }.caller(&ok);
        let sent = node.receive(CUSTOMER, bye);
        node.receive(VENDORS[0], response(&sent[0], 407, "x"));
        node.pass(SECOND);
    }
    let asked = once(node.pass(SECOND));
    let (told, questions) = converse(&mut node, asked, [Some(200); 2], 20 * SECOND);
    assert_eq!((told.len(), questions, node.worker.dialogs()), (0, 2, 1), "{told:?}");
}

/// A side that said that it has no call is not believed to have it because it cannot be asked again.
#[test]
fn a_side_that_has_no_call_and_cannot_be_asked_again() {
    let mut node = Node::new();
    let (_, asked) = asked(&mut node);
    converse(&mut node, asked, [Some(481), None], 61 * SECOND);
    let again = once(node.pass(2 * SECOND));
    let [first, second] = &again[..] else { panic!("{:?}", words(&again)) };
    node.undelivered(first);
    node.receive(VENDORS[0], response(second, 200, "x"));
    assert_eq!(node.happened(), ["ended 200 dead_call None"]);
}
