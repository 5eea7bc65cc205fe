//! The wheel's timers, in one vector with a list of free places.

/// No index: the end of a list.
pub(super) const NONE: u32 = u32::MAX;

/// Entries for which there is room from the beginning, in memory that is not touched before it is used: a vector that
/// grows copies what it has.
const SET_ASIDE: usize = 1 << 18;

#[derive(Debug)]
pub(super) struct Slab<T> {
    entries: Vec<Entry<T>>,
    entries_max: usize,
    len: usize,
    /// Head of the list of free entries.
    free: u32,
}

#[derive(Debug)]
pub(super) struct Entry<T> {
    value: Option<T>,
    /// In ticks.
    pub(super) deadline: u64,
    /// Counts the timers that were here.
    pub(super) generation: u32,
    pub(super) previous: u32,
    /// Of a free entry: the next free one.
    pub(super) next: u32,
    /// The list it is in.
    pub(super) place: u16,
}

// A worker may hold a million of them.
const _: () = assert!(size_of::<Entry<u32>>() <= 32, "half a cache line with a small value");

impl<T> Slab<T> {
    pub(super) fn new(entries_max: usize) -> Self {
        let entries = Vec::with_capacity(entries_max.min(SET_ASIDE));
        Self { entries, entries_max: entries_max.min(NONE as usize), len: 0, free: NONE }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// The armed timer at `index`.
    pub(super) fn get(&self, index: u32) -> Option<&Entry<T>> {
        self.entries.get(index as usize).filter(|entry| entry.value.is_some())
    }

    /// The entry at `index`, armed or not.
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Entry<T>> {
        self.entries.get_mut(index as usize)
    }

    /// Index and generation of the new entry, which is in no list yet; `None` when full.
    pub(super) fn insert(&mut self, value: T, deadline: u64) -> Option<(u32, u32)> {
        let index = self.free;
        if let Some(entry) = self.entries.get_mut(index as usize) {
            self.free = entry.next;
            entry.value = Some(value);
            entry.deadline = deadline;
            self.len += 1;
            return Some((index, entry.generation));
        }
        if self.entries.len() >= self.entries_max {
            return None;
        }
        let index = u32::try_from(self.entries.len()).ok()?;
        let value = Some(value);
        self.entries.push(Entry { value, deadline, generation: 0, previous: NONE, next: NONE, place: 0 });
        self.len += 1;
        Some((index, 0))
    }

    /// Frees an entry that is in no list any more.
    pub(super) fn remove(&mut self, index: u32) -> Option<T> {
        let free = self.free;
        let entry = self.entries.get_mut(index as usize)?;
        let value = entry.value.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        entry.next = free;
        self.free = index;
        self.len -= 1;
        Some(value)
    }
}
