use proptest::prelude::*;

use super::*;

/// One message taken through some events.
#[derive(Clone, Copy, Debug)]
enum Event {
    Submitted,
    Accepted,
    Refused,
    Unknown,
    Reached,
    Unanswered,
    Sent,
    Withheld,
    Delivered,
    Failed,
}
use Event::*;

fn after(events: &[Event], receipts: bool) -> (Tally, bool) {
    let ledger = Ledger::new(1, receipts);
    let id = ledger.issue(1).start;
    let now = Instant::now();
    for event in events {
        match event {
            Submitted => ledger.submitted(id, now),
            Accepted => drop(ledger.accepted(id, b"abc")),
            Refused => ledger.refused(id),
            Unknown => ledger.unknown(id),
            Reached => drop(ledger.reached(id)),
            Unanswered => ledger.unanswered(id),
            Sent => ledger.receipt_sent(id),
            Withheld => ledger.receipt_withheld(id),
            Delivered => drop(ledger.receipt_seen(b"abc", Final::Delivered, now)),
            Failed => drop(ledger.receipt_seen(b"abc", Final::Failed, now)),
        }
    }
    (ledger.tally(), ledger.is_settled())
}

#[tokio::test]
async fn verdicts() {
    // events, (lost messages, lost receipts, duplicate messages, duplicate receipts, failed), settled
    let table: &[(&[Event], [u64; 5], bool)] = &[
        (&[Submitted], [0, 0, 0, 0, 0], true),
        (&[Submitted, Unknown], [0, 0, 0, 0, 0], true),
        (&[Submitted, Unknown, Reached], [0, 0, 0, 0, 0], true),
        (&[Submitted, Refused], [0, 0, 0, 0, 1], true),
        (&[Submitted, Accepted], [1, 0, 0, 0, 0], false),
        (&[Submitted, Accepted, Failed], [0, 0, 0, 0, 1], true),
        (&[Submitted, Accepted, Delivered], [1, 0, 0, 0, 0], true),
        (&[Submitted, Accepted, Reached], [0, 0, 0, 0, 0], false),
        (&[Submitted, Accepted, Reached, Withheld], [0, 0, 0, 0, 0], true),
        (&[Submitted, Accepted, Reached, Sent], [0, 1, 0, 0, 0], false),
        (&[Submitted, Reached, Sent, Accepted, Delivered], [0, 0, 0, 0, 0], true),
        (&[Submitted, Reached, Sent, Delivered, Accepted], [0, 0, 0, 0, 0], true),
        (&[Submitted, Reached, Sent, Delivered, Delivered, Accepted], [0, 0, 0, 1, 0], true),
        (&[Submitted, Accepted, Reached, Sent, Delivered, Delivered, Failed], [0, 0, 0, 2, 1], true),
        (&[Submitted, Accepted, Reached, Reached, Sent, Delivered], [0, 0, 1, 0, 0], true),
    ];
    for (events, [messages, receipts, copies, again, failed], settled) in table {
        let (tally, is_settled) = after(events, true);
        assert_eq!(tally.lost_messages, *messages, "{events:?}");
        assert_eq!(tally.lost_receipts, *receipts, "{events:?}");
        assert_eq!(tally.duplicate_messages, *copies, "{events:?}");
        assert_eq!(tally.duplicate_receipts, *again, "{events:?}");
        assert_eq!(tally.failed(), *failed, "{events:?}");
        assert_eq!(tally.unmatched_receipts, 0, "{events:?}");
        assert_eq!(is_settled, *settled, "{events:?}");
    }
}

#[tokio::test]
async fn a_copy_of_an_unanswered_message_is_uncertain() {
    let (tally, _) = after(&[Submitted, Accepted, Reached, Unanswered, Reached], false);
    assert_eq!((tally.duplicates(), tally.duplicates_uncertain), (1, 1));
}

#[tokio::test]
async fn without_receipts_the_smsc_settles() {
    assert!(!after(&[Submitted, Accepted], false).1);
    assert!(after(&[Submitted, Accepted, Reached], false).1);
    assert!(after(&[Submitted, Reached, Accepted], false).1);
}

#[tokio::test]
async fn a_receipt_for_nobody_is_unmatched() {
    let ledger = Ledger::new(1, true);
    assert_eq!(ledger.receipt_seen(b"who", Final::Delivered, Instant::now()), Seen::Early);
    assert_eq!(ledger.tally().unmatched_receipts, 1);
}

#[tokio::test(start_paused = true)]
async fn latencies_start_at_submission_early_or_not() {
    let ledger = Ledger::new(1, true);
    let ids = ledger.issue(2);
    let start = Instant::now();
    ids.clone().for_each(|id| ledger.submitted(id, start));
    assert_eq!(ledger.accepted(ids.start, b"first"), None);
    let late = start + Duration::from_millis(7);
    assert_eq!(ledger.receipt_seen(b"first", Final::Delivered, late), Seen::First(Duration::from_millis(7)));
    assert_eq!(
        ledger.receipt_seen(b"second", Final::Delivered, start + Duration::from_millis(3)),
        Seen::Early
    );
    assert_eq!(ledger.accepted(ids.start + 1, b"second"), Some(Duration::from_millis(3)));
    assert_eq!(ledger.live().unmatched.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn ids_that_were_never_issued_are_ignored() {
    let ledger = Ledger::new(1, true);
    assert!(!ledger.reached(5));
    assert_eq!(ledger.tally(), Tally::default());
}

#[tokio::test]
async fn many_messages_match_across_growth() {
    let ledger = Ledger::new(1, true);
    let now = Instant::now();
    for id in ledger.issue(200_000) {
        ledger.submitted(id, now);
        ledger.accepted(id, format!("{id:016x}").as_bytes());
    }
    for id in 0..200_000 {
        assert!(matches!(
            ledger.receipt_seen(format!("{id:016x}").as_bytes(), Final::Delivered, now),
            Seen::First(_)
        ));
    }
    assert_eq!(ledger.tally().receipts_seen, 200_000);
}

proptest! {
    #[test]
    fn any_order_of_a_good_life_is_clean(order in Just([Accepted, Reached, Sent, Delivered]).prop_shuffle()) {
        let events: Vec<Event> = [Submitted].into_iter().chain(order).collect();
        let (tally, settled) = after(&events, true);
        prop_assert_eq!(tally.lost() + tally.duplicates() + tally.failed() + tally.unmatched_receipts, 0);
        prop_assert!(settled);
    }
}
