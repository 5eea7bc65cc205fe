//! Telephone numbers as URIs (RFC 3966).

use memchr::memchr;

use crate::params::Params;
use crate::syntax::{SyntaxError, split};

/// `tel:number;parameters`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelUri<'a> {
    /// The number as it is written, visual separators and plus included.
    pub number: &'a [u8],
    /// Parameters: `phone-context`, `ext`, `isub`, `rn`, `npdi`.
    pub params: Params<'a>,
}

impl<'a> TelUri<'a> {
    pub(super) fn parse_rest(rest: &'a [u8]) -> Result<Self, SyntaxError> {
        let (number, params) = split(rest, memchr(b';', rest).unwrap_or(rest.len()));
        let params = Params::new(params);
        params.check()?;
        let global = number.first() == Some(&b'+');
        let allowed = |octet: &u8| match octet {
            b'-' | b'.' | b'(' | b')' | b'0'..=b'9' => true,
            b'*' | b'#' | b'a'..=b'f' | b'A'..=b'F' => !global,
            _ => false,
        };
        let body = if global { number.get(1..).unwrap_or_default() } else { number };
        if !body.iter().all(allowed) {
            return Err(SyntaxError::Octet);
        }
        if !body.iter().any(u8::is_ascii_alphanumeric) && !body.iter().any(|octet| b"*#".contains(octet)) {
            return Err(SyntaxError::Empty);
        }
        Ok(Self { number, params })
    }

    /// Whether it is a number of the whole world: it begins with a plus.
    pub fn is_global(&self) -> bool {
        self.number.first() == Some(&b'+')
    }

    /// The digits without plus and visual separators.
    pub fn digits(&self) -> impl Iterator<Item = u8> + use<'a> {
        let visual = |octet: &u8| !matches!(octet, b'+' | b'-' | b'.' | b'(' | b')');
        self.number.iter().copied().filter(visual)
    }
}
