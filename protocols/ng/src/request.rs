//! Commands as a node reads them: for what plays a node.

use crate::bencode::{self, Value};
use crate::command::Name;

/// Why a body is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is nothing behind the cookie.
    #[error("no body")]
    Empty,
    /// It does not begin as a dictionary.
    #[error("not a dictionary")]
    NotDict,
    /// It is no bencode, or no dictionary after all.
    #[error("not bencode: {0}")]
    Bencode(#[from] bencode::Error),
    /// The dictionary has no command.
    #[error("no command")]
    NoCommand,
}

impl Error {
    /// What RTPEngine replies, for [`crate::reply::write::error`].
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Empty => "Invalid data (no payload)",
            Self::NotDict => "Invalid NG data format",
            Self::Bencode(_) => "Could not decode bencode dictionary",
            Self::NoCommand => "Dictionary contains no key \"command\"",
        }
    }
}

/// A command that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Its name; nothing where it is one that is not known here.
    pub name: Option<Name>,
    /// Its name as it was written.
    pub command: &'a [u8],
    /// All of it.
    pub dict: Value<'a>,
}

impl<'a> Request<'a> {
    /// Reads the body of a datagram.
    ///
    /// # Errors
    /// [`Error`].
    pub fn parse(body: &'a [u8]) -> Result<Self, Error> {
        match body.first() {
            None => return Err(Error::Empty),
            Some(b'd') => {}
            Some(_) => return Err(Error::NotDict),
        }
        let dict = bencode::parse(body)?;
        let command = dict.get("command").and_then(Value::str).ok_or(Error::NoCommand)?;
        Ok(Self { name: Name::from_word(command), command, dict })
    }

    /// The call.
    #[must_use]
    pub fn call_id(&self) -> Option<&'a [u8]> {
        self.text("call-id")
    }

    /// The side that offered.
    #[must_use]
    pub fn from_tag(&self) -> Option<&'a [u8]> {
        self.text("from-tag")
    }

    /// The side that answers.
    #[must_use]
    pub fn to_tag(&self) -> Option<&'a [u8]> {
        self.text("to-tag")
    }

    /// The attempt.
    #[must_use]
    pub fn via_branch(&self) -> Option<&'a [u8]> {
        self.text("via-branch")
    }

    /// The SDP of an offer or an answer.
    #[must_use]
    pub fn sdp(&self) -> Option<&'a [u8]> {
        self.text("sdp")
    }

    /// How many calls a list may have.
    #[must_use]
    pub fn limit(&self) -> Option<i64> {
        self.dict.get("limit").and_then(Value::int)
    }

    /// Whether `word` is in the list under `key`, such as one of `flags` or of `supports`. A space in the
    /// list counts as a hyphen.
    #[must_use]
    pub fn lists(&self, key: &str, word: &str) -> bool {
        let words = self.dict.get(key).and_then(Value::list).unwrap_or_default();
        words.iter().filter_map(Value::str).any(|listed| same(listed, word.as_bytes()))
    }

    fn text(&self, key: &str) -> Option<&'a [u8]> {
        self.dict.get(key).and_then(Value::str)
    }
}

fn same(listed: &[u8], word: &[u8]) -> bool {
    let hyphenated = |octet: &u8| if *octet == b' ' { b'-' } else { *octet };
    listed.iter().map(hyphenated).eq(word.iter().map(hyphenated))
}

#[cfg(test)]
mod tests;
