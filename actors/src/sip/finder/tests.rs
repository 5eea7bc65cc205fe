use runtime::clock::{SharedClock, SimClock};
use runtime::log::{Disk, Limits, MessageLog, SimLog};
use runtime::random::Random;
use runtime::registry::Registry;
use runtime::telemetry::metrics::Metrics;

use super::*;
use crate::media::pool::News;
use crate::sip::anchor::Name;
use crate::sip::call_metrics::CallMetrics;
use crate::sip::calls;
use crate::sip::event::What;
use crate::sip::live_call::Effect;
use crate::sip::settings::Settings;
use crate::sip::testing::{CUSTOMER, Node, VENDORS, invite, response, settings, voice};

/// A node of this number with a database that others have too.
fn node(number: u16, disk: &Disk) -> Arc<Calls> {
    let start = Node::new().now;
    let clock: SharedClock = Arc::new(SimClock::starting_at(start.wall));
    let registry = Registry::new(clock, Random::seeded(1));
    let log = MessageLog::new(Arc::new(SimLog::new(disk.clone(), Random::seeded(1))), Limits::default());
    let committer = log.clone();
    tokio::spawn(async move { committer.run(|_| {}).await });
    Calls::new(calls::Parts {
        settings: Settings { node: number, shared: true, ..settings(start, Vec::new()) },
        snapshot: Snapshot::new(voice(), None, &|_| Vec::new(), start.instant),
        metrics: CallMetrics::new(&Metrics::new()),
        log,
        registry: registry.clone(),
        clock: Arc::clone(registry.clock()),
        random: Random::seeded(1),
    })
}

/// The record of a call that is up at node 7.
fn record() -> Record {
    let mut node = Node::new();
    let sent = node.receive(CUSTOMER, invite("a", "+15551234"));
    node.receive(VENDORS[0], response(&sent[1], 200, "callee"));
    let mut events = node.events.into_iter();
    let first = events.next().unwrap();
    let What::Started(started) = first.what else { panic!("{first:?}") };
    let mut call = LiveCall::begin(first.dialog, (7, Duration::ZERO), first.at, *started).unwrap();
    let written = events.find_map(|event| call.apply(event));
    let Some(Effect::Record(record)) = written else { panic!("{written:?}") };
    record
}

fn owners(disk: &Disk) -> Vec<u16> {
    disk.dialogs().iter().map(|record| record.node).collect()
}

/// A call that is up at one node goes to the other, with its channels, and comes back.
#[tokio::test(start_paused = true)]
async fn a_call_is_of_one_node() {
    let disk = Disk::default();
    let (first, second) = (node(7, &disk), node(8, &disk));
    let record = record();
    first.log.put_dialog(record.clone()).unwrap();
    first.log.barrier().await;
    for _ in 0..2 {
        let taken = take(&second, 1, record.id).await;
        let Outcome::Taken(dialog) = taken else { panic!("{taken:?}") };
        assert_eq!(dialog.id, record.id);
        assert_eq!((owners(&disk), second.live()), (vec![8], 1));
        assert_eq!(second.snapshot.load().trunks[0].usage.channels(), 1, "once");
        assert_eq!(second.counters.dialogs_taken.get(), 1);
    }
    assert!(matches!(take(&first, 1, record.id).await, Outcome::Taken(_)));
    assert_eq!((owners(&disk), first.live()), (vec![7], 1));
    // It has not heard that the call is gone: it is not to have two actors.
    assert!(matches!(take(&second, 1, record.id).await, Outcome::Failed));
    assert_eq!(owners(&disk), [7]);
    assert_eq!(second.live(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_record_is_unknown() {
    let disk = Disk::default();
    let first = node(7, &disk);
    assert!(matches!(take(&first, 1, Uuid::from_u128(1)).await, Outcome::Unknown));
    let (late, record) = (first.log.clone(), record());
    let put = record.clone();
    tokio::spawn(async move { late.put_dialog(put) });
    assert!(matches!(take(&first, 1, record.id).await, Outcome::Taken(_)), "it was on its way");
}

/// A call that began longer ago than calls ring is read once: requests of calls that are over are not to keep the
/// finder busy.
#[tokio::test(start_paused = true)]
async fn what_is_over_for_long_is_not_waited_for() {
    let disk = Disk::default();
    let first = node(7, &disk);
    let old = first.now().wall.minus(RINGS_MAX + Duration::from_secs(1)).micros() / 1000;
    for (began, waits) in [(old, false), (first.now().wall.micros() / 1000, true)] {
        let id = Uuid::from_u128(u128::from(began.cast_unsigned()) << 80);
        let start = tokio::time::Instant::now();
        assert!(matches!(take(&first, 1, id).await, Outcome::Unknown));
        let waited = start.elapsed();
        assert_eq!((waited >= AGAIN, waited >= AGAIN * UNKNOWN_TRIES), (waits, waits));
    }
}

/// A record was taken, and the finder stopped before it could take the call on: the next incarnation does.
#[tokio::test(start_paused = true)]
async fn what_was_being_taken_is_taken_on() {
    let disk = Disk::default();
    let second = node(8, &disk);
    let record = record();
    second.log.put_dialog(record.clone()).unwrap();
    second.log.barrier().await;
    assert!(second.log.take_dialog(&record, 8).await.unwrap());
    second.finder.taking.lock().insert(record.id, 1);
    let finder = Arc::clone(&second);
    tokio::spawn(async move { run(&finder).await });
    sleep(Duration::from_secs(1)).await;
    assert_eq!((second.live(), second.finder.taking.lock().len()), (1, 0));
}

/// A record that tells no dialog stays with whoever has it.
#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_read_is_left_alone() {
    let disk = Disk::default();
    let second = node(8, &disk);
    let record = Record { state: bytes::Bytes::from_static(b"?"), ..record() };
    second.log.put_dialog(record.clone()).unwrap();
    second.log.barrier().await;
    assert!(matches!(take(&second, 1, record.id).await, Outcome::Failed));
    assert_eq!((owners(&disk), second.live()), (vec![7], 0));
    assert!(disk.cdrs().is_empty());
}

/// What a media node has of a call is deleted when no node has the call.
#[tokio::test(start_paused = true)]
async fn what_another_node_serves_is_no_leak() {
    let disk = Disk::default();
    let second = node(8, &disk);
    let record = record();
    second.log.put_dialog(record.clone()).unwrap();
    second.log.barrier().await;
    look(&second, ToFinder::Leak { node: 1, dialog: record.id }).await;
    assert_eq!(second.counters.media_leaks.get(), 0);
    second.log.remove_dialog(record.id);
    second.log.barrier().await;
    look(&second, ToFinder::Leak { node: 1, dialog: record.id }).await;
    assert_eq!(second.counters.media_leaks.get(), 1);
}

/// What two lists of a media node show is deleted when no node has a record of it.
#[tokio::test(start_paused = true)]
async fn what_lists_show_is_looked_for_first() {
    let disk = Disk::default();
    let (second, record) = (node(8, &disk), record());
    second.log.put_dialog(record.clone()).unwrap();
    second.log.barrier().await;
    let finder = Arc::clone(&second);
    tokio::spawn(async move { run(&finder).await });
    let name = Name { owner: 8, dialog: record.id }.to_string();
    for leaks in [0, 1] {
        for _ in 0..2 {
            let names = vec![name.clone()];
            second.media_news(News::Calls { node: 1, names, all: true, heard: None });
        }
        sleep(Duration::from_secs(1)).await;
        assert_eq!(second.counters.media_leaks.get(), leaks);
        second.log.remove_dialog(record.id);
        second.log.barrier().await;
    }
}

/// Leaks that wait, however many, are in the way of no request.
#[tokio::test(start_paused = true)]
async fn no_request_waits_behind_leaks() {
    let disk = Disk::default();
    let second = node(8, &disk);
    let leaks = (0..5_000).map(|leak| ToFinder::Leak { node: 1, dialog: Uuid::from_u128(leak) });
    assert_eq!(leaks.filter(|leak| second.finder.submit(*leak)).count(), QUEUE);
    assert!(second.finder.submit(ToFinder::Serve { worker: 1, dialog: Uuid::from_u128(9) }));
}

/// What was found lives here by now: a worker has told of it while the record was taken. It keeps its actor.
#[tokio::test(start_paused = true)]
async fn what_lives_here_by_now_is_not_taken_on_twice() {
    let disk = Disk::default();
    let second = node(8, &disk);
    let record = record();
    let recovered = || LiveCall::recover(&Record { node: 8, ..record.clone() }, second.now()).unwrap();
    for _ in 0..2 {
        let (call, dialog) = recovered();
        adopt(&second, 1, call, &dialog);
    }
    assert_eq!(second.live(), 1);
    assert!(second.next_unborn().is_some() && second.next_unborn().is_none(), "one actor");
    assert_eq!(second.snapshot.load().trunks[0].usage.channels(), 1, "the other one is given back");
}

/// The actor does what is asked, and the worker hears of it.
#[tokio::test(start_paused = true)]
async fn whoever_asks_is_told() {
    let disk = Disk::default();
    let second = node(8, &disk);
    let (served, dialog) = (Arc::clone(&second), Uuid::from_u128(9));
    tokio::spawn(async move { run(&served).await });
    assert!(second.finder.submit(ToFinder::Serve { worker: 1, dialog }));
    sleep(Duration::from_secs(1)).await;
    let (mut inputs, mut refused) = (Vec::new(), Vec::new());
    second.ring(1).unwrap().take(9, &mut inputs, &mut refused);
    let told = inputs.iter().any(|input| {
        let crate::sip::worker::Input::Found(found) = input else { return false };
        found.dialog == dialog && matches!(found.outcome, Outcome::Unknown)
    });
    assert!(told, "{inputs:?}");
}
