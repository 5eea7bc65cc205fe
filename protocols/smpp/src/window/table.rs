//! sequence_number -> slot: linear probing, at most half full, deletion by shifting back.

/// Never issued as a sequence_number, so it marks an empty cell.
const EMPTY: u32 = 0;

#[derive(Debug)]
pub(super) struct Table {
    cells: Box<[Cell]>,
    mask: usize,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    sequence_number: u32,
    slot: u32,
}

impl Table {
    /// Room for `capacity` entries; the caller keeps to it.
    pub(super) fn new(capacity: usize) -> Self {
        let cells = capacity.max(1).saturating_mul(2).next_power_of_two();
        let empty = Cell { sequence_number: EMPTY, slot: 0 };
        Self { cells: vec![empty; cells].into_boxed_slice(), mask: cells - 1 }
    }

    /// Entries that it has room for.
    pub(super) const fn room(&self) -> usize {
        self.cells.len() / 2
    }

    pub(super) fn get(&self, sequence_number: u32) -> Option<u32> {
        let at = self.find(sequence_number)?;
        self.cells.get(at).map(|cell| cell.slot)
    }

    pub(super) fn insert(&mut self, sequence_number: u32, slot: u32) {
        let mut at = self.home(sequence_number);
        for _ in 0..=self.mask {
            let Some(cell) = self.cells.get_mut(at) else { return };
            if cell.sequence_number == EMPTY {
                *cell = Cell { sequence_number, slot };
                return;
            }
            at = self.after(at);
        }
    }

    pub(super) fn remove(&mut self, sequence_number: u32) {
        let Some(mut hole) = self.find(sequence_number) else { return };
        let mut at = self.after(hole);
        while let Some(&cell) = self.cells.get(at).filter(|cell| cell.sequence_number != EMPTY) {
            // A cell may fill the hole unless its home lies between the hole and itself.
            let from_home = at.wrapping_sub(self.home(cell.sequence_number)) & self.mask;
            let from_hole = at.wrapping_sub(hole) & self.mask;
            if from_home >= from_hole {
                self.set(hole, cell);
                hole = at;
            }
            at = self.after(at);
        }
        self.set(hole, Cell { sequence_number: EMPTY, slot: 0 });
    }

    fn find(&self, sequence_number: u32) -> Option<usize> {
        if sequence_number == EMPTY {
            return None;
        }
        let mut at = self.home(sequence_number);
        while let Some(cell) = self.cells.get(at).filter(|cell| cell.sequence_number != EMPTY) {
            if cell.sequence_number == sequence_number {
                return Some(at);
            }
            at = self.after(at);
        }
        None
    }

    fn set(&mut self, at: usize, cell: Cell) {
        if let Some(place) = self.cells.get_mut(at) {
            *place = cell;
        }
    }

    const fn home(&self, sequence_number: u32) -> usize {
        sequence_number as usize & self.mask
    }

    const fn after(&self, at: usize) -> usize {
        (at + 1) & self.mask
    }
}

#[cfg(test)]
mod tests;
