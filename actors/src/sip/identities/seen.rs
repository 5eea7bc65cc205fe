//! What calls were signed with lately: who overhears a PASSporT has a minute to use it for calls of his own (RFC 8224,
//! 12.1).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

/// A PASSporT is good for a minute before its time and one after it.
const KEEP: Duration = Duration::from_secs(2 * stir::verify::FRESH_FOR);
/// Calls of one PASSporT: a call may come by several carriers, one after the other, with a Call-ID of each.
const CALLS_MAX: usize = 4;
/// PASSporTs that are remembered; of more nothing is known.
const PASSPORTS_MAX: usize = 1 << 17;
/// How often those that are too old are looked for, where there is no room.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// PASSporTs by digest, with the calls that they were used for.
#[derive(Debug, Default)]
pub(super) struct Seen {
    used: HashMap<u64, Used>,
    swept_at: Option<Instant>,
}

#[derive(Debug)]
struct Used {
    calls: SmallVec<[u64; CALLS_MAX]>,
    first_at: Instant,
}

impl Seen {
    /// Notes the call that a PASSporT is used for; false where it was used for so many others that it is no longer the
    /// caller who does.
    pub(super) fn note(&mut self, (passport, call): (u64, u64), now: Instant) -> bool {
        let is_old = |used: &Used| now.saturating_duration_since(used.first_at) >= KEEP;
        if let Some(used) = self.used.get_mut(&passport) {
            if is_old(used) {
                used.calls.clear();
                used.first_at = now;
            }
            if used.calls.contains(&call) {
                return true;
            }
            let has_room = used.calls.len() < CALLS_MAX;
            if has_room {
                used.calls.push(call);
            }
            return has_room;
        }
        let may_sweep = self.swept_at.is_none_or(|at| now.saturating_duration_since(at) >= SWEEP_EVERY);
        if self.used.len() >= PASSPORTS_MAX && may_sweep {
            self.swept_at = Some(now);
            self.used.retain(|_, used| !is_old(used));
        }
        if self.used.len() < PASSPORTS_MAX {
            self.used.insert(passport, Used { calls: SmallVec::from_slice(&[call]), first_at: now });
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_may_come_by_several_ways() {
        let start = tokio::time::Instant::now().into_std();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut seen = Seen::default();
        for (passport, call, seconds, is_new) in [
            (1, 1, 0, true),
            // The same call again: a fork, or an INVITE that found no vendor.
            (1, 1, 1, true),
            (1, 2, 2, true),
            (1, 3, 3, true),
            (1, 4, 4, true),
            (1, 5, 5, false),
            (1, 6, 119, false),
            (1, 4, 119, true),
            (2, 5, 5, true),
            // By then it is stale by itself.
            (1, 7, 120, true),
        ] {
            let noted = seen.note((passport, call), at(seconds));
            assert_eq!(noted, is_new, "{passport} {call} {seconds}");
        }
    }

    #[test]
    fn what_finds_no_room_is_not_remembered() {
        let start = tokio::time::Instant::now().into_std();
        let mut seen = Seen::default();
        let all = u64::try_from(PASSPORTS_MAX).unwrap();
        for passport in 0..all + 10 {
            assert!(seen.note((passport, 1), start));
        }
        assert_eq!(seen.used.len(), PASSPORTS_MAX);
        assert!(seen.note((all, 1), start + KEEP), "the old ones make room");
        assert_eq!(seen.used.len(), 1);
    }
}
