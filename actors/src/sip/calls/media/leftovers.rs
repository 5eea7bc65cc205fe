//! Calls that an earlier process of ours left ringing at a media node, and that nobody serves.
//!
//! Pure. Such a call may be answered still, and this process takes it on then: it is left alone for as long as calls ring.
//! One that was answered is none: where nobody serves it, its sides may hear each other all the same, and the node ends
//! it by itself when they send nothing any more.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ng::reply::Call;
use uuid::Uuid;

use crate::sip::anchor;

/// Calls of one node that are watched at one time; others have their turn when these are gone.
const WATCHED_MAX: usize = 10_000;

/// Those of one node.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    /// What each has shown last; nothing while the node has not told of it.
    watched: HashMap<Uuid, Option<Seen>>,
}

/// What a node tells of a call that rings. It is compared, and not held against a clock: the node's may be another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Figures {
    last_signal: Option<u64>,
    packets: u64,
}

#[derive(Debug)]
struct Seen {
    figures: Figures,
    /// Nothing of it has changed since then.
    since: Instant,
}

impl Figures {
    /// Those of a call that nobody has answered; `None` of every other one.
    pub(super) fn of(call: &Call<'_>) -> Option<Self> {
        let packets = call.rtp.packets.saturating_add(call.rtcp.packets);
        (!anchor::is_answered(call)).then_some(Self { last_signal: call.last_signal, packets })
    }
}

impl Leftovers {
    /// The node has these, which nobody here serves; all that it is to be asked for then. Its list may have no room for
    /// one that it had room for before, so that each is asked for until the node tells that it is none any more.
    pub(super) fn listed(&mut self, calls: impl IntoIterator<Item = Uuid>) -> Vec<Uuid> {
        for call in calls {
            if self.watched.len() < WATCHED_MAX {
                self.watched.entry(call).or_default();
            }
        }
        self.watched.keys().copied().collect()
    }

    /// The node has told of one; nothing where that is no leftover, or not any more. True of one that has lain there for
    /// so long without a word or a packet that nobody waits for it.
    pub(super) fn told(
        &mut self,
        call: Uuid,
        figures: Option<Figures>,
        (after, now): (Duration, Instant),
    ) -> bool {
        let Some(figures) = figures else {
            self.watched.remove(&call);
            return false;
        };
        let Some(watched) = self.watched.get_mut(&call) else { return false };
        let since = match watched {
            Some(seen) if seen.figures == figures => seen.since,
            Some(_) | None => watched.insert(Seen { figures, since: now }).since,
        };
        let is_over = now.saturating_duration_since(since) >= after;
        if is_over {
            self.watched.remove(&call);
        }
        is_over
    }
}

#[cfg(test)]
mod tests;
