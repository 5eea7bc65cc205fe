//! Changes to a message as splices: what is not changed leaves octet by octet as it came.

mod proxy;
mod text;

use bytes::BytesMut;
use smallvec::SmallVec;

use crate::header::HeaderId;
use crate::list::List;
use crate::message::{Field, Message, Start};
use crate::syntax::{Sink, has_control, is_one_word, is_token};
use text::Text;

/// Splices that a proxy needs before the list allocates.
const USUAL: usize = 16;

/// Why a change cannot be made. The changes made before stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The new text has CR, LF or another control: it would be a header of its own.
    #[error("a control character in new text")]
    Control,
    /// A header's name is no token, or a Request-URI has white space.
    #[error("new text is not of the form its place asks for")]
    Form,
    /// The octets are changed already.
    #[error("the place is changed already")]
    Overlap,
    /// What is to be changed is not there, or cannot be read.
    #[error("nothing there that could be changed")]
    Absent,
}

/// Changes to one message, kept in its order.
///
/// The message passed [`crate::validate`]: beyond its limits headers are not indexed and so not found.
#[derive(Clone, Debug)]
pub struct Edits<'m> {
    message: &'m Message,
    splices: SmallVec<[Splice; USUAL]>,
    text: Text,
}

/// `delete` octets at `at` give way to `text[from..to]`.
#[derive(Clone, Copy, Debug)]
struct Splice {
    at: usize,
    delete: usize,
    from: usize,
    to: usize,
}

impl<'m> Edits<'m> {
    /// No change yet.
    pub fn new(message: &'m Message) -> Self {
        Self { message, splices: SmallVec::new(), text: Text::default() }
    }

    /// The message that is changed.
    pub const fn message(&self) -> &'m Message {
        self.message
    }

    /// Octets of the changed message.
    pub fn len(&self) -> usize {
        let added: usize = self.splices.iter().map(|splice| splice.to - splice.from).sum();
        let deleted: usize = self.splices.iter().map(|splice| splice.delete).sum();
        (self.message.raw.len() + added).saturating_sub(deleted)
    }

    /// Whether nothing is left of the message.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the changed message to `out`.
    pub fn write(&self, out: &mut BytesMut) {
        let raw = &self.message.raw;
        out.reserve(self.len());
        let mut cursor = 0;
        for splice in &self.splices {
            out.extend_from_slice(raw.get(cursor..splice.at).unwrap_or_default());
            out.extend_from_slice(self.text.get(splice.from, splice.to));
            cursor = cursor.max(splice.at + splice.delete);
        }
        out.extend_from_slice(raw.get(cursor..).unwrap_or_default());
    }

    /// Replaces the Request-URI.
    pub fn set_request_uri(&mut self, uri: &[u8]) -> Result<(), EditError> {
        let Start::Request { uri: (start, end), .. } = self.message.index.start else {
            return Err(EditError::Absent);
        };
        checked(uri)?;
        if uri.is_empty() || !is_one_word(uri) {
            return Err(EditError::Form);
        }
        self.splice(usize::from(start), usize::from(end - start), |text| text.put(uri))
    }

    /// Adds a header behind all others.
    pub fn append(&mut self, name: &str, value: &[u8]) -> Result<(), EditError> {
        if !is_token(name.as_bytes()) {
            return Err(EditError::Form);
        }
        let index = &self.message.index;
        // Without the empty line the last header may have no line end either.
        if index.head_end == index.body {
            return Err(EditError::Absent);
        }
        self.insert_line(index.head_end, name, value)
    }

    /// Gives the first header of this id a new value and removes the others; adds one where there is none.
    pub fn set(&mut self, id: HeaderId, value: &[u8]) -> Result<(), EditError> {
        let mut fields = self.message.index.all(id);
        let Some(first) = fields.next() else { return self.append(id.name(), value) };
        checked(value)?;
        self.replace(self.message.value_of(first), value)?;
        fields.try_for_each(|field| self.remove_line(field))
    }

    /// Removes every header of this id, whatever its spelling; true when there was one.
    pub fn remove(&mut self, id: HeaderId) -> Result<bool, EditError> {
        let mut fields = self.message.index.all(id);
        fields.try_for_each(|field| self.remove_line(field))?;
        Ok(self.message.has(id))
    }

    /// Removes every header with this name in any case; for a known name also those in its other spelling.
    pub fn remove_named(&mut self, name: &[u8]) -> Result<bool, EditError> {
        let id = HeaderId::from_name(name);
        if id != HeaderId::Unknown {
            return self.remove(id);
        }
        let mut removed = false;
        for field in self.message.index.all(HeaderId::Unknown) {
            if self.message.header(field).name.eq_ignore_ascii_case(name) {
                self.remove_line(field)?;
                removed = true;
            }
        }
        Ok(removed)
    }

    /// Replaces one element of a comma list, such as an item of [`Message::list`], or any other part of a value.
    pub fn replace(&mut self, part: &[u8], value: &[u8]) -> Result<(), EditError> {
        checked(value)?;
        let range = self.message.range_of(part).ok_or(EditError::Absent)?;
        self.splice(range.start, range.len(), |text| text.put(value))
    }

    /// Removes one element of a comma list, an item of [`Message::list`], with its comma; the whole header when
    /// it was the only one. To remove them all there is [`Edits::remove`].
    pub fn remove_element(&mut self, element: &[u8]) -> Result<(), EditError> {
        let range = self.message.range_of(element).ok_or(EditError::Absent)?;
        let holds =
            |field: &&Field| (usize::from(field.value)..=usize::from(field.value_end)).contains(&range.start);
        let field = self.message.index.fields.iter().find(holds).ok_or(EditError::Absent)?;
        let mut before = None;
        let mut elements =
            List::new(self.message.value_of(field)).filter_map(|part| self.message.range_of(part));
        while let Some(found) = elements.next() {
            if found != range {
                before = Some(found);
                continue;
            }
            return match (before, elements.next()) {
                (_, Some(next)) => self.splice(range.start, next.start - range.start, |_| {}),
                (Some(before), None) => self.splice(before.end, range.end - before.end, |_| {}),
                (None, None) => self.remove_line(field),
            };
        }
        Err(EditError::Absent)
    }

    /// Replaces the body and its Content-Length; an empty body takes Content-Type away, another one sets it.
    pub fn set_body(&mut self, content_type: &[u8], body: &[u8]) -> Result<(), EditError> {
        let index = &self.message.index;
        if index.head_end == index.body {
            return Err(EditError::Absent);
        }
        if body.is_empty() {
            self.remove(HeaderId::ContentType)?;
        } else {
            self.set(HeaderId::ContentType, content_type)?;
        }
        self.set_number(HeaderId::ContentLength, body.len())?;
        self.splice(index.body, self.message.raw.len().saturating_sub(index.body), |text| text.put(body))
    }

    /// Adds Content-Length where it is missing: a datagram may come without, a stream must not.
    pub fn ensure_content_length(&mut self) -> Result<(), EditError> {
        if self.message.has(HeaderId::ContentLength) {
            return Ok(());
        }
        self.set_number(HeaderId::ContentLength, self.message.body().len())
    }

    fn set_number(&mut self, id: HeaderId, value: usize) -> Result<(), EditError> {
        let mut digits = Text::default();
        digits.display(&value);
        self.set(id, digits.as_slice())
    }

    fn insert_line(&mut self, at: usize, name: &str, value: &[u8]) -> Result<(), EditError> {
        checked(value)?;
        self.splice(at, 0, |text| {
            text.put(name.as_bytes());
            text.put(b": ");
            text.put(value);
            text.put(b"\r\n");
        })
    }

    fn remove_line(&mut self, field: &Field) -> Result<(), EditError> {
        self.splice(usize::from(field.start), usize::from(field.end - field.start), |_| {})
    }

    /// Splices stay sorted; those at one place stay in the order they were made.
    fn splice(&mut self, at: usize, delete: usize, write: impl FnOnce(&mut Text)) -> Result<(), EditError> {
        let overlaps = |other: &Splice| at < other.at + other.delete && other.at < at + delete;
        if self.splices.iter().any(overlaps) {
            return Err(EditError::Overlap);
        }
        let from = self.text.len();
        write(&mut self.text);
        let place = self.splices.partition_point(|other| other.at <= at);
        self.splices.insert(place, Splice { at, delete, from, to: self.text.len() });
        Ok(())
    }
}

/// No line of its own can hide in it.
pub(crate) fn checked(text: &[u8]) -> Result<(), EditError> {
    if has_control(text) { Err(EditError::Control) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
