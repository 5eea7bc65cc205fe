//! Branches of our own: unique, made to be recognised, and not to be forged.
//!
//! A branch says which worker made it, so that a response finds its transaction without a table over all workers; it
//! has a digest of what decides the request's way, so that a request that comes back unchanged is known as a loop and
//! one that comes back changed as a spiral (RFC 3261 16.3 step 4); and it ends in a keyed digest, so that a response
//! with a branch that we did not make is dropped and never reflected to the next Via.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

/// `z9hG4bK`, and a letter of ours.
const PREFIX: &[u8; 8] = b"z9hG4bKw";
const WORKER: usize = 2;
const NUMBER: usize = 16;
const DIGEST: usize = 8;
/// Octets of a branch of ours.
pub const LEN: usize = PREFIX.len() + WORKER + NUMBER + 2 * DIGEST;

/// Makes branches for one worker.
#[derive(Debug)]
pub struct Branches {
    seed: (u64, u64),
    worker: u8,
    first: u64,
    next: u64,
}

/// What a branch of ours says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ours {
    /// The worker that made it.
    pub worker: u8,
    /// Its number among those of that worker.
    pub number: u64,
    /// The digest of what decided the request's way.
    pub way: u32,
}

impl Branches {
    /// Branches under the node's secret `seed`; `first` is drawn anew for every start, so that no branch comes again.
    pub const fn new(seed: (u64, u64), worker: u8, first: u64) -> Self {
        Self { seed, worker, first, next: first }
    }

    /// Whether this one made a branch, and not another worker, or one of an earlier process.
    pub const fn made(&self, ours: Ours) -> bool {
        let place = ours.number.wrapping_sub(self.first);
        ours.worker == self.worker && place > 0 && place <= self.next.wrapping_sub(self.first)
    }

    /// A branch that was never made before.
    pub fn make(&mut self, way: u32) -> [u8; LEN] {
        self.next = self.next.wrapping_add(1);
        let mut branch = [0; LEN];
        let (prefix, rest) = branch.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(PREFIX);
        let (worker, rest) = rest.split_at_mut(WORKER);
        hex(u64::from(self.worker), worker);
        let (number, rest) = rest.split_at_mut(NUMBER);
        hex(self.next, number);
        let (digits, mac) = rest.split_at_mut(DIGEST);
        hex(u64::from(way), digits);
        hex(u64::from(digest(self.seed, &[u64::from(self.worker), self.next, u64::from(way)])), mac);
        branch
    }
}

/// Reads a branch; `None` when we did not make it.
pub fn read(seed: (u64, u64), branch: &[u8]) -> Option<Ours> {
    let rest = branch.strip_prefix(PREFIX)?;
    let (worker, rest) = rest.split_at_checked(WORKER)?;
    let (number, rest) = rest.split_at_checked(NUMBER)?;
    let (way, mac) = rest.split_at_checked(DIGEST)?;
    if mac.len() != DIGEST {
        return None;
    }
    let (worker, number, way, mac) = (unhex(worker)?, unhex(number)?, unhex(way)?, unhex(mac)?);
    let made = u64::from(digest(seed, &[worker, number, way]));
    (made == mac).then_some(Ours {
        worker: u8::try_from(worker).ok()?,
        number,
        way: u32::try_from(way).ok()?,
    })
}

/// A digest of parts under the node's secret.
pub fn digest_of<'a>(seed: (u64, u64), parts: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(seed.0, !seed.1);
    for part in parts {
        hasher.write_usize(part.len());
        hasher.write(part);
    }
    hasher.finish()
}

/// Writes the digits of a number, the lowest last; digits that find no place are left out.
pub fn hex(number: u64, place: &mut [u8]) {
    let mut rest = number;
    for octet in place.iter_mut().rev() {
        let digit = u32::try_from(rest & 15).unwrap_or_default();
        *octet = char::from_digit(digit, 16).map_or(b'0', |digit| digit as u8);
        rest >>= 4;
    }
}

fn unhex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, octet| {
        // Capital digits were not written by us.
        let digit = char::from(*octet).to_digit(16).filter(|_| !octet.is_ascii_uppercase())?;
        Some(number << 4 | u64::from(digit))
    })
}

fn digest(seed: (u64, u64), parts: &[u64]) -> u32 {
    let mut hasher = SipHasher13::new_with_keys(seed.0, seed.1);
    parts.iter().for_each(|part| hasher.write_u64(*part));
    let hash = hasher.finish();
    u32::try_from(hash & u64::from(u32::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEED: (u64, u64) = (1, 2);

    #[test]
    fn a_branch_tells_its_worker_and_way() {
        let mut branches = Branches::new(SEED, 3, u64::MAX);
        let first = branches.make(0xDEAD_BEEF);
        let second = branches.make(7);
        assert!(first.starts_with(b"z9hG4bKw03"), "{}", first.escape_ascii());
        assert_eq!(read(SEED, &first), Some(Ours { worker: 3, number: 0, way: 0xDEAD_BEEF }));
        assert_eq!(read(SEED, &second), Some(Ours { worker: 3, number: 1, way: 7 }));
        assert_ne!(first, second);
        assert_eq!(read((1, 3), &first), None, "another node's");
    }

    #[test]
    fn whose_a_branch_is() {
        let mut before = Branches::new(SEED, 3, 100);
        let old = read(SEED, &before.make(0)).unwrap();
        let mut after = Branches::new(SEED, 3, u64::MAX - 1);
        let none: Vec<bool> = [100, 101, u64::MAX - 1, u64::MAX]
            .map(|number| Ours { number, ..old })
            .map(|ours| after.made(ours))
            .into();
        assert_eq!(none, [false; 4], "none was made yet");
        for _ in 0..3 {
            let own = read(SEED, &after.make(0)).unwrap();
            assert!(after.made(own) && !before.made(own), "{own:?}");
        }
        assert!(before.made(old) && !after.made(old));
        assert!(!Branches::new(SEED, 4, 100).made(old), "another worker's");
    }

    #[test]
    fn no_octet_may_change() {
        let branch = Branches::new(SEED, 255, 9).make(5);
        for at in 0..LEN {
            let mut changed = branch;
            changed[at] ^= 1;
            assert_eq!(read(SEED, &changed), None, "octet {at}");
        }
        assert_eq!(read(SEED, &branch.to_ascii_uppercase()), None);
        assert_eq!(read(SEED, &[branch.as_slice(), b"0"].concat()), None);
    }

    proptest! {
        #[test]
        fn nothing_else_is_ours(octets in prop::collection::vec(any::<u8>(), 0..60)) {
            prop_assert_eq!(read(SEED, &octets), None);
        }
    }
}
