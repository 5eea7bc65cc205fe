//! New text of edits, without an allocation up to a usual amount.

use std::fmt;

use smallvec::SmallVec;

use crate::syntax::Sink;

/// A Via, a Record-Route with its cookie and a Request-URI fit.
const USUAL: usize = 512;

#[derive(Clone, Default)]
pub(super) struct Text(SmallVec<[u8; USUAL]>);

impl Text {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn get(&self, from: usize, to: usize) -> &[u8] {
        self.0.get(from..to).unwrap_or_default()
    }

    pub(super) fn display(&mut self, value: &dyn fmt::Display) {
        // It grows as it needs: nothing to fail.
        let _ = fmt::write(self, format_args!("{value}"));
    }
}

impl Sink for Text {
    fn put(&mut self, octets: &[u8]) {
        self.0.extend_from_slice(octets);
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
        write!(f, "{} octets", self.0.len())
    }
}
