//! Messages on a stream (RFC 3261, 18.3) and its keep-alives (RFC 5626, 4.4.1).

use bytes::BytesMut;
use memchr::memchr;

use crate::header::HeaderId;
use crate::limits::Limits;
use crate::message::{Defect, Index, Message, NotSip};
use crate::syntax::is_token_octet;

/// What a stream brought.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all of them are messages; a box would allocate for each"
)]
pub enum Framed {
    /// A message. With a defect of Content-Length or size its body is empty, and the next call to
    /// [`Framer::next`] says to close: answer it first.
    Message(Message),
    /// An empty line: the pong, if [`Framer::ping_sent`] said that one is due.
    EmptyLine,
    /// The second empty line in a row, pongs not counted: a ping. Answer [`PONG`].
    Ping,
}

/// What keeps a connection alive and asks for a [`PONG`].
pub const PING: &[u8] = b"\r\n\r\n";
/// The answer to [`PING`].
pub const PONG: &[u8] = b"\r\n";

const LINE_END: &[u8] = b"\r\n";

/// Why a stream cannot go on: close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// What came is no SIP.
    #[error("not SIP: {0}")]
    NotSip(NotSip),
    /// No end of headers within [`Limits::head`], or of the first line within [`Limits::line`].
    #[error("headers without an end")]
    HeadTooLarge,
    /// The message before this could not be framed; it was handed out with this defect.
    #[error("the next message cannot be found: {0}")]
    Unframed(Defect),
}

/// Cuts a stream into messages. It remembers how far it searched, so that a message that drips in is searched
/// once.
#[derive(Clone, Debug)]
pub struct Framer {
    limits: Limits,
    /// Octets at the front that hold no end of headers.
    searched: usize,
    /// Octets of the first line of the message at the front, line end included, or of what is there of it.
    first_line: Search,
    /// Octets of the message at the front, once its head was read.
    awaited: Option<usize>,
    /// The first line of the message at the front is SIP.
    judged: bool,
    after_empty_line: bool,
    /// Pings of ours that were not answered yet.
    pongs_due: u8,
    ended: Option<FrameError>,
}

#[derive(Clone, Copy, Debug)]
enum Search {
    /// So many octets were looked at.
    Going(usize),
    /// It ends behind so many octets.
    Found(usize),
}

impl Framer {
    /// A framer at the beginning of a stream.
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            searched: 0,
            first_line: Search::Going(0),
            awaited: None,
            judged: false,
            after_empty_line: false,
            pongs_due: 0,
            ended: None,
        }
    }

    /// Notes that a [`PING`] was sent: one empty line is its [`PONG`], and no part of a ping. Two pongs in a row
    /// would look like one.
    pub const fn ping_sent(&mut self) {
        self.pongs_due = self.pongs_due.saturating_add(1);
    }

    /// Whether a message has begun and not ended: deadlines differ.
    pub fn is_inside_message(&self, buf: &BytesMut) -> bool {
        self.awaited.is_some() || !buf.is_empty()
    }

    /// Takes the next message or keep-alive off the front of `buf`; `None` when more must be read first.
    /// Nothing is reserved on the peer's word: `buf` grows only with octets that arrived, and
    /// [`Limits::head`] and [`Limits::message`] bound it.
    ///
    /// Errors end the stream; they are repeated on every further call.
    pub fn next(&mut self, buf: &mut BytesMut) -> Result<Option<Framed>, FrameError> {
        if let Some(error) = self.ended {
            return Err(error);
        }
        let framed = self.step(buf);
        self.ended = self.ended.or_else(|| framed.as_ref().err().copied());
        framed
    }

    fn step(&mut self, buf: &mut BytesMut) -> Result<Option<Framed>, FrameError> {
        if let Some(total) = self.awaited {
            if buf.len() < total {
                return Ok(None);
            }
            let index = Index::read(buf, &self.limits).map_err(FrameError::NotSip)?;
            return Ok(Some(self.take(buf, total, index)));
        }
        match buf.first_chunk::<2>() {
            Some(b"\r\n") => return Ok(Some(self.empty_line(buf, 2))),
            _ if buf.first() == Some(&b'\n') => return Ok(Some(self.empty_line(buf, 1))),
            None if buf.first().is_none_or(|&octet| octet == b'\r') => return Ok(None),
            _ => {}
        }
        judge_first_octet(buf.first().copied().unwrap_or_default())?;
        let first_line = self.find_first_line(buf)?;
        let head = match self.find_head_end(buf) {
            Some(head) if head <= self.limits.head_max() => head,
            found => {
                self.judge_first_line(first_line, buf)?;
                let over = found.is_some() || buf.len() > self.limits.head_max();
                return if over { Err(FrameError::HeadTooLarge) } else { Ok(None) };
            }
        };
        let mut index = Index::read(buf, &self.limits).map_err(FrameError::NotSip)?;
        let Some(total) = self.total(head, &mut index) else { return Ok(Some(self.take(buf, head, index))) };
        if buf.len() < total {
            self.awaited = Some(total);
            return Ok(None);
        }
        Ok(Some(self.take(buf, total, index)))
    }

    /// Octets of the whole message; `None` where they cannot be known or are too many, which the index then
    /// says.
    fn total(&mut self, head: usize, index: &mut Index) -> Option<usize> {
        let total = index.content_length.and_then(|length| head.checked_add(length));
        let defect = match total {
            Some(total) if total <= self.limits.message => return Some(total),
            Some(_) => Defect::MessageTooLarge,
            None if index.has(HeaderId::ContentLength) => Defect::ContentLength,
            None => Defect::ContentLengthMissing,
        };
        index.note(defect);
        self.ended = Some(FrameError::Unframed(defect));
        None
    }

    fn take(&mut self, buf: &mut BytesMut, total: usize, index: Index) -> Framed {
        self.awaited = None;
        self.searched = 0;
        self.first_line = Search::Going(0);
        self.judged = false;
        self.after_empty_line = false;
        Framed::Message(Message { raw: buf.split_to(total).freeze(), index })
    }

    fn empty_line(&mut self, buf: &mut BytesMut, len: usize) -> Framed {
        let _ = buf.split_to(len);
        if let Some(due) = self.pongs_due.checked_sub(1) {
            self.pongs_due = due;
            return Framed::EmptyLine;
        }
        self.after_empty_line = !self.after_empty_line;
        if self.after_empty_line { Framed::EmptyLine } else { Framed::Ping }
    }

    /// The octets of the first line, once its end is there. Too long a line ends the stream wherever it is cut.
    fn find_first_line(&mut self, buf: &BytesMut) -> Result<Option<usize>, FrameError> {
        let searched = match self.first_line {
            Search::Found(len) => return Ok(Some(len)),
            Search::Going(searched) => searched,
        };
        let len_max = self.limits.line.saturating_add(LINE_END.len()).min(self.limits.head_max());
        let line = buf.get(..len_max).unwrap_or(buf);
        let found = memchr(b'\n', line.get(searched..).unwrap_or_default());
        if let Some(found) = found {
            let len = searched + found + 1;
            self.first_line = Search::Found(len);
            return Ok(Some(len));
        }
        self.first_line = Search::Going(line.len());
        if buf.len() > len_max { Err(FrameError::HeadTooLarge) } else { Ok(None) }
    }

    /// Tells other protocols by their first line, before a head is waited for.
    fn judge_first_line(&mut self, len: Option<usize>, buf: &BytesMut) -> Result<(), FrameError> {
        if let Some(line) = len.and_then(|len| buf.get(..len))
            && !self.judged
        {
            Index::read(line, &self.limits).map_err(FrameError::NotSip)?;
            self.judged = true;
        }
        Ok(())
    }

    /// Where the head ends, its empty line included.
    fn find_head_end(&mut self, buf: &BytesMut) -> Option<usize> {
        let mut from = self.searched;
        while let Some(rest) = buf.get(from..)
            && let Some(found) = memchr(b'\n', rest)
        {
            let next = from + found + 1;
            match buf.get(next..) {
                Some([b'\r', b'\n', ..]) => return Some(next + 2),
                Some([b'\n', ..]) => return Some(next + 1),
                // What follows decides: look at this line end again.
                Some([] | [b'\r']) | None => {
                    self.searched = next - 1;
                    return None;
                }
                Some(_) => from = next,
            }
        }
        self.searched = buf.len();
        None
    }
}

fn judge_first_octet(first: u8) -> Result<(), FrameError> {
    if first == 0x16 || first >= 0x80 {
        return Err(FrameError::NotSip(NotSip::Tls));
    }
    if !is_token_octet(first) {
        return Err(FrameError::NotSip(NotSip::StartLine));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
