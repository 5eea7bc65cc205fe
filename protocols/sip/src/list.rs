//! Comma-separated values (RFC 3261, 7.3.1).

use memchr::{memchr, memchr3};

use crate::syntax::{quoted_len, split, trim};

/// The elements of one header value, white space around them removed. A comma inside a quoted string or angle
/// brackets separates nothing; one inside a comment does: no header that is a list of ours has comments. An element may be empty, where the value has a comma too many;
/// a value of white space only has no elements.
#[derive(Clone, Debug)]
pub struct List<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> List<'a> {
    /// The elements of `value`.
    pub const fn new(value: &'a [u8]) -> Self {
        let blank = trim(value).is_empty();
        Self { rest: if blank { None } else { Some(value) } }
    }
}

impl<'a> Iterator for List<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let (element, after) = split(rest, element_len(rest));
        self.rest = match after {
            [_comma, after @ ..] => Some(after),
            [] => None,
        };
        Some(trim(element))
    }
}

/// Octets up to the comma that ends the first element, or all of them. No octet is looked at twice: what does not
/// end takes the rest with it.
fn element_len(octets: &[u8]) -> usize {
    let mut at = 0;
    while let Some(rest) = octets.get(at..)
        && let Some(found) = memchr3(b',', b'"', b'<', rest)
    {
        at += found;
        let special = split(octets, at).1;
        let skipped = match special.first() {
            Some(b'"') => quoted_len(special).ok(),
            Some(b'<') => memchr(b'>', special),
            _ => return at,
        };
        // The view of an element without its end will say so.
        let Some(skipped) = skipped else { return octets.len() };
        at += skipped.max(1);
    }
    octets.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commas_between_elements_separate() {
        let table: [(&[u8], &[&[u8]]); 14] = [
            (b"a, b,c", &[b"a", b"b", b"c"]),
            (b"a", &[b"a"]),
            (b"", &[]),
            (b" \r\n ", &[]),
            (b"a,", &[b"a", b""]),
            (b",,", &[b"", b"", b""]),
            (b"\"a,b\" <sip:c>, d", &[b"\"a,b\" <sip:c>", b"d"]),
            (b"\"a\\\",b\", c", &[b"\"a\\\",b\"", b"c"]),
            (b"<sip:a,b@c>;x,<sip:d>", &[b"<sip:a,b@c>;x", b"<sip:d>"]),
            (b"<sip:a\"b>, c", &[b"<sip:a\"b>", b"c"]),
            (b"a (b, c", &[b"a (b", b"c"]),
            (b"sip:a(b@c, d", &[b"sip:a(b@c", b"d"]),
            (b"a <b, c", &[b"a <b, c"]),
            (b"\"a, b", &[b"\"a, b"]),
        ];
        for (value, expected) in table {
            let found: Vec<&[u8]> = List::new(value).collect();
            assert_eq!(found, expected, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn a_fold_is_white_space() {
        let found: Vec<&[u8]> = List::new(b"a  ,\r\n b\r\n\t").collect();
        assert_eq!(found, [b"a", b"b"]);
    }

    /// What opens and does not close is not looked for again from every comma: 64 KB would cost seconds.
    #[test]
    fn what_does_not_close_is_passed_once() {
        for opening in ["(,", "\",", "<,", "\"\\,", "<\","] {
            let value = opening.repeat(30_000);
            let octets: usize = List::new(value.as_bytes()).map(<[u8]>::len).sum();
            assert!(octets <= value.len(), "{opening}");
        }
    }
}
