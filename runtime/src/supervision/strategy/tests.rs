use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::{Backoff, Decision, History, Intensity, Restart, Strategy as Tie, Which, decide};
use crate::supervision::Exit;

const PLENTY: Intensity = Intensity::new(1000, Duration::from_secs(10));

#[test]
fn restart_types() {
    let failed = || Exit::Failed("x".into());
    let panicked = || Exit::Panicked("x".into());
    let table = [
        (Restart::Permanent, Exit::Normal, true),
        (Restart::Permanent, failed(), true),
        (Restart::Permanent, panicked(), true),
        (Restart::Transient, Exit::Normal, false),
        (Restart::Transient, failed(), true),
        (Restart::Transient, panicked(), true),
        (Restart::Temporary, Exit::Normal, false),
        (Restart::Temporary, failed(), false),
        (Restart::Temporary, panicked(), false),
    ];
    let now = Instant::now();
    for (restart, exit, again) in table {
        let recent = VecDeque::new();
        let history = history(Tie::OneForOne, restart, PLENTY, &recent, now);
        let decision = decide(&history, &exit, now);
        assert_eq!(decision != Decision::Forget, again, "{restart:?} {exit:?}");
    }
}

#[test]
fn no_restart_allowed_gives_up_at_once() {
    let now = Instant::now();
    let recent = VecDeque::new();
    let none = Intensity::new(0, Duration::from_secs(1));
    let history = history(Tie::OneForAll, Restart::Permanent, none, &recent, now);
    assert_eq!(decide(&history, &Exit::Normal, now), Decision::GiveUp);
}

#[test]
fn the_window_forgets() {
    let start = Instant::now();
    let recent: VecDeque<_> = [0, 1, 2].map(|second| start + Duration::from_secs(second)).into();
    let three = Intensity::new(3, Duration::from_secs(10));
    for (after, gives_up) in [(3, true), (9, true), (10, false), (60, false)] {
        let now = start + Duration::from_secs(after);
        let history = history(Tie::OneForOne, Restart::Permanent, three, &recent, start);
        assert_eq!(decide(&history, &Exit::Normal, now) == Decision::GiveUp, gives_up, "after {after} s");
    }
}

#[test]
fn the_ceiling_doubles_up_to_its_maximum_and_starts_over() {
    let backoff = Backoff {
        first: Duration::from_secs(1),
        max: Duration::from_secs(60),
        reset_after: Duration::from_secs(120),
    };
    let start = Instant::now();
    let recent = VecDeque::new();
    let mut streak = 0;
    let mut ceilings = Vec::new();
    for lived in [1, 1, 1, 1, 1, 1, 1, 119, 120, 1] {
        let history = History {
            backoff,
            streak,
            ..history(Tie::OneForOne, Restart::Permanent, PLENTY, &recent, start)
        };
        let decision = decide(&history, &Exit::Normal, start + Duration::from_secs(lived));
        let Decision::Restart { after, streak: next, .. } = decision else { panic!("{decision:?}") };
        streak = next;
        ceilings.push(after.as_secs());
    }
    assert_eq!(ceilings, [1, 2, 4, 8, 16, 32, 60, 60, 1, 2]);
}

proptest! {
    #[test]
    fn every_decision_holds(
        (tie, restart, exit) in (tie(), restart(), exit()),
        limit in 0_u32..20,
        ages_ms in prop::collection::vec(0_u64..20_000, 0..30),
        (first_ms, max_ms, lived_ms, streak) in (0_u64..5_000, 0_u64..60_000, 0_u64..100_000, 0_u32..=u32::MAX),
    ) {
        let now = Instant::now() + Duration::from_secs(1000);
        let within = Duration::from_secs(10);
        let mut ages = ages_ms;
        ages.sort_unstable_by(|a, b| b.cmp(a));
        let recent: VecDeque<_> = ages.iter().map(|age| now - Duration::from_millis(*age)).collect();
        let max = Duration::from_millis(max_ms);
        let history = History {
            strategy: tie,
            intensity: Intensity::new(limit, within),
            recent: &recent,
            restart,
            backoff: Backoff::new(Duration::from_millis(first_ms), max),
            streak,
            started_at: now - Duration::from_millis(lived_ms),
        };
        let young = ages.iter().filter(|age| **age < 10_000).count();
        match decide(&history, &exit, now) {
            Decision::Forget => prop_assert!(
                restart == Restart::Temporary || (restart == Restart::Transient && exit == Exit::Normal)
            ),
            Decision::GiveUp => {
                prop_assert!(restart != Restart::Temporary);
                prop_assert!(young >= limit as usize);
            }
            Decision::Restart { which, after, streak: next } => {
                prop_assert!(young < limit as usize);
                prop_assert!(after <= max);
                prop_assert!(next >= 1);
                let expected = match tie {
                    Tie::OneForOne => Which::This,
                    Tie::RestForOne => Which::ThisAndLater,
                    Tie::OneForAll => Which::All,
                };
                prop_assert_eq!(which, expected);
            }
        }
    }

    #[test]
    fn a_longer_streak_never_waits_less(streak in 0_u32..100, first_ms in 1_u64..5_000, max_ms in 1_u64..600_000) {
        let now = Instant::now();
        let recent = VecDeque::new();
        let after = |streak| {
            let backoff = Backoff {
                first: Duration::from_millis(first_ms),
                max: Duration::from_millis(max_ms),
                reset_after: Duration::from_secs(1),
            };
            let history = History { backoff, streak, ..history(Tie::OneForOne, Restart::Permanent, PLENTY, &recent, now) };
            match decide(&history, &Exit::Normal, now) {
                Decision::Restart { after, .. } => after,
                decision @ (Decision::GiveUp | Decision::Forget) => panic!("{decision:?}"),
            }
        };
        prop_assert!(after(streak) <= after(streak + 1));
    }
}

fn history(
    strategy: Tie,
    restart: Restart,
    intensity: Intensity,
    recent: &VecDeque<Instant>,
    started_at: Instant,
) -> History<'_> {
    History { strategy, intensity, recent, restart, backoff: Backoff::NONE, streak: 0, started_at }
}

fn tie() -> impl Strategy<Value = Tie> {
    prop_oneof![Just(Tie::OneForOne), Just(Tie::RestForOne), Just(Tie::OneForAll)]
}

fn restart() -> impl Strategy<Value = Restart> {
    prop_oneof![Just(Restart::Permanent), Just(Restart::Transient), Just(Restart::Temporary)]
}

fn exit() -> impl Strategy<Value = Exit> {
    prop_oneof![
        Just(Exit::Normal),
        Just(Exit::Failed("an error".into())),
        Just(Exit::Panicked("a panic".into()))
    ]
}
