//! Deadlines of a session as a function of what happened when.

use std::time::{Duration, Instant};

use super::{Due, State, TimerOptions};

#[derive(Clone, Debug)]
pub(super) struct Timers {
    options: TimerOptions,
    opened: Instant,
    received: Instant,
    /// The last PDU that was more than a sign of life.
    active: Instant,
    /// The enquire_link that nothing has followed yet.
    unanswered: Option<Instant>,
    last_enquire_link: Option<u32>,
    /// Enquire_links before it that nothing followed either.
    misses: u8,
    unbind_started: Option<Instant>,
}

impl Timers {
    pub(super) const fn new(options: TimerOptions, now: Instant) -> Self {
        Self {
            options,
            opened: now,
            received: now,
            active: now,
            unanswered: None,
            last_enquire_link: None,
            misses: 0,
            unbind_started: None,
        }
    }

    /// Any PDU proves the peer alive, not only enquire_link_resp.
    pub(super) const fn received(&mut self, now: Instant) {
        self.received = now;
        self.unanswered = None;
        self.misses = 0;
    }

    /// A PDU of use: a peer that only keeps the link alive is inactive (7.2).
    pub(super) const fn active(&mut self, now: Instant) {
        self.active = now;
    }

    pub(super) const fn enquire_link_sent(&mut self, sequence_number: u32, now: Instant) {
        if self.unanswered.is_some() {
            self.misses = self.misses.saturating_add(1);
        }
        self.unanswered = Some(now);
        self.last_enquire_link = Some(sequence_number);
    }

    pub(super) const fn last_enquire_link(&self) -> Option<u32> {
        self.last_enquire_link
    }

    pub(super) const fn unbind_started(&mut self, now: Instant) {
        self.unbind_started = Some(now);
    }

    /// The earliest deadline in this state.
    pub(super) fn next(&self, state: State) -> Option<(Instant, Due)> {
        match state {
            State::Open => at(self.opened, self.options.session_init, Due::BindDeadline),
            State::BoundTx | State::BoundRx | State::BoundTrx => {
                let after = self.options.inactivity.filter(|after| !after.is_zero());
                let inactive = after.and_then(|after| at(self.active, after, Due::Inactive));
                [self.link(), inactive].into_iter().flatten().min_by_key(|(at, _)| *at)
            }
            State::Unbinding => {
                self.unbind_started.and_then(|from| at(from, self.options.unbind, Due::UnbindDeadline))
            }
            State::Closed => None,
        }
    }

    fn link(&self) -> Option<(Instant, Due)> {
        let Some(sent) = self.unanswered else {
            return at(self.received, self.options.enquire_link?, Due::SendEnquireLink);
        };
        let last = self.misses.saturating_add(1) >= self.options.enquire_link_misses_max;
        let due = if last { Due::PeerDead } else { Due::SendEnquireLink };
        at(sent, self.options.enquire_link_answer, due)
    }
}

/// A time too far to represent is never.
fn at(from: Instant, after: Duration, due: Due) -> Option<(Instant, Due)> {
    from.checked_add(after).map(|at| (at, due))
}
