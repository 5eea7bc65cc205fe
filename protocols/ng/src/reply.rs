//! Replies: what became of a command, and views of what they carry.

mod call;
mod meaning;
mod quality;
mod statistics;
mod summary;
pub mod write;

pub use call::{Call, Counters, Media, Side, Stream, Subscription};
pub use meaning::Meaning;
pub use quality::{Quality, Ssrc};
pub use statistics::{Current, Statistics, Totals};
pub use summary::{CallStatistics, SideStatistics};

use crate::bencode::{self, Value};

/// Why a body is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no bencode.
    #[error("not bencode: {0}")]
    Bencode(#[from] bencode::Error),
    /// It is another value than a dictionary.
    #[error("not a dictionary")]
    NotDict,
    /// There is no result.
    #[error("no result")]
    NoResult,
    /// The result is none that is known.
    #[error("an unknown result")]
    UnknownResult,
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// To a ping.
    Pong,
    /// What was asked for is done.
    Ok(Done<'a>),
    /// It is not done.
    Failed {
        /// In words.
        reason: &'a [u8],
        /// What to make of it.
        meaning: Meaning,
    },
}

/// What is replied to a command that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done<'a> {
    /// What was odd about it.
    pub warning: Option<&'a [u8]>,
    /// All of the reply.
    pub dict: Value<'a>,
}

impl<'a> Reply<'a> {
    /// Reads the body of a datagram.
    ///
    /// # Errors
    /// [`Error`].
    pub fn parse(body: &'a [u8]) -> Result<Self, Error> {
        let dict = bencode::parse(body)?;
        if dict.dict().is_none() {
            return Err(Error::NotDict);
        }
        let text = |key| dict.get(key).and_then(Value::str);
        match text("result").ok_or(Error::NoResult)? {
            b"pong" => Ok(Self::Pong),
            b"error" => {
                let reason = text("error-reason").unwrap_or_default();
                Ok(Self::Failed { reason, meaning: Meaning::of(reason) })
            }
            // Only a node that was told that it is understood replies so.
            b"load limit" => {
                let reason = text("message").unwrap_or_default();
                let no_room = Meaning::of(reason) == Meaning::AnotherNode;
                // What a later release adds is a limit of load too.
                let meaning = if no_room { Meaning::AnotherNode } else { Meaning::Overloaded };
                Ok(Self::Failed { reason, meaning })
            }
            b"ok" => Ok(Self::Ok(Done { warning: text("warning"), dict })),
            _ => Err(Error::UnknownResult),
        }
    }

    /// What is replied to a command that is done.
    #[must_use]
    pub const fn done(&self) -> Option<&Done<'a>> {
        if let Self::Ok(done) = self { Some(done) } else { None }
    }

    /// Whether the node does not know the call. The reply to a delete of one is no failure.
    #[must_use]
    pub fn is_unknown_call(&self) -> bool {
        match self {
            Self::Pong => false,
            Self::Ok(done) => done.is_unknown_call(),
            Self::Failed { meaning, .. } => *meaning == Meaning::UnknownCall,
        }
    }
}

impl<'a> Done<'a> {
    /// Whether the warning is that of a call that the node does not know.
    #[must_use]
    pub fn is_unknown_call(&self) -> bool {
        self.warning.is_some_and(|warning| Meaning::of(warning) == Meaning::UnknownCall)
    }

    /// The SDP that an offer or an answer became.
    #[must_use]
    pub fn sdp(&self) -> Option<&'a [u8]> {
        self.dict.get("sdp").and_then(Value::str)
    }

    /// The calls of a list, by call-id.
    #[must_use]
    pub fn calls(&self) -> Option<Vec<&'a [u8]>> {
        let calls = self.dict.get("calls").and_then(Value::list)?;
        Some(calls.iter().filter_map(Value::str).collect())
    }

    /// The figures of the node.
    #[must_use]
    pub fn statistics(&self) -> Option<Statistics> {
        Statistics::read(self.dict.get("statistics")?)
    }

    /// A figure of the last interval by its key, such as `avgofferdelay` or `minstart recordingdelay`, in
    /// millionths of its unit: of a second for delays.
    #[must_use]
    pub fn interval_millionths(&self, key: &str) -> Option<u64> {
        let intervals = self.dict.get("statistics")?.get("intervalstatistics")?;
        statistics::millionths(intervals.get(key)?)
    }

    /// The call of a query or of a delete.
    #[must_use]
    pub fn call(&self) -> Option<Call<'a>> {
        Call::read(&self.dict)
    }

    /// Milliseconds that the media to play is long, where that is known.
    #[must_use]
    pub fn duration_ms(&self) -> Option<u64> {
        count(&self.dict, "duration")
    }
}

/// A number that is never negative.
fn count(dict: &Value<'_>, key: &str) -> Option<u64> {
    dict.get(key).and_then(Value::count)
}

/// A text.
fn text<'a>(dict: &Value<'a>, key: &str) -> Option<&'a [u8]> {
    dict.get(key).and_then(Value::str)
}

/// The values of a list, none where there is no list.
fn list<'v, 'a>(dict: &'v Value<'a>, key: &str) -> &'v [Value<'a>] {
    dict.get(key).and_then(Value::list).unwrap_or_default()
}

/// The texts of a list.
fn texts<'a>(dict: &Value<'a>, key: &str) -> Vec<&'a [u8]> {
    list(dict, key).iter().filter_map(Value::str).collect()
}

#[cfg(test)]
mod tests;
