//! CSeq (RFC 3261, 20.16).

use crate::syntax::{SyntaxError, is_lws, is_token, leading_number, trim};

/// `number method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// 0 to 2^32 - 1; those who write them stay below 2^31.
    pub number: u32,
    /// As it is written; methods have case.
    pub method: &'a [u8],
}

impl<'a> CSeq<'a> {
    /// Reads a whole value.
    pub fn parse(value: &'a [u8]) -> Result<Self, SyntaxError> {
        let (number, rest) = leading_number(trim(value))?;
        let method = trim(rest);
        if !rest.first().is_some_and(|&octet| is_lws(octet)) || !is_token(method) {
            return Err(SyntaxError::Octet);
        }
        Ok(Self { number, method })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_method() {
        for text in ["9 INVITE", " 0009\r\n  INVITE ", "9\tINVITE"] {
            let expected = CSeq { number: 9, method: b"INVITE" };
            assert_eq!(CSeq::parse(text.as_bytes()), Ok(expected), "{text}");
        }
        for text in ["", "9", "9INVITE", "INVITE", "9 INVITE x", "36893488147419103232 A", "-1 A", "9 "] {
            assert!(CSeq::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
