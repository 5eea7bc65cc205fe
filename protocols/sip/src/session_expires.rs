//! Session-Expires and Min-SE (RFC 4028, 4 and 5).

use crate::params::Params;
use crate::syntax::{SyntaxError, leading_number, trim};

/// Who refreshes a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// Who sent the request.
    Uac,
    /// Who answers it.
    Uas,
}

/// `seconds;refresher=uac`; Min-SE has the same form without a refresher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires<'a> {
    /// Seconds.
    pub seconds: u32,
    /// `None` where it is missing or of another value.
    pub refresher: Option<Refresher>,
    /// All parameters.
    pub params: Params<'a>,
}

impl<'a> SessionExpires<'a> {
    /// Reads a whole value.
    pub fn parse(value: &'a [u8]) -> Result<Self, SyntaxError> {
        let (seconds, rest) = leading_number(trim(value))?;
        let params = Params::new(rest);
        params.check()?;
        let refresher = params.get(b"refresher").and_then(|param| match param.value {
            Some(value) if value.eq_ignore_ascii_case(b"uac") => Some(Refresher::Uac),
            Some(value) if value.eq_ignore_ascii_case(b"uas") => Some(Refresher::Uas),
            _ => None,
        });
        Ok(Self { seconds, refresher, params })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_refresher() {
        let table = [
            ("1800", 1800, None),
            ("1800;refresher=uac", 1800, Some(Refresher::Uac)),
            (" 90 ; Refresher = UAS ;x", 90, Some(Refresher::Uas)),
            ("90;refresher=both", 90, None),
        ];
        for (text, seconds, refresher) in table {
            let read = SessionExpires::parse(text.as_bytes()).unwrap();
            assert_eq!((read.seconds, read.refresher), (seconds, refresher), "{text}");
        }
        for text in ["", "x", "1 800", "4294967296", "90;;"] {
            assert!(SessionExpires::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
