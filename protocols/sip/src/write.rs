//! Messages of our own: responses, and the requests that a proxy originates. Strict, whatever came in: full names,
//! CRLF, no folds, one Content-Length.

mod request;
mod response;

use bytes::BytesMut;

use crate::header::HeaderId;
use crate::syntax::{Sink, has_control, is_token};

pub use request::{Request, ack, cancel};
pub use response::Response;

/// Why a message cannot be written. Nothing is written then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A text has CR, LF or another control: it would be a header of its own.
    #[error("a control character in {0}")]
    Control(&'static str),
    /// A method or a header's name is no token, or a URI has white space.
    #[error("{0} is malformed")]
    Form(&'static str),
    /// A header among those of the caller that the writer makes itself.
    #[error("{} is not the caller's to give", .0.name())]
    Reserved(HeaderId),
    /// A message that is answered or followed up lacks this header, or it cannot be read.
    #[error("the other message has no usable {}", .0.name())]
    Missing(HeaderId),
    /// A response was given where a request is needed, or the other way round; another request than INVITE, or a
    /// response that is not acknowledged hop by hop.
    #[error("the other message is of the wrong kind")]
    Kind,
}

/// A body and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body<'a> {
    /// Value of Content-Type.
    pub content_type: &'a [u8],
    /// The octets.
    pub octets: &'a [u8],
}

/// Headers that are added as they are: name and value. Those that frame and match a message are not among them.
pub type Extra<'a> = &'a [(&'a str, &'a [u8])];

/// What the writers make themselves: a second one could be taken for theirs.
const RESERVED: [HeaderId; 9] = [
    HeaderId::Via,
    HeaderId::MaxForwards,
    HeaderId::Route,
    HeaderId::From,
    HeaderId::To,
    HeaderId::CallId,
    HeaderId::CSeq,
    HeaderId::ContentType,
    HeaderId::ContentLength,
];

/// Writes by `write`; on an error `out` is as it was.
fn whole_or_nothing(
    out: &mut BytesMut,
    write: impl FnOnce(&mut BytesMut) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    let before = out.len();
    let written = write(out);
    if written.is_err() {
        out.truncate(before);
    }
    written
}

/// A header with a text of the caller.
fn header(out: &mut BytesMut, name: &'static str, value: &[u8]) -> Result<(), WriteError> {
    if has_control(value) {
        return Err(WriteError::Control(name));
    }
    line(out, name, value);
    Ok(())
}

/// A header whose value came in another message: its folds become spaces.
fn copied(out: &mut BytesMut, id: HeaderId, value: &[u8]) {
    begin(out, id.name());
    unfolded(out, value);
    out.put(b"\r\n");
}

fn unfolded(out: &mut BytesMut, value: &[u8]) {
    let mut lines = value.split(|octet| matches!(octet, b'\r' | b'\n')).filter(|line| !line.is_empty());
    out.put(lines.next().unwrap_or_default());
    for line in lines {
        // A continuation begins with white space; what stood behind a stray CR does not.
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            out.put(b" ");
        }
        out.put(line);
    }
}

fn extra(out: &mut BytesMut, headers: Extra<'_>) -> Result<(), WriteError> {
    for (name, value) in headers {
        if !is_token(name.as_bytes()) {
            return Err(WriteError::Form("a header's name"));
        }
        let id = HeaderId::from_name(name.as_bytes());
        if RESERVED.contains(&id) {
            return Err(WriteError::Reserved(id));
        }
        if has_control(value) {
            return Err(WriteError::Control("a header"));
        }
        line(out, name, value);
    }
    Ok(())
}

/// Content-Type, Content-Length, the empty line, the body.
fn end(out: &mut BytesMut, body: Option<Body<'_>>) -> Result<(), WriteError> {
    if let Some(body) = body {
        header(out, HeaderId::ContentType.name(), body.content_type)?;
    }
    let octets = body.map_or(&[][..], |body| body.octets);
    number(out, HeaderId::ContentLength, octets.len());
    out.put(b"\r\n");
    out.put(octets);
    Ok(())
}

fn number(out: &mut BytesMut, id: HeaderId, value: usize) {
    begin(out, id.name());
    display(out, &value);
    out.put(b"\r\n");
}

fn line(out: &mut BytesMut, name: &str, value: &[u8]) {
    begin(out, name);
    out.put(value);
    out.put(b"\r\n");
}

fn begin(out: &mut BytesMut, name: &str) {
    out.put(name.as_bytes());
    out.put(b": ");
}

fn display(out: &mut BytesMut, value: &dyn std::fmt::Display) {
    // A buffer grows as it needs: nothing to fail.
    let _ = std::fmt::write(out, format_args!("{value}"));
}

#[cfg(test)]
mod tests;
