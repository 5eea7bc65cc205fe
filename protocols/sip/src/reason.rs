//! Reason (RFC 3326).

use memchr::memchr;

use crate::params::{Param, Params};
use crate::syntax::{SyntaxError, is_token, number, split, trim};

/// One value: `SIP;cause=200;text="Call completed elsewhere"`, `Q.850;cause=16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    /// `SIP`, `Q.850` or any other token; compared without case.
    pub protocol: &'a [u8],
    /// The cause, where there is one.
    pub cause: Option<u32>,
    /// The text without quotes, escapes left as they are.
    pub text: Option<&'a [u8]>,
    /// All parameters.
    pub params: Params<'a>,
}

impl<'a> Reason<'a> {
    /// Reads one value, without commas around it.
    pub fn parse(value: &'a [u8]) -> Result<Self, SyntaxError> {
        let value = trim(value);
        let (protocol, params) = split(value, memchr(b';', value).unwrap_or(value.len()));
        let (protocol, params) = (trim(protocol), Params::new(params));
        if !is_token(protocol) {
            return Err(SyntaxError::Octet);
        }
        params.check()?;
        let cause = params.get(b"cause").and_then(|param| param.value).map(number).transpose()?;
        let text = params.get(b"text").as_ref().map(Param::unquoted);
        Ok(Self { protocol, cause, text, params })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocol_cause_and_text() {
        let read = Reason::parse(b" SIP ;cause=200 ;text=\"Call completed; elsewhere\"").unwrap();
        assert_eq!((read.protocol, read.cause), (&b"SIP"[..], Some(200)));
        assert_eq!(read.text, Some(&b"Call completed; elsewhere"[..]));
        assert_eq!(Reason::parse(b"Q.850").unwrap().cause, None);
        for text in ["", ";cause=1", "Q 850", "SIP;cause=x", "SIP;text=\"a"] {
            assert!(Reason::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
