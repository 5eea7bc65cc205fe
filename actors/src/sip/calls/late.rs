//! Calls whose record was written before their media node had said what it counted: what it says then completes the
//! record.
//!
//! Nobody waits for it, and it is lost with the process: these are figures, the record is durable without them.
//!
//! Where another node may have had the call, its media node may tell before the record of the call is found: that is kept
//! until the record is written.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use runtime::log::CallMedia;
use uuid::Uuid;

use super::Calls;
use crate::sip::anchor::Counted;
use crate::sip::dialog::{Dialog, End};
use crate::sip::event::{CallEvent, What};

/// So long a media node may take: longer than the delete is sent again, and its answer waited for.
const WITHIN: Duration = Duration::from_secs(12);
/// Calls of which this is kept; of more the record stays as it is.
const CALLS_MAX: usize = 16_384;

/// What the record of a call does not have yet.
#[derive(Debug)]
pub struct Awaited {
    /// Number of the media node.
    pub node: u8,
    /// The call: its sides are known there by their tags.
    pub dialog: Arc<Dialog>,
}

/// Calls whose records may be completed yet.
#[derive(Debug, Default)]
pub(super) struct Late {
    awaited: HashMap<Uuid, Awaited>,
    /// What was told of calls that nobody here knew by then.
    early: HashMap<Uuid, Counted>,
    /// Since when each is, the first first. What was told meanwhile stands here until its time is over.
    since: VecDeque<(Instant, Uuid)>,
}

impl Late {
    /// The record of a call goes to the log now; what was told of it before, which it does not wait for then.
    fn enter(&mut self, id: Uuid, awaited: Awaited, now: Instant) -> Option<Counted> {
        let has_room = self.has_room(now);
        let early = self.early.remove(&id);
        if early.is_none() && has_room {
            self.since.push_back((now, id));
            self.awaited.insert(id, awaited);
        }
        early
    }

    /// Keeps what was told of a call that nobody here knows.
    fn keep(&mut self, id: Uuid, counted: Counted, now: Instant) {
        if self.has_room(now) {
            self.since.push_back((now, id));
            self.early.insert(id, counted);
        }
    }

    /// Forgets what has had its time; whether there is room for one more then.
    fn has_room(&mut self, now: Instant) -> bool {
        while let Some((since, first)) = self.since.front().copied() {
            if now.saturating_duration_since(since) < WITHIN {
                break;
            }
            self.since.pop_front();
            self.awaited.remove(&first);
            self.early.remove(&first);
        }
        self.since.len() < CALLS_MAX
    }

    fn take(&mut self, id: Uuid) -> Option<Awaited> {
        self.awaited.remove(&id)
    }
}

impl Calls {
    /// The record of a call goes to the log now, without what its media node has counted, unless that was told before
    /// the call was known: then this is it. Before the call is forgotten, so that nothing of it comes in between.
    pub fn await_media(&self, dialog: Uuid, awaited: Awaited) -> Option<Counted> {
        self.late.lock().enter(dialog, awaited, self.now().instant)
    }

    /// Takes in what is told of a call that has no actor: its record was written, or nobody here knows it.
    pub fn told_late(&self, events: impl IntoIterator<Item = CallEvent>) {
        for event in events {
            if let What::Media(counted) = event.what {
                self.complete(event.dialog, counted);
            }
        }
    }

    fn complete(&self, dialog: Uuid, counted: Counted) {
        let mut late = self.late.lock();
        let Some(Awaited { node, dialog: of }) = late.take(dialog) else {
            // Its record may be looked for.
            if self.settings.shared {
                late.keep(dialog, counted, self.now().instant);
            }
            return;
        };
        drop(late);
        let (caller, callee) = (counted.of(End::Caller, &of), counted.of(End::Callee, &of));
        let media = CallMedia { node, caller, callee };
        if media.is_told() && self.log.put_media(dialog, media) {
            self.counters.media_late.add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::exchange::Patience;
    use crate::sip::testing;

    /// A media node that has much to do may answer the delete that was sent last.
    #[test]
    fn what_is_awaited_is_awaited_for_as_long_as_it_is_asked_for() {
        let start = tokio::time::Instant::now().into_std();
        let dialog = testing::dialog("callee");
        let awaited = || Awaited { node: 1, dialog: Arc::clone(&dialog) };
        let [first, second] = [1, 2].map(Uuid::from_u128);
        let mut late = Late::default();
        assert_eq!(late.enter(first, awaited(), start), None);
        assert_eq!(late.enter(second, awaited(), start + Patience::PATIENT.at_most), None);
        assert!(late.take(first).is_some());
    }

    /// What is not told in time is forgotten, and there is no more of it than that.
    #[test]
    fn what_is_awaited_is_bounded() {
        let start = tokio::time::Instant::now().into_std();
        let dialog = testing::dialog("callee");
        let id = |number: usize| Uuid::from_u128(number as u128);
        let awaited = || Awaited { node: 1, dialog: Arc::clone(&dialog) };
        let mut late = Late::default();
        for number in 0..CALLS_MAX + 10 {
            assert_eq!(late.enter(id(number), awaited(), start), None);
        }
        assert_eq!((late.awaited.len(), late.since.len()), (CALLS_MAX, CALLS_MAX));
        assert!(late.take(id(CALLS_MAX)).is_none(), "there was no room");
        assert!(late.take(id(0)).is_some() && late.take(id(0)).is_none(), "once");
        assert_eq!(late.enter(id(CALLS_MAX), awaited(), start + WITHIN), None);
        assert_eq!((late.awaited.len(), late.since.len()), (1, 1));
        assert!(late.take(id(1)).is_none() && late.take(id(CALLS_MAX)).is_some());
    }

    /// So is what is told before anybody waits for it, which is given once.
    #[test]
    fn what_is_told_early_is_bounded() {
        let start = tokio::time::Instant::now().into_std();
        let dialog = testing::dialog("callee");
        let id = |number: usize| Uuid::from_u128(number as u128);
        let awaited = || Awaited { node: 1, dialog: Arc::clone(&dialog) };
        let mut late = Late::default();
        for number in 0..CALLS_MAX + 10 {
            late.keep(id(number), Counted::default(), start);
        }
        assert_eq!((late.early.len(), late.since.len()), (CALLS_MAX, CALLS_MAX));
        assert_eq!(late.enter(id(0), awaited(), start), Some(Counted::default()));
        assert_eq!(late.enter(id(0), awaited(), start), None, "once");
        assert_eq!(late.enter(id(1), awaited(), start + WITHIN), None, "its time is over");
        assert_eq!((late.early.len(), late.awaited.len(), late.since.len()), (0, 1, 1));
    }
}
