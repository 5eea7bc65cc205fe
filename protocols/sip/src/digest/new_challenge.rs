//! Challenges to be written (RFC 7616, 3.3; RFC 8760, 2.3).

use super::Hash;
use crate::syntax::has_control;
use crate::write::WriteError;

/// A challenge of ours. It offers `qop="auth"` alone, and no `userhash`: names come in clear.
#[derive(Clone, Copy, Debug)]
pub struct NewChallenge<'a> {
    /// Whose users are asked.
    pub realm: &'a str,
    /// To be part of the digest.
    pub nonce: &'a [u8],
    /// How the digest is to be made. Of several algorithms each has a header of its own, the strongest first.
    pub hash: Hash,
    /// The nonce that came was too old, and nobody need be asked for a password again.
    pub stale: bool,
}

impl NewChallenge<'_> {
    /// Appends the value of WWW-Authenticate or Proxy-Authenticate.
    ///
    /// Errors: [`WriteError::Control`] and [`WriteError::Form`] for a text that would end its quotes.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), WriteError> {
        let quoted: [(&'static str, &[u8]); 2] =
            [("a realm", self.realm.as_bytes()), ("a nonce", self.nonce)];
        for (what, text) in quoted {
            if has_control(text) {
                return Err(WriteError::Control(what));
            }
            if text.iter().any(|octet| matches!(octet, b'"' | b'\\')) {
                return Err(WriteError::Form(what));
            }
        }
        let stale: &[u8] = if self.stale { b",stale=true" } else { b"" };
        let parts: [&[u8]; 8] = [
            b"Digest realm=\"",
            self.realm.as_bytes(),
            b"\",nonce=\"",
            self.nonce,
            b"\",algorithm=",
            self.hash.name().as_bytes(),
            b",qop=\"auth\"",
            stale,
        ];
        parts.into_iter().for_each(|part| out.extend_from_slice(part));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
