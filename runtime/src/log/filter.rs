//! Which messages and calls are asked for. The newest come first; pages go by id, which carries the time.
//!
//! A customer's rows are found by an index. Every other condition is looked at row by row, from the newest down:
//! where few rows meet it, `since` bounds what is read.

use uuid::Uuid;

use super::call::first_id_at;
use super::{Cdr, Direction, MessageRow, State};
use crate::clock::Timestamp;
use crate::model::MessageId;

/// Messages: whole ones, never the parts of one that we split. The default is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MdrFilter {
    /// Of this customer.
    pub customer: Option<Uuid>,
    /// Of this ESME account.
    pub account: Option<Uuid>,
    /// That this vendor has, had last, or has in its queue.
    pub vendor: Option<Uuid>,
    /// That go this way.
    pub direction: Option<Direction>,
    /// In this state.
    pub state: Option<State>,
    /// In a final state only.
    pub is_final: bool,
    /// From a source that begins so; a plus before either is not looked at. Empty is any.
    pub source_prefix: String,
    /// To a destination that begins so; a plus before either is not looked at. Empty is any.
    pub destination_prefix: String,
    /// Accepted at this time or later, to the millisecond.
    pub since: Option<Timestamp>,
    /// Accepted before this time, to the millisecond.
    pub until: Option<Timestamp>,
}

impl MdrFilter {
    /// Ids that are asked for: from the first, and below the second.
    pub(super) fn ids(&self, before: i64) -> (i64, i64) {
        let first = |time: Option<Timestamp>| time.map(|time| MessageId::first_at(time).0);
        (first(self.since).unwrap_or(0), before.min(first(self.until).unwrap_or(i64::MAX)))
    }

    /// Numbers of the states that are asked for: from the first to the second.
    pub(super) const fn states(&self) -> (i16, i16) {
        match (self.state, self.is_final) {
            (Some(state), false) => (state.code(), state.code()),
            (Some(state), true) if state.is_final() => (state.code(), state.code()),
            // One that is not final, and final: none.
            (Some(_), true) => (i16::MAX, i16::MIN),
            (None, true) => (State::Delivered.code(), i16::MAX),
            (None, false) => (0, i16::MAX),
        }
    }

    /// Whether a row is asked for, its id apart.
    pub(super) fn takes(&self, row: &MessageRow) -> bool {
        let (first, last) = self.states();
        row.parent.is_none()
            && self.customer.is_none_or(|customer| customer == row.customer)
            && self.account.is_none_or(|account| account == row.account)
            && self.vendor.is_none_or(|vendor| row.progress.vendor == Some(vendor))
            && self.direction.is_none_or(|direction| direction == row.direction)
            && (first..=last).contains(&row.progress.state.code())
            && begins(&row.source, &self.source_prefix)
            && begins(&row.destination, &self.destination_prefix)
    }
}

/// Calls that ended. The default is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CdrFilter {
    /// Of this customer.
    pub customer: Option<Uuid>,
    /// Of this trunk.
    pub trunk: Option<Uuid>,
    /// That this vendor had last.
    pub vendor: Option<Uuid>,
    /// Whose final status begins with this digit.
    pub status_class: Option<u8>,
    /// From a caller that begins so, as received; a plus before either is not looked at. Empty is any.
    pub caller_prefix: String,
    /// To a callee that begins so, as received; a plus before either is not looked at. Empty is any.
    pub callee_prefix: String,
    /// That began at this time or later, to the millisecond.
    pub since: Option<Timestamp>,
    /// That began before this time, to the millisecond.
    pub until: Option<Timestamp>,
}

impl CdrFilter {
    /// Ids that are asked for: from the first, and below the second.
    pub(super) fn ids(&self, before: Uuid) -> (Uuid, Uuid) {
        let first = self.since.map_or(Uuid::nil(), first_id_at);
        (first, before.min(self.until.map_or(Uuid::max(), first_id_at)))
    }

    /// Statuses that are asked for: from the first to the second.
    pub(super) fn statuses(&self) -> (i16, i16) {
        self.status_class.map_or((0, i16::MAX), |class| {
            let first = i16::from(class) * 100;
            (first, first + 99)
        })
    }

    /// Whether a row is asked for, its id apart.
    pub(super) fn takes(&self, row: &Cdr) -> bool {
        let (first, last) = self.statuses();
        self.customer.is_none_or(|customer| customer == row.customer)
            && self.trunk.is_none_or(|trunk| trunk == row.trunk)
            && self.vendor.is_none_or(|vendor| row.vendor == Some(vendor))
            && i16::try_from(row.status).is_ok_and(|status| (first..=last).contains(&status))
            && begins(&row.caller, &self.caller_prefix)
            && begins(&row.callee, &self.callee_prefix)
    }
}

/// A prefix as the database is asked for it.
pub(super) fn digits(prefix: &str) -> &str {
    prefix.trim_start_matches('+')
}

fn begins(number: &str, prefix: &str) -> bool {
    digits(number).starts_with(digits(prefix))
}
