//! Calls: the contract of every store, what a batch folds, what a power loss leaves, what full means.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use uuid::Builder;

use super::*;
use crate::log::group::CDRS_RESERVED;
use crate::model::Money;
use crate::store::{Db, ErrorKind, Location, Part, migrate};

/// Of the call that began in this millisecond.
pub(super) fn id(ms: u64) -> Uuid {
    Builder::from_unix_timestamp_millis(ms, &[7; 10]).into_uuid()
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

pub(super) fn dialog(ms: u64, state: &'static [u8]) -> Dialog {
    Dialog {
        id: id(ms),
        node: 0,
        answered_at: at(5),
        updated_at: at(6 + i64::try_from(state.len()).unwrap()),
        state: Bytes::from_static(state),
    }
}

/// A call with everything there is.
pub(super) fn answered(ms: u64) -> Cdr {
    Cdr {
        id: id(ms),
        node: 1023,
        customer: Uuid::from_u128(1),
        trunk: Uuid::from_u128(2),
        vendor: Some(Uuid::from_u128(3)),
        direction: CallDirection::Inbound,
        source: "[2001:db8::1]:5060".parse().unwrap(),
        call_id: "a84b4c76e66710@192.0.2.1".into(),
        caller: "+15551230001".into(),
        callee: "0015557650001".into(),
        callee_sent: "15557650001".into(),
        started_at: at(1_790_000_000_000_001),
        ringing_at: Some(at(1_790_000_000_100_000)),
        answered_at: Some(at(1_790_000_000_200_000)),
        ended_at: at(1_790_000_061_200_000),
        pdd_us: Some(99_999),
        duration_ms: 60_999,
        billed_seconds: 61,
        status: 200,
        reason: Reason::Answered,
        ended_by: EndedBy::Callee,
        prefix: "1555".into(),
        rate: Money::from_nanos(3_500_000),
        retransmissions: Some(2),
        q850_cause: Some(127),
        recovered: false,
        attempts: 2,
        media: Some(media()),
        identity: CallIdentity {
            verstat: Some(Verstat::Passed),
            received: Some(Attested::B),
            signed: Some(Attested::C),
        },
    }
}

/// Different everywhere, and nothing where a node tells nothing.
fn media() -> CallMedia {
    let caller =
        MediaSent { packets: Some(3_050), lost: Some(7), jitter_ms: Some(70_000), mos_tenths: Some(41) };
    let callee = MediaSent { packets: Some(5_000_000_000), ..MediaSent::default() };
    CallMedia { node: 255, caller, callee }
}

/// A call that came to nothing.
fn refused(ms: u64) -> Cdr {
    Cdr {
        vendor: None,
        direction: CallDirection::Outbound,
        source: "192.0.2.1:5060".parse().unwrap(),
        callee_sent: "".into(),
        ringing_at: None,
        answered_at: None,
        pdd_us: None,
        duration_ms: 0,
        billed_seconds: 0,
        status: 404,
        reason: Reason::NoRoute,
        ended_by: EndedBy::System,
        prefix: "".into(),
        rate: Money::default(),
        retransmissions: None,
        q850_cause: None,
        recovered: true,
        attempts: 0,
        media: None,
        identity: CallIdentity::default(),
        ..answered(ms)
    }
}

pub(super) fn attempts() -> [Attempt; 2] {
    let attempt = |number: u16, status: Option<u16>, reason: Reason| Attempt {
        number,
        vendor: Uuid::from_u128(u128::from(number)),
        gateway: "192.0.2.9:5060/udp".into(),
        started_at: at(1),
        ended_at: at(2),
        pdd_us: status.map(|_| 15_000),
        status,
        reason,
    };
    [attempt(1, None, Reason::Timeout), attempt(2, Some(200), Reason::Answered)]
}

fn ids(rows: &[Dialog]) -> Vec<Uuid> {
    rows.iter().map(|row| row.id).collect()
}

/// What every store does with calls.
async fn contract(store: Arc<dyn LogStore>) {
    let mut batch = Batch::default();
    for ms in 1..=299 {
        assert!(batch.calls.dialog(dialog(ms, b"old"), 1000));
    }
    assert!(batch.calls.dialog(Dialog { node: 7, ..dialog(300, b"other node") }, 1000));
    assert!(batch.calls.dialog(dialog(9, b"newer"), 1000));
    store.commit(&batch).await.unwrap();
    // A batch whose commit was in doubt comes again as it was.
    store.commit(&batch).await.unwrap();
    assert_eq!(ids(&store.dialogs(0, id(4), 3).await.unwrap()), [id(5), id(6), id(7)]);
    assert_eq!(ids(&store.dialogs(7, Uuid::nil(), 3).await.unwrap()), [id(300)]);
    assert_eq!(store.dialogs(0, id(299), 3).await.unwrap(), []);
    assert_eq!(store.dialog(id(9)).await.unwrap(), Some(dialog(9, b"newer")));
    taken(&*store).await;
    let mut batch = Batch::default();
    batch.calls.dialog(dialog(8, b"newest of all"), 1000);
    batch.calls.dialog_done(id(7));
    store.commit(&batch).await.unwrap();
    assert_eq!(store.dialog(id(8)).await.unwrap(), Some(dialog(8, b"newest of all")));
    assert_eq!(store.dialog(id(7)).await.unwrap(), None);

    let mut batch = Batch::default();
    for ms in 100..250 {
        batch.calls.cdr(answered(ms), attempts());
    }
    batch.calls.cdr(refused(1), []);
    assert_eq!(store.commit(&batch).await.unwrap().cdrs_repeated, 0);
    assert_eq!(store.commit(&batch).await.unwrap().cdrs_repeated, 151);
    assert_eq!(
        store.cdrs(&CdrFilter::default(), Uuid::max(), 2).await.unwrap(),
        [answered(249), answered(248)]
    );
    assert_eq!(store.cdrs(&CdrFilter::default(), id(101), 9).await.unwrap(), [answered(100), refused(1)]);
    assert_eq!(store.attempts(id(100)).await.unwrap(), attempts());
    assert_eq!(store.attempts(id(1)).await.unwrap(), []);
    assert_eq!(store.dialogs(0, Uuid::nil(), 1000).await.unwrap().len(), 299 - 152);
    repeated(&*store).await;
    retention(&*store).await;
}

/// A record goes to another node if it is as that one has read it; the one that had it before writes it back.
async fn taken(store: &dyn LogStore) {
    let read = dialog(9, b"newer");
    let older = dialog(9, b"old");
    assert!(!store.take_dialog(&older, 7).await.unwrap(), "it was written since");
    assert!(!store.take_dialog(&Dialog { id: id(900), ..read.clone() }, 7).await.unwrap(), "there is none");
    assert!(store.take_dialog(&read, 7).await.unwrap());
    assert!(!store.take_dialog(&read, 8).await.unwrap(), "somebody else has it");
    let theirs = Dialog { node: 7, ..read.clone() };
    assert_eq!(store.dialog(id(9)).await.unwrap(), Some(theirs.clone()));
    assert_eq!(ids(&store.dialogs(7, Uuid::nil(), 3).await.unwrap()), [id(9), id(300)]);
    assert!(store.take_dialog(&theirs, 0).await.unwrap());
    assert_eq!(store.dialog(id(9)).await.unwrap(), Some(read));
}

/// A call that has a CDR keeps it, and a record that was written after it goes.
async fn repeated(store: &dyn LogStore) {
    let mut batch = Batch::default();
    batch.calls.dialog(dialog(100, b"late"), 1000);
    store.commit(&batch).await.unwrap();
    assert!(store.dialog(id(100)).await.unwrap().is_some());
    let mut batch = Batch::default();
    let mut other = attempts();
    other[0].reason = Reason::Busy;
    batch.calls.cdr(Cdr { reason: Reason::Recovered, ..answered(100) }, other);
    batch.calls.cdr(answered(301), attempts());
    batch.calls.cdr(refused(301), attempts());
    assert_eq!(store.commit(&batch).await.unwrap().cdrs_repeated, 2);
    assert_eq!(store.cdrs(&CdrFilter::default(), id(101), 1).await.unwrap(), [answered(100)]);
    assert_eq!(store.cdrs(&CdrFilter::default(), id(302), 1).await.unwrap(), [answered(301)]);
    assert_eq!(store.attempts(id(100)).await.unwrap(), attempts());
    assert_eq!(store.dialog(id(100)).await.unwrap(), None);
}

async fn retention(store: &dyn LogStore) {
    let before = |ms: i64| Horizon { after: 0, before: 0, now: 0, calls_before: at(ms * 1000) };
    assert_eq!(store.outdated(before(1), 9).await.unwrap(), Outdated::default());
    assert_eq!(store.outdated(before(102), 2).await.unwrap().calls, [id(1), id(100)]);
    let calls = store.outdated(before(240), 1000).await.unwrap().calls;
    assert_eq!((calls.len(), calls.last()), (141, Some(&id(239))));
    let mut batch = Batch::default();
    batch.calls.purged = calls;
    store.commit(&batch).await.unwrap();
    assert_eq!(store.outdated(before(240), 1000).await.unwrap().calls, Vec::<Uuid>::new());
    assert_eq!(store.cdrs(&CdrFilter::default(), Uuid::max(), 1000).await.unwrap().len(), 11);
    assert_eq!(store.attempts(id(239)).await.unwrap(), []);
    assert_eq!(store.attempts(id(240)).await.unwrap(), attempts());
}

#[tokio::test]
async fn sql_keeps_the_contract_of_calls() {
    each_engine(async |engine: Engine| contract(Arc::new(SqlLog::new(engine.log.clone()))).await).await;
}

#[tokio::test(start_paused = true)]
async fn the_simulated_log_keeps_the_contract_of_calls() {
    contract(Arc::new(SimLog::new(Disk::default(), Random::seeded(2)))).await;
}

#[tokio::test]
async fn what_a_media_node_counted_stands_where_it_belongs() {
    let told = MediaSent { packets: Some(0), lost: Some(1), jitter_ms: Some(2), mos_tenths: Some(3) };
    let none = MediaSent::default();
    let cases = [
        None,
        Some(CallMedia { node: 1, caller: none, callee: none }),
        Some(CallMedia { node: 2, caller: told, callee: none }),
        Some(CallMedia { node: 3, caller: none, callee: told }),
        Some(media()),
    ];
    each_engine(async |engine: Engine| {
        let store = SqlLog::new(engine.log.clone());
        let mut batch = Batch::default();
        for (ms, media) in (1..).zip(cases) {
            batch.calls.cdr(Cdr { media, ..answered(ms) }, []);
        }
        store.commit(&batch).await.unwrap();
        let stored = store.cdrs(&CdrFilter::default(), Uuid::max(), 9).await.unwrap();
        let stored: Vec<_> = stored.iter().rev().map(|cdr| cdr.media).collect();
        assert_eq!(stored, cases);
    })
    .await;
}

#[tokio::test]
async fn what_was_signed_stands_where_it_belongs() {
    let none = CallIdentity::default();
    let cases = [
        none,
        CallIdentity { verstat: Some(Verstat::NoValidation), ..none },
        CallIdentity { verstat: Some(Verstat::Failed), signed: Some(Attested::A), ..none },
        CallIdentity { received: Some(Attested::C), ..none },
        CallIdentity { signed: Some(Attested::B), ..none },
        answered(1).identity,
    ];
    each_engine(async |engine: Engine| {
        let store = SqlLog::new(engine.log.clone());
        let mut batch = Batch::default();
        for (ms, identity) in (1..).zip(cases) {
            batch.calls.cdr(Cdr { identity, ..answered(ms) }, []);
        }
        store.commit(&batch).await.unwrap();
        let stored = store.cdrs(&CdrFilter::default(), Uuid::max(), 9).await.unwrap();
        let stored: Vec<_> = stored.iter().rev().map(|cdr| cdr.identity).collect();
        assert_eq!(stored, cases);
    })
    .await;
}

#[tokio::test]
async fn texts_are_what_every_engine_takes() {
    each_engine(async |engine: Engine| {
        let store = SqlLog::new(engine.log.clone());
        let mut batch = Batch::default();
        let long: String = "\u{e9}".repeat(1000);
        let cdr = Cdr { call_id: long.into(), caller: "+1\x00555".into(), ..answered(1) };
        batch.calls.cdr(cdr, []);
        store.commit(&batch).await.unwrap();
        let stored = store.cdrs(&CdrFilter::default(), Uuid::max(), 1).await.unwrap().remove(0);
        assert_eq!((&*stored.call_id, &*stored.caller), ("\u{e9}".repeat(256).as_str(), "+1555"));
    })
    .await;
}

#[test]
fn numbers_and_words_are_one_to_one_and_stand_beside_the_table() {
    let ddl = include_str!("../../../../migrations/log/0002_calls.sql").replace("\n--", "");
    // An applied migration is not edited: words that came later stand in the reference only.
    let reference = include_str!("../../../../docs/api.md");
    let of = |all: Vec<(i16, &'static str)>| {
        for (n, (code, word)) in all.into_iter().enumerate() {
            assert_eq!(i16::try_from(n).unwrap(), code);
            if word == Reason::SessionExpired.as_str() {
                assert!(reference.contains(&format!("`{word}`")), "{word}");
            } else {
                assert!(ddl.contains(&format!("{code} {word}")), "{code} {word}");
            }
        }
    };
    of(Reason::ALL.iter().map(|reason| (reason.code(), reason.as_str())).collect());
    of(EndedBy::ALL.iter().map(|by| (by.code(), by.as_str())).collect());
    of(CallDirection::ALL.iter().map(|way| (way.code(), way.as_str())).collect());
    for reason in Reason::ALL {
        assert_eq!(Reason::from_code(reason.code()), Some(*reason));
    }
    let ddl = include_str!("../../../../migrations/log/0008_verstat.sql").replace("\n--", "").to_lowercase();
    let words = Verstat::ALL.iter().map(|verstat| (verstat.code(), verstat.as_str()));
    let words = words.map(|(code, word)| (code, word.trim_start_matches("TN-Validation-")));
    let words = words.map(|(code, word)| (code, word.replace("No-TN-Validation", "no validation")));
    let letters = Attested::ALL.iter().map(|letter| (letter.code(), letter.as_str().to_owned()));
    for (code, word) in words.chain(letters) {
        assert!(ddl.contains(&format!("{code} {}", word.to_lowercase())), "{code} {word}");
    }
    assert_eq!(Reason::from_code(i16::try_from(Reason::ALL.len()).unwrap()), None);
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Put(u64, &'static [u8]),
    Remove(u64),
    End(u64, u16),
}

/// Steps of a few calls, in groups that are committed one by one.
fn groups() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let step = prop_oneof![
        3 => (1..5_u64, prop_oneof![Just(&b"a"[..]), Just(&b"bb"[..])]).prop_map(|(ms, state)| Step::Put(ms, state)),
        1 => (1..5_u64).prop_map(Step::Remove),
        1 => (1..5_u64, 200..204_u16).prop_map(|(ms, status)| Step::End(ms, status)),
    ];
    prop::collection::vec(prop::collection::vec(step, 0..8), 0..6)
}

/// A group as a batch folds it does what its rows do one by one: all that are put, then all that end.
async fn fold(store: &dyn LogStore, groups: &[Vec<Step>]) {
    let (mut dialogs, mut cdrs) = (BTreeMap::new(), BTreeMap::new());
    let mut batch = Batch::default();
    for group in groups {
        batch.clear();
        let mut done = Vec::new();
        let mut repeated = 0;
        for step in group {
            match *step {
                Step::Put(ms, state) => {
                    batch.calls.dialog(dialog(ms, state), 1000);
                    dialogs.insert(id(ms), dialog(ms, state));
                }
                Step::Remove(ms) => {
                    batch.calls.dialog_done(id(ms));
                    done.push(id(ms));
                }
                Step::End(ms, status) => {
                    let cdr = Cdr { status, ..answered(ms) };
                    batch.calls.cdr(cdr.clone(), []);
                    done.push(id(ms));
                    repeated += u64::from(cdrs.contains_key(&id(ms)));
                    cdrs.entry(id(ms)).or_insert(cdr);
                }
            }
        }
        dialogs.retain(|id, _| !done.contains(id));
        assert_eq!(store.commit(&batch).await.unwrap().cdrs_repeated, repeated);
    }
    assert_eq!(store.dialogs(0, Uuid::nil(), 99).await.unwrap(), Vec::from_iter(dialogs.into_values()));
    assert_eq!(
        store.cdrs(&CdrFilter::default(), Uuid::max(), 99).await.unwrap(),
        Vec::from_iter(cdrs.into_values().rev())
    );
}

fn paused(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(test);
}

proptest! {
    #[test]
    fn what_a_batch_folds_is_as_if_it_were_not_folded(groups in groups()) {
        paused(async move { fold(&SimLog::new(Disk::default(), Random::seeded(1)), &groups).await });
    }

    /// A process dies anywhere in a commit, the next one closes what it finds.
    #[test]
    fn after_a_power_loss_every_call_has_one_cdr_and_no_dialog(seed in any::<u64>()) {
        paused(lose_power(seed));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn what_a_batch_folds_is_the_same_on_sqlite(groups in groups()) {
        tokio::runtime::Runtime::new().unwrap().block_on(async move {
            let dir = tempfile::tempdir().unwrap();
            let db = Db::open_log(&Location { url: "", data_dir: dir.path() }).await.unwrap();
            migrate(&db, Part::Log).await.unwrap();
            fold(&SqlLog::new(db), &groups).await;
        });
    }
}

fn log_on(disk: &Disk, random: &Random) -> (MessageLog, JoinHandle<()>) {
    let log = MessageLog::new(Arc::new(SimLog::new(disk.clone(), random.clone())), Limits::default());
    let committer = tokio::spawn({
        let log = log.clone();
        async move { log.run(|_| ()).await }
    });
    (log, committer)
}

async fn lose_power(seed: u64) {
    let (disk, random) = (Disk::default(), Random::seeded(seed));
    let (log, committer) = log_on(&disk, &random);
    let (mut up, mut ended) = (Vec::new(), Vec::new());
    for ms in 1..60 {
        match random.below(3) {
            0 => {
                log.put_dialog(dialog(ms, b"state")).unwrap();
                up.push(ms);
            }
            1 => sleep(random.jitter(Duration::from_millis(6))).await,
            _ if up.is_empty() => {}
            _ => {
                let ms = up.swap_remove(usize::try_from(random.below(up.len() as u64)).unwrap());
                ended.push((ms, log.put_cdr(answered(ms), attempts())));
            }
        }
    }
    committer.abort();
    assert!(committer.await.unwrap_err().is_cancelled());

    let on_disk = |id: Uuid| disk.cdrs().iter().filter(|cdr| cdr.id == id).count();
    for (ms, ticket) in &ended {
        assert!(!ticket.is_durable() || on_disk(id(*ms)) == 1, "{ms} was durable");
    }
    let left = disk.dialogs();
    assert!(left.iter().all(|dialog| on_disk(dialog.id) == 0), "a CDR and its dialog");

    let (log, committer) = log_on(&disk, &random);
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let page = log.dialogs(0, after).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        found.extend(page);
    }
    assert_eq!(found, left);
    for dialog in &left {
        log.put_cdr(Cdr { id: dialog.id, recovered: true, ..answered(0) }, []);
    }
    let before = disk.cdrs();
    for cdr in &before {
        log.put_cdr(Cdr { recovered: true, ..cdr.clone() }, []);
    }
    log.barrier().await;
    assert_eq!(disk.dialogs(), []);
    assert_eq!(disk.cdrs().len(), before.len() + left.len());
    assert!(before.iter().all(|cdr| disk.cdrs().contains(cdr)), "the first CDR of a call stays");
    let totals = log.call_totals();
    assert_eq!((totals.cdrs, totals.cdrs_repeated), (left.len() as u64, before.len() as u64));
    committer.abort();
}

#[tokio::test(start_paused = true)]
async fn a_cdr_is_durable_within_20_ms() {
    for seed in 0..100 {
        let (log, committer) = log_on(&Disk::default(), &Random::seeded(seed));
        // While a commit runs that began for others.
        log.append(|batch| batch.accept(row(1)));
        sleep(Duration::from_micros(100 * seed)).await;
        let begun = Instant::now();
        log.put_cdr(answered(1), attempts()).durable().await;
        assert!(begun.elapsed() < Duration::from_millis(20), "{:?}", begun.elapsed());
        assert_eq!(log.recent_cdrs(5000, None).await.unwrap(), [answered(1)]);
        assert_eq!(log.attempts(id(1)).await.unwrap(), attempts());
        committer.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn dialogs_are_dropped_when_too_many_wait_and_told_so() {
    let disk = Disk::default();
    let store = Arc::new(SimLog::new(disk.clone(), Random::seeded(1)));
    let log = MessageLog::new(store, Limits::default());
    let too_long = Dialog { state: vec![0; DIALOG_STATE_MAX + 1].into(), ..dialog(1, b"") };
    assert_eq!(log.put_dialog(too_long), Err(Dropped::TooLong));
    let taken = (1..).take_while(|ms| log.put_dialog(dialog(*ms, b"a")).is_ok()).count();
    assert_eq!((taken, disk.dialogs().len()), (16_384, 0));
    assert_eq!(log.put_dialog(dialog(u64::from(u32::MAX), b"a")), Err(Dropped::Full));
    assert_eq!(log.put_dialog(dialog(1, b"newer")), Ok(()), "it takes no room");
    log.put_cdr(answered(2), []);
    assert_eq!(log.put_dialog(dialog(u64::from(u32::MAX), b"a")), Ok(()), "one has ended");
    assert_eq!(log.call_totals().dialogs_dropped, 3);
    assert!(log.is_accepting(), "a call without its record is a call");
}

#[tokio::test(start_paused = true)]
async fn a_cdr_is_never_refused_and_too_many_stop_new_calls() {
    let disk = Disk::default();
    let (log, committer) = log_on(&disk, &Random::seeded(1));
    disk.set_fault(Some(Fault::Refuses(ErrorKind::Unavailable)));
    log.put_cdr(answered(1), []);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(log.health(), Health::Refusing);
    assert!(log.is_accepting(), "calls go on");
    for ms in 2..CDRS_RESERVED as u64 + 2 {
        assert!(log.is_accepting());
        log.put_cdr(answered(ms), []);
    }
    assert!(!log.is_accepting());
    let last = log.put_cdr(answered(CDRS_RESERVED as u64 + 2), []);
    disk.set_fault(None);
    timeout(Duration::from_secs(10), last.durable()).await.unwrap();
    assert!(log.is_accepting());
    assert_eq!(disk.cdrs().len(), CDRS_RESERVED + 2);
    let totals = CallTotals { cdrs: CDRS_RESERVED as u64 + 2, ..CallTotals::default() };
    assert_eq!(log.call_totals(), totals, "what was tried again is not repeated");

    disk.set_fault(Some(Fault::Refuses(ErrorKind::DiskFailed)));
    log.put_cdr(answered(0), []);
    sleep(Duration::from_secs(1)).await;
    assert!(!log.is_accepting(), "no CDR will ever be written");
    committer.abort();
}

#[tokio::test(start_paused = true)]
async fn a_removed_dialog_leaves_no_cdr() {
    let (log, committer) = log_on(&Disk::default(), &Random::seeded(1));
    log.put_dialog(dialog(1, b"state")).unwrap();
    log.barrier().await;
    assert_eq!(log.dialog(id(1)).await.unwrap(), Some(dialog(1, b"state")));
    log.remove_dialog(id(1));
    log.barrier().await;
    assert_eq!(log.dialog(id(1)).await.unwrap(), None);
    assert_eq!(log.recent_cdrs(9, None).await.unwrap(), []);
    committer.abort();
}
