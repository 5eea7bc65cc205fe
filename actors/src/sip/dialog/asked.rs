//! How a vendor has asked in a dialog who we are, and what its requests are since then (RFC 3261, 22.2, 22.3).
//!
//! A request that is sent once more with credentials is a new one to who asked for them: with the number of the first, a
//! UAS takes it for a repetition or for a second way of the same request (8.2.2.2). The sender knows nothing of it, so
//! that its numbers and the vendor's differ from then on. Where later requests are under way already, theirs stay as
//! they are, and the one that goes once more comes after them. A challenge is rare within a dialog: what the first one
//! has said is used for all that follows.

use std::fmt;

use serde::{Deserialize, Serialize};
use sip::HeaderId;
use sip::digest::{Challenge, Hash, NewCredentials, NewProtection};

use crate::sip::account::Account;

/// Differences that are kept: the older ones are of requests that nobody speaks of any more.
const SHIFTS_MAX: usize = 16;

/// What is known of the challenges in a dialog.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Asked {
    /// In the order of the sender's numbers; each up to where the next begins. Each number of the vendor's is of one request.
    shifts: Vec<Shift>,
    /// The last challenge; `None` where there was none in this process.
    #[serde(skip)]
    pub last: Option<Box<Challenged>>,
}

/// From a number of the sender's on, how much more it is to the vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Shift {
    from: u32,
    by: u32,
}

impl Asked {
    /// As it is where the first request has answered so many challenges, and nothing after it.
    #[must_use]
    pub fn after(answers: u32) -> Self {
        let shift = (answers > 0).then_some(Shift { from: 0, by: answers });
        Self { shifts: shift.into_iter().collect(), last: None }
    }

    /// Whether no request was challenged.
    pub const fn is_never(&self) -> bool {
        self.shifts.is_empty()
    }

    /// The number of CSeq by which the vendor knows a request of the sender's.
    pub fn to_vendor(&self, number: u32) -> u32 {
        number.saturating_add(self.difference(number))
    }

    fn difference(&self, number: u32) -> u32 {
        let shift = self.shifts.iter().rev().find(|shift| shift.from <= number);
        shift.map_or(0, |shift| shift.by)
    }

    /// The sender's number of what the vendor knows by this one, where the request itself is not known any more.
    pub fn to_sender(&self, number: u32) -> u32 {
        let mut end = u32::MAX;
        for shift in self.shifts.iter().rev() {
            if let Some(own) = number.checked_sub(shift.by).filter(|own| (shift.from..end).contains(own)) {
                return own;
            }
            end = shift.from;
        }
        number
    }

    /// The number that a request goes to the vendor with once more, where the sender's numbers up to `sent` went there:
    /// higher than all of those.
    pub fn next(&self, sent: u32) -> u32 {
        let highest = self.shifts.last().map_or(sent, |last| {
            // What follows `last` is the next number, and was not sent.
            sent.max(last.from.saturating_sub(1)).saturating_add(last.by)
        });
        highest.saturating_add(1)
    }

    /// The sender's request of this number goes to the vendor once more, by [`Self::next`].
    pub fn again(&mut self, number: u32, sent: u32) {
        let sent = sent.max(number);
        let next = self.next(sent);
        let behind = number.saturating_add(1);
        let under_way = Shift { from: behind, by: self.difference(behind) };
        self.shifts.retain(|shift| shift.from <= sent && shift.from != number && shift.from != behind);
        self.shifts.push(Shift { from: number, by: next.saturating_sub(number) });
        if number < sent {
            self.shifts.push(under_way);
            self.shifts.push(Shift { from: sent.saturating_add(1), by: next.saturating_sub(sent) });
        }
        self.shifts.sort_by_key(|shift| shift.from);
        while self.shifts.len() > SHIFTS_MAX {
            self.shifts.remove(0);
        }
    }
}

/// A challenge that was answered, and is answered again before it is asked.
#[derive(Clone)]
pub struct Challenged {
    /// Where credentials stand: Authorization or Proxy-Authorization.
    pub header: HeaderId,
    nonce: Box<[u8]>,
    opaque: Option<Box<[u8]>>,
    hash: Hash,
    /// Whether it offers `auth`.
    is_protected: bool,
    /// How often the nonce was used.
    count: u32,
    /// The credentials of the last INVITE, which its ACK has too (22.1).
    pub of_invite: Option<Box<[u8]>>,
}

/// Who has credentials may try passwords on them.
impl fmt::Debug for Challenged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { header, count, .. } = self;
        f.debug_struct("Challenged").field("header", header).field("count", count).finish_non_exhaustive()
    }
}

impl Challenged {
    /// Octets of a nonce and an opaque that are kept as long as the call is up. Real ones have some tens.
    pub const MAX: usize = 1024;

    /// Whether a challenge has no more of them.
    #[must_use]
    pub fn fits(challenge: &Challenge<'_>) -> bool {
        let opaque = challenge.opaque.map_or(0, <[u8]>::len);
        challenge.nonce.len().saturating_add(opaque) <= Self::MAX
    }

    /// A challenge that came with a 401 or 407; `None` of one whose hash function is not known.
    #[must_use]
    pub fn new(header: HeaderId, challenge: &Challenge<'_>) -> Option<Self> {
        Some(Self {
            header,
            nonce: Box::from(challenge.nonce),
            opaque: challenge.opaque.map(Box::from),
            hash: challenge.algorithm.hash()?,
            is_protected: challenge.qop.is_some(),
            count: 0,
            of_invite: None,
        })
    }

    /// Credentials for a request, the nonce counted once more; `None` where they cannot be written.
    pub fn sign(
        &mut self,
        account: &Account,
        (method, uri): (&[u8], &[u8]),
        drawn: u64,
    ) -> Option<Box<[u8]>> {
        self.count = self.count.saturating_add(1);
        let cnonce = format!("{drawn:016x}");
        let protection = NewProtection { cnonce: cnonce.as_bytes(), count: self.count };
        let credentials = NewCredentials {
            username: &account.username,
            realm: account.realm.as_bytes(),
            nonce: &self.nonce,
            opaque: self.opaque.as_deref(),
            hash: self.hash,
            protection: Some(protection).filter(|_| self.is_protected),
            method,
            uri,
        };
        let mut value = Vec::with_capacity(CREDENTIALS_LEN);
        credentials.write(account.secret(self.hash).as_bytes(), &mut value).ok()?;
        Some(value.into_boxed_slice())
    }
}

/// Octets of credentials, as a rule at most.
pub const CREDENTIALS_LEN: usize = 384;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_of_an_invite_and_of_what_follows_it() {
        let mut asked = Asked::default();
        assert_eq!((asked.to_vendor(7), asked.to_sender(7), asked.is_never()), (7, 7, true));
        // The INVITE, then its PRACK, then a re-INVITE twice.
        asked.again(1, 1);
        assert_eq!([1, 2, 3].map(|number| asked.to_vendor(number)), [2, 3, 4]);
        asked.again(2, 2);
        assert_eq!([1, 2, 3].map(|number| asked.to_vendor(number)), [2, 4, 5]);
        asked.again(3, 3);
        asked.again(3, 3);
        assert_eq!([1, 2, 3, 4].map(|number| asked.to_vendor(number)), [2, 4, 7, 8]);
        assert_eq!([2, 4, 7, 8].map(|number| asked.to_sender(number)), [1, 2, 3, 4]);
        let once = Asked::after(1);
        assert_eq!((once.to_vendor(1), once.to_sender(2), once.is_never()), (2, 1, false));
        assert!(Asked::after(0).is_never() && Asked::after(2).to_vendor(1) == 3);
    }

    /// Two requests are under way; the first is asked about, the second, or both, in either order.
    #[test]
    fn numbers_of_requests_that_are_under_way_at_one_time() {
        let table: [(&[u32], [u32; 5]); 5] = [
            (&[3], [2, 5, 4, 6, 7]),
            (&[4], [2, 3, 5, 6, 7]),
            (&[3, 4], [2, 5, 6, 7, 8]),
            (&[4, 3], [2, 6, 5, 7, 8]),
            (&[3, 3], [2, 6, 4, 7, 8]),
        ];
        for (challenged, expected) in table {
            let mut asked = Asked::default();
            for number in challenged {
                asked.again(*number, 4);
            }
            let to_vendor = [2, 3, 4, 5, 6].map(|number| asked.to_vendor(number));
            assert_eq!(to_vendor, expected, "{challenged:?}");
            assert_eq!(expected.map(|number| asked.to_sender(number)), [2, 3, 4, 5, 6], "{challenged:?}");
        }
    }

    proptest! {
        /// Whatever was challenged, however late: each is new to the vendor, and found again by what it has there.
        #[test]
        fn both_ways(steps in prop::collection::vec((0_u32..3, 0_u32..4), 0..40), start in 0_u32..3) {
            let mut asked = Asked::default();
            let (mut sent, mut highest) = (start, start);
            for (step, before) in steps {
                sent += step;
                highest = highest.max(asked.to_vendor(sent));
                let number = sent.saturating_sub(before);
                let next = asked.next(sent);
                prop_assert!(next > highest, "{} after {}", next, highest);
                asked.again(number, sent);
                highest = next;
                prop_assert_eq!((asked.to_vendor(number), asked.to_sender(next)), (next, number));
                prop_assert_eq!(asked.to_vendor(sent + 1), next + 1);
                prop_assert!(asked.shifts.len() <= SHIFTS_MAX);
                prop_assert!(asked.shifts.windows(2).all(|two| two[0].from < two[1].from));
            }
        }

        #[test]
        fn no_number_is_too_large(numbers in prop::collection::vec(any::<(u32, u32)>(), 0..20), other in any::<u32>()) {
            let mut asked = Asked::default();
            for (number, sent) in numbers {
                asked.again(number, sent);
            }
            let _ = (asked.to_vendor(other), asked.to_sender(other), asked.next(other));
        }
    }
}
