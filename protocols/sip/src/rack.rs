//! RAck (RFC 3262, 7.2).

use crate::cseq::CSeq;
use crate::syntax::{SyntaxError, leading_number, trim};

/// `response-number CSeq-number method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RAck<'a> {
    /// The RSeq of the response that is acknowledged.
    pub rseq: u32,
    /// Its CSeq.
    pub cseq: CSeq<'a>,
}

impl<'a> RAck<'a> {
    /// Reads a whole value.
    pub fn parse(value: &'a [u8]) -> Result<Self, SyntaxError> {
        let (rseq, rest) = leading_number(trim(value))?;
        if trim(rest).len() == rest.len() {
            return Err(SyntaxError::Octet);
        }
        Ok(Self { rseq, cseq: CSeq::parse(rest)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_numbers_and_a_method() {
        let expected = RAck { rseq: 776_656, cseq: CSeq { number: 1, method: b"INVITE" } };
        for text in ["776656 1 INVITE", " 776656\r\n 1  INVITE"] {
            assert_eq!(RAck::parse(text.as_bytes()), Ok(expected), "{text}");
        }
        for text in ["", "1", "1 INVITE", "1 1", "4294967296 1 INVITE", "1x 1 INVITE"] {
            assert!(RAck::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
