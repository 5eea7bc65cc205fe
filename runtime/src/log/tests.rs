mod amended;
mod calls;
mod cost;
mod engines;
mod faults;
mod recent;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::*;
use crate::random::Random;
use crate::store::testing::{Engine, each_engine};

fn row(id: i64) -> MessageRow {
    MessageRow {
        id,
        direction: Direction::Mt,
        customer: Uuid::from_u128(1),
        account: Uuid::from_u128(2),
        parent: None,
        part: 0,
        answered_as: None,
        segments: 1,
        source: "WARP".into(),
        destination: "15550001111".into(),
        alphabet: 0,
        registered_delivery: 1,
        priority: 2,
        accepted_at: 10,
        expires_at: 1000 + id,
        hold: 0,
        progress: Progress {
            state: State::Queued,
            vendor: Some(Uuid::from_u128(3)),
            route: None,
            uncertain: Uncertain::Retry,
            attempts: 0,
            submitted_at: None,
            done_at: None,
            deadline: Some(1000 + id),
            vendor_message_id: None,
            dlr_hash: None,
            command_status: None,
            error: None,
        },
        frame: Bytes::from_static(b"frame"),
    }
}

fn enroute(id: i64, hash: i64) -> Progress {
    Progress {
        state: State::Enroute,
        attempts: 1,
        submitted_at: Some(20),
        vendor_message_id: Some(format!("v{id}").into()),
        dlr_hash: Some(hash),
        ..row(id).progress
    }
}

fn owed(id: i64, account: u128) -> OutboxRow {
    OutboxRow {
        id,
        account: Uuid::from_u128(account),
        message: id,
        kind: OutboxKind::Receipt,
        spilled: false,
        expires_at: 5000,
        body: Bytes::from_static(b"body"),
    }
}

fn submission(message: i64, item: u16) -> Submission {
    Submission {
        message,
        key: Some("key".into()),
        item,
        hash: [1, 2, 3].into(),
        callback_url: (item > 0).then(|| "https://example.com/".into()),
    }
}

/// The contract of [`LogStore`], run against every implementation.
async fn contract(store: Arc<dyn LogStore>) {
    let mut batch = Batch::default();
    for id in 1..=299 {
        batch.accept(row(id));
    }
    let part = MessageRow { parent: Some(299), part: 2, answered_as: Some(298), ..row(300) };
    batch.accept(part.clone());
    batch.change(5, enroute(5, 77));
    batch.outbox.extend((1..=10).map(|id| owed(id, if id % 2 == 0 { 8 } else { 9 })));
    batch.parked.push(ParkedRow { id: 1, vendor: Uuid::from_u128(3), received_at: 1, body: Bytes::new() });
    store.commit(&batch).await.unwrap();
    // A batch whose commit was in doubt comes again as it was.
    store.commit(&batch).await.unwrap();
    assert_eq!(store.counts().await.unwrap(), Counts { queued: 299, in_doubt: 0, enroute: 1, outbox: 10 });
    assert_eq!(store.message(7).await.unwrap(), Some(row(7)));
    assert_eq!(store.parts(299).await.unwrap(), [part]);
    assert_eq!(store.by_dlr_hash(&[1, 77, 77]).await.unwrap()[0].progress, enroute(5, 77));

    let page = store.live(State::Queued, 4, 3).await.unwrap();
    assert_eq!(page.iter().map(|row| row.id).collect::<Vec<_>>(), [6, 7, 8]);
    assert_eq!(store.due(State::Queued, 1003, 10).await.unwrap().len(), 3);
    assert_eq!(store.next_due(State::Queued).await.unwrap(), Some(1001));
    assert_eq!(store.next_due(State::Scheduled).await.unwrap(), None);

    assert_eq!(store.outbox(Uuid::from_u128(8), 0, 10).await.unwrap(), []);
    store.open().await.unwrap();
    let spilled = store.outbox(Uuid::from_u128(8), 2, 10).await.unwrap();
    assert_eq!(spilled.iter().map(|row| row.id).collect::<Vec<_>>(), [4, 6, 8, 10]);
    assert_eq!(spilled[0].body, "body");

    let mut batch = Batch::default();
    let done = Progress { state: State::Delivered, dlr_hash: None, deadline: None, ..enroute(5, 77) };
    batch.change(5, enroute(5, 78));
    batch.change(5, done.clone());
    // Not as many as any statement takes.
    let mut undone: Vec<i64> = vec![6, 21, 22, 23, 300];
    for id in &undone {
        batch.change(*id, Progress { state: State::Expired, deadline: None, ..row(*id).progress });
    }
    batch.outbox_done.extend([2, 4]);
    batch.submissions.extend([submission(7, 1), submission(6, 0)]);
    batch.unparked.push(1);
    let frame = Bytes::from_static(b"other");
    let other = Contents { alphabet: 3, registered_delivery: 2, expires_at: 77, frame };
    batch.contents.push((7, other.clone()));
    batch.outbox.push(owed(11, 9));
    store.commit(&batch).await.unwrap();
    assert_eq!(store.message(5).await.unwrap().unwrap().progress, done);
    undone.retain(|id| *id != 300);
    for id in &undone {
        assert_eq!(store.message(*id).await.unwrap().unwrap().progress.state, State::Expired);
    }
    let Contents { alphabet, registered_delivery, expires_at, frame } = other;
    let replaced = MessageRow { alphabet, registered_delivery, expires_at, frame, ..row(7) };
    assert_eq!(store.message(7).await.unwrap(), Some(replaced));
    assert_eq!(store.by_dlr_hash(&[77, 78]).await.unwrap(), []);
    assert_eq!(store.outbox(Uuid::from_u128(8), 0, 10).await.unwrap().len(), 3);
    assert_eq!(store.parked(0, 10).await.unwrap(), []);
    let of_the_request = store.submissions("key").await.unwrap();
    assert_eq!(of_the_request, [submission(6, 0), submission(7, 1)]);
    assert_eq!(store.submissions("other").await.unwrap(), []);
    assert_eq!(store.submission(7).await.unwrap(), Some(submission(7, 1)));

    retention(&*store).await;
}

/// Messages 5, 6, 21, 22, 23 are final, and 300, a part of 299; the others live.
async fn retention(store: &dyn LogStore) {
    let orphan = |id: i64| ParkedRow { id, vendor: Uuid::from_u128(3), received_at: 1, body: Bytes::new() };
    let mut batch = Batch::default();
    batch.parked.extend([orphan(2), orphan(3), orphan(9)]);
    batch.orphaned.extend([2, 9]);
    store.commit(&batch).await.unwrap();
    // What is owed stays however old it is, until it expires.
    let old = Horizon { after: 0, before: 6, now: 4999, calls_before: Timestamp::default() };
    let found = store.outdated(old, 100).await.unwrap();
    assert_eq!(found, Outdated { messages: vec![5], orphans: vec![2], outbox: vec![], calls: vec![] });
    let all = Horizon { before: 301, now: 5000, ..old };
    // A clock that was set back.
    let none = store.outdated(Horizon { after: 9, before: 2, now: 0, ..old }, 9).await.unwrap();
    assert_eq!(none, Outdated::default());
    let found = store.outdated(all, 1).await.unwrap();
    assert_eq!(found.messages, [5]);
    assert_eq!((found.orphans.len(), found.outbox.len()), (1, 1));
    assert_eq!(store.outdated(Horizon { after: 5, ..all }, 100).await.unwrap().messages, [6, 21, 22, 23]);
    // Number 11 is in memory: whoever holds it gives it up.
    let mut outbox = store.outdated(all, 100).await.unwrap().outbox;
    outbox.sort_unstable();
    assert_eq!(outbox, [1, 3, 5, 6, 7, 8, 9, 10]);

    let mut batch = Batch::default();
    batch.purged.extend([5, 21, 22, 23, 999]);
    batch.unparked.push(2);
    batch.outbox_done = outbox;
    store.commit(&batch).await.unwrap();
    assert_eq!(store.counts().await.unwrap().outbox, 1);
    assert_eq!(store.highest_id().await.unwrap(), 300);
    assert_eq!(store.message(5).await.unwrap(), None);
    let left = Outdated { messages: vec![6], orphans: vec![9], outbox: vec![], calls: vec![] };
    assert_eq!(store.outdated(all, 100).await.unwrap(), left, "299 still needs its part");
    let mut batch = Batch::default();
    batch.change(299, Progress { state: State::Delivered, deadline: None, ..row(299).progress });
    store.commit(&batch).await.unwrap();
    assert_eq!(store.outdated(all, 100).await.unwrap().messages, [6, 299, 300]);
    let mut batch = Batch::default();
    batch.purged.push(6);
    store.commit(&batch).await.unwrap();
    assert_eq!(store.submission(6).await.unwrap(), None);
    assert_eq!(store.submission(7).await.unwrap(), Some(submission(7, 1)), "its message is there");
}

#[tokio::test]
async fn sql_keeps_the_contract() {
    each_engine(async |engine: Engine| contract(Arc::new(SqlLog::new(engine.log.clone()))).await).await;
}

#[tokio::test(start_paused = true)]
async fn the_simulated_log_keeps_the_contract() {
    contract(Arc::new(SimLog::new(Disk::default(), Random::seeded(2)))).await;
}

#[tokio::test(start_paused = true)]
async fn records_of_one_group_share_a_ticket_and_become_durable_together() {
    let disk = Disk::default();
    let store = Arc::new(SimLog::new(disk.clone(), Random::seeded(1)));
    let log = MessageLog::new(store, Limits { open_records_max: 3, gather: Duration::ZERO });
    let first = log.append_new(|batch| batch.accept(row(1))).unwrap();
    let second = log.append_new(|batch| batch.accept(row(2))).unwrap();
    log.append(|batch| batch.change(1, enroute(1, 5)));
    log.append_new(|batch| batch.accept(row(3))).unwrap();
    assert_eq!(log.append_new(|batch| batch.accept(row(4))).unwrap_err(), Full);
    assert!(!first.is_durable());
    let committer = tokio::spawn({
        let log = log.clone();
        async move { log.run(|_| ()).await }
    });
    first.durable().await;
    assert!(second.is_durable());
    assert_eq!(disk.messages().len(), 3);
    assert_eq!(disk.messages()[0].progress.state, State::Enroute);
    committer.abort();
}

#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_starts_no_commit_and_is_in_one_soon() {
    let store = Arc::new(SimLog::new(Disk::default(), Random::seeded(5)));
    let log = MessageLog::new(store, Limits::default());
    let (committed, mut sizes) = tokio::sync::mpsc::unbounded_channel();
    let committer = tokio::spawn({
        let log = log.clone();
        async move { log.run(|group| committed.send(group.records).unwrap()).await }
    });
    let mut next = async || sizes.recv().await.unwrap();
    // With others, at once.
    log.append_lazily(|batch| batch.outbox_done.push(1));
    tokio::time::sleep(Duration::from_millis(3)).await;
    assert_eq!(log.depth(), 1, "it waits for company");
    log.append(|batch| batch.accept(row(1))).durable().await;
    assert_eq!(next().await, 2);
    // By itself, in time.
    let begun = tokio::time::Instant::now();
    log.append_lazily(|batch| batch.outbox_done.push(2));
    log.append_lazily(|batch| batch.outbox_done.push(3));
    assert_eq!(next().await, 2);
    assert!((4..14).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    // When somebody wants to read it.
    log.append_lazily(|batch| batch.outbox_done.push(4));
    let begun = tokio::time::Instant::now();
    log.barrier().await;
    assert!(begun.elapsed() < Duration::from_millis(10), "{:?}", begun.elapsed());
    committer.abort();
}

#[tokio::test(start_paused = true)]
async fn a_committer_that_dies_in_the_middle_is_followed_by_one_that_commits_its_group() {
    let disk = Disk::default();
    let log = MessageLog::new(Arc::new(SimLog::new(disk.clone(), Random::seeded(3))), Limits::default());
    let ticket = log.append_new(|batch| batch.accept(row(1))).unwrap();
    for _ in 0..5 {
        let committer = log.clone();
        let _ = tokio::time::timeout(Duration::from_micros(1200), committer.run(|_| ())).await;
    }
    let committer = tokio::spawn({
        let log = log.clone();
        async move { log.run(|_| ()).await }
    });
    ticket.durable().await;
    assert_eq!(disk.messages().len(), 1);
    committer.abort();
}

#[tokio::test(start_paused = true)]
async fn a_committer_that_dies_while_it_gathers_leaves_nothing_behind() {
    let disk = Disk::default();
    let log = MessageLog::new(Arc::new(SimLog::new(disk.clone(), Random::seeded(4))), Limits::default());
    let ticket = log.append_new(|batch| batch.accept(row(1))).unwrap();
    let gathering = Limits::default().gather / 2;
    assert!(tokio::time::timeout(gathering, log.run(|_| ())).await.is_err());
    assert!(!ticket.is_durable(), "it died before it committed");
    let committer = tokio::spawn({
        let log = log.clone();
        async move { log.run(|_| ()).await }
    });
    tokio::time::timeout(Duration::from_secs(60), ticket.durable()).await.unwrap();
    committer.abort();
}

#[test]
fn a_batch_that_was_cleared_knows_nothing_of_what_it_held() {
    let mut batch = Batch::default();
    batch.accept(row(1));
    batch.change(2, enroute(2, 2));
    batch.clear();
    assert!(batch.is_empty());
    batch.change(1, enroute(1, 1));
    batch.change(2, enroute(2, 2));
    assert_eq!(batch.changes, [(1, enroute(1, 1)), (2, enroute(2, 2))]);
}
