//! How calls ended, by both ends' own account.

/// How a call ended for the customer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    /// Not yet, or never when the run is over.
    #[default]
    Open,
    /// BYE was answered with 2xx; OPTIONS likewise.
    Completed,
    /// A final response other than 2xx, here 503.
    Unavailable,
    /// A final response other than 2xx and 503.
    Refused,
    /// No final response to INVITE or OPTIONS.
    NoFinal,
    /// No final response to BYE.
    NoByeFinal,
    /// BYE was refused, the other side ended the call, or its 2xx made no dialog.
    Broken,
    /// Never offered: too many calls were open.
    Skipped,
}

/// The vendor saw the INVITE.
pub(crate) const SAW_INVITE: u8 = 1;
/// The vendor saw the ACK of its 2xx.
pub(crate) const SAW_ACK: u8 = 2;
/// The vendor saw BYE.
pub(crate) const SAW_BYE: u8 = 4;

/// Calls that were due within one second of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Second {
    pub(crate) offered: u64,
    pub(crate) completed: u64,
    /// Refused with 503.
    pub(crate) unavailable: u64,
    /// Ended in any other way, or not at all.
    pub(crate) failed: u64,
    /// Requests of them that were sent again.
    pub(crate) again: u64,
}

impl Second {
    pub(crate) fn add(&mut self, other: Self) {
        self.offered += other.offered;
        self.completed += other.completed;
        self.unavailable += other.unavailable;
        self.failed += other.failed;
        self.again += other.again;
    }

    /// Whether every call of it was served, and within 1 % none had to ask twice.
    pub(crate) const fn is_well(&self) -> bool {
        self.completed == self.offered && self.again * 100 < self.offered
    }
}

/// The sum of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) completed: u64,
    pub(crate) refused: u64,
    pub(crate) broken: u64,
    pub(crate) no_final: u64,
    pub(crate) no_bye_final: u64,
    pub(crate) open: u64,
    pub(crate) skipped: u64,
    /// Completed for the customer, but its BYE never reached the vendor.
    pub(crate) half: u64,
    /// Completed, but the vendor saw BYE before any ACK: each of them repeated its 2xx.
    pub(crate) without_ack: u64,
}

impl Tally {
    /// Both ends' accounts of the same calls. `seen` is `None` when the vendor was somebody else's, or the
    /// work did not reach it.
    pub(crate) fn new(ends: impl Iterator<Item = (u32, End)>, seen: Option<&[Vec<u8>]>) -> Self {
        let mut tally = Self::default();
        for (id, end) in ends {
            let count = match end {
                End::Completed => &mut tally.completed,
                End::Unavailable | End::Refused => &mut tally.refused,
                End::Broken => &mut tally.broken,
                End::NoFinal => &mut tally.no_final,
                End::NoByeFinal => &mut tally.no_bye_final,
                End::Open => &mut tally.open,
                End::Skipped => &mut tally.skipped,
            };
            *count += 1;
            if let Some(flags) = seen.filter(|_| end == End::Completed).map(|seen| flags(seen, id)) {
                tally.half += u64::from(flags & SAW_INVITE == 0 || flags & SAW_BYE == 0);
                tally.without_ack += u64::from(flags & SAW_ACK == 0);
            }
        }
        tally
    }

    /// Calls of which the customer knows that they failed.
    pub(crate) const fn failed(&self) -> u64 {
        self.refused + self.broken
    }

    /// Calls that vanished on some way.
    pub(crate) const fn lost(&self) -> u64 {
        self.no_final + self.no_bye_final + self.open + self.half
    }
}

/// What the vendor's threads together saw of a call.
fn flags(seen: &[Vec<u8>], id: u32) -> u8 {
    let place = usize::try_from(id).unwrap_or(usize::MAX);
    seen.iter().filter_map(|flags| flags.get(place)).fold(0, |all, flags| all | flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_whole_when_both_ends_say_so() {
        let ends = [End::Completed, End::Completed, End::Refused, End::Open, End::Completed];
        let ends = || (0..).zip(ends);
        let seen = [vec![5, 3, 1], vec![0, 0, 0, 0, 7]];
        let tally = Tally::new(ends(), Some(&seen));
        assert_eq!((tally.completed, tally.half, tally.failed(), tally.lost()), (3, 1, 1, 2));
        assert_eq!(tally.without_ack, 1);
        assert_eq!(Tally::new(ends(), None).half, 0);
    }
}
