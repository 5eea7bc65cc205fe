//! The body and its length: one of them never leaves without the other.

use super::{EditError, Edits, Kind};
use crate::header::HeaderId;
use crate::sdp::SdpBody;
use crate::syntax::Sink;

impl Edits<'_> {
    /// Replaces a part of the body, or all of it, and sets Content-Length, in whichever form it came; it is
    /// added where it is missing. What the body is stays: for another kind of body there is
    /// [`Edits::set_body`].
    ///
    /// Errors: [`EditError::Absent`] for octets that are no part of the body of this message;
    /// [`EditError::Overlap`] for a body that is changed already.
    pub fn replace_in_body(&mut self, part: &[u8], octets: &[u8]) -> Result<(), EditError> {
        let body = self.message.index.body;
        let range = self.message.range_of(part).filter(|range| range.start >= body);
        let range = range.ok_or(EditError::Absent)?;
        let kept = self.message.body().len().saturating_sub(range.len());
        self.set_length(kept + octets.len())?;
        self.splice(range.start, range.len(), |text| text.put(octets))
    }

    /// Replaces the session description that [`Message::sdp`](crate::Message::sdp) found in this message;
    /// other parts of a multipart body stay as they came.
    ///
    /// Errors: as [`Edits::replace_in_body`]; [`EditError::Form`] for a description without an octet, and in
    /// a multipart body for one with a line that could be a boundary.
    pub fn replace_sdp(&mut self, found: &SdpBody<'_>, sdp: &[u8]) -> Result<(), EditError> {
        let mut lines = sdp.split(|octet| matches!(octet, b'\r' | b'\n'));
        if sdp.is_empty() || found.multipart && lines.any(|line| line.starts_with(b"--")) {
            return Err(EditError::Form);
        }
        self.replace_in_body(found.octets, sdp)
    }

    /// Sets Content-Length for a body that is about to be changed.
    pub(super) fn set_length(&mut self, length: usize) -> Result<(), EditError> {
        if self.is_body_changed() {
            return Err(EditError::Overlap);
        }
        let id = HeaderId::ContentLength;
        if self.first(id).is_some() || !self.added.has(id) {
            return self.set_number(id, length);
        }
        self.amend_length(length)
    }

    /// Gives the Content-Length that was added to this message another number.
    fn amend_length(&mut self, length: usize) -> Result<(), EditError> {
        let name = HeaderId::ContentLength.name().as_bytes();
        let (text, end) = (&self.text, self.message.index.head_end);
        let is_length =
            |from, to| text.get(from, to).strip_prefix(name).is_some_and(|rest| rest.starts_with(b": "));
        let mut splices = self.splices.iter_mut();
        let added = splices.find(|splice| {
            splice.kind == Kind::Text && splice.at == end && is_length(splice.from, splice.to)
        });
        let splice = added.ok_or(EditError::Overlap)?;
        splice.from = self.text.len();
        self.text.put(name);
        self.text.put(b": ");
        self.text.display(&length);
        self.text.put(b"\r\n");
        splice.to = self.text.len();
        Ok(())
    }

    /// Headers are added before the empty line, so what is spliced behind it is of the body.
    fn is_body_changed(&self) -> bool {
        self.splices.iter().any(|splice| splice.at >= self.message.index.body)
    }
}
