//! From message_id to message: open addressing over 4-octet slots, the hashes themselves stay in the cells.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::cells::Cells;
use super::{Final, Shards};

const SHARD_BITS: u32 = 4;
const SLOTS_MIN: usize = 256;

#[derive(Debug)]
pub(super) struct Index(Shards<Shard>);

#[derive(Debug, Default)]
struct Shard {
    /// id + 1; 0 is empty. A power of two of them, at most 7/8 full.
    slots: Vec<u32>,
    used: usize,
    early: HashMap<u64, Early>,
}

/// Receipts that came before the submit_sm_resp that explains them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Early {
    pub(super) receipt: Final,
    pub(super) at: Instant,
    /// At least 1.
    pub(super) count: u8,
}

pub(super) enum Found {
    Id(u32),
    Early,
}

impl Default for Index {
    fn default() -> Self {
        Self((0..1 << SHARD_BITS).map(|_| Mutex::default()).collect())
    }
}

impl Index {
    /// Adds the message, whose cell already holds `hash`; returns the receipts that waited for it.
    pub(super) fn insert(&self, hash: u64, id: u32, cells: &Cells) -> Option<Early> {
        let mut shard = self.shard(hash)?.lock();
        shard.insert(hash, id, cells);
        if shard.early.is_empty() { None } else { shard.early.remove(&hash) }
    }

    /// The message with this hash, or keeps the receipt for it.
    pub(super) fn find_or_keep(&self, hash: u64, receipt: Final, at: Instant, cells: &Cells) -> Found {
        let Some(shard) = self.shard(hash) else { return Found::Early };
        let mut shard = shard.lock();
        if let Some(id) = shard.find(hash, cells) {
            return Found::Id(id);
        }
        let early = shard.early.entry(hash).or_insert(Early { receipt, at, count: 0 });
        early.count = early.count.saturating_add(1);
        Found::Early
    }

    fn shard(&self, hash: u64) -> Option<&Mutex<Shard>> {
        self.0.get(usize::try_from(hash >> (u64::BITS - SHARD_BITS)).ok()?)
    }
}

impl Shard {
    fn insert(&mut self, hash: u64, id: u32, cells: &Cells) {
        if (self.used + 1) * 8 > self.slots.len() * 7 {
            self.grow(cells);
        }
        self.place(hash, id);
    }

    fn find(&self, hash: u64, cells: &Cells) -> Option<u32> {
        self.probe(hash)
            .map_while(|place| self.slots.get(place)?.checked_sub(1))
            .find(|id| cells.with(*id, |cell| cell.hash.load(Ordering::Relaxed)) == Some(hash))
    }

    fn place(&mut self, hash: u64, id: u32) {
        let empty = self.probe(hash).find(|place| self.slots.get(*place) == Some(&0));
        if let Some(slot) = empty.and_then(|place| self.slots.get_mut(place)) {
            *slot = id.saturating_add(1);
            self.used += 1;
        }
    }

    fn grow(&mut self, cells: &Cells) {
        let size = (self.slots.len() * 2).max(SLOTS_MIN);
        let old = std::mem::replace(&mut self.slots, vec![0; size]);
        self.used = 0;
        for id in old.into_iter().filter_map(|slot| slot.checked_sub(1)) {
            if let Some(hash) = cells.with(id, |cell| cell.hash.load(Ordering::Relaxed)) {
                self.place(hash, id);
            }
        }
    }

    /// Every slot once, starting where the hash points; nothing while there are no slots.
    fn probe(&self, hash: u64) -> impl Iterator<Item = usize> + use<> {
        let mask = self.slots.len().wrapping_sub(1);
        let start = usize::try_from(hash & 0xFFFF_FFFF).unwrap_or_default();
        (0..self.slots.len()).map(move |step| start.wrapping_add(step) & mask)
    }
}
