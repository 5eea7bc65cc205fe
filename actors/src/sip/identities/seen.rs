//! What calls were signed with lately: who overhears a PASSporT has a minute to use it for calls of his own (RFC 8224,
//! 12.1).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use crate::sip::branch;

/// A PASSporT is good for a minute before its time and one after it.
const KEEP: Duration = Duration::from_secs(2 * stir::verify::FRESH_FOR);
/// Calls of one PASSporT: a call may come by several carriers, one after the other, with a Call-ID of each.
const CALLS_MAX: usize = 8;
/// Those of one side: who overhears a PASSporT does not use up what the others have.
const CALLS_OF_SOURCE_MAX: usize = 4;
/// PASSporTs that are remembered; of more nothing is known.
const PASSPORTS_MAX: usize = 1 << 17;
/// How often those that are too old are looked for, where there is no room.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// A call that a PASSporT is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// A digest of the side that it comes from.
    pub source: u64,
    /// A digest of what tells it from other calls of that side: its Call-ID, the tag of its From, and the number called.
    pub call: u64,
    /// The number called, in its canonical form.
    pub number: String,
}

/// PASSporTs by digest, with the calls that they were used for.
#[derive(Debug, Default)]
pub(super) struct Seen {
    used: HashMap<u64, Used>,
    swept_at: Option<Instant>,
}

#[derive(Debug)]
struct Used {
    /// Source and call of each.
    calls: SmallVec<[(u64, u64); 1]>,
    /// The number called beside those that were signed: the call was diverted there.
    diverted_to: Option<u64>,
    first_at: Instant,
}

impl Used {
    fn new(now: Instant) -> Self {
        Self { calls: SmallVec::new(), diverted_to: None, first_at: now }
    }

    fn note(&mut self, call: &Use, is_signed: bool) -> bool {
        let it = (call.source, call.call);
        if self.calls.contains(&it) {
            return true;
        }
        let of_source = self.calls.iter().filter(|(source, _)| *source == call.source).count();
        if self.calls.len() >= CALLS_MAX || of_source >= CALLS_OF_SOURCE_MAX {
            return false;
        }
        if !is_signed {
            let number = branch::digest_of((0, 0), [call.number.as_bytes()]);
            if *self.diverted_to.get_or_insert(number) != number {
                return false;
            }
        }
        self.calls.push(it);
        true
    }
}

impl Seen {
    /// Notes the call that a PASSporT is used for, and whether the number called is one that was signed; false where it
    /// was used so often, or for other numbers, that it is no longer the caller who does.
    pub(super) fn note(&mut self, passport: u64, call: &Use, is_signed: bool, now: Instant) -> bool {
        let is_old = |used: &Used| now.saturating_duration_since(used.first_at) >= KEEP;
        if let Some(used) = self.used.get_mut(&passport) {
            if is_old(used) {
                *used = Used::new(now);
            }
            return used.note(call, is_signed);
        }
        let may_sweep = self.swept_at.is_none_or(|at| now.saturating_duration_since(at) >= SWEEP_EVERY);
        if self.used.len() >= PASSPORTS_MAX && may_sweep {
            self.swept_at = Some(now);
            self.used.retain(|_, used| !is_old(used));
        }
        if self.used.len() < PASSPORTS_MAX {
            self.used.entry(passport).or_insert_with(|| Used::new(now)).note(call, is_signed);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call of a side, to the number that was signed or to another one.
    fn call(source: u64, call: u64, number: &str) -> Use {
        Use { source, call, number: number.to_owned() }
    }

    #[test]
    fn a_call_may_come_by_several_ways() {
        let start = tokio::time::Instant::now().into_std();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut seen = Seen::default();
        // PASSporT, side, call, second, whether it is taken.
        for (passport, source, id, seconds, expected) in [
            (1, 1, 1, 0, true),
            // The same call again: a fork, or an INVITE that found no vendor.
            (1, 1, 1, 1, true),
            (1, 1, 2, 2, true),
            (1, 1, 3, 3, true),
            (1, 1, 4, 4, true),
            (1, 1, 5, 5, false),
            (1, 1, 6, 119, false),
            (1, 1, 4, 119, true),
            // What one side has used up is not that of the others, as long as they are few.
            (1, 2, 1, 119, true),
            (1, 2, 2, 119, true),
            (1, 3, 1, 119, true),
            (1, 3, 2, 119, true),
            (1, 4, 1, 119, false),
            (1, 2, 3, 119, false),
            (1, 2, 2, 119, true),
            (2, 1, 5, 5, true),
            // By then it is stale by itself.
            (1, 1, 7, 120, true),
        ] {
            let noted = seen.note(passport, &call(source, id, "1"), true, at(seconds));
            assert_eq!(noted, expected, "{passport} {source} {id} {seconds}");
        }
    }

    #[test]
    fn it_is_diverted_to_one_number() {
        let start = tokio::time::Instant::now().into_std();
        let mut seen = Seen::default();
        for (source, id, number, is_signed, expected) in [
            (1, 1, "1", true, true),
            (1, 2, "2", false, true),
            (1, 3, "3", false, false),
            (2, 4, "3", false, false),
            // By another carrier.
            (2, 5, "2", false, true),
            (1, 2, "2", false, true),
            // A number that it is for is no diversion.
            (2, 6, "4", true, true),
        ] {
            let noted = seen.note(1, &call(source, id, number), is_signed, start);
            assert_eq!(noted, expected, "{source} {id} {number}");
        }
    }

    #[test]
    fn what_finds_no_room_is_not_remembered() {
        let start = tokio::time::Instant::now().into_std();
        let mut seen = Seen::default();
        let one = call(1, 1, "1");
        let all = u64::try_from(PASSPORTS_MAX).unwrap();
        for passport in 0..all + 10 {
            assert!(seen.note(passport, &one, true, start));
        }
        assert_eq!(seen.used.len(), PASSPORTS_MAX);
        assert!(seen.note(all, &one, true, start + KEEP), "the old ones make room");
        assert_eq!(seen.used.len(), 1);
    }
}
