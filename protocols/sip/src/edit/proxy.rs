//! What a proxy changes on the way (16.6, 16.7, 18.2.1).

use std::net::SocketAddr;

use super::{EditError, Edits, Text};
use crate::header::HeaderId;
use crate::message::Start;
use crate::syntax::put_number;
use crate::via::Via;

impl Edits<'_> {
    /// Adds a Via above all others (16.6 step 8). `value` is all behind the colon.
    pub fn push_via(&mut self, value: &[u8]) -> Result<(), EditError> {
        self.push(HeaderId::Via, value)
    }

    /// Removes the top Via of a response (16.7 step 3), the whole line where it is alone in it.
    pub fn pop_via(&mut self) -> Result<(), EditError> {
        self.pop(HeaderId::Via, 1)
    }

    /// Notes in a Via of this message, the top one of a request, where it came from: `received` and `rport`
    /// (18.2.1; RFC 3581, 4).
    pub fn stamp_via(&mut self, top: &Via<'_>, source: SocketAddr) -> Result<(), EditError> {
        let range = self.message.range_of(top.octets).ok_or(EditError::Absent)?;
        self.splice(range.start, range.len(), |text| top.write_stamped(source, text))
    }

    /// Adds a Record-Route above all others (16.6 step 4); several are in the order of the calls.
    pub fn push_record_route(&mut self, value: &[u8]) -> Result<(), EditError> {
        self.push(HeaderId::RecordRoute, value)
    }

    /// Adds a Route above all others (16.6 step 6).
    pub fn push_route(&mut self, value: &[u8]) -> Result<(), EditError> {
        self.push(HeaderId::Route, value)
    }

    /// Removes the top Route: it named us (16.4).
    pub fn pop_route(&mut self) -> Result<(), EditError> {
        self.pop_routes(1)
    }

    /// Removes the `count` topmost Routes, of one line or of several: a request that passed us from one transport to
    /// another names us twice. The others stay as they came. They are the topmost of the message as it came, so it
    /// is called once.
    ///
    /// Errors: [`EditError::Absent`] when there are fewer; then all stay.
    pub fn pop_routes(&mut self, count: usize) -> Result<(), EditError> {
        self.pop(HeaderId::Route, count)
    }

    /// Sets Max-Forwards, which is added below Via where it is missing (16.6 step 3).
    pub fn set_max_forwards(&mut self, hops: u8) -> Result<(), EditError> {
        let mut digits = Text::default();
        put_number(&mut digits, hops.into());
        if self.first(HeaderId::MaxForwards).is_some() {
            return self.set(HeaderId::MaxForwards, digits.as_slice());
        }
        if self.added.has(HeaderId::MaxForwards) {
            return Err(EditError::Overlap);
        }
        self.push(HeaderId::MaxForwards, digits.as_slice())
    }

    fn push(&mut self, id: HeaderId, value: &[u8]) -> Result<(), EditError> {
        self.insert_line(self.place_of(id), id.name(), value)?;
        self.added.insert(id);
        Ok(())
    }

    /// Above the first header of this id; without one below the last Via, or below the start line.
    fn place_of(&self, id: HeaderId) -> usize {
        let index = &self.message.index;
        let (Start::Request { line_end, .. } | Start::Response { line_end, .. }) = index.start;
        let below_via = || index.last(HeaderId::Via).map_or(line_end, |field| field.end);
        usize::from(index.first(id).map_or_else(below_via, |field| field.start))
    }
}
