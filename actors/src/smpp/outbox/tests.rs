use std::time::Duration;

use bytes::Bytes;
use runtime::log::{Disk, Limits, MessageLog, OutboxKind, SimLog};
use runtime::random::Random;
use uuid::Uuid;

use super::*;

fn row(id: i64) -> OutboxRow {
    OutboxRow {
        id,
        account: Uuid::nil(),
        message: id,
        kind: OutboxKind::Receipt,
        spilled: false,
        expires_at: 0,
        body: Bytes::new(),
    }
}

fn ids(outbox: &Outbox) -> Vec<i64> {
    std::iter::from_fn(|| match outbox.next() {
        Next::Delivery(delivery) => Some(delivery.row.id),
        Next::Wait(_) | Next::Empty => None,
    })
    .collect()
}

fn live(id: i64) -> Delivery {
    Delivery { backlog: false, ..Delivery::read_back(row(id)) }
}

fn spill(outbox: &Outbox, id: i64) {
    outbox.reserve(0);
    outbox.spilled(outbox.announce(|| id));
}

/// A log that commits only when it is run.
fn tickets() -> MessageLog {
    let disk = SimLog::new(Disk::default(), Random::seeded(1));
    MessageLog::new(Arc::new(disk), Limits::default())
}

fn append(log: &MessageLog, outbox: &Outbox, id: i64) -> Ticket {
    assert!(outbox.reserve(10));
    let ticket = log.append(|batch| batch.outbox.push(row(id)));
    outbox.push(row(id), ticket.clone());
    ticket
}

fn receiver(outbox: &Outbox, free: u32) -> Arc<Receiver> {
    let receiver = Arc::new(Receiver::default());
    receiver.free.store(free, Ordering::Release);
    outbox.join(Arc::clone(&receiver));
    receiver
}

async fn is_woken(receiver: &Receiver) -> bool {
    tokio::time::timeout(Duration::ZERO, receiver.wake.notified()).await.is_ok()
}

#[test]
fn live_and_backlog_take_turns() {
    let outbox = Outbox::default();
    outbox.give_back([live(10), live(11), live(12)].into_iter());
    spill(&outbox, 5);
    assert_eq!(outbox.wants_backlog(), Some((0, 5)));
    assert_eq!(outbox.wants_backlog(), None, "one load at a time");
    outbox.loaded(vec![row(1), row(2)], 5, 2);
    assert_eq!(ids(&outbox), [10, 1, 11, 2, 12]);
    assert_eq!(outbox.wants_backlog(), Some((2, 5)));
    outbox.loaded(Vec::new(), 5, 2);
    assert_eq!(outbox.wants_backlog(), None);
}

#[test]
fn what_a_session_could_not_finish_comes_again_in_order() {
    let outbox = Outbox::default();
    outbox.give_back([live(3)].into_iter());
    outbox.give_back([live(1), live(2)].into_iter());
    assert_eq!(ids(&outbox), [1, 2, 3]);
}

#[test]
fn memory_is_bounded() {
    let outbox = Outbox::default();
    outbox.join(Arc::default());
    assert!(outbox.reserve(2) && outbox.reserve(2));
    assert!(!outbox.reserve(2));
    outbox.release(&live(1));
    assert!(outbox.reserve(2));
}

#[test]
fn nobody_receives_so_little_stays_in_memory() {
    let outbox = Outbox::default();
    let held = (0..300).filter(|_| outbox.reserve(10_000)).count();
    assert_eq!(held, ABSENT_MAX);
}

#[test]
fn no_page_passes_a_row_that_is_not_in_the_log_yet() {
    let outbox = Outbox::default();
    outbox.announce(|| 100);
    spill(&outbox, 101);
    assert_eq!(outbox.wants_backlog(), Some((0, 99)));
    // 101 is there by now, 100 is not.
    outbox.loaded(vec![row(101)], 99, 10);
    assert!(ids(&outbox).is_empty());
    assert_eq!(outbox.wants_backlog(), None);
    outbox.spilled(100);
    assert_eq!(outbox.wants_backlog(), Some((99, 101)));
    outbox.loaded(vec![row(100), row(101)], 101, 10);
    assert_eq!(ids(&outbox), [100, 101]);
    assert_eq!(outbox.wants_backlog(), None);
}

#[test]
fn a_row_that_the_log_refused_holds_up_nothing() {
    let outbox = Outbox::default();
    outbox.reserve(0);
    let refused = OutboxRow { spilled: true, ..row(outbox.announce(|| 100)) };
    spill(&outbox, 101);
    outbox.withdraw(&refused);
    assert_eq!(outbox.wants_backlog(), Some((0, 101)));
    assert!(!outbox.exceeds(1));
}

#[test]
fn the_oldest_go_first_wherever_they_are() {
    let outbox = Outbox::default();
    let excess = |max| outbox.take_excess(max).iter().map(|gone| gone.row.id).collect::<Vec<_>>();
    for _ in 0..2 {
        outbox.reserve(10);
    }
    outbox.give_back([live(1), live(2)].into_iter());
    spill(&outbox, 3);
    spill(&outbox, 4);
    assert!(outbox.exceeds(3) && !outbox.exceeds(4));
    assert_eq!(excess(1), [1, 2], "the third is in the log only");
    assert_eq!(outbox.wants_backlog(), Some((0, 4)));
    outbox.loaded(vec![row(3), row(4)], 4, 10);
    assert_eq!(excess(1), [3]);
    assert_eq!(ids(&outbox), [4]);
}

#[test]
fn what_retention_has_deleted_is_owed_no_more() {
    let outbox = Outbox::default();
    (1..=5).for_each(|id| spill(&outbox, id));
    assert!(outbox.exceeds(4));
    assert_eq!(outbox.wants_backlog(), Some((0, 5)));
    outbox.loaded(vec![row(5)], 5, 10);
    assert!(outbox.exceeds(0) && !outbox.exceeds(1), "the four before it had expired");
    assert_eq!(ids(&outbox), [5]);
}

#[test]
fn rows_of_an_earlier_life_are_older_and_count_when_read() {
    let outbox = Outbox::default();
    outbox.recovered(10);
    outbox.reserve(10);
    outbox.reserve(10);
    outbox.give_back([live(11), live(12)].into_iter());
    assert!(outbox.take_excess(1).is_empty(), "those in the log are older");
    assert_eq!(outbox.wants_backlog(), Some((0, 10)));
    outbox.loaded(vec![row(5)], 10, 10);
    let gone: Vec<i64> = outbox.take_excess(1).iter().map(|gone| gone.row.id).collect();
    assert_eq!(gone, [5, 11]);
}

#[test]
fn the_last_session_leaves_little_behind() {
    let outbox = Outbox::default();
    let receiver = receiver(&outbox, 1);
    for _ in 0..150 {
        assert!(outbox.reserve(1000));
    }
    outbox.give_back((1..=150).map(live));
    spill(&outbox, 200);
    assert!(outbox.wants_backlog().is_some());
    outbox.loaded(vec![row(200)], 200, 10);
    assert!(outbox.unload().is_empty(), "a session is there");
    outbox.leave(&receiver);
    let moved: Vec<i64> = outbox.unload().iter().map(|moved| moved.row.id).collect();
    assert_eq!(moved, (101..=150).collect::<Vec<_>>());
    assert_eq!(outbox.depth(), ABSENT_MAX);
    assert_eq!(outbox.wants_backlog(), Some((199, 200)), "the backlog is read again");
}

#[tokio::test]
async fn a_commit_wakes_one_session_and_that_passes_on_what_it_cannot_take() {
    let (outbox, log) = (Outbox::default(), tickets());
    let (first, second) = (receiver(&outbox, 1), receiver(&outbox, 1));
    append(&log, &outbox, 1);
    assert!(is_woken(&first).await != is_woken(&second).await);
    assert!(outbox.waiting(&first).is_some());
    assert!(outbox.waiting(&second).is_none(), "one waits");
    append(&log, &outbox, 2);
    assert!(!is_woken(&first).await && !is_woken(&second).await, "the commit will");
    outbox.rest(&first, 0);
    assert!(is_woken(&second).await);
    assert!(outbox.waiting(&second).is_some());
}

/// What receives may be there before the log has been looked through.
#[tokio::test]
async fn a_receiver_that_was_there_first_is_told_what_the_log_has() {
    let outbox = Outbox::default();
    let early = receiver(&outbox, 5);
    outbox.recovered(7);
    assert!(is_woken(&early).await);
    assert_eq!(outbox.wants_backlog(), Some((0, 7)));
}

/// One that can send nothing is as good as away: little is kept in memory for it.
#[test]
fn a_receiver_that_is_stuck_counts_as_none() {
    let outbox = Outbox::default();
    let stuck = receiver(&outbox, 0);
    stuck.is_stuck.store(true, Ordering::Relaxed);
    let kept = (0..ABSENT_MAX + 5).filter(|_| outbox.reserve(10_000)).count();
    assert_eq!(kept, ABSENT_MAX);
    stuck.is_stuck.store(false, Ordering::Relaxed);
    assert!(outbox.reserve(10_000));
}
