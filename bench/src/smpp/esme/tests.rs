//! The customer simulator against the vendor simulator, without a node in between.

use std::sync::atomic::Ordering::Relaxed;

use super::*;
use crate::ledger::Tally;
use crate::smpp::smsc::{IdFormat, MoOptions, Smsc, SmscOptions};

const MESSAGES: u64 = 2_000;

struct Both {
    report: Report,
    tally: Tally,
    smsc: Smsc,
    esme: Arc<Counters>,
}

async fn through(smsc: SmscOptions, change: impl FnOnce(&mut EsmeOptions)) -> Both {
    let ledger = Arc::new(Ledger::new(0xA1B2, true));
    let smsc = Smsc::start(smsc, Arc::clone(&ledger)).await.unwrap();
    let mut options = EsmeOptions {
        sessions: 3,
        window: 20,
        total: Some(MESSAGES),
        quiet: Duration::from_secs(3),
        ..EsmeOptions::new(smsc.addr, "customer", "secret")
    };
    change(&mut options);
    let esme = Esme::start(options, Arc::clone(&ledger)).await.unwrap();
    let report = esme.finish().await;
    let counters = Arc::clone(&esme.counters);
    esme.stop().await;
    Both { report, tally: ledger.tally(), smsc, esme: counters }
}

fn assert_clean(both: &Both) {
    assert!(both.report.settled, "{:?}", both.tally);
    assert_eq!(both.tally.submitted, MESSAGES);
    assert_eq!(
        both.tally.lost() + both.tally.duplicates() + both.tally.unmatched_receipts,
        0,
        "{:?}",
        both.tally
    );
    assert_eq!(both.smsc.counters.corrupt.load(Relaxed), 0);
    assert_eq!(both.smsc.counters.unmarked.load(Relaxed), 0);
    assert_eq!(both.esme.unreadable.load(Relaxed), 0);
}

#[tokio::test]
async fn every_mix_arrives_whole_and_once() {
    for mix in [Mix::Gsm7, Mix::Ucs2, Mix::Concat, Mix::Long, Mix::Mixed, Mix::Plain] {
        let both = through(SmscOptions::default(), |options| options.mix = mix).await;
        assert_clean(&both);
        assert_eq!((both.tally.accepted, both.tally.receipts_seen), (MESSAGES, MESSAGES), "{mix:?}");
        assert_eq!(both.esme.resp.count(), MESSAGES);
        assert_eq!(both.esme.dlr.count(), MESSAGES);
        assert_eq!(both.smsc.counters.bound.load(Relaxed), 0);
    }
}

#[tokio::test]
async fn pairs_ids_and_early_receipts() {
    for format in [IdFormat::Hex, IdFormat::HexPadded, IdFormat::Decimal, IdFormat::Uuid] {
        let smsc = SmscOptions {
            answer_id: format,
            receipt_id: format,
            answer_delay: Duration::from_millis(5),
            receipts_early: true,
            ..SmscOptions::default()
        };
        let both = through(smsc, |options| options.binds = Binds::Pair).await;
        assert_clean(&both);
        assert_eq!(both.tally.receipts_seen, MESSAGES);
        assert_eq!(both.esme.binds.load(Relaxed), 6);
    }
}

#[tokio::test]
async fn text_receipts_are_enough() {
    let both = through(SmscOptions { receipt_tlvs: false, ..SmscOptions::default() }, |_| {}).await;
    assert_clean(&both);
    assert_eq!(both.tally.receipts_seen, MESSAGES);
}

#[tokio::test]
async fn withheld_failed_and_throttled_shares_are_accounted_for() {
    let smsc = SmscOptions {
        receipt_share: 0.9,
        failed_share: 0.1,
        throttled_share: 0.1,
        receipt_delay: Duration::from_millis(3),
        ..SmscOptions::default()
    };
    let both = through(smsc, |_| {}).await;
    let tally = both.tally;
    assert_clean(&both);
    assert_eq!(tally.refused, both.smsc.counters.throttled.load(Relaxed));
    assert_eq!(tally.accepted + tally.refused, MESSAGES);
    assert_eq!(tally.receipts_seen + tally.receipts_withheld, tally.accepted);
    for (what, count, expected) in [
        ("refused", tally.refused, MESSAGES / 10),
        ("withheld", tally.receipts_withheld, MESSAGES * 9 / 100),
        ("failed", tally.failed_receipts, MESSAGES * 8 / 100),
    ] {
        assert!(count.abs_diff(expected) < expected, "{what}: {count}");
        assert!(count > 0, "{what}");
    }
    let throttled = both.esme.refusals.lock().get(&CommandStatus::ESME_RTHROTTLED.0).copied();
    assert_eq!(throttled, Some(tally.refused));
}

#[tokio::test]
async fn a_vendor_throttles_beyond_its_throughput() {
    let started = Instant::now();
    let both = through(SmscOptions { throughput_max: 100, ..SmscOptions::default() }, |_| {}).await;
    // Three binds, each with a bucket of a second's messages that fills while the test lasts.
    let accepted = both.tally.accepted;
    let most = 300.0 * (started.elapsed().as_secs_f64() + 1.0);
    assert!(accepted >= 100 && accepted as f64 <= most, "{accepted}, at most {most}");
    assert_eq!(both.tally.refused, MESSAGES - accepted);
    assert_eq!(both.tally.receipts_seen, accepted);
}

#[tokio::test]
async fn lost_connections_leave_unknown_messages_and_lose_nothing() {
    let smsc =
        SmscOptions { drop_every: 300, answer_delay: Duration::from_millis(1), ..SmscOptions::default() };
    let both = through(smsc, |_| {}).await;
    let tally = both.tally;
    assert_eq!(tally.submitted, MESSAGES);
    assert!(both.smsc.counters.drops.load(Relaxed) >= 3);
    assert!(both.esme.lost_connections.load(Relaxed) >= 3);
    assert!(tally.unknown >= 3);
    assert_eq!(tally.accepted + tally.unknown, MESSAGES);
    assert_eq!((tally.lost(), tally.duplicate_messages), (0, 0));
}

/// A full window once woke itself without end.
#[tokio::test]
async fn small_deliver_windows_carry_everything() {
    for deliver_window in [1, 2, 7] {
        let smsc = SmscOptions { deliver_window, ..SmscOptions::default() };
        let both = through(smsc, |options| options.sessions = 2).await;
        assert_clean(&both);
        assert_eq!(both.tally.receipts_seen, MESSAGES);
    }
}

#[tokio::test]
async fn a_pace_is_kept() {
    let both = through(SmscOptions::default(), |options| {
        options.rate = 1_000.0;
        options.total = None;
        options.duration = Some(Duration::from_millis(500));
    })
    .await;
    // Never ahead of the pace; how far behind it is the machine's affair (`pace.rs` tests the schedule itself).
    assert!((1..=501).contains(&both.tally.submitted), "{}", both.tally.submitted);
    assert!(both.report.settled);
    assert_eq!(both.tally.receipts_seen, both.tally.submitted);
}

#[tokio::test]
async fn mo_messages_reach_the_customer() {
    let mo = Arc::new(Ledger::new(0x0C0C, false));
    let options = MoOptions {
        rate: 100_000.0,
        total: 500,
        source: "15551230000".to_owned(),
        destination: "15550001111".to_owned(),
        ledger: Arc::clone(&mo),
    };
    let into = Arc::clone(&mo);
    let both = through(SmscOptions { mo: Some(options), ..SmscOptions::default() }, |options| {
        options.mo_ledger = Some(into);
        options.binds = Binds::Pair;
    })
    .await;
    assert_clean(&both);
    let tally = mo.tally();
    assert_eq!((tally.submitted, tally.accepted, tally.reached), (500, 500, 500));
    assert_eq!(tally.lost() + tally.duplicates(), 0);
}

#[tokio::test]
async fn a_refused_bind_says_why() {
    let ledger = Arc::new(Ledger::new(1, true));
    let credentials = Some(("customer".to_owned(), "other".to_owned()));
    let smsc = Smsc::start(SmscOptions { credentials, ..SmscOptions::default() }, Arc::clone(&ledger))
        .await
        .unwrap();
    let options = EsmeOptions {
        bind_within: Duration::from_millis(200),
        ..EsmeOptions::new(smsc.addr, "customer", "secret")
    };
    let error = Esme::run(options, ledger).await.unwrap_err();
    assert!(error.to_string().contains("ESME_RINVPASWD"), "{error}");
}
