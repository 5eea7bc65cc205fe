//! In time that the test moves.

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const AFTER: Duration = Duration::from_secs(900);
const CALL: Uuid = Uuid::from_u128(1);
const QUIET: Figures = Figures { last_signal: Some(7), packets: 0 };

/// What the leftovers of a node say of the one call there is.
struct Bench {
    leftovers: Leftovers,
    start: Instant,
}

impl Bench {
    fn new() -> Self {
        let mut leftovers = Leftovers::default();
        assert_eq!(leftovers.listed([CALL]), [CALL]);
        Self { leftovers, start: tokio::time::Instant::now().into_std() }
    }

    /// What is said that many seconds after the start.
    fn told(&mut self, figures: Option<Figures>, at: u32) -> bool {
        self.leftovers.told(CALL, figures, (AFTER, self.start + SECOND * at))
    }
}

#[test]
fn what_nothing_comes_of_is_over_after_a_while() {
    let mut bench = Bench::new();
    assert!(!bench.told(Some(QUIET), 0) && !bench.told(Some(QUIET), 899));
    assert_eq!(bench.leftovers.listed([]), [CALL], "asked for though the list had no room for it");
    assert!(bench.told(Some(QUIET), 900));
    assert!(bench.leftovers.listed([]).is_empty());
    assert!(!bench.told(Some(QUIET), 2_000), "once");
}

#[test]
fn what_something_comes_of_lives() {
    let changes = [
        Figures { packets: 1, ..QUIET },
        Figures { last_signal: Some(8), ..QUIET },
        Figures { last_signal: None, ..QUIET },
    ];
    for change in changes {
        let mut bench = Bench::new();
        assert!(!bench.told(Some(QUIET), 0) && !bench.told(Some(change), 899), "{change:?}");
        assert!(!bench.told(Some(change), 900) && !bench.told(Some(change), 1_798), "{change:?}");
        assert!(bench.told(Some(change), 1_799), "{change:?}: so long since the change");
    }
}

/// It was answered, or somebody serves it, or the node does not have it.
#[test]
fn what_is_no_leftover_is_forgotten() {
    let mut bench = Bench::new();
    assert!(!bench.told(Some(QUIET), 0) && !bench.told(None, 899));
    assert!(bench.leftovers.listed([]).is_empty());
    assert!(!bench.told(Some(QUIET), 900));
}

#[test]
fn they_are_bounded() {
    let calls = (0..=WATCHED_MAX).map(|call| Uuid::from_u128(call as u128));
    assert_eq!(Leftovers::default().listed(calls).len(), WATCHED_MAX);
}
