//! What a commit costs on SQLite. Run by hand, on an idle machine:
//! `cargo test --release -p runtime -- --ignored --nocapture what_a_commit_costs`, `what_a_call_costs`.

use tokio::time::Instant;

use super::calls::{answered, attempts, dialog};
use super::*;
use crate::store::{Db, Location, Part, migrate};

const COMMITS: i64 = 200;
const MESSAGES: i64 = 500;

/// Each commit carries the acceptance of some messages, the vendor's answer to those of the last commit and
/// the receipt of those before.
fn batch(batch: &mut Batch, commit: i64) {
    let ids = |ago: i64| (1..=MESSAGES).map(move |n| (commit - ago) * MESSAGES + n).filter(|id| *id > 0);
    for id in ids(0) {
        let mut row = row(id);
        row.progress.state = State::Submitted;
        batch.accept(row);
    }
    for id in ids(1) {
        batch.change(id, enroute(id, id.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed())));
    }
    for id in ids(2) {
        let done = Progress { state: State::Delivered, dlr_hash: None, deadline: None, ..enroute(id, 0) };
        batch.change(id, done);
        batch.outbox.push(owed(id, 8));
    }
    batch.outbox_done.extend(ids(3));
}

#[tokio::test]
#[ignore = "measures; proves nothing"]
async fn what_a_commit_costs() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open_log(&Location { url: "", data_dir: dir.path() }).await.unwrap();
    migrate(&db, Part::Log).await.unwrap();
    let store = SqlLog::new(db.clone());
    let (mut all, mut syncs, mut records) = (Vec::new(), Vec::new(), 0);
    let mut next = Batch::default();
    let mut gathering = Duration::ZERO;
    for commit in 0..COMMITS {
        let begun = Instant::now();
        next.clear();
        batch(&mut next, commit);
        gathering += begun.elapsed();
        records += next.len();
        let times = store.commit(&next).await.unwrap().times;
        all.push(times.total);
        syncs.extend(times.sync);
    }
    let total: Duration = all.iter().sum();
    let per_record = |time: Duration| time.as_secs_f64() * 1e6 / records as f64;
    all.sort();
    syncs.sort();
    let at = |times: &[Duration], part: usize| times[times.len() * part / 100];
    let bytes = |name: &str| std::fs::metadata(dir.path().join(name)).map_or(0, |file| file.len() >> 20);
    eprintln!(
        "{records} records: gather {:.2} us, commit {:.2} us per record; commit median {:?} p95 {:?} max {:?}; \
         COMMIT median {:?} p95 {:?} max {:?}; log.db {} MiB, wal {} MiB",
        per_record(gathering),
        per_record(total),
        at(&all, 50),
        at(&all, 95),
        all[all.len() - 1],
        at(&syncs, 50),
        at(&syncs, 95),
        syncs[syncs.len() - 1],
        bytes("log.db"),
        bytes("log.db-wal"),
    );
}

const CALL_COMMITS: u64 = 400;
const CALLS: u64 = 120;
/// Commits between the answer of a call and its end.
const CALL_LASTS: u64 = 100;
/// Octets of a dialog's state as it will be: addresses, route sets, sequence numbers.
static STATE: [u8; 500] = [7; 500];

/// Processor time of this process so far, all threads: fields 14 and 15 of proc(5), in 1/100 s.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// Each commit carries the answers of some calls and the ends of those answered a while ago, as 12,000 calls a second
/// give in 10 ms.
#[tokio::test]
#[ignore = "measures; proves nothing"]
async fn what_a_call_costs() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open_log(&Location { url: "", data_dir: dir.path() }).await.unwrap();
    migrate(&db, Part::Log).await.unwrap();
    let store = SqlLog::new(db);
    let mut next = Batch::default();
    let (begun, processor, mut gathering, mut records) =
        (Instant::now(), processor_time(), Duration::ZERO, 0);
    for commit in 0..CALL_COMMITS {
        let begun = Instant::now();
        next.clear();
        for n in 0..CALLS {
            next.calls.dialog(dialog(commit * CALLS + n, &STATE), usize::MAX);
            if let Some(ended) = commit.checked_sub(CALL_LASTS) {
                let [first, _] = attempts();
                next.calls.cdr(answered(ended * CALLS + n), [first]);
            }
        }
        gathering += begun.elapsed();
        records += next.len();
        assert_eq!(store.commit(&next).await.unwrap().cdrs_repeated, 0);
    }
    let calls = (CALL_COMMITS - CALL_LASTS / 2) * CALLS;
    let per_call = |time: Duration| time.as_secs_f64() * 1e6 / calls as f64;
    let took = begun.elapsed();
    eprintln!(
        "{calls} calls, {records} records, {:.0} records/s: per call {:.2} us, processor {:.2} us, gather {:.2} us",
        records as f64 / took.as_secs_f64(),
        per_call(took),
        per_call(processor_time() - processor),
        per_call(gathering),
    );
}
