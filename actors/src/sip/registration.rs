//! One registration of ours at a gateway of a vendor (RFC 3261, 10.2): when it is asked for next, and what is known of it.
//!
//! Pure but for its lock: who asks and who hears the answer are told apart by the number of the request. Shared by the
//! vendor's actor, by the worker that sends REGISTER and by snapshots that follow each other. A process that ends takes
//! it along, and the next one registers anew.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::account::Account;

/// After the first failure another try is made within this time, twice that after the next, and so on (RFC 5626, 4.5).
const RETRY_FIRST: Duration = Duration::from_secs(30);
/// The longest time to the next try.
const RETRY_MAX: Duration = Duration::from_secs(1800);
/// A request of which nothing was heard for so long is lost: its transaction has ended before.
const LOST_AFTER: Duration = Duration::from_secs(40);
/// The longest time that a registrar may want at least: more is a slip.
const LEAST_MAX: u32 = 7 * 24 * 3600;
/// Numbers of CSeq from one request to the next: answers to challenges are between them.
const CSEQ_STEP: u32 = 4;
/// What chances are drawn of.
pub const DRAWN: u32 = 1000;

/// A registration.
#[derive(Debug)]
pub struct Registration {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Number of the last request; 0 before the first.
    cseq: u32,
    /// Whether that was to end it.
    ends: bool,
    /// Whether nothing was heard of it yet.
    asking: bool,
    next_at: Instant,
    /// It is asked for whatever that says: what made it fail may be mended.
    hurried: bool,
    /// What challenges to it are answered with.
    account: Option<Arc<Account>>,
    /// Until when the registrar has it.
    until: Option<Instant>,
    /// In a row.
    failures: u32,
    /// What the registrar wants at least.
    least: u32,
    last: Option<Said>,
}

/// What came of a REGISTER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It is there for so many seconds.
    Granted(u32),
    /// It is no more, as was asked.
    Gone,
    /// It is to be asked for so many seconds at least (423).
    TooBrief(u32),
    /// Refused with this status.
    Refused(u16),
    /// The registrar lists contacts, and ours is not among them.
    Displaced,
    /// Nothing, or it could not be sent.
    Silent,
}

/// A request that is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Number of CSeq.
    pub cseq: u32,
    /// Seconds that are asked for.
    pub seconds: u32,
}

/// How a registration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Until when the registrar has it; `None` where it does not.
    pub until: Option<Instant>,
    /// What came of the last request.
    pub last: Option<Said>,
    /// Whether nothing was heard of the last request yet.
    pub asking: bool,
    /// When a request is sent next, where nothing is heard before; `None` where none is to be sent.
    pub next_at: Option<Instant>,
}

/// What an outcome has changed, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It is there, and was not.
    Registered,
    /// The first of perhaps many failures.
    Failed,
}

impl Registration {
    /// One that is asked for at once.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self::numbered(0, now)
    }

    /// That of somebody else in its place. Its requests are later ones, so that no answer to one of before is taken for
    /// its own.
    #[must_use]
    pub fn replaced(&self, now: Instant) -> Self {
        let cseq = self.state.lock().cseq.saturating_add(CSEQ_STEP);
        Self::numbered(cseq, now)
    }

    fn numbered(cseq: u32, now: Instant) -> Self {
        let state = State {
            cseq,
            ends: false,
            asking: false,
            next_at: now,
            hurried: false,
            account: None,
            until: None,
            failures: 0,
            least: 0,
            last: None,
        };
        Self { state: Mutex::new(state) }
    }

    /// What challenges are answered with from now on. With something new it is asked for at once: what the registrar has
    /// stays there meanwhile.
    pub fn answer_with(&self, account: Option<&Arc<Account>>) {
        let mut state = self.state.lock();
        if state.account.as_ref() != account {
            state.hurried |= account.is_some();
            state.account = account.map(Arc::clone);
        }
    }

    /// It is asked for at once.
    pub fn hurry(&self) {
        self.state.lock().hurried = true;
    }

    /// It is asked for at once, if it has failed: somebody has looked after it.
    pub fn retry(&self) {
        let mut state = self.state.lock();
        state.hurried |= state.failures > 0;
    }

    /// The request to send now, if it is time for one.
    pub fn begin(&self, seconds: u32, now: Instant) -> Option<Due> {
        let mut state = self.state.lock();
        // One that was ended is wanted again.
        let due = state.ends || state.hurried || now >= state.next_at;
        let seconds = seconds.max(state.least);
        due.then(|| state.send(false, seconds, now))
    }

    /// The request that ends it, if it is there and was not sent yet.
    pub fn end(&self, now: Instant) -> Option<Due> {
        let mut state = self.state.lock();
        let is_there = state.until.is_some_and(|until| until > now);
        let due = is_there && (!state.ends || now >= state.next_at);
        due.then(|| state.send(true, 0, now))
    }

    /// What came of the request with this number. Chances are spread by `drawn`, of [`DRAWN`].
    pub fn settle(&self, cseq: u32, said: Said, now: Instant, drawn: u32) -> Option<Changed> {
        let mut state = self.state.lock();
        // Another one was sent meanwhile.
        if state.cseq != cseq {
            return None;
        }
        state.asking = false;
        let before = state.last.replace(said);
        match said {
            Said::Granted(seconds) => {
                let was_there = state.until.is_some_and(|until| until > now) && state.failures == 0;
                state.until = Some(now + Duration::from_secs(seconds.into()));
                state.failures = 0;
                state.next_at = now + refresh_after(seconds, drawn);
                (!was_there).then_some(Changed::Registered)
            }
            Said::Gone => {
                state.until = None;
                state.failures = 0;
                None
            }
            Said::TooBrief(least) => {
                let is_more = (state.least.saturating_add(1)..=LEAST_MAX).contains(&least);
                if is_more {
                    state.least = least;
                }
                // At once, but not twice in a row: a registrar that goes on asking for more is no better than one that
                // refuses.
                if is_more && !matches!(before, Some(Said::TooBrief(_))) {
                    state.next_at = now;
                    None
                } else {
                    state.fail(now, drawn)
                }
            }
            Said::Displaced => {
                state.until = None;
                state.fail(now, drawn)
            }
            Said::Refused(_) | Said::Silent => state.fail(now, drawn),
        }
    }

    /// Whether this is the number of the request that it waits for an answer to.
    pub fn is_asking(&self, cseq: u32) -> bool {
        let state = self.state.lock();
        state.asking && state.cseq == cseq
    }

    /// Whether the answer to a request may still come that makes the registrar have it, or have it no more.
    pub fn is_under_way(&self, now: Instant) -> bool {
        let state = self.state.lock();
        state.asking && now < state.next_at
    }

    /// Whether the registrar has it.
    pub fn is_there(&self, now: Instant) -> bool {
        self.state.lock().until.is_some_and(|until| until > now)
    }

    /// How it is, of one that is wanted, or is to be ended.
    pub fn seen(&self, wanted: bool, now: Instant) -> Seen {
        let state = self.state.lock();
        Seen {
            until: state.until.filter(|until| *until > now),
            last: state.last,
            asking: state.asking && now < state.next_at,
            next_at: state.next(wanted, now),
        }
    }

    /// What came of the last request.
    pub fn last(&self) -> Option<Said> {
        self.state.lock().last
    }
}

impl State {
    fn send(&mut self, ends: bool, seconds: u32, now: Instant) -> Due {
        self.cseq = if self.cseq == 0 { 1 } else { self.cseq.saturating_add(CSEQ_STEP) };
        (self.ends, self.asking, self.hurried) = (ends, true, false);
        self.next_at = now + LOST_AFTER;
        Due { cseq: self.cseq, seconds }
    }

    /// When [`Registration::begin`] of one that is wanted, and [`Registration::end`] of another one, sends a request.
    fn next(&self, wanted: bool, now: Instant) -> Option<Instant> {
        let is_there = self.until.is_some_and(|until| until > now);
        let at_once = if wanted { self.ends || self.hurried } else { !self.ends };
        (wanted || is_there).then(|| if at_once { now } else { self.next_at.max(now) })
    }

    fn fail(&mut self, now: Instant, drawn: u32) -> Option<Changed> {
        self.failures = self.failures.saturating_add(1);
        self.next_at = now + retry_after(self.failures, drawn);
        (self.failures == 1).then_some(Changed::Failed)
    }
}

/// When a registration is renewed: after half of its time to four fifths, so that many do not come at once.
fn refresh_after(seconds: u32, drawn: u32) -> Duration {
    let whole = Duration::from_secs(seconds.into());
    whole / 2 + whole * 3 / 10 * drawn.min(DRAWN) / DRAWN
}

/// When it is tried again after so many failures: half of the time that grows with them, to all of it (RFC 5626, 4.5).
fn retry_after(failures: u32, drawn: u32) -> Duration {
    let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    let most = RETRY_FIRST.saturating_mul(doubled).min(RETRY_MAX);
    most / 2 + most / 2 * drawn.min(DRAWN) / DRAWN
}

impl Said {
    /// For people.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Granted(seconds) => format!("registered for {seconds} s"),
            Self::Gone => "ended".to_owned(),
            Self::TooBrief(least) => format!("the registrar wants {least} s at least"),
            Self::Refused(status) => format!("refused with {status}"),
            Self::Displaced => "the registrar has other contacts, and not ours".to_owned(),
            Self::Silent => "no answer".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
