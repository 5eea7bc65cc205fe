//! 16 octets for each message, in chunks that are allocated when first touched.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use super::tally::Outcome;

const CHUNK_BITS: u32 = 16;
const CHUNK: usize = 1 << CHUNK_BITS;
/// 268 million messages.
const CHUNKS_MAX: usize = 4096;

#[derive(Debug)]
pub(super) struct Cells(Box<[OnceLock<Box<[Cell]>>]>);

#[derive(Debug, Default)]
pub(super) struct Cell {
    /// Of the message_id that the customer was given; 0 until then.
    pub(super) hash: AtomicU64,
    /// Microseconds since the ledger's epoch, modulo 2^32.
    pub(super) sent_us: AtomicU32,
    flags: AtomicU16,
    /// How often an SMSC took the message.
    pub(super) reached: AtomicU8,
    /// How many final receipts the customer got.
    pub(super) seen: AtomicU8,
}

/// What is known of a message, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flags(u16);

impl Flags {
    pub(super) const SUBMITTED: Self = Self(1);
    pub(super) const ACCEPTED: Self = Self(1 << 1);
    pub(super) const REFUSED: Self = Self(1 << 2);
    pub(super) const UNKNOWN: Self = Self(1 << 3);
    pub(super) const REACHED: Self = Self(1 << 4);
    pub(super) const UNANSWERED: Self = Self(1 << 5);
    pub(super) const SENT: Self = Self(1 << 6);
    pub(super) const WITHHELD: Self = Self(1 << 7);
    pub(super) const SEEN: Self = Self(1 << 8);
    pub(super) const FAILED: Self = Self(1 << 9);

    pub(super) const fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }

    pub(super) const fn with(self, flag: Self) -> Self {
        Self(self.0 | flag.0)
    }

    pub(super) const fn is_settled(self, receipts: bool) -> bool {
        let no_receipt_to_come = self.has(Self::REACHED) && (!receipts || self.has(Self::WITHHELD));
        self.has(Self::ACCEPTED) && (self.has(Self::SEEN) || no_receipt_to_come)
    }
}

impl Cell {
    pub(super) fn set(&self, flag: Flags) -> Flags {
        Flags(self.flags.fetch_or(flag.0, Ordering::Relaxed))
    }

    pub(super) fn outcome(&self) -> Outcome {
        let flags = Flags(self.flags.load(Ordering::Relaxed));
        Outcome {
            submitted: flags.has(Flags::SUBMITTED),
            accepted: flags.has(Flags::ACCEPTED),
            refused: flags.has(Flags::REFUSED),
            unknown: flags.has(Flags::UNKNOWN),
            unanswered: flags.has(Flags::UNANSWERED),
            receipt_sent: flags.has(Flags::SENT),
            receipt_withheld: flags.has(Flags::WITHHELD),
            receipt_failed: flags.has(Flags::FAILED),
            reached: self.reached.load(Ordering::Relaxed),
            receipts_seen: self.seen.load(Ordering::Relaxed),
        }
    }
}

impl Default for Cells {
    fn default() -> Self {
        Self((0..CHUNKS_MAX).map(|_| OnceLock::new()).collect())
    }
}

impl Cells {
    /// `None` beyond the last chunk.
    pub(super) fn with<T>(&self, id: u32, f: impl FnOnce(&Cell) -> T) -> Option<T> {
        let chunk = self.0.get((id >> CHUNK_BITS) as usize)?;
        let cells = chunk.get_or_init(|| (0..CHUNK).map(|_| Cell::default()).collect());
        cells.get(id as usize % CHUNK).map(f)
    }
}
