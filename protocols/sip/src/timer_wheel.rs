//! A hierarchical timer wheel: the timers of one worker. It reads no clock and never ticks by itself: the caller
//! says what time it is, and asks when to come again.
//!
//! Six levels of 64 slots; a slot of level n spans 64^n ticks of 10 ms. A timer stands on the level of the
//! highest group of six bits in which its deadline differs from the present, so that every timer of a level is
//! in a later slot than the present, and every one of a lower level is due before it. When the present enters a
//! slot, its timers move down; each moves at most five times. Slots are lists threaded through one slab.

mod slab;

use std::time::{Duration, Instant};

use slab::{NONE, Slab};

/// Resolution: a timer fires at the first tick that is not before its deadline.
pub const TICK: Duration = Duration::from_millis(10);

const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
const LEVELS: usize = 6;
/// The list of timers that are due, after those of the slots.
const DUE: usize = LEVELS * SLOTS;
const DUE_PLACE: u16 = 6 << SLOT_BITS;
const _: () = assert!(DUE == DUE_PLACE as usize, "one place in two types");
/// The end of time, 21 years after the wheel's beginning: a later deadline is moved here.
const TICK_MAX: u64 = (1 << 36) - 1;
const TICKS_PER_SECOND: u64 = 100;
const NANOS_PER_TICK: u32 = 10_000_000;

/// The wheel holds as many timers as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("timer wheel is full")]
pub struct Full;

/// An armed timer. It stays harmless after the timer fired or was cancelled, whatever took its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerId {
    index: u32,
    generation: u32,
}

/// Timers that carry a `T` each.
#[derive(Debug)]
pub struct TimerWheel<T> {
    origin: Instant,
    /// Ticks since `origin` up to which every slot was emptied.
    present: u64,
    slab: Slab<T>,
    lists: Box<[List; DUE + 1]>,
    /// A bit for each slot that is not empty.
    occupied: [u64; LEVELS],
}

#[derive(Clone, Copy, Debug)]
struct List {
    head: u32,
    tail: u32,
}

impl<T> TimerWheel<T> {
    /// An empty wheel for at most `timers_max` timers, whose time begins at `now`. Memory grows with the highest
    /// number of timers armed at once and is kept.
    pub fn new(timers_max: usize, now: Instant) -> Self {
        Self {
            origin: now,
            present: 0,
            slab: Slab::new(timers_max),
            lists: Box::new([List { head: NONE, tail: NONE }; DUE + 1]),
            occupied: [0; LEVELS],
        }
    }

    /// Timers that are armed.
    pub const fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether none is armed.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Arms a timer for `at`; one in the past is due at once. O(1). [`Full`] drops the value, and a transaction
    /// whose timer never fires is never freed: give the wheel room for every timer that the tables before it admit
    /// (2 of a transaction, 2 of a response context), or take a timer that was refused as fired.
    pub fn arm(&mut self, at: Instant, value: T) -> Result<TimerId, Full> {
        let deadline = self.tick_not_before(at);
        let (index, generation) = self.slab.insert(value, deadline).ok_or(Full)?;
        self.link(index, deadline);
        Ok(TimerId { index, generation })
    }

    /// Disarms a timer and gives its value back; `None` when it fired or was cancelled before. O(1).
    pub fn cancel(&mut self, id: TimerId) -> Option<T> {
        if self.slab.get(id.index)?.generation != id.generation {
            return None;
        }
        self.take(id.index)
    }

    /// Takes out one timer that is due at `now`, in the order of their ticks; call until `None`. Timers may be
    /// armed and cancelled between calls, due ones too.
    pub fn pop_expired(&mut self, now: Instant) -> Option<T> {
        let target = self.tick_at(now);
        while self.lists.get(DUE)?.head == NONE {
            let Some((level, slot, start)) = self.next_slot().filter(|(_, _, start)| *start <= target) else {
                self.present = self.present.max(target);
                return None;
            };
            self.present = start;
            self.empty(level, slot);
        }
        self.take(self.lists.get(DUE)?.head)
    }

    /// When [`TimerWheel::pop_expired`] is worth calling next: the earliest deadline, or before it the time at
    /// which its slot has to be looked at more closely. `None` when no timer is armed.
    pub fn next_deadline(&self) -> Option<Instant> {
        let due = self.lists.get(DUE).is_some_and(|list| list.head != NONE);
        let tick = if due { self.present } else { self.next_slot()?.2 };
        self.origin.checked_add(Duration::from_millis(tick.saturating_mul(1000 / TICKS_PER_SECOND)))
    }

    /// The first slot that is not empty, and the tick at which it begins.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        let level = self.occupied.iter().position(|slots| *slots != 0)?;
        let slot = self.occupied.get(level)?.trailing_zeros();
        let shift = SLOT_BITS * u32::try_from(level).ok()?;
        let above = self.present >> (shift + SLOT_BITS) << (shift + SLOT_BITS);
        Some((level, slot as usize, above | u64::from(slot) << shift))
    }

    /// Moves the timers of a slot that the present has just entered to where they belong now.
    fn empty(&mut self, level: usize, slot: usize) {
        let Some(list) = self.lists.get_mut(level * SLOTS + slot) else { return };
        let mut index = std::mem::replace(&mut list.head, NONE);
        list.tail = NONE;
        if let Some(slots) = self.occupied.get_mut(level) {
            *slots &= !(1 << slot);
        }
        while let Some(entry) = self.slab.get(index) {
            let (next, deadline) = (entry.next, entry.deadline);
            self.link(index, deadline);
            index = next;
        }
    }

    /// Appends to the list of this deadline.
    fn link(&mut self, index: u32, deadline: u64) {
        let place = self.place(deadline);
        let Some(list) = self.lists.get_mut(usize::from(place)) else { return };
        let previous = std::mem::replace(&mut list.tail, index);
        if previous == NONE {
            list.head = index;
        }
        if let Some(entry) = self.slab.get_mut(previous) {
            entry.next = index;
        }
        if let Some(entry) = self.slab.get_mut(index) {
            (entry.previous, entry.next, entry.place) = (previous, NONE, place);
        }
        if let Some(slots) = self.occupied.get_mut(usize::from(place) / SLOTS) {
            *slots |= 1 << (usize::from(place) % SLOTS);
        }
    }

    fn take(&mut self, index: u32) -> Option<T> {
        let entry = self.slab.get(index)?;
        let (previous, next, place) = (entry.previous, entry.next, usize::from(entry.place));
        if let Some(entry) = self.slab.get_mut(previous) {
            entry.next = next;
        }
        if let Some(entry) = self.slab.get_mut(next) {
            entry.previous = previous;
        }
        let list = self.lists.get_mut(place)?;
        if previous == NONE {
            list.head = next;
        }
        if next == NONE {
            list.tail = previous;
        }
        if list.head == NONE
            && let Some(slots) = self.occupied.get_mut(place / SLOTS)
        {
            *slots &= !(1 << (place % SLOTS));
        }
        self.slab.remove(index)
    }

    /// The list for a deadline, seen from the present.
    fn place(&self, deadline: u64) -> u16 {
        if deadline <= self.present {
            return DUE_PLACE;
        }
        let differing = u64::BITS - 1 - (deadline ^ self.present).leading_zeros();
        let level = differing / SLOT_BITS;
        let slot = deadline >> (SLOT_BITS * level) & (SLOTS as u64 - 1);
        u16::try_from(u64::from(level << SLOT_BITS) | slot).unwrap_or(DUE_PLACE)
    }

    /// The tick that `now` is in.
    fn tick_at(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.origin);
        ticks(elapsed.as_secs(), elapsed.subsec_nanos() / NANOS_PER_TICK)
    }

    /// The first tick that does not begin before `at`.
    fn tick_not_before(&self, at: Instant) -> u64 {
        let elapsed = at.saturating_duration_since(self.origin);
        ticks(elapsed.as_secs(), elapsed.subsec_nanos().div_ceil(NANOS_PER_TICK))
    }
}

fn ticks(seconds: u64, more: u32) -> u64 {
    seconds.saturating_mul(TICKS_PER_SECOND).saturating_add(u64::from(more)).min(TICK_MAX)
}

#[cfg(test)]
mod tests;
