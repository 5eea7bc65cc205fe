//! `kind:key:n`, the name of an actor, task or thread within its node.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::str;

use parking_lot::RwLock;
use serde::{Serialize, Serializer};

/// What a thing is, which one, and which copy of it: `vendor_bind:acme:2`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorName {
    /// The kind, a word of the program: `esme_session`. Without a colon.
    pub kind: &'static str,
    /// Which one: a system_id, an address, a Call-ID. Any text.
    pub key: String,
    /// Which copy; 0 where there is one only.
    pub n: u32,
}

/// Why a text is not the name of anything here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not three parts with a number at the end.
    #[error("{0:?} is not a name; a name reads kind:key:n")]
    Shape(String),
    /// Nothing of this kind was ever registered in this process.
    #[error("no actor of kind {0:?} exists here")]
    UnknownKind(String),
    /// A URL segment with a broken `%` escape or bytes that are not UTF-8.
    #[error("{0:?} is not a percent-encoded name")]
    Encoding(String),
}

impl ActorName {
    /// The only copy: `n` is 0.
    pub fn new(kind: &'static str, key: impl Into<String>) -> Self {
        Self::nth(kind, key, 0)
    }

    /// One of several copies.
    pub fn nth(kind: &'static str, key: impl Into<String>, n: u32) -> Self {
        Self { kind, key: key.into(), n }
    }

    /// Reads `kind:key:n`. The key may hold colons. A kind that was never registered in this process names
    /// nothing and is an error, so that outside text is never kept.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let shape = || NameError::Shape(text.to_owned());
        let (kind, rest) = text.split_once(':').ok_or_else(shape)?;
        let (key, n) = rest.rsplit_once(':').ok_or_else(shape)?;
        if kind.is_empty() || n.is_empty() || !n.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(shape());
        }
        let n = n.parse().map_err(|_| shape())?;
        let kind = known(kind).ok_or_else(|| NameError::UnknownKind(kind.to_owned()))?;
        Ok(Self { kind, key: key.to_owned(), n })
    }
}

impl fmt::Display for ActorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.kind, self.key, self.n)
    }
}

impl Serialize for ActorName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The name as one URL path segment: all but unreserved characters (RFC 3986, 2.3) and `:` are
/// percent-encoded.
pub fn to_url(name: &ActorName) -> String {
    let mut encoded = String::new();
    for byte in name.to_string().bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Reads what [`to_url`] wrote.
pub fn from_url(segment: &str) -> Result<ActorName, NameError> {
    let broken = || NameError::Encoding(segment.to_owned());
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2).ok_or_else(broken)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(broken());
        }
        let digits = str::from_utf8(digits).map_err(|_| broken())?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| broken())?);
        rest = tail;
    }
    let text = String::from_utf8(bytes).map_err(|_| broken())?;
    ActorName::parse(&text)
}

/// Kinds are words of the program, so the set is small and may be shared by the nodes of one process.
static KINDS: RwLock<BTreeSet<&'static str>> = RwLock::new(BTreeSet::new());

pub(super) fn remember(kind: &'static str) {
    if !KINDS.read().contains(kind) {
        KINDS.write().insert(kind);
    }
}

fn known(kind: &str) -> Option<&'static str> {
    KINDS.read().get(kind).copied()
}
