use super::*;

#[tokio::test]
async fn the_generator_against_itself_reports_every_key() {
    let load = Load { duration: Duration::from_millis(200), rate: 2_000.0, ..Load::default() };
    let outcome = measure(&load, &Target::Direct, None).await.unwrap();
    assert!(outcome.valid, "{outcome:?}");
    assert!(outcome.total > 300);
    assert_eq!((outcome.failed, outcome.lost, outcome.duplicates), (0, 0, 0));
    let json = serde_json::to_value(&outcome).unwrap();
    for key in [
        "scenario",
        "subject",
        "unit",
        "offered_per_s",
        "achieved_per_s",
        "total",
        "failed",
        "lost",
        "duplicates",
        "p50_us",
        "p99_us",
        "max_us",
        "cpu_us_per_unit",
        "rss_kb",
        "valid",
        "settings",
        "dlr_p50_us",
        "dlr_p99_us",
        "fsync_p50_us",
        "fsync_p99_us",
    ] {
        assert!(json.get(key).is_some(), "{key}");
    }
    assert!(outcome.figures.dlr_p50_us.unwrap() >= 20_000, "the receipt delay is part of it");
}

#[tokio::test]
async fn a_run_near_the_limit_of_the_generator_is_invalid() {
    let load = Load { duration: Duration::from_millis(100), rate: 1_000.0, ..Load::default() };
    let ledger = Ledger::new(1, true);
    let report = esme::Report {
        submitting: Duration::from_secs(1),
        elapsed: Duration::from_secs(2),
        settled_in_time: 800,
        settled: true,
    };
    let finished = Finished { report, settled_in_all: 1_000, cut_off: false };
    for (limit, share, valid) in [(1_000.0, 0.1, false), (2_000.0, 0.1, true), (2_000.0, 0.9, false)] {
        let run = Run {
            load: &load,
            finished,
            samples: Samples { generator_share: share, ..Samples::default() },
            tally: ledger.tally(),
            esme: &esme::Counters::default(),
            smsc: &smsc::Counters::default(),
        };
        let mut outcome = run.outcome("warp");
        assert!((outcome.achieved_per_s - 800.0).abs() < 0.1, "{}", outcome.achieved_per_s);
        run.judge_generator(&mut outcome, Some(limit));
        assert_eq!(outcome.valid, valid, "{limit} {share}");
        assert_eq!(outcome.settings.contains_key("invalid_because"), !valid);
    }
}
