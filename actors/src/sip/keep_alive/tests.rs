use runtime::clock::{SharedClock, SimClock, Timestamp};
use runtime::log::{Disk, Limits, MessageLog, SimLog};
use runtime::model::Transport;
use runtime::random::Random;
use runtime::registry::Registry;
use runtime::store::registration::StoredRegistration;
use runtime::telemetry::metrics::Metrics;
use tokio::time::sleep;
use uuid::Uuid;

use super::super::call_metrics::CallMetrics;
use super::super::calls;
use super::super::snapshot::Snapshot;
use super::super::testing::settings;
use super::super::transactions::Now;
use super::super::worker::Input;
use super::*;

const EVERY: Duration = Duration::from_secs(25);
const START: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

/// Node 7, without workers.
fn node() -> Arc<Calls> {
    let clock: SharedClock = Arc::new(SimClock::starting_at(START));
    let now = Now { instant: Instant::now().into_std(), wall: START };
    Calls::new(calls::Parts {
        settings: settings(now, Vec::new()),
        snapshot: Snapshot::default(),
        metrics: CallMetrics::new(&Metrics::new()),
        log: MessageLog::new(Arc::new(SimLog::new(Disk::default(), Random::seeded(3))), Limits::default()),
        registry: Registry::new(Arc::clone(&clock), Random::seeded(1)),
        clock,
        random: Random::seeded(1),
    })
}

/// A telephone behind a NAT that registered at this node, for so long.
fn telephone(number: u128, lives: Duration) -> StoredRegistration {
    StoredRegistration {
        id: Uuid::from_u128(number),
        trunk: Uuid::from_u128(number),
        contact: "sip:a@10.0.0.7:5060".to_owned(),
        source: "203.0.113.9:40112".parse().unwrap(),
        transport: Transport::Udp,
        path: String::new(),
        q: 1000,
        node: 7,
        listener: 0,
        call_id: "a".to_owned(),
        cseq: 1,
        user_agent: String::new(),
        registered_at: START,
        expires_at: START.plus(lives),
        version: 1,
    }
}

fn bind(calls: &Calls, stored: StoredRegistration) {
    let trunk = stored.trunk;
    calls.registrar.bindings.put(trunk, vec![Arc::new(Binding::new(stored, 0, calls.now()))]);
}

/// Who is to be asked since this was called last.
fn asked(calls: &Calls) -> Vec<u128> {
    let (mut inputs, mut refused) = (Vec::new(), Vec::new());
    for worker in 0..calls.workers() {
        calls.ring(worker).unwrap().take(100_000, &mut inputs, &mut refused);
    }
    let id = |input: &Input| {
        let Input::KeepAlive(binding) = input else { panic!("{input:?}") };
        binding.stored.id.as_u128()
    };
    inputs.iter().map(id).collect()
}

/// A thousand telephones are asked once in each turn, and never many at a time.
#[tokio::test(start_paused = true)]
async fn each_is_asked_once_in_a_turn() {
    let calls = node();
    let hour = Duration::from_secs(3600);
    // The last octet of a trunk's key says in which part it is.
    (0..1_000).for_each(|number| bind(&calls, telephone(number, hour)));
    let turning = tokio::spawn({
        let calls = Arc::clone(&calls);
        async move { run(&calls, EVERY).await }
    });
    // Between two spokes; what the first of them asked at once is asked again at the end of the turn.
    let begun = Instant::now() + Duration::from_millis(60);
    sleep_until(begun).await;
    asked(&calls);
    for turn in 0..3 {
        let mut seen = Vec::new();
        for step in 1..=200 {
            sleep_until(begun + EVERY * turn + Duration::from_millis(125) * step).await;
            let now = asked(&calls);
            assert!(now.len() <= 2 * AT_ONCE, "{} at a time", now.len());
            seen.extend(now);
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..1_000).collect::<Vec<_>>(), "turn {turn}");
    }
    turning.abort();
}

/// All in one part: they are spread over its time.
#[tokio::test(start_paused = true)]
async fn many_of_one_part_are_no_burst() {
    let calls = node();
    (0..640).for_each(|number| bind(&calls, telephone(number << 8, Duration::from_secs(3600))));
    let turning = tokio::spawn({
        let calls = Arc::clone(&calls);
        async move { run(&calls, EVERY).await }
    });
    let mut seen = 0;
    for _ in 0..39 {
        sleep(Duration::from_millis(10)).await;
        let now = asked(&calls).len();
        assert!(now <= 3 * AT_ONCE, "{now} at a time");
        seen += now;
    }
    assert_eq!(seen, 640);
    turning.abort();
}

#[tokio::test(start_paused = true)]
async fn who_is_left_alone() {
    let calls = node();
    let (hour, minute) = (Duration::from_secs(3600), Duration::from_secs(60));
    bind(&calls, telephone(1, hour));
    bind(&calls, telephone(2, minute));
    bind(&calls, StoredRegistration { node: 8, ..telephone(3, hour) });
    bind(&calls, StoredRegistration { contact: "sip:a@203.0.113.9:40112".to_owned(), ..telephone(4, hour) });
    bind(&calls, StoredRegistration { transport: Transport::Tcp, ..telephone(5, hour) });
    bind(&calls, StoredRegistration { path: "<sip:edge;lr>".to_owned(), ..telephone(6, hour) });
    let turning = tokio::spawn({
        let calls = Arc::clone(&calls);
        async move { run(&calls, EVERY).await }
    });
    sleep(EVERY).await;
    let mut first = asked(&calls);
    first.sort_unstable();
    assert_eq!(first, [1, 2]);
    sleep(EVERY * 2).await;
    asked(&calls);
    sleep(EVERY).await;
    assert_eq!(asked(&calls), [1], "the time of the other one is over");
    calls.registrar.bindings.put(Uuid::from_u128(1), Vec::new());
    sleep(EVERY * 2).await;
    asked(&calls);
    sleep(EVERY).await;
    assert_eq!(asked(&calls), [0_u128; 0]);
    turning.abort();
}
