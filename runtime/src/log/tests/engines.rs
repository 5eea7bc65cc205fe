//! What only the real engines can show: full disks, plans, locks, refused octets.

use sqlx::AssertSqlSafe;

use super::*;
use crate::log::bulk;
use crate::store::{Db, ErrorKind, Lite, Location, Part, Sql, migrate};

async fn lite() -> (tempfile::TempDir, Lite) {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open_log(&Location { url: "", data_dir: dir.path() }).await.unwrap();
    migrate(&db, Part::Log).await.unwrap();
    let Db::Lite(lite) = db else { panic!("no url, and not SQLite") };
    (dir, lite)
}

async fn pragma(lite: &Lite, name: &str) -> i64 {
    let text = AssertSqlSafe(format!("PRAGMA {name}"));
    let (value,): (i64,) = sqlx::query_as(text).fetch_one(&lite.write).await.unwrap();
    value
}

#[tokio::test]
async fn commits_go_on_after_the_disk_was_full() {
    let (_dir, lite) = lite().await;
    let store = SqlLog::new(Db::Lite(lite.clone()));
    let pages = pragma(&lite, "page_count").await;
    assert_eq!(pragma(&lite, &format!("max_page_count = {}", pages + 1)).await, pages + 1);
    // Batches of many rows and of one: SQLite takes back the statement for the first, and ends the transaction
    // by itself for the second.
    for (first, rows) in [(1, 2000), (10_000, 1), (20_000, 1)] {
        let batch_at = |first: i64| {
            let mut batch = Batch::default();
            (first..first + rows).for_each(|id| batch.accept(row(id)));
            // A batch of one row is one statement, and with a delivery a small transaction.
            batch.outbox.extend((first >= 20_000).then(|| owed(first, 8)));
            batch
        };
        let limit = format!("max_page_count = {}", pragma(&lite, "page_count").await + 1);
        pragma(&lite, &limit).await;
        let mut batch = batch_at(first);
        for n in 1.. {
            match store.commit(&batch).await {
                Ok(_) => batch = batch_at(first + n * rows),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::DiskFull);
                    break;
                }
            }
        }
        pragma(&lite, "max_page_count = 100000").await;
        store.commit(&batch).await.unwrap();
        assert_eq!(store.message(batch.accepts[0].id).await.unwrap().as_ref(), batch.accepts.first());
    }
}

#[tokio::test]
async fn a_connection_whose_transaction_sqlite_ended_is_not_used_again() {
    let (_dir, lite) = lite().await;
    let trigger = "CREATE TEMP TRIGGER full BEFORE INSERT ON messaging_messages \
                   BEGIN SELECT RAISE(ROLLBACK, 'as when the disk is full'); END";
    sqlx::query(trigger).execute(&lite.write).await.unwrap();
    let store = SqlLog::new(Db::Lite(lite));
    let mut batch = Batch::default();
    batch.accept(row(1));
    // Two statements, so that there is a transaction.
    batch.outbox.push(owed(1, 8));
    store.commit(&batch).await.unwrap_err();
    store.commit(&batch).await.unwrap();
}

#[test]
fn a_chunk_that_is_not_full_is_filled_up_by_its_last_row() {
    let of = |n: u32| {
        let rows: Vec<u32> = (1..=n).collect();
        let chunks = bulk::chunks(&rows).map(|(size, rows)| (bulk::CHUNKS[size], rows.copied().collect()));
        chunks.collect::<Vec<(usize, Vec<u32>)>>()
    };
    assert_eq!(of(0), []);
    assert_eq!(of(1), [(1, vec![1])]);
    assert_eq!(of(5), [(6, vec![1, 2, 3, 4, 5, 5])]);
    for n in 1..600 {
        let chunks = of(n);
        assert!(chunks.iter().all(|(size, rows)| *size == rows.len()), "{n}: {chunks:?}");
        let mut rows: Vec<u32> = chunks.into_iter().flat_map(|(_, rows)| rows).collect();
        assert!(rows.len() <= n as usize * 3 / 2, "{n}: {} rows written", rows.len());
        rows.dedup();
        assert_eq!(rows, (1..=n).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn every_read_finds_its_rows_by_an_index() {
    let (_dir, lite) = lite().await;
    let asked: [(&str, &Sql); 20] = [
        ("live", &bulk::LIVE),
        ("due", &bulk::DUE),
        ("next_due", &bulk::NEXT_DUE),
        ("by_dlr_hash", &bulk::BY_DLR_HASH),
        ("message", &bulk::MESSAGE),
        ("parts", &bulk::PARTS),
        ("outbox", &bulk::OUTBOX),
        ("parked", &bulk::PARKED),
        ("count", &bulk::COUNT_STATES),
        ("outdated messages", &bulk::OUTDATED_MESSAGES),
        ("outdated orphans", &bulk::OUTDATED_ORPHANS),
        ("outdated outbox", &bulk::OUTDATED_OUTBOX),
        ("dialogs", &bulk::calls::DIALOGS),
        ("dialog", &bulk::calls::DIALOG),
        ("mdrs", &bulk::MDRS),
        ("mdrs of customer", &bulk::MDRS_OF_CUSTOMER),
        ("cdrs", &bulk::calls::CDRS),
        ("cdrs of customer", &bulk::calls::CDRS_OF_CUSTOMER),
        ("attempts", &bulk::calls::ATTEMPTS),
        ("outdated calls", &bulk::calls::OUTDATED_CALLS),
    ];
    for (name, sql) in asked {
        let text = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", sql.lite()));
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(text).fetch_all(&lite.read).await.unwrap();
        let steps: Vec<String> = plan.into_iter().map(|step| step.3).collect();
        let dear = |step: &String| step.starts_with("SCAN") || step.contains("USE TEMP B-TREE");
        assert!(!steps.iter().any(dear), "{name}: {steps:?}");
        if name == "cdrs of customer" {
            assert!(steps[0].contains("_customer (customer_id=?"), "{name}: {steps:?}");
        }
        if name == "message" {
            assert!(steps[0].contains("INTEGER PRIMARY KEY"), "a key that is not the rowid: {steps:?}");
        }
    }
}

#[tokio::test]
async fn the_indexes_hold_the_states_that_are_asked_for() {
    let (_dir, lite) = lite().await;
    for state in State::ALL {
        let holds = async |predicate: &str| {
            let text = format!("SELECT {}", predicate.replace("state", &state.code().to_string()));
            let (holds,): (bool,) = sqlx::query_as(AssertSqlSafe(text)).fetch_one(&lite.read).await.unwrap();
            holds
        };
        assert_eq!(holds(bulk::PAGED).await, state.is_paged(), "{state:?}");
        assert_eq!(holds(bulk::TIMED).await, state.is_timed(), "{state:?}");
        assert_ne!(state.is_final(), state.is_paged() || state.is_timed(), "{state:?}");
    }
}

#[tokio::test]
async fn nul_in_text_is_left_out_and_refuses_no_commit() {
    each_engine(async |engine: Engine| {
        let store = SqlLog::new(engine.log.clone());
        let with_nul = |id: i64| {
            let mut row = row(id);
            row.source = "WA\x00RP".into();
            row.destination = "\x00155\x00".into();
            row.progress.error = Some("0\x000".into());
            row.progress.vendor_message_id = Some("v\x00".into());
            row
        };
        let mut batch = Batch::default();
        batch.accept(with_nul(1));
        batch.accept(row(2));
        store.commit(&batch).await.unwrap();
        let mut batch = Batch::default();
        batch.change(2, with_nul(2).progress);
        store.commit(&batch).await.unwrap();
        let stored = store.message(1).await.unwrap().unwrap();
        assert_eq!((&*stored.source, &*stored.destination), ("WARP", "155"));
        for id in [1, 2] {
            let progress = store.message(id).await.unwrap().unwrap().progress;
            assert_eq!(progress.error.as_deref(), Some("00"));
            assert_eq!(progress.vendor_message_id.as_deref(), Some("v"));
        }
    })
    .await;
}

#[tokio::test]
async fn a_commit_that_postgresql_does_not_answer_is_tried_on_another_connection() {
    each_engine(async |engine: Engine| {
        let Db::Pg(pool) = &engine.log else { return };
        let mut store = SqlLog::new(engine.log.clone());
        let mut batch = Batch::default();
        batch.accept(row(1));
        let mut other = pool.begin().await.unwrap();
        let lock = "LOCK TABLE messaging.messages IN ACCESS EXCLUSIVE MODE";
        sqlx::query(lock).execute(&mut *other).await.unwrap();
        store.pg_commit_max = Duration::from_millis(50);
        // More often than the pool has connections.
        for _ in 0..6 {
            assert_eq!(store.commit(&batch).await.unwrap_err().kind(), ErrorKind::Unavailable);
        }
        other.rollback().await.unwrap();
        store.pg_commit_max = Duration::from_secs(30);
        store.commit(&batch).await.unwrap();
        assert_eq!(store.message(1).await.unwrap(), Some(row(1)));
    })
    .await;
}

#[tokio::test]
async fn the_write_ahead_log_is_copied_into_the_file_beside_the_commits() {
    let (dir, lite) = lite().await;
    assert_eq!(pragma(&lite, "wal_autocheckpoint").await, 16_384);
    let mut store = SqlLog::new(Db::Lite(lite));
    store.checkpoint_records = 100;
    let size = || std::fs::metadata(dir.path().join("log.db")).unwrap().len();
    let before = size();
    let mut batch = Batch::default();
    for id in 1..=99 {
        batch.accept(row(id));
    }
    store.commit(&batch).await.unwrap();
    drop(store.checkpoint.acquire().await.unwrap());
    assert_eq!(size(), before);
    store.commit(&batch).await.unwrap();
    drop(store.checkpoint.acquire().await.unwrap());
    assert!(size() > before);
}

#[tokio::test]
async fn zeros_behind_the_write_ahead_log_are_no_part_of_it() {
    let (dir, lite) = lite().await;
    let (from, to) = (dir.path().join("log.db"), dir.path().join("copy"));
    let mut batch = Batch::default();
    for id in 1..=300 {
        batch.accept(row(id));
    }
    lite.reserve_wal().unwrap();
    let store = SqlLog::new(Db::Lite(lite.clone()));
    store.commit(&batch).await.unwrap();
    // As a crash leaves it: the write-ahead log and no orderly end.
    std::fs::create_dir(&to).unwrap();
    let wal = |file: &std::path::Path| file.with_extension("db-wal");
    std::fs::copy(&from, to.join("log.db")).unwrap();
    std::fs::copy(wal(&from), to.join("log.db-wal")).unwrap();
    assert_eq!(std::fs::metadata(wal(&from)).unwrap().len(), 64 << 20);
    let copy = Db::open_log(&Location { url: "", data_dir: &to }).await.unwrap();
    let Db::Lite(opened) = &copy else { panic!("no url, and not SQLite") };
    opened.reserve_wal().unwrap();
    let copied = SqlLog::new(copy.clone());
    assert_eq!(copied.counts().await.unwrap().queued, 300);
    let mut batch = Batch::default();
    batch.accept(row(301));
    copied.commit(&batch).await.unwrap();
    assert_eq!(copied.counts().await.unwrap().queued, 301);
}
