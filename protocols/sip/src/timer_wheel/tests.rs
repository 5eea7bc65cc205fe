use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[expect(clippy::disallowed_methods, reason = "an Instant has no other origin; only differences are tested")]
fn origin() -> Instant {
    Instant::now()
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn expired(wheel: &mut TimerWheel<u32>, now: Instant) -> Vec<u32> {
    std::iter::from_fn(|| wheel.pop_expired(now)).collect()
}

#[test]
fn never_early_and_at_most_a_tick_late() {
    let now = origin();
    for at in [0, 1, 9, 10, 11, 500, 639, 640, 641, 4_095, 40_960, 32_000, 180_000, 86_400_000] {
        let mut wheel = TimerWheel::new(1, now);
        wheel.arm(now + ms(at), 7).unwrap();
        let due = at.next_multiple_of(10);
        if due > 0 {
            assert_eq!(wheel.pop_expired(now + ms(due) - Duration::from_nanos(1)), None, "{at} ms");
        }
        assert_eq!(wheel.pop_expired(now + ms(due)), Some(7), "{at} ms");
        assert!(wheel.is_empty() && wheel.next_deadline().is_none());
    }
}

#[test]
fn the_past_is_due_at_once() {
    let now = origin();
    let mut wheel = TimerWheel::new(4, now);
    assert_eq!(wheel.pop_expired(now + ms(1000)), None);
    wheel.arm(now + ms(500), 1).unwrap();
    assert_eq!(wheel.next_deadline(), Some(now + ms(1000)));
    assert_eq!(wheel.pop_expired(now + ms(400)), Some(1), "even where the clock went back");
}

#[test]
fn ids_are_of_one_timer_only() {
    let now = origin();
    let mut wheel = TimerWheel::new(1, now);
    let first = wheel.arm(now + ms(50), 1).unwrap();
    assert_eq!(wheel.arm(now, 2), Err(Full));
    assert_eq!(wheel.cancel(first), Some(1));
    let second = wheel.arm(now + ms(50), 2).unwrap();
    assert_ne!(first, second);
    assert_eq!(wheel.cancel(first), None, "its place is another's");
    assert_eq!(expired(&mut wheel, now + ms(50)), [2]);
    assert_eq!(wheel.cancel(second), None);
    assert_eq!(wheel.len(), 0);
}

#[test]
fn a_due_timer_can_still_be_cancelled() {
    let now = origin();
    let mut wheel = TimerWheel::new(3, now);
    let ids = [1, 2, 3].map(|value| wheel.arm(now + ms(20), value).unwrap());
    assert_eq!(wheel.pop_expired(now + ms(20)), Some(1));
    assert_eq!(wheel.cancel(ids[1]), Some(2));
    assert_eq!(expired(&mut wheel, now + ms(20)), [3]);
}

#[test]
fn the_end_of_time_is_not_passed() {
    let now = origin();
    let mut wheel = TimerWheel::new(2, now);
    let year = Duration::from_secs(365 * 86_400);
    wheel.arm(now + year * 100, 1).unwrap();
    wheel.arm(now + year, 2).unwrap();
    assert_eq!(expired(&mut wheel, now + year * 20), [2]);
    assert_eq!(expired(&mut wheel, now + year * 22), [1]);
    wheel.arm(now + year * 30, 3).unwrap();
    assert_eq!(expired(&mut wheel, now + year * 22), [3]);
}

#[test]
fn an_idle_worker_sleeps() {
    let now = origin();
    let mut wheel = TimerWheel::new(1, now);
    assert_eq!(wheel.next_deadline(), None);
    wheel.arm(now + ms(32_000), 1).unwrap();
    let mut wakes = 0;
    let mut time = now;
    while let Some(next) = wheel.next_deadline() {
        assert!(next > time, "each wake is later");
        time = next;
        wakes += 1;
        wheel.pop_expired(time);
    }
    assert_eq!(time, now + ms(32_000));
    assert!(wakes <= LEVELS, "{wakes} wakes for one timer");
}

#[test]
fn a_million_timers() {
    let now = origin();
    let mut wheel = TimerWheel::new(1_000_000, now);
    for value in 0..1_000_000_u32 {
        wheel.arm(now + ms(u64::from(value.wrapping_mul(2_654_435_761) % 200_000)), value).unwrap();
    }
    assert_eq!(wheel.arm(now, 0), Err(Full));
    let fired: usize = (1..=20_000).map(|tick| expired(&mut wheel, now + TICK * tick).len()).sum();
    assert_eq!((fired, wheel.len()), (1_000_000, 0));
    assert!(wheel.arm(now, 0).is_ok(), "places are used again");
}

#[derive(Clone, Debug)]
enum Step {
    /// So many ms ahead.
    Arm(u64),
    /// The timer armed so many steps ago.
    Cancel(usize),
    /// So many ms.
    Advance(u64),
    /// To the next deadline.
    Sleep,
}

fn step() -> impl Strategy<Value = Step> {
    let ahead = prop_oneof![0_u64..30, 0_u64..1_000, 0_u64..50_000, 0_u64..4_000_000, 0_u64..1_000_000_000];
    prop_oneof![
        5 => ahead.clone().prop_map(Step::Arm),
        2 => any::<usize>().prop_map(Step::Cancel),
        2 => ahead.prop_map(Step::Advance),
        2 => Just(Step::Sleep),
    ]
}

proptest! {
    /// Against a map from (tick, number) to timer.
    #[test]
    fn like_a_sorted_map(
        start in prop_oneof![Just(0_u64), 0_u64..1 << 36, Just((1 << 30) * 10 - 25)],
        steps in proptest::collection::vec(step(), 1..200),
    ) {
        let origin = origin();
        let mut now = origin + ms(start);
        let mut wheel = TimerWheel::new(usize::MAX, origin);
        prop_assert_eq!(wheel.pop_expired(now), None);
        let mut model = BTreeMap::new();
        let mut armed = Vec::new();
        for step in steps {
            match step {
                Step::Arm(ahead) => {
                    let value = u32::try_from(armed.len()).unwrap();
                    let at = now + ms(ahead);
                    let tick = ticks_after(origin, at);
                    armed.push((wheel.arm(at, value).unwrap(), tick));
                    model.insert((tick, value), ());
                }
                Step::Cancel(which) if !armed.is_empty() => {
                    let which = which % armed.len();
                    let (id, tick) = armed[which];
                    let value = u32::try_from(which).unwrap();
                    let expected = model.remove(&(tick, value)).map(|()| value);
                    prop_assert_eq!(wheel.cancel(id), expected);
                }
                Step::Cancel(_) => {}
                Step::Advance(by) => now += ms(by),
                Step::Sleep => {
                    if let Some(next) = wheel.next_deadline() {
                        let (first, _) = model.first_key_value().unwrap();
                        prop_assert!(next <= (origin + ms(first.0 * 10)).max(now), "it would oversleep");
                        now = now.max(next);
                    }
                }
            }
            let mut fired = Vec::new();
            while let Some(value) = wheel.pop_expired(now) {
                fired.push((armed[value as usize].1, value));
            }
            prop_assert!(fired.is_sorted_by_key(|(tick, _)| tick), "in order");
            let later = model.split_off(&(ticks_before(origin, now) + 1, 0));
            fired.sort_unstable();
            prop_assert_eq!(fired, model.into_keys().collect::<Vec<_>>());
            model = later;
            prop_assert_eq!(wheel.len(), model.len());
        }
    }
}

fn ticks_after(origin: Instant, at: Instant) -> u64 {
    u64::try_from((at - origin).as_millis()).unwrap().div_ceil(10)
}

fn ticks_before(origin: Instant, now: Instant) -> u64 {
    u64::try_from((now - origin).as_millis()).unwrap() / 10
}
