//! Which challenge is answered, and the credentials that answer it (RFC 7616, 3.4; RFC 8760, 2.4).

use super::{Challenge, Hash, HexDigest};
use crate::syntax::has_control;
use crate::write::WriteError;

impl<'a> Challenge<'a> {
    /// Of the values of WWW-Authenticate or Proxy-Authenticate the one to answer: of exactly this realm, with the
    /// strongest hash function that is known here, without protection or with `auth`. Others, and what is no challenge,
    /// are passed over.
    pub fn strongest(values: impl Iterator<Item = &'a [u8]>, realm: &[u8]) -> Option<Self> {
        let read = values.filter_map(|value| Self::parse(value).ok());
        let known = read
            .filter(|challenge| challenge.realm == realm)
            .filter_map(|challenge| Some((challenge.rank()?, challenge)));
        known.min_by_key(|(rank, _)| *rank).map(|(_, challenge)| challenge)
    }

    /// The place of its hash function among those that are known; `None` where nothing can answer it.
    fn rank(&self) -> Option<usize> {
        let hash = self.algorithm.hash()?;
        let is_answerable = self.qop.is_none_or(|qop| qop.auth);
        Hash::STRONGEST_FIRST.iter().position(|known| *known == hash).filter(|_| is_answerable)
    }
}

/// Credentials of ours. Realm, nonce and opaque are those of the challenge, as they stand between its quotes.
#[derive(Clone, Copy, Debug)]
pub struct NewCredentials<'a> {
    /// Who it is.
    pub username: &'a str,
    /// Whose challenge is answered.
    pub realm: &'a [u8],
    /// Its nonce.
    pub nonce: &'a [u8],
    /// Its opaque text.
    pub opaque: Option<&'a [u8]>,
    /// Its hash function.
    pub hash: Hash,
    /// `auth`, where it offers that; `None` where it offers nothing, as before RFC 2617.
    pub protection: Option<NewProtection<'a>>,
    /// The method of the request.
    pub method: &'a [u8],
    /// Its Request-URI.
    pub uri: &'a [u8],
}

/// What goes with `qop=auth`.
#[derive(Clone, Copy, Debug)]
pub struct NewProtection<'a> {
    /// Our own nonce: another one each time, which nobody knows before.
    pub cnonce: &'a [u8],
    /// How often the nonce of the challenge was used, this time included.
    pub count: u32,
}

impl NewCredentials<'_> {
    /// Appends the value of Authorization or Proxy-Authorization. `secret` is H(A1), the digits of
    /// H(username:realm:password) by the hash function of the challenge.
    ///
    /// Errors: [`WriteError::Control`] and [`WriteError::Form`] for a text that would not stay between its quotes.
    /// Nothing is appended then.
    pub fn write(&self, secret: &[u8], out: &mut Vec<u8>) -> Result<(), WriteError> {
        let opaque = self.opaque.unwrap_or_default();
        let cnonce = self.protection.map_or(&[][..], |protection| protection.cnonce);
        let quoted: [(&'static str, &[u8]); 6] = [
            ("a username", self.username.as_bytes()),
            ("a realm", self.realm),
            ("a nonce", self.nonce),
            ("an opaque text", opaque),
            ("a Request-URI", self.uri),
            ("a cnonce", cnonce),
        ];
        for (what, text) in quoted {
            if has_control(text) {
                return Err(WriteError::Control(what));
            }
            if !stays_quoted(text) {
                return Err(WriteError::Form(what));
            }
        }
        let count = self.protection.map(|protection| format!("{:08x}", protection.count)).unwrap_or_default();
        let response = self.response(secret, count.as_bytes());
        let parts: [&[u8]; 11] = [
            b"Digest username=\"",
            self.username.as_bytes(),
            b"\",realm=\"",
            self.realm,
            b"\",nonce=\"",
            self.nonce,
            b"\",uri=\"",
            self.uri,
            b"\",response=\"",
            response.as_octets(),
            b"\",algorithm=",
        ];
        parts.into_iter().for_each(|part| out.extend_from_slice(part));
        out.extend_from_slice(self.hash.name().as_bytes());
        if self.opaque.is_some() {
            let parts: [&[u8]; 3] = [b",opaque=\"", opaque, b"\""];
            parts.into_iter().for_each(|part| out.extend_from_slice(part));
        }
        if self.protection.is_some() {
            let parts: [&[u8]; 5] = [b",qop=auth,nc=", count.as_bytes(), b",cnonce=\"", cnonce, b"\""];
            parts.into_iter().for_each(|part| out.extend_from_slice(part));
        }
        Ok(())
    }

    /// The digest of [`Credentials::expected`](super::Credentials::expected).
    fn response(&self, secret: &[u8], count: &[u8]) -> HexDigest {
        let request = self.hash.of(&[self.method, self.uri]);
        let request = request.as_octets();
        match self.protection {
            None => self.hash.of(&[secret, self.nonce, request]),
            Some(NewProtection { cnonce, .. }) => {
                self.hash.of(&[secret, self.nonce, count, cnonce, b"auth", request])
            }
        }
    }
}

/// Whether a text has no quote but escaped ones, and no backslash that would escape the quote behind it.
fn stays_quoted(text: &[u8]) -> bool {
    let mut octets = text.iter();
    while let Some(octet) = octets.next() {
        let ends = match octet {
            b'"' => true,
            b'\\' => octets.next().is_none(),
            _ => false,
        };
        if ends {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests;
