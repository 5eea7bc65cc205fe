//! Comma-separated values (RFC 3261, 7.3.1).

use memchr::{memchr, memchr3};

use crate::syntax::{is_lws, quoted_len, split, trim};

/// The elements of one header value, white space around them removed. A comma inside a quoted string, angle
/// brackets or a comment separates nothing. An element may be empty, where the value has a comma too many;
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

/// Octets up to the comma that ends the first element, or all of them.
fn element_len(octets: &[u8]) -> usize {
    let mut at = 0;
    while let Some(rest) = octets.get(at..)
        && let Some(found) = memchr3(b',', b'"', b'<', rest)
    {
        let (before, special) = split(rest, found);
        at += found;
        // What does not end takes the rest with it: the view of that element will say so.
        let skipped = match special.first() {
            Some(b'"') => quoted_len(special).ok(),
            Some(b'<') => memchr(b'>', special),
            _ => match comment_len(before, rest) {
                None => return at,
                Some(len) => {
                    at -= found;
                    Some(len)
                }
            },
        };
        let Some(skipped) = skipped else { return octets.len() };
        at += skipped.max(1);
    }
    octets.len()
}

/// Where a comment that is open at the end of `before` ends in `all`, which begins with `before`. A
/// parenthesis inside a word opens none: URIs have them.
fn comment_len(before: &[u8], all: &[u8]) -> Option<usize> {
    let open = memchr(b'(', before)?;
    if open > 0 && !before.get(open - 1).is_some_and(|&octet| is_lws(octet)) {
        return None;
    }
    let mut depth = 0_usize;
    let mut escaped = false;
    for (at, octet) in all.iter().enumerate().skip(open) {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return (at >= before.len()).then_some(at + 1);
        }
    }
    None
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
            (b"a (b, c) d, e", &[b"a (b, c) d", b"e"]),
            (b"a (b, (c, d\\)) e), f", &[b"a (b, (c, d\\)) e)", b"f"]),
            (b"sip:a(b@c, d", &[b"sip:a(b@c", b"d"]),
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
}
