//! What to do when a child ends: a pure function of its history.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::Exit;

/// Whether a child that ended is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Always.
    Permanent,
    /// When it failed or panicked.
    Transient,
    /// Never.
    Temporary,
}

/// Who is restarted together with a child that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Nobody: the children are independent.
    OneForOne,
    /// Those started after it: later children depend on earlier ones.
    RestForOne,
    /// Everybody.
    OneForAll,
}

/// More than `restarts` within `within`, counted over all children, and the supervisor gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intensity {
    /// Restarts allowed; with 0 the first failure is final.
    pub restarts: u32,
    /// The window.
    pub within: Duration,
}

impl Intensity {
    /// `restarts` within `within`.
    pub const fn new(restarts: u32, within: Duration) -> Self {
        Self { restarts, within }
    }
}

/// The pause before a restart: drawn from `[0, ceiling]` (full jitter), where the ceiling starts at `first`
/// and doubles with each failure up to `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Ceiling of the first pause.
    pub first: Duration,
    /// Ceiling that is never exceeded.
    pub max: Duration,
    /// A child that lived this long starts over at `first`.
    pub reset_after: Duration,
}

impl Backoff {
    /// No pause.
    pub const NONE: Self = Self { first: Duration::ZERO, max: Duration::ZERO, reset_after: Duration::ZERO };

    /// From `first` to `max`; a child that lived `max` starts over.
    pub const fn new(first: Duration, max: Duration) -> Self {
        Self { first, max, reset_after: max }
    }
}

impl Default for Backoff {
    /// 100 ms to 30 s.
    fn default() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(30))
    }
}

/// What a decision rests on.
#[derive(Clone, Debug)]
pub struct History<'a> {
    /// The supervisor's strategy.
    pub strategy: Strategy,
    /// The supervisor's limit.
    pub intensity: Intensity,
    /// When the supervisor restarted anything, oldest first.
    pub recent: &'a VecDeque<Instant>,
    /// The child's restart type.
    pub restart: Restart,
    /// The child's pauses.
    pub backoff: Backoff,
    /// Failures of the child in a row before this one.
    pub streak: u32,
    /// When the incarnation that ended was started.
    pub started_at: Instant,
}

/// Who is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The child that ended.
    This,
    /// It and those started after it.
    ThisAndLater,
    /// All children.
    All,
}

/// What the supervisor does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Start again.
    Restart {
        /// Who.
        which: Which,
        /// Ceiling of the pause before it; the jitter is drawn by the caller.
        after: Duration,
        /// Failures of the child in a row, this one included.
        streak: u32,
    },
    /// Too many restarts: stop all children and fail upward.
    GiveUp,
    /// Leave the child ended and free its name.
    Forget,
}

/// Decides on a child that ended with `exit` at `now`.
pub fn decide(history: &History<'_>, exit: &Exit, now: Instant) -> Decision {
    let again = match history.restart {
        Restart::Permanent => true,
        Restart::Transient => *exit != Exit::Normal,
        Restart::Temporary => false,
    };
    if !again {
        return Decision::Forget;
    }
    if restarts_within(history.recent, history.intensity.within, now) >= history.intensity.restarts {
        return Decision::GiveUp;
    }
    let lived = now.saturating_duration_since(history.started_at);
    let steady = lived >= history.backoff.reset_after;
    let streak = if steady { 1 } else { history.streak.saturating_add(1) };
    Decision::Restart { which: which(history.strategy), after: ceiling(history.backoff, streak), streak }
}

/// Restarts younger than `within`.
fn restarts_within(recent: &VecDeque<Instant>, within: Duration, now: Instant) -> u32 {
    let young = recent.iter().rev().take_while(|at| now.saturating_duration_since(**at) < within).count();
    u32::try_from(young).unwrap_or(u32::MAX)
}

const fn which(strategy: Strategy) -> Which {
    match strategy {
        Strategy::OneForOne => Which::This,
        Strategy::RestForOne => Which::ThisAndLater,
        Strategy::OneForAll => Which::All,
    }
}

/// `first * 2^(streak - 1)`, at most `max`.
fn ceiling(backoff: Backoff, streak: u32) -> Duration {
    let doublings = streak.saturating_sub(1).min(31);
    backoff.first.saturating_mul(1 << doublings).min(backoff.max)
}

#[cfg(test)]
mod tests;
