use super::{Metrics, cpu_ticks, resident};

#[test]
fn a_name_is_registered_once() {
    let metrics = Metrics::new();
    metrics.counter("warp_test_total", "things").inc();
    let shared = metrics.clone();
    shared.counter("warp_test_total", "things").inc();
    metrics.counter_vec("warp_by_total", "things by kind", &["kind"]).with_label_values(&["a"]).inc();
    metrics.gauge("warp_depth", "depth").set(-3);
    metrics.gauge_vec("warp_depths", "depths", &["queue"]).with_label_values(&["q"]).set(4);
    metrics.histogram("warp_wait_seconds", "waits", &[0.1, 1.0]).observe(0.5);
    metrics
        .histogram_vec("warp_waits_seconds", "waits", &[1.0], &["q"])
        .with_label_values(&["q"])
        .observe(2.0);
    let text = metrics.render();
    for line in [
        "warp_test_total 2",
        "warp_by_total{kind=\"a\"} 1",
        "warp_depth -3",
        "warp_depths{queue=\"q\"} 4",
        "warp_wait_seconds_bucket{le=\"0.1\"} 0",
        "warp_wait_seconds_bucket{le=\"1\"} 1",
        "warp_waits_seconds_count{q=\"q\"} 1",
        "# TYPE warp_process_cpu_seconds_total counter",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let resident = text.lines().find_map(|line| line.strip_prefix("warp_process_resident_bytes ")).unwrap();
    assert!(resident.parse::<u64>().unwrap() > 100_000);
}

#[test]
fn two_nodes_count_apart() {
    let (one, other) = (Metrics::new(), Metrics::new());
    one.counter("warp_test_total", "things").inc();
    assert_eq!(other.counter("warp_test_total", "things").get(), 0);
}

#[test]
#[should_panic(expected = "metric warp_test is registered as another kind")]
fn one_name_two_kinds() {
    let metrics = Metrics::new();
    metrics.counter("warp_test", "things");
    metrics.gauge("warp_test", "things");
}

#[test]
fn proc_files() {
    let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 31 0 0 20 0 1 0 100 1000 200";
    assert_eq!(cpu_ticks(stat), Some(281));
    assert_eq!(resident("Name:\twarp\nVmRSS:\t    2048 kB\nThreads:\t1\n"), Some(2_097_152));
    for broken in ["", "7 (a", "7 (a) S 1", "VmRSS:", "VmRSS: x kB"] {
        assert_eq!((cpu_ticks(broken), resident(broken)), (None, None), "{broken}");
    }
}
