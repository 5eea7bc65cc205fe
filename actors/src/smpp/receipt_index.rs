//! Messages whose receipt is to come, by the hash of vendor and vendor message id; bounded, in memory.
//!
//! A miss is not a loss: the row in the log has the same hash. The index also knows the hashes of parked
//! receipts, so that a receipt that came before its `submit_sm_resp` is tried again at once.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;
use uuid::Uuid;

use super::message::Message;
use super::receipt_form::{Candidate, all_candidates};
use super::vendor::Vendor;

const SHARDS: usize = 16;
/// Places of taken messages that are not worth a sweep.
const SWEEP_MIN: usize = 1024;

/// A message that a receipt speaks of, taken out of the index.
#[derive(Debug)]
pub struct Found {
    /// Under which it was kept.
    pub hash: i64,
    /// The message.
    pub message: Box<Message>,
}

/// The index.
#[derive(Debug)]
pub struct ReceiptIndex {
    shards: Vec<Mutex<Shard>>,
    messages_max: usize,
}

#[derive(Debug, Default)]
struct Shard {
    messages: HashMap<i64, (u64, Box<Message>)>,
    /// Insertions in their order; those already taken are skipped when their turn comes.
    order: VecDeque<(u64, i64)>,
    insertions: u64,
    /// Hash of a parked receipt to its id.
    parked: HashMap<i64, i64>,
}

impl ReceiptIndex {
    /// An index that keeps at most so many messages.
    #[must_use]
    pub fn new(messages_max: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::new(Shard::default())).collect();
        Self { shards, messages_max: messages_max.div_ceil(SHARDS).max(1) }
    }

    /// Keeps a message until its receipt comes; the oldest are forgotten first. Gives the id of a parked
    /// receipt that waits for this one.
    pub fn insert(&self, hash: i64, message: Box<Message>) -> Option<i64> {
        let mut shard = self.shard(hash).lock();
        shard.insertions += 1;
        let insertion = shard.insertions;
        shard.order.push_back((insertion, hash));
        shard.messages.insert(hash, (insertion, message));
        shard.forget_oldest(self.messages_max);
        shard.parked.remove(&hash)
    }

    /// Takes the message out when `wanted` says that the receipt is for it.
    pub fn take(&self, hash: i64, wanted: impl FnOnce(&Message) -> bool) -> Option<Box<Message>> {
        let mut shard = self.shard(hash).lock();
        let (_, message) = shard.messages.get(&hash)?;
        if wanted(message) { shard.messages.remove(&hash).map(|(_, message)| message) } else { None }
    }

    /// Finds the message of a receipt in the forms that this vendor is known to use; a receipt that has waited
    /// (`patient`) may use any.
    pub fn find(&self, vendor: &Vendor, receipt: (&[u8], &[u8]), patient: bool) -> Option<Found> {
        let (id, source) = receipt;
        vendor.receipt_form.candidates(vendor.id, id, patient).into_iter().find_map(|candidate| {
            let message = self.take(candidate.hash, |message| candidate.fits(vendor.id, source, message))?;
            vendor.receipt_form.confirm(candidate.form);
            Some(Found { hash: candidate.hash, message })
        })
    }

    /// True when a message with this number is known in a form that was not looked for.
    pub fn contradicts(&self, vendor: &Vendor, (id, source): (&[u8], &[u8])) -> bool {
        let learned = vendor.receipt_form.form();
        all_candidates(vendor.id, id)
            .filter(|candidate| learned.is_some_and(|form| form != candidate.form))
            .any(|candidate| {
                let shard = self.shard(candidate.hash).lock();
                let message = shard.messages.get(&candidate.hash);
                message.is_some_and(|(_, message)| candidate.fits(vendor.id, source, message))
            })
    }

    /// Remembers that a receipt with this hash is parked.
    pub fn park(&self, hash: i64, parked: i64) {
        self.shard(hash).lock().parked.insert(hash, parked);
    }

    /// Forgets a parked receipt.
    pub fn unpark(&self, hash: i64) {
        self.shard(hash).lock().parked.remove(&hash);
    }

    /// Messages in the index.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().messages.len()).sum()
    }

    /// True when no message is in the index.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, hash: i64) -> &Mutex<Shard> {
        let at = usize::try_from(hash.unsigned_abs() % SHARDS as u64).unwrap_or(0);
        #[expect(clippy::indexing_slicing, reason = "at is below SHARDS, the length of the vector")]
        &self.shards[at]
    }
}

impl Shard {
    fn forget_oldest(&mut self, messages_max: usize) {
        while self.messages.len() > messages_max {
            let Some((oldest, hash)) = self.order.pop_front() else { break };
            if self.messages.get(&hash).is_some_and(|(insertion, _)| *insertion == oldest) {
                self.messages.remove(&hash);
            }
        }
        // Most are taken in no particular order: their places are swept when they are more than half.
        if self.order.len() > 2 * self.messages.len() + SWEEP_MIN {
            let messages = &self.messages;
            self.order.retain(|(insertion, hash)| messages.get(hash).is_some_and(|(at, _)| at == insertion));
        }
    }
}

/// Hash of a vendor and a message id of its; stored in the log, so it never changes (FNV-1a, 64 bit).
#[must_use]
pub fn hash(vendor: Uuid, id: &[u8]) -> i64 {
    let octets = vendor.as_bytes().iter().chain(id);
    let hash = octets.fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash.cast_signed()
}

/// The canonical form of a vendor's id, under which a message is kept: lowercase, no spaces, no leading
/// zeros. Receipts that write it in another base are found through [`super::receipt_form`].
#[must_use]
pub fn canonical(id: &[u8]) -> Vec<u8> {
    let id = id.trim_ascii().to_ascii_lowercase();
    let zeros = id.iter().take_while(|octet| **octet == b'0').count();
    match id.get(zeros..) {
        Some(rest) if !rest.is_empty() => rest.to_vec(),
        _ => id,
    }
}

impl Candidate {
    /// Whether a message with this hash is the one that a receipt from `source` speaks of.
    #[must_use]
    pub fn fits(&self, vendor: Uuid, source: &[u8], message: &Message) -> bool {
        message.row.progress.vendor == Some(vendor) && (!self.same_address || same_address(source, message))
    }
}

/// True when a receipt comes from the number that the message went to; national and international writing of
/// it differ in front.
#[must_use]
pub fn same_address(source: &[u8], message: &Message) -> bool {
    let digits = |octets: &[u8]| octets.iter().copied().filter(u8::is_ascii_digit).collect::<Vec<u8>>();
    let (reported, sent) = (digits(source), digits(message.row.destination.as_bytes()));
    let shorter = reported.len().min(sent.len());
    let ending = sent.get(sent.len() - shorter..).unwrap_or_default();
    shorter >= 7 && reported.ends_with(ending) || source == message.row.destination.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smpp::testing::message;

    #[test]
    fn the_oldest_are_forgotten_and_a_parked_receipt_is_told() {
        let index = ReceiptIndex::new(SHARDS);
        let same_shard = |n: i64| n * SHARDS as i64;
        assert_eq!(index.insert(same_shard(1), message(1)), None);
        index.park(same_shard(2), 77);
        assert_eq!(index.insert(same_shard(2), message(2)), Some(77));
        assert_eq!(index.insert(same_shard(2), message(2)), None, "told once");
        assert!(index.take(same_shard(1), |_| true).is_none(), "one message a shard");
        assert!(index.take(same_shard(2), |_| false).is_none());
        assert_eq!(index.take(same_shard(2), |_| true).unwrap().row.id, 2);
        assert!(index.is_empty());
    }

    #[test]
    fn the_hash_never_changes() {
        assert_eq!(hash(Uuid::nil(), b""), 0x8820_1fb9_60ff_6465_u64.cast_signed());
        assert_ne!(hash(Uuid::from_u128(1), b"1"), hash(Uuid::from_u128(2), b"1"));
    }

    #[test]
    fn canonical_forms() {
        for (id, form) in [(" 00AB ", "ab"), ("0", "0"), ("000", "000"), ("a-B", "a-b"), ("", "")] {
            assert_eq!(canonical(id.as_bytes()), form.as_bytes());
        }
    }
}
