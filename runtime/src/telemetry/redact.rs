//! Personal data as it may stand in a log line.

use std::fmt::{self, Write as _};

/// A phone number: all but the first 4 and last 2 characters masked, and all of one that has 6 or fewer.
#[derive(Clone, Copy)]
pub struct Msisdn<'a>(pub &'a str);

/// Characters shown at the beginning: the country and, mostly, the network.
const SHOWN_FIRST: usize = 4;
/// Characters shown at the end.
const SHOWN_LAST: usize = 2;
/// Characters printed at most: a number has 15 digits, anything longer came from elsewhere.
const PRINTED_MAX: usize = 24;

impl fmt::Display for Msisdn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.0.chars().count();
        let hides_something = length > SHOWN_FIRST + SHOWN_LAST;
        let shown = |at: usize| hides_something && (at < SHOWN_FIRST || at + SHOWN_LAST >= length);
        for (at, character) in self.0.chars().enumerate().take(PRINTED_MAX) {
            f.write_char(if shown(at) && !character.is_control() { character } else { '*' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Msisdn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A message body: printed as `[n octets]`.
#[derive(Clone, Copy)]
pub struct Text<'a>(pub &'a [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} octets]", self.0.len())
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::{Msisdn, Text};

    #[test]
    fn numbers_are_masked() {
        let table = [
            ("", ""),
            ("12", "**"),
            ("123456", "******"),
            ("1234567", "1234*67"),
            ("447700900123", "4477******23"),
            ("+447700900123", "+447*******23"),
            ("ACME\n\u{e9}xyz", "ACME***yz"),
            ("4477\n", "*****"),
            ("123\n567", "123**67"),
        ];
        for (number, printed) in table {
            assert_eq!(Msisdn(number).to_string(), printed, "{number:?}");
            assert_eq!(format!("{:?}", Msisdn(number)), printed);
        }
        assert_eq!(Msisdn(&"9".repeat(1000)).to_string().len(), 24);
    }

    #[test]
    fn bodies_are_counted() {
        assert_eq!(Text(b"secret").to_string(), "[6 octets]");
        assert_eq!(format!("{:?}", Text(&[])), "[0 octets]");
    }
}
