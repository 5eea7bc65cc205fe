//! Whether a node answers, and whether it takes calls: known to its actor, read by workers without a lock.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::load::{Load, Shortage};
use super::release::Release;

/// Silences in a row after which a node is down.
const SILENCES_DOWN: u32 = 3;
/// Answers in a row after which a node that was down is up again: one may be of a node that staggers.
const ANSWERS_UP: u32 = 2;

/// The calls of a node that is down for this time are lost: of one that the network says is not there, and of one that
/// is silent.
const LOST_REFUSED: Duration = Duration::from_secs(1);
const LOST_SILENT: Duration = Duration::from_secs(10);

/// What is known of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It answers.
    Up,
    /// It was silent just now: new calls take another, where one is up.
    Suspect,
    /// It was silent again and again, or was never heard: it gets no new calls, but where there is no other.
    Down,
}

impl State {
    /// As operators see it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Suspect => "suspect",
            Self::Down => "down",
        }
    }

    const fn from_u8(value: u8) -> Self {
        match value {
            0 => Self::Up,
            1 => Self::Suspect,
            _ => Self::Down,
        }
    }
}

/// The health of one node. Its actor writes it, and workers what they are told, or are not, at the same time.
#[derive(Debug)]
pub struct Health {
    origin: Instant,
    state: AtomicU8,
    /// Held by who changes the state, and what belongs to it, for as long as that takes: half of a change would end the
    /// calls of a node that is up. An answer of a node that is up changes nothing, and takes no lock.
    turning: Mutex<()>,
    /// Microseconds since `origin`; 0 is never.
    full_until: AtomicU64,
    heard_at: AtomicU64,
    down_since: AtomicU64,
    /// How often it went down.
    downs: AtomicU64,
    /// When it was heard last before it went down last.
    heard_before: AtomicU64,
    /// Whether the network said that nobody is there.
    refused: AtomicBool,
    sessions: AtomicU64,
    round_trip_us: AtomicU64,
    silences: AtomicU64,
    answers: AtomicU64,
    /// The release that it runs, where it is known. Never locked where packets fly.
    release: Mutex<Option<Release>>,
    /// What it has to do, where it has said it. Never locked where packets fly.
    load: Mutex<Option<Load>>,
}

impl Health {
    /// Of a node that nothing was heard of yet: it is down until it answers.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            origin: now,
            state: AtomicU8::new(State::Down as u8),
            turning: Mutex::default(),
            full_until: zero(),
            heard_at: zero(),
            down_since: AtomicU64::new(1),
            downs: zero(),
            heard_before: zero(),
            refused: AtomicBool::new(false),
            sessions: zero(),
            round_trip_us: zero(),
            silences: zero(),
            answers: AtomicU64::new(u64::from(ANSWERS_UP) - 1),
            release: Mutex::default(),
            load: Mutex::default(),
        }
    }

    /// Whether it answers.
    pub fn state(&self) -> State {
        State::from_u8(self.state.load(Ordering::Acquire))
    }

    /// It answered, after this time. True when it was not up before and is now.
    pub fn heard(&self, round_trip: Duration, now: Instant) -> bool {
        // Each of those who ask has the time of its own turn: the last one counts.
        self.heard_at.fetch_max(self.micros(now), Ordering::Relaxed);
        let took = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX);
        let before = self.round_trip_us.load(Ordering::Relaxed);
        // An eighth of the new one, as TCP does (RFC 6298).
        let smoothed = if before == 0 { took } else { (before * 7).saturating_add(took) / 8 };
        self.round_trip_us.store(smoothed, Ordering::Relaxed);
        self.silences.store(0, Ordering::Relaxed);
        if self.state() == State::Up {
            return false;
        }
        let _turning = self.turning.lock();
        let state = self.state();
        if state == State::Up {
            return false;
        }
        let answers = self.answers.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if state == State::Down && answers < u64::from(ANSWERS_UP) {
            return false;
        }
        self.down_since.store(0, Ordering::Relaxed);
        self.refused.store(false, Ordering::Relaxed);
        self.state.store(State::Up as u8, Ordering::Release);
        true
    }

    /// A command sent at `sent` had no answer in time. It says nothing of a node that was heard since. True when the node
    /// is down now and was not before.
    pub fn silent(&self, sent: Instant, now: Instant) -> bool {
        if self.heard_at.load(Ordering::Relaxed) > self.micros(sent) {
            return false;
        }
        let _turning = self.turning.lock();
        self.answers.store(0, Ordering::Relaxed);
        let silences = self.silences.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if silences < u64::from(SILENCES_DOWN) {
            if self.state() == State::Up {
                self.state.store(State::Suspect as u8, Ordering::Release);
            }
            return false;
        }
        self.go_down(now)
    }

    /// Nobody is there: the network said so. True when it was not known to be down.
    pub fn gone(&self, now: Instant) -> bool {
        let _turning = self.turning.lock();
        self.refused.store(true, Ordering::Relaxed);
        self.go_down(now)
    }

    /// Somebody watches over it from now on. That it is down since long says nothing of its calls, where nobody has asked
    /// it in that time.
    pub fn watched(&self, now: Instant) {
        let _turning = self.turning.lock();
        if self.state() == State::Down {
            self.refused.store(false, Ordering::Relaxed);
            self.down_since.store(self.micros(now).max(1), Ordering::Relaxed);
        }
    }

    /// Under the lock of `turning`.
    fn go_down(&self, now: Instant) -> bool {
        self.answers.store(0, Ordering::Relaxed);
        let before = self.state.swap(State::Down as u8, Ordering::AcqRel);
        let newly = State::from_u8(before) != State::Down;
        if newly {
            self.heard_before.store(self.heard_at.load(Ordering::Relaxed), Ordering::Relaxed);
            self.down_since.store(self.micros(now).max(1), Ordering::Relaxed);
            self.downs.fetch_add(1, Ordering::Release);
        }
        newly
    }

    /// How often it went down: who watches over it sees by that what others have found, though it be up again.
    pub fn downs(&self) -> u64 {
        self.downs.load(Ordering::Acquire)
    }

    /// How long it has been down; `None` while it is not.
    fn down_for(&self, now: Instant) -> Option<Duration> {
        let since = self.down_since.load(Ordering::Relaxed);
        (since > 0).then(|| Duration::from_micros(self.micros(now).saturating_sub(since)))
    }

    /// Whether it is down by its silence alone, which began so short a time ago that its calls are not taken for lost: it
    /// may be the way to it, or the machine that we run on, that stood still.
    pub fn may_be_there(&self, now: Instant) -> bool {
        let heard = self.heard_at.load(Ordering::Relaxed) > 0;
        let refused = self.refused.load(Ordering::Relaxed);
        heard && !refused && self.down_for(now).is_some_and(|down| down < LOST_SILENT)
    }

    /// When it was heard last, of a node that has been down for so long that its calls are lost; `None` of every other
    /// one, and of one that never was heard. Where nobody is there its calls are gone; who is only silent may be behind a
    /// network that fails, through which its calls are heard all the same.
    pub fn lost(&self, now: Instant) -> Option<Instant> {
        let after = if self.refused.load(Ordering::Relaxed) { LOST_REFUSED } else { LOST_SILENT };
        let heard = self.heard_at.load(Ordering::Relaxed);
        let lost = heard > 0 && self.down_for(now).is_some_and(|down| down >= after);
        lost.then(|| self.origin + Duration::from_micros(heard))
    }

    /// When it was heard last before it went down last; `None` of one that never was up.
    pub fn heard_before_down(&self) -> Option<Instant> {
        let heard = self.heard_before.load(Ordering::Relaxed);
        (heard > 0).then(|| self.origin + Duration::from_micros(heard))
    }

    /// It takes no calls for now. True when it was not known to.
    pub fn short(&self, of: Shortage, now: Instant) -> bool {
        let before = self.full_until.fetch_max(self.micros(now + of.lasts()), Ordering::Relaxed);
        before <= self.micros(now)
    }

    /// Whether it said so just now.
    pub fn is_full(&self, now: Instant) -> bool {
        self.full_until.load(Ordering::Relaxed) > self.micros(now)
    }

    /// Calls that it carries, by its own word.
    pub fn sessions(&self) -> u64 {
        self.sessions.load(Ordering::Relaxed)
    }

    /// It carries so many calls.
    pub fn set_sessions(&self, sessions: u64) {
        self.sessions.store(sessions, Ordering::Relaxed);
    }

    /// What it has to do, as it said last.
    pub fn load(&self) -> Option<Load> {
        *self.load.lock()
    }

    /// It has this to do. One that has refused calls since it said so before is at a limit of its own, whoever's calls those
    /// were.
    pub fn set_load(&self, load: Load, now: Instant) {
        let before = self.load.lock().replace(load);
        if before.is_some_and(|before| load.rejected_sessions > before.rejected_sessions) {
            self.short(Shortage::Full, now);
        }
    }

    /// The release that it runs, as it said last.
    pub fn release(&self) -> Option<Release> {
        self.release.lock().clone()
    }

    /// It runs this release. True where that is another one than it said before.
    pub fn set_release(&self, release: &Release) -> bool {
        let before = self.release.lock().replace(release.clone());
        before.as_ref() != Some(release)
    }

    /// How long its answers take, smoothed.
    pub fn round_trip(&self) -> Duration {
        Duration::from_micros(self.round_trip_us.load(Ordering::Relaxed))
    }

    fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.origin).as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn up(now: Instant) -> Health {
        let health = Health::new(now);
        assert_eq!(health.state(), State::Down, "nothing was heard of it yet");
        assert!(!health.may_be_there(now));
        assert!(health.heard(MS, now + MS), "the first answer of all is enough");
        health
    }

    #[test]
    fn three_silences_are_down_and_two_answers_up() {
        let start = tokio::time::Instant::now().into_std();
        let health = up(start);
        let at = |ms: u32| start + MS * ms;
        assert!(!health.silent(at(10), at(210)));
        assert_eq!(health.state(), State::Suspect);
        assert!(!health.silent(at(11), at(211)));
        assert!(health.silent(at(12), at(212)), "the third in a row");
        assert!(!health.silent(at(13), at(213)), "which is told once");
        assert_eq!(health.downs(), 1);
        assert_eq!((health.state(), health.down_for(at(312))), (State::Down, Some(MS * 100)));
        assert_eq!((health.lost(at(10_211)), health.lost(at(10_212))), (None, Some(at(1))));
        assert_eq!(
            [at(212), at(10_211), at(10_212)].map(|now| health.may_be_there(now)),
            [true, true, false]
        );
        assert!(!health.heard(MS, at(400)), "one answer is not enough");
        assert!(health.heard(MS, at(650)));
        assert_eq!((health.state(), health.down_for(at(700))), (State::Up, None));
    }

    #[test]
    fn a_silence_between_answers_makes_a_suspect_until_the_next() {
        let start = tokio::time::Instant::now().into_std();
        let health = up(start);
        let at = |ms: u32| start + MS * ms;
        health.silent(at(10), at(210));
        assert!(health.heard(MS, at(215)));
        assert_eq!(health.state(), State::Up);
        // What was sent before that answer says nothing.
        assert!(!health.silent(at(100), at(300)));
        assert_eq!(health.state(), State::Up);
    }

    #[test]
    fn who_is_refused_by_the_network_is_down_at_once() {
        let start = tokio::time::Instant::now().into_std();
        let health = up(start);
        assert!(health.gone(start + MS) && !health.gone(start + MS));
        assert_eq!(health.state(), State::Down);
        assert!(!health.may_be_there(start + MS));
        assert_eq!(health.lost(start + MS * 1_000), None);
        assert_eq!(health.lost(start + MS * 1_001), Some(start + MS), "when it was heard last");
        assert!(!health.heard(MS, start + MS * 1_100) && health.heard(MS, start + MS * 1_101));
        assert_eq!(health.heard_before_down(), Some(start + MS));
        assert_eq!(health.lost(start + MS * 9_000), None, "it is back");
        assert_eq!(health.downs(), 1, "that stays, for those who have not seen it down");
        assert!(health.gone(start + MS * 9_001));
        assert_eq!(health.downs(), 2);
    }

    /// Without sleep as long as that takes little, so that both go on at one time.
    fn wait_until(reached: &AtomicU64, step: u64) {
        let mut tries = 0_u64;
        while reached.load(Ordering::Acquire) < step {
            tries += 1;
            if tries.is_multiple_of(64) { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
    }

    /// Workers and the node's actor hear of it at the same time, and not the same.
    #[test]
    fn what_is_found_at_the_same_time_is_one_after_the_other() {
        let start = tokio::time::Instant::now().into_std();
        let at = |ms: u32| start + MS * ms;
        let suspect = || {
            let health = up(start);
            health.silent(at(10), at(210));
            assert_eq!(health.state(), State::Suspect);
            health
        };
        let healths: Vec<Health> = std::iter::repeat_with(suspect).take(20_000).collect();
        let reached = [0, 0].map(AtomicU64::new);
        // Each waits for the other one before each of them.
        let find = |own: usize, one: &(dyn Fn(&Health) + Sync)| {
            for (step, health) in (1..).zip(&healths) {
                reached[own].store(step, Ordering::Release);
                wait_until(&reached[1 - own], step);
                one(health);
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                find(0, &|health| {
                    health.heard(MS, at(220));
                });
            });
            find(1, &|health| {
                health.gone(at(220));
            });
        });
        for health in &healths {
            // Whichever was the first: one answer is not enough for who is gone.
            assert_eq!((health.state(), health.down_for(at(300))), (State::Down, Some(MS * 80)));
            assert_eq!((health.lost(at(1_219)), health.lost(at(1_220))), (None, Some(at(220))));
        }
    }

    #[test]
    fn the_last_time_at_which_it_was_heard_counts() {
        let start = tokio::time::Instant::now().into_std();
        let health = up(start);
        let at = |ms: u32| start + MS * ms;
        // The second one is of a worker whose turn began before.
        health.heard(MS, at(300));
        health.heard(MS, at(250));
        assert!(!health.silent(at(280), at(460)));
        assert_eq!(health.state(), State::Up, "it was heard since then");
    }

    #[test]
    fn the_time_in_which_nobody_asks_says_nothing() {
        let start = tokio::time::Instant::now().into_std();
        let health = up(start);
        let at = |ms: u32| start + MS * ms;
        health.gone(at(10));
        health.watched(at(60_000));
        assert_eq!((health.lost(at(69_999)), health.lost(at(70_000))), (None, Some(at(1))));
        // Where nobody is there that is found by the first question.
        health.gone(at(60_001));
        assert_eq!(health.lost(at(61_000)), Some(at(1)));
        assert_eq!(health.downs(), 1);
        assert!(!health.heard(MS, at(62_000)) && health.heard(MS, at(62_001)));
        health.watched(at(90_000));
        assert_eq!((health.state(), health.lost(at(900_000))), (State::Up, None));
    }

    #[test]
    fn full_is_over_after_a_while() {
        let start = tokio::time::Instant::now().into_std();
        let health = up(start);
        assert!(health.short(Shortage::Full, start) && !health.short(Shortage::Full, start));
        assert!(health.is_full(start + MS * 999) && !health.is_full(start + MS * 1_000));
        // Who has too much to do has it for longer, whatever else it says meanwhile.
        let start = start + MS * 1_000;
        assert!(health.short(Shortage::Overloaded, start));
        assert!(!health.short(Shortage::Full, start + MS));
        assert!(health.is_full(start + MS * 2_999) && !health.is_full(start + MS * 3_000));
    }

    /// Whoever's calls it has refused: what it had refused before it was asked for the first time says nothing, nor does
    /// that it was begun anew.
    #[test]
    fn who_refuses_calls_of_others_is_full() {
        let start = tokio::time::Instant::now().into_std();
        let health = up(start);
        assert_eq!(health.load(), None);
        for (second, (rejected_sessions, is_full)) in
            (0..).zip([(7, false), (7, false), (8, true), (8, false), (0, false), (1, true)])
        {
            let now = start + MS * 5_000 * second;
            let load = Load { rejected_sessions, ..Load::default() };
            health.set_load(load, now);
            assert_eq!((health.is_full(now), health.load()), (is_full, Some(load)), "{second}");
        }
    }

    #[test]
    fn round_trips_are_smoothed() {
        let start = tokio::time::Instant::now().into_std();
        let health = Health::new(start);
        health.heard(MS * 8, start);
        health.heard(MS * 16, start);
        assert_eq!(health.round_trip(), MS * 9);
    }

    #[test]
    fn a_release_is_news_once() {
        let health = Health::new(tokio::time::Instant::now().into_std());
        let release =
            |name: &str| Release::of_description(format!("v=0\r\ns={name}\r\n").as_bytes()).unwrap();
        assert_eq!(health.release(), None);
        let told = ["rtpengine-13-3-1-4", "rtpengine-13-3-1-4", "rtpengine-13-4-1-1"];
        assert_eq!(told.map(|name| health.set_release(&release(name))), [true, false, true]);
        assert_eq!(health.release(), Some(release("rtpengine-13-4-1-1")));
    }
}
