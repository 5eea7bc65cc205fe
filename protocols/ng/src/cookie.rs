//! Cookies: what a command and its reply have in common.

use std::fmt;
use std::io::Write;

/// Octets of a cookie.
pub const COOKIE_MAX: usize = 64;

/// What ends the cookie of a datagram.
const SPACE: u8 = b' ';

/// Why octets have no cookie, or are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no space among the first octets, or it is the first.
    #[error("no cookie")]
    Missing,
    /// More octets than [`COOKIE_MAX`].
    #[error("a cookie longer than {COOKIE_MAX} octets")]
    TooLong,
    /// An octet that is not printable ASCII.
    #[error("a cookie of other than printable characters")]
    Unprintable,
}

/// A cookie: printable ASCII without spaces.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cookie {
    /// Zeros behind the end, so that equal cookies are equal in all octets.
    octets: [u8; COOKIE_MAX],
    length: usize,
}

impl Cookie {
    /// # Errors
    /// [`Error`].
    pub fn new(text: &[u8]) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::Missing);
        }
        let mut octets = [0; COOKIE_MAX];
        octets.get_mut(..text.len()).ok_or(Error::TooLong)?.copy_from_slice(text);
        if !text.iter().all(u8::is_ascii_graphic) {
            return Err(Error::Unprintable);
        }
        Ok(Self { octets, length: text.len() })
    }

    /// Its octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }

    /// Appends this cookie and `body` to `out`: a datagram.
    pub fn frame(&self, body: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
        out.push(SPACE);
        out.extend_from_slice(body);
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Cookie({})", self.as_bytes().escape_ascii())
    }
}

/// Makes cookies that no other maker and no earlier run makes, as long as every one has another prefix.
///
/// RTPEngine answers a cookie it knows from the last minute or so with what it replied then, whatever is
/// asked now.
#[derive(Clone, Debug)]
pub struct Cookies {
    prefix: u64,
    made: u64,
}

impl Cookies {
    /// `prefix` is random, drawn anew at every start and for every maker.
    #[must_use]
    pub const fn new(prefix: u64) -> Self {
        Self { prefix, made: 0 }
    }

    /// One that was not made before.
    pub fn fresh(&mut self) -> Cookie {
        let mut octets = [0; COOKIE_MAX];
        let mut left = octets.as_mut_slice();
        // 33 octets at most, so this does not fail.
        let _ = write!(left, "{:016x}_{:x}", self.prefix, self.made);
        let length = COOKIE_MAX - left.len();
        self.made = self.made.wrapping_add(1);
        Cookie { octets, length }
    }
}

/// The cookie and the body of a datagram. The body may be empty.
///
/// # Errors
/// [`Error`].
pub fn split(datagram: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let Some(at) = datagram.iter().take(COOKIE_MAX + 1).position(|&octet| octet == SPACE) else {
        return Err(if datagram.len() > COOKIE_MAX { Error::TooLong } else { Error::Missing });
    };
    let (cookie, rest) = datagram.split_at_checked(at).ok_or(Error::Missing)?;
    if cookie.is_empty() {
        return Err(Error::Missing);
    }
    if !cookie.iter().all(u8::is_ascii_graphic) {
        return Err(Error::Unprintable);
    }
    Ok((cookie, rest.get(1..).unwrap_or_default()))
}

#[cfg(test)]
mod tests;
