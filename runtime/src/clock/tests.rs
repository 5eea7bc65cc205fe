use std::time::Duration;

use proptest::prelude::*;

use super::{Clock, SimClock, SystemClock, Timestamp};

#[test]
fn rfc_3339() {
    let table = [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (1_709_164_799_999_999, "2024-02-28T23:59:59.999999Z"),
        (1_709_164_800_000_000, "2024-02-29T00:00:00.000000Z"),
    ];
    for (micros, text) in table {
        let time = Timestamp::from_micros(micros);
        assert_eq!(time.to_string(), text);
        assert_eq!(text.parse(), Ok(time));
        assert_eq!(serde_json::to_string(&time).unwrap(), format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Timestamp>(&format!("\"{text}\"")).unwrap(), time);
    }
    assert_eq!("2024-02-29T01:30:00+01:30".parse(), Ok(Timestamp::from_micros(1_709_164_800_000_000)));
    for text in ["", "2024-02-30T00:00:00Z", "2024-02-29", "1709164800"] {
        assert!(text.parse::<Timestamp>().is_err(), "{text}");
    }
    assert_eq!(Timestamp::from_micros(1_709_211_723_000_000).civil(), (2024, 2, 29, 13, 2, 3));
}

#[test]
fn the_ends_of_time_do_not_panic() {
    for micros in [i64::MIN, i64::MAX] {
        let time = Timestamp::from_micros(micros);
        assert!(!time.to_string().is_empty());
        assert_eq!(time.plus(Duration::MAX).micros(), micros.saturating_add(i64::MAX));
        assert_eq!(time.minus(Duration::MAX).micros(), micros.saturating_sub(i64::MAX));
    }
    assert_eq!(Timestamp::from_micros(5).since(Timestamp::from_micros(7)), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_simulated_clock_follows_paused_time() {
    let start = Timestamp::from_micros(1_000_000);
    let clock = SimClock::starting_at(start);
    assert_eq!(clock.now(), start);
    tokio::time::advance(Duration::from_millis(1500)).await;
    assert_eq!(clock.now().since(start), Duration::from_millis(1500));
}

#[test]
fn the_system_clock_runs() {
    assert!(SystemClock.now() > Timestamp::from_micros(1_700_000_000_000_000));
}

proptest! {
    #[test]
    fn what_is_written_is_read(micros in -60_000_000_000_000_000_i64..250_000_000_000_000_000) {
        let time = Timestamp::from_micros(micros);
        prop_assert_eq!(time.to_string().parse(), Ok(time));
        prop_assert_eq!(Timestamp::from(time.utc()), time);
    }
}
