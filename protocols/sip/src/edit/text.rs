//! New text of edits, without an allocation up to a usual amount.

use std::fmt;

use crate::syntax::Sink;

/// A Via, a Record-Route with its cookie and a Request-URI fit.
const USUAL: usize = 512;

#[derive(Clone)]
pub(super) struct Text {
    inline: [u8; USUAL],
    len: usize,
    /// All of it, once it is more than fits.
    spilled: Vec<u8>,
}

impl Default for Text {
    fn default() -> Self {
        Self { inline: [0; USUAL], len: 0, spilled: Vec::new() }
    }
}

impl Text {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        let octets = if self.spilled.is_empty() { self.inline.as_slice() } else { &self.spilled };
        octets.get(..self.len).unwrap_or_default()
    }

    #[cold]
    fn spill(&mut self, octets: &[u8]) {
        if self.spilled.is_empty() {
            self.spilled.extend_from_slice(self.inline.get(..self.len).unwrap_or_default());
        }
        self.spilled.extend_from_slice(octets);
    }

    pub(super) fn get(&self, from: usize, to: usize) -> &[u8] {
        self.as_slice().get(from..to).unwrap_or_default()
    }

    pub(super) fn display(&mut self, value: &dyn fmt::Display) {
        // It grows as it needs: nothing to fail.
        let _ = fmt::write(self, format_args!("{value}"));
    }
}

impl Sink for Text {
    #[inline]
    fn put(&mut self, octets: &[u8]) {
        let end = self.len + octets.len();
        match self.inline.get_mut(self.len..end) {
            Some(room) => room.copy_from_slice(octets),
            None => self.spill(octets),
        }
        self.len = end;
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes());
        Ok(())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets", self.len)
    }
}
