//! Changes to a message as splices: what is not changed leaves octet by octet as it came.

mod body;
mod elements;
mod proxy;
mod text;

use bytes::BytesMut;
use memchr::memchr;
use smallvec::SmallVec;

use crate::header::{HeaderId, HeaderSet};
use crate::message::{Field, Header, Message, Start};
use crate::syntax::{Sink, has_control, is_one_word, is_token, split};
use text::Text;

/// Splices that a proxy needs before the list allocates.
const USUAL: usize = 16;

/// What describes a body, Content-Length aside.
const OF_BODY: [HeaderId; 4] =
    [HeaderId::ContentType, HeaderId::ContentDisposition, HeaderId::ContentLanguage, HeaderId::MimeVersion];

/// Why a change cannot be made. The changes made before stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The new text has CR, LF or another control: it would be a header of its own.
    #[error("a control character in new text")]
    Control,
    /// A header's name is no token or of a header that is not set that way, a Request-URI has white space, or a new
    /// part of a body would end it.
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
    /// Headers that lines were added of.
    added: HeaderSet,
    /// Where the elements begin that were removed of lines that stay.
    gone: SmallVec<[usize; 4]>,
}

/// `delete` octets at `at` give way to `text[from..to]`.
#[derive(Clone, Copy, Debug)]
struct Splice {
    at: usize,
    delete: usize,
    from: usize,
    to: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// New text.
    Text,
    /// A header that goes, all its lines.
    Line,
    /// Elements that go of a line, with commas.
    Elements,
}

impl Splice {
    const fn overlaps(&self, at: usize, delete: usize) -> bool {
        at < self.at + self.delete && self.at < at + delete
    }
}

impl<'m> Edits<'m> {
    /// No change yet.
    pub fn new(message: &'m Message) -> Self {
        Self {
            message,
            splices: SmallVec::new(),
            text: Text::default(),
            added: HeaderSet::EMPTY,
            gone: SmallVec::new(),
        }
    }

    /// The message that is changed.
    pub const fn message(&self) -> &'m Message {
        self.message
    }

    /// Octets of the changed message.
    pub fn len(&self) -> usize {
        if self.message.index.lf_only {
            let mut len = 0;
            self.each_piece(|piece| len += piece.len());
            return len;
        }
        let added: usize = self.splices.iter().map(|splice| splice.to - splice.from).sum();
        let deleted: usize = self.splices.iter().map(|splice| splice.delete).sum();
        (self.message.raw.len() + added).saturating_sub(deleted)
    }

    /// Whether nothing is left of the message.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the changed message to `out`. Where lines may end in LF alone
    /// ([`Limits::lf_line_ends`](crate::Limits::lf_line_ends)), those of the head leave with CRLF: the next hop
    /// may see another message in them.
    pub fn write(&self, out: &mut BytesMut) {
        out.reserve(self.len());
        self.each_piece(|piece| out.extend_from_slice(piece));
    }

    fn each_piece(&self, mut put: impl FnMut(&[u8])) {
        let mut cursor = 0;
        for splice in &self.splices {
            self.each_kept(cursor, splice.at, &mut put);
            put(self.text.get(splice.from, splice.to));
            cursor = cursor.max(splice.at + splice.delete);
        }
        self.each_kept(cursor, self.message.raw.len(), &mut put);
    }

    fn each_kept(&self, from: usize, to: usize, put: &mut impl FnMut(&[u8])) {
        let raw = &self.message.raw;
        let mut from = from;
        if self.message.index.lf_only {
            let head = raw.get(..to.min(self.message.index.body)).unwrap_or_default();
            while let Some(rest) = head.get(from..)
                && let Some(found) = memchr(b'\n', rest)
            {
                let (line, _) = split(rest, found);
                from += found;
                put(line);
                if !head.get(..from).is_some_and(|before| before.ends_with(b"\r")) {
                    put(b"\r");
                }
                put(b"\n");
                from += 1;
            }
        }
        put(raw.get(from..to).unwrap_or_default());
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
    ///
    /// Errors: [`EditError::Form`] also for Via, which has its place, and Content-Length, which the body decides;
    /// [`EditError::Overlap`] for a second header of those that come once.
    pub fn append(&mut self, name: &str, value: &[u8]) -> Result<(), EditError> {
        let id = HeaderId::from_name(name.as_bytes());
        if !is_token(name.as_bytes()) || matches!(id, HeaderId::Via | HeaderId::ContentLength) {
            return Err(EditError::Form);
        }
        if id.comes_once() && (self.added.has(id) || self.first(id).is_some()) {
            return Err(EditError::Overlap);
        }
        self.insert_last(id, name, value)
    }

    /// Gives the first header of this id a new value and removes the others; adds one where there is none.
    ///
    /// Errors: [`EditError::Form`] for Content-Length, which the body decides, and [`HeaderId::Unknown`], which has no
    /// name; [`EditError::Overlap`] for a header that is changed or was added already.
    pub fn set(&mut self, id: HeaderId, value: &[u8]) -> Result<(), EditError> {
        if matches!(id, HeaderId::ContentLength | HeaderId::Unknown) {
            return Err(EditError::Form);
        }
        self.set_value(id, value)
    }

    /// Removes every header of this id, whatever its spelling; true when there was one in the message. What is
    /// gone already stays gone.
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

    /// Removes every header that is `unwanted`, in one pass.
    pub fn remove_where(&mut self, unwanted: impl Fn(&Header<'_>) -> bool) -> Result<(), EditError> {
        let message = self.message;
        let mut fields = message.index.fields.iter().filter(|field| unwanted(&message.header(field)));
        fields.try_for_each(|field| self.remove_line(field))
    }

    /// Replaces one element of a comma list, such as an item of [`Message::list`], or any other part of a value.
    pub fn replace(&mut self, part: &[u8], value: &[u8]) -> Result<(), EditError> {
        checked(value)?;
        let range = self.message.range_of(part).ok_or(EditError::Absent)?;
        self.splice(range.start, range.len(), |text| text.put(value))
    }

    /// Replaces the body and its Content-Length; an empty body takes away all that describes one, another one sets
    /// Content-Type and is not encoded.
    pub fn set_body(&mut self, content_type: &[u8], body: &[u8]) -> Result<(), EditError> {
        let index = &self.message.index;
        if index.head_end == index.body {
            return Err(EditError::Absent);
        }
        self.remove(HeaderId::ContentEncoding)?;
        if body.is_empty() {
            for id in OF_BODY {
                self.remove(id)?;
            }
        } else {
            self.set(HeaderId::ContentType, content_type)?;
        }
        self.set_length(body.len())?;
        self.splice(index.body, self.message.raw.len().saturating_sub(index.body), |text| text.put(body))
    }

    /// Adds Content-Length where it is missing: a datagram may come without, a stream must not. What changes the body
    /// brings its own, before or after.
    pub fn ensure_content_length(&mut self) -> Result<(), EditError> {
        if self.added.has(HeaderId::ContentLength) || self.first(HeaderId::ContentLength).is_some() {
            return Ok(());
        }
        self.set_number(HeaderId::ContentLength, self.message.body().len())
    }

    fn set_number(&mut self, id: HeaderId, value: usize) -> Result<(), EditError> {
        let mut digits = Text::default();
        digits.display(&value);
        self.set_value(id, digits.as_slice())
    }

    fn set_value(&mut self, id: HeaderId, value: &[u8]) -> Result<(), EditError> {
        let Some(first) = self.first(id) else {
            // What was added is no part of the message: it cannot be replaced, and a second one would follow it.
            let twice = self.added.has(id);
            return if twice { Err(EditError::Overlap) } else { self.insert_last(id, id.name(), value) };
        };
        checked(value)?;
        self.replace(self.message.value_of(first), value)?;
        let mut others = self.message.index.all(id).filter(|field| field.start != first.start);
        others.try_for_each(|field| self.remove_line(field))
    }

    /// The first header of this id that is not removed.
    fn first(&self, id: HeaderId) -> Option<&'m Field> {
        self.message.index.all(id).find(|field| !self.is_removed(field))
    }

    fn is_removed(&self, field: &Field) -> bool {
        self.splices.iter().any(|splice| splice.kind == Kind::Line && splice.at == usize::from(field.start))
    }

    fn insert_last(&mut self, id: HeaderId, name: &str, value: &[u8]) -> Result<(), EditError> {
        let index = &self.message.index;
        // Without the empty line the last header may have no line end either.
        if index.head_end == index.body {
            return Err(EditError::Absent);
        }
        self.insert_line(index.head_end, name, value)?;
        self.added.insert(id);
        Ok(())
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

    /// Removes a header, and with it the cuts of its elements.
    fn remove_line(&mut self, field: &Field) -> Result<(), EditError> {
        if self.is_removed(field) {
            return Ok(());
        }
        let (start, end) = (usize::from(field.start), usize::from(field.end));
        let cuts = self.cuts_of(field);
        if self.overlaps(start, end - start, &cuts) {
            return Err(EditError::Overlap);
        }
        self.splices.retain(|splice| !cuts(splice));
        self.insert(start, end - start, Kind::Line, |_| {});
        Ok(())
    }

    /// Tells the cuts of one line.
    fn cuts_of(&self, field: &Field) -> impl Fn(&Splice) -> bool + use<> {
        let line = usize::from(field.start)..usize::from(field.end);
        move |splice| splice.kind == Kind::Elements && line.contains(&splice.at)
    }

    fn splice(&mut self, at: usize, delete: usize, write: impl FnOnce(&mut Text)) -> Result<(), EditError> {
        if self.overlaps(at, delete, |_| false) {
            return Err(EditError::Overlap);
        }
        self.insert(at, delete, Kind::Text, write);
        Ok(())
    }

    /// Whether one of the splices that stay is of these octets.
    fn overlaps(&self, at: usize, delete: usize, goes: impl Fn(&Splice) -> bool) -> bool {
        self.splices.iter().any(|other| other.overlaps(at, delete) && !goes(other))
    }

    /// Splices stay sorted; those at one place stay in the order they were made.
    fn insert(&mut self, at: usize, delete: usize, kind: Kind, write: impl FnOnce(&mut Text)) {
        let from = self.text.len();
        write(&mut self.text);
        let place = self.splices.partition_point(|other| other.at <= at);
        self.splices.insert(place, Splice { at, delete, from, to: self.text.len(), kind });
    }
}

/// No line of its own can hide in it.
pub(crate) fn checked(text: &[u8]) -> Result<(), EditError> {
    if has_control(text) { Err(EditError::Control) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
