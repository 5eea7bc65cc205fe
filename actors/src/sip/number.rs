//! Numbers as they are dialled: the user part of a SIP URI, or a tel URI.

use std::borrow::Cow;

/// A number without visual separators, and what followed it in the user part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialled<'a> {
    /// Digits, `*` and `#`, behind a plus where one was there.
    pub number: String,
    /// Parameters of the number (`;npdi;rn=…`), with their semicolon.
    pub params: &'a [u8],
}

/// Digits that are looked at; E.164 has 15, prefixes for routing a few more.
const NUMBER_MAX: usize = 40;

/// Reads a user part; `None` when it is no number.
pub fn dialled(user: &[u8]) -> Option<Dialled<'_>> {
    let end = memchr::memchr(b';', user).unwrap_or(user.len());
    let (written, params) = user.split_at_checked(end)?;
    let (plus, written) = match written {
        [b'+', rest @ ..] => (true, rest),
        // An escaped plus (RFC 3986 2.1), as some gateways write it.
        [b'%', b'2', b'B' | b'b', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut number = String::with_capacity(written.len() + 1);
    if plus {
        number.push('+');
    }
    let mut rest = written;
    while let [octet, after @ ..] = rest {
        rest = after;
        match octet {
            b'0'..=b'9' | b'*' | b'#' => number.push(char::from(*octet)),
            // Visual separators (RFC 3966 5.1.1).
            b'-' | b'.' | b'(' | b')' => {}
            // A number sign has to be escaped in a URI.
            b'%' if after.starts_with(b"23") => {
                number.push('#');
                rest = after.get(2..)?;
            }
            _ => return None,
        }
    }
    let digits = number.len() - usize::from(plus);
    (1..=NUMBER_MAX).contains(&digits).then_some(Dialled { number, params })
}

/// The number as the user part of a URI has it.
pub fn escaped(number: &str) -> Cow<'_, str> {
    if number.contains('#') { number.replace('#', "%23").into() } else { number.into() }
}

/// The number without its plus, as prefixes are looked up by.
pub fn digits(number: &str) -> &str {
    number.strip_prefix('+').unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let cases: [(&str, Option<(&str, &str)>); 14] = [
            ("+15551234", Some(("+15551234", ""))),
            ("15551234;npdi;rn=+1444", Some(("15551234", ";npdi;rn=+1444"))),
            ("+1-(555)-123.4", Some(("+15551234", ""))),
            ("%2B4420", Some(("+4420", ""))),
            ("1234#15551234", Some(("1234#15551234", ""))),
            ("1234%2315551234", Some(("1234#15551234", ""))),
            ("1234%24", None),
            ("*100", Some(("*100", ""))),
            ("", None),
            ("+", None),
            (";x", None),
            ("alice", None),
            ("+1555a", None),
            ("1+555", None),
        ];
        for (user, expected) in cases {
            let found = dialled(user.as_bytes());
            let found =
                found.as_ref().map(|found| (found.number.as_str(), str::from_utf8(found.params).unwrap()));
            assert_eq!(found, expected, "{user}");
        }
        assert!(dialled("1".repeat(41).as_bytes()).is_none());
        assert_eq!((digits("+44"), digits("44")), ("44", "44"));
        assert_eq!((escaped("99#1"), escaped("+44")), ("99%231".into(), "+44".into()));
    }
}
