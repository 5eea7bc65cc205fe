//! The window: requests that wait for their response, by sequence_number (2.6, 3.2).
//!
//! Slots are a slab threaded by an oldest-first list; an open-addressed table finds a slot by
//! sequence_number. Numbers are issued in order, so that the table's low bits hardly ever collide.

mod table;

use std::time::{Duration, Instant};

use table::Table;

/// The last sequence_number (5.1.4); the next one is 1.
pub const SEQUENCE_NUMBER_MAX: u32 = 0x7FFF_FFFF;

const NONE: u32 = u32::MAX;

/// The window is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("window is full")]
pub struct Full;

/// Outstanding requests. Insert and remove cost the same at any fill. Memory is taken as the window fills for
/// the first time and kept: a session that never sends holds next to none, one at work never allocates.
#[derive(Debug)]
pub struct Window<T> {
    capacity: usize,
    len: usize,
    slots: Vec<Slot<T>>,
    table: Table,
    /// Head of the list of empty slots.
    empty: u32,
    oldest: u32,
    newest: u32,
    last_sequence_number: u32,
}

#[derive(Debug)]
struct Slot<T> {
    request: Option<Request<T>>,
    older: u32,
    /// In an empty slot: the next empty slot.
    newer: u32,
}

#[derive(Debug)]
struct Request<T> {
    sequence_number: u32,
    sent: Instant,
    value: T,
}

impl<T> Window<T> {
    /// A window for `capacity` outstanding requests, at least one; the first sequence_number is 1.
    pub fn new(capacity: usize) -> Self {
        let mut window = Self {
            capacity: 0,
            len: 0,
            slots: Vec::new(),
            table: Table::new(0),
            empty: NONE,
            oldest: NONE,
            newest: NONE,
            last_sequence_number: 0,
        };
        window.set_capacity(capacity);
        window
    }

    /// Requests that may be outstanding.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Changes the capacity. What is outstanding stays: a smaller window shrinks as slots free.
    pub fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity.clamp(1, CAPACITY_MAX);
    }

    /// Requests that are outstanding.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is outstanding.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Requests that may still be sent.
    pub const fn free(&self) -> usize {
        self.capacity.saturating_sub(self.len)
    }

    /// The next sequence_number, 1 to 0x7FFFFFFF and around, never one that is outstanding. It takes no slot:
    /// for binds, enquire_link and unbind.
    pub fn next_sequence_number(&mut self) -> u32 {
        loop {
            self.last_sequence_number = match self.last_sequence_number {
                SEQUENCE_NUMBER_MAX.. => 1,
                last => last + 1,
            };
            if self.table.get(self.last_sequence_number).is_none() {
                return self.last_sequence_number;
            }
        }
    }

    /// Remembers a request sent at `now` and gives it its sequence_number. [`Full`] when no slot is free; the
    /// value is then dropped, so ask [`Window::free`] first where it matters.
    pub fn insert(&mut self, value: T, now: Instant) -> Result<u32, Full> {
        if self.free() == 0 {
            return Err(Full);
        }
        if self.empty == NONE {
            self.add_slot();
        }
        let sequence_number = self.next_sequence_number();
        let (index, newest) = (self.empty, self.newest);
        let Some(slot) = self.slot(index) else { return Err(Full) };
        let next_empty = std::mem::replace(&mut slot.newer, NONE);
        slot.older = newest;
        slot.request = Some(Request { sequence_number, sent: now, value });
        self.empty = next_empty;
        match self.slot(newest) {
            Some(previous) => previous.newer = index,
            None => self.oldest = index,
        }
        self.newest = index;
        self.table.insert(sequence_number, index);
        self.len += 1;
        Ok(sequence_number)
    }

    /// Takes out the request that a response with this sequence_number answers, and when it was sent;
    /// `None` for a response that nobody waits for.
    pub fn remove(&mut self, sequence_number: u32) -> Option<(T, Instant)> {
        let index = self.table.get(sequence_number)?;
        let (_, sent, value) = self.take(index)?;
        Some((value, sent))
    }

    /// The value outstanding under this sequence_number.
    pub fn get(&self, sequence_number: u32) -> Option<&T> {
        let slot = self.slots.get(self.table.get(sequence_number)? as usize)?;
        slot.request.as_ref().map(|request| &request.value)
    }

    /// Takes out the oldest request if it was sent `timeout` or longer before `now`; call until `None`.
    pub fn expired(&mut self, now: Instant, timeout: Duration) -> Option<(u32, T)> {
        let sent = self.oldest()?;
        if now.saturating_duration_since(sent) < timeout {
            return None;
        }
        self.take_oldest()
    }

    /// When the oldest outstanding request was sent.
    pub fn oldest(&self) -> Option<Instant> {
        let slot = self.slots.get(self.oldest as usize)?;
        slot.request.as_ref().map(|request| request.sent)
    }

    /// Takes out everything, oldest first; what the iterator does not reach stays.
    pub fn drain(&mut self) -> impl Iterator<Item = (u32, T)> + '_ {
        std::iter::from_fn(move || self.take_oldest())
    }

    /// One slot more; the table doubles when it would become more than half full.
    fn add_slot(&mut self) {
        self.empty = index_of(self.slots.len());
        self.slots.push(Slot { request: None, older: NONE, newer: NONE });
        if self.slots.len() <= self.table.room() {
            return;
        }
        self.table = Table::new(self.slots.len());
        for (index, slot) in self.slots.iter().enumerate() {
            if let Some(request) = &slot.request {
                self.table.insert(request.sequence_number, index_of(index));
            }
        }
    }

    fn take_oldest(&mut self) -> Option<(u32, T)> {
        let (sequence_number, _, value) = self.take(self.oldest)?;
        Some((sequence_number, value))
    }

    fn take(&mut self, index: u32) -> Option<(u32, Instant, T)> {
        let empty = self.empty;
        let slot = self.slot(index)?;
        let Request { sequence_number, sent, value } = slot.request.take()?;
        let older = slot.older;
        let newer = std::mem::replace(&mut slot.newer, empty);
        self.empty = index;
        match self.slot(older) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
        match self.slot(newer) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        self.table.remove(sequence_number);
        self.len -= 1;
        Some((sequence_number, sent, value))
    }

    fn slot(&mut self, index: u32) -> Option<&mut Slot<T>> {
        self.slots.get_mut(index as usize)
    }
}

/// Far above any bind's window; keeps slot indices and the table within u32.
const CAPACITY_MAX: usize = 1 << 24;

fn index_of(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(NONE)
}

#[cfg(test)]
mod tests;
