//! Octet classes of the grammar (RFC 3261, 25.1), and what all views share.

use std::fmt;
use std::net::IpAddr;

use bytes::BytesMut;
use memchr::memchr2;

/// Why octets are not what a view takes them for. It concerns that view only: the message stays readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxError {
    /// Nothing is there.
    #[error("nothing is there")]
    Empty,
    /// A quoted string does not end, or something follows it.
    #[error("a quoted string does not end where it should")]
    Quote,
    /// `<` without `>`, or the other way round.
    #[error("angle brackets do not match")]
    Angle,
    /// An octet that the grammar does not allow there.
    #[error("an octet that is not allowed there")]
    Octet,
    /// Neither a name nor an address.
    #[error("neither a host name nor an address")]
    Host,
    /// Not a number from 0 to 65535.
    #[error("not a port")]
    Port,
    /// Not a number, or one that is too large.
    #[error("not a number of the allowed range")]
    Number,
    /// Another way to prove who one is than Digest.
    #[error("another scheme than Digest")]
    Scheme,
    /// A parameter without a name, or with white space inside its value.
    #[error("a malformed parameter")]
    Parameter,
    /// No scheme. What follows a percent sign is not looked at.
    #[error("not a URI")]
    Uri,
}

const TOKEN: u8 = 1;
const LWS: u8 = 2;
const HOST: u8 = 4;
const MARK: u8 = 8;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut octet = 0_u8;
    loop {
        let mut class = 0;
        if octet.is_ascii_alphanumeric() {
            class |= TOKEN | HOST;
        }
        if matches!(octet, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~') {
            class |= TOKEN;
        }
        // An underscore is no host name, but names of hosts have them.
        if matches!(octet, b'-' | b'.' | b'_') {
            class |= HOST;
        }
        if matches!(octet, b' ' | b'\t' | b'\r' | b'\n') {
            class |= LWS;
        }
        if octet <= b' ' || matches!(octet, 0x7F | b'"' | b';' | b'=') {
            class |= MARK;
        }
        #[expect(clippy::indexing_slicing, reason = "an octet is below 256; evaluated by the compiler")]
        {
            table[octet as usize] = class;
        }
        if octet == u8::MAX {
            return table;
        }
        octet += 1;
    }
}

#[inline]
fn has(octet: u8, class: u8) -> bool {
    CLASSES.get(usize::from(octet)).is_some_and(|of| of & class != 0)
}

/// Whether `octet` may stand in a token.
#[inline]
pub(crate) fn is_token_octet(octet: u8) -> bool {
    has(octet, TOKEN)
}

/// Whether `octets` are a token: at least one octet, all of the token class. Without an early end and without the
/// table: that way it is done many octets at a time.
pub(crate) fn is_token(octets: &[u8]) -> bool {
    let stray = |octet: u8| {
        let letter = (octet | 0x20).wrapping_sub(b'a') < 26;
        let digit = octet.wrapping_sub(b'0') < 10;
        // `*+` and `-.` are neighbours, as are `_` and the backquote; the others stand alone.
        let mark = (octet.wrapping_sub(b'*') < 2)
            | (octet.wrapping_sub(b'-') < 2)
            | (octet.wrapping_sub(b'_') < 2)
            | (octet == b'!')
            | (octet == b'%')
            | (octet == b'\'')
            | (octet == b'~');
        !(letter | digit | mark)
    };
    !octets.is_empty() && !octets.iter().fold(false, |found, &octet| found | stray(octet))
}

/// Whether `octets` may be a host name.
pub(crate) fn is_host_name(octets: &[u8]) -> bool {
    !octets.is_empty() && octets.iter().all(|&octet| has(octet, HOST))
}

/// Whether `octet` is white space or part of a fold.
pub(crate) fn is_lws(octet: u8) -> bool {
    has(octet, LWS)
}

/// Whether `octet` may stand in no header value that we write: controls but HTAB.
pub(crate) const fn is_control(octet: u8) -> bool {
    octet < b' ' && octet != b'\t' || octet == 0x7F
}

/// Whether `octets` are free of white space, quotes and controls. Like [`has_control`] without an early end: that
/// way it is done many octets at a time.
pub(crate) fn is_one_word(octets: &[u8]) -> bool {
    let stray = |octet: u8| octet <= b' ' || octet == b'"' || octet == 0x7F;
    !octets.iter().fold(false, |found, &octet| found | stray(octet))
}

/// Whether some octet is white space or a control below it.
pub(crate) fn has_white_space(octets: &[u8]) -> bool {
    octets.iter().fold(false, |found, &octet| found | (octet <= b' '))
}

/// Whether some octet is one that no header value of ours has.
pub(crate) fn has_control(octets: &[u8]) -> bool {
    octets.iter().fold(false, |found, &octet| found | is_control(octet))
}

/// Whether `octet` means something in a run of parameters: an end, an equals sign, a quote; or may stand in no word.
#[inline]
pub(crate) fn is_param_mark(octet: u8) -> bool {
    has(octet, MARK)
}

/// Without white space and folds before.
#[inline]
pub(crate) const fn trim_start(mut octets: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = octets {
        octets = rest;
    }
    octets
}

/// Without white space and folds around.
#[inline]
pub(crate) const fn trim(octets: &[u8]) -> &[u8] {
    let mut octets = trim_start(octets);
    while let [rest @ .., b' ' | b'\t' | b'\r' | b'\n'] = octets {
        octets = rest;
    }
    octets
}

/// The octets of the quoted string at the front, quotes included; `octets` begin with its opening quote.
pub(crate) fn quoted_len(octets: &[u8]) -> Result<usize, SyntaxError> {
    let mut at = 1;
    loop {
        let rest = octets.get(at..).ok_or(SyntaxError::Quote)?;
        let found = memchr2(b'"', b'\\', rest).ok_or(SyntaxError::Quote)?;
        at += found;
        if octets.get(at) == Some(&b'"') {
            return Ok(at + 1);
        }
        at += 2;
    }
}

/// Splits at `at`; past the end the second part is empty.
pub(crate) fn split(octets: &[u8], at: usize) -> (&[u8], &[u8]) {
    octets.split_at_checked(at).unwrap_or((octets, &[]))
}

/// A decimal number; leading zeros count for nothing (RFC 4475, 3.1.1.1).
pub(crate) fn number(octets: &[u8]) -> Result<u32, SyntaxError> {
    if octets.is_empty() {
        return Err(SyntaxError::Number);
    }
    let mut value = 0_u32;
    for octet in octets {
        let digit = octet.wrapping_sub(b'0');
        if digit > 9 {
            return Err(SyntaxError::Number);
        }
        let more = value.checked_mul(10).and_then(|value| value.checked_add(u32::from(digit)));
        value = more.ok_or(SyntaxError::Number)?;
    }
    Ok(value)
}

/// A number up to the first white space or the end, and what follows.
pub(crate) fn leading_number(octets: &[u8]) -> Result<(u32, &[u8]), SyntaxError> {
    let end = octets.iter().position(|octet| !octet.is_ascii_digit()).unwrap_or(octets.len());
    let (digits, rest) = split(octets, end);
    Ok((number(digits)?, rest))
}

/// Where `part` begins in `whole`, when it is a slice of it.
pub(crate) fn offset_in(whole: &[u8], part: &[u8]) -> Option<usize> {
    let at = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    (at.checked_add(part.len())? <= whole.len()).then_some(at)
}

/// Where octets are written to.
pub(crate) trait Sink: fmt::Write {
    /// Appends octets.
    fn put(&mut self, octets: &[u8]);
}

/// Appends a number in decimal.
pub(crate) fn put_number(out: &mut impl Sink, value: u32) {
    let mut digits = [b'0'; 10];
    let mut unused = digits.len();
    let mut rest = value;
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        unused -= 1;
        if rest == 0 {
            break;
        }
    }
    out.put(digits.get(unused..).unwrap_or_default());
}

/// Appends an address; IPv6 without brackets.
pub(crate) fn put_ip(out: &mut impl Sink, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => {
            let [a, rest @ ..] = ip.octets();
            put_number(out, a.into());
            for octet in rest {
                out.put(b".");
                put_number(out, octet.into());
            }
        }
        // Sinks grow as they need: nothing to fail.
        IpAddr::V6(ip) => drop(write!(out, "{ip}")),
    }
}

impl Sink for BytesMut {
    fn put(&mut self, octets: &[u8]) {
        self.extend_from_slice(octets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_of_the_token_class() {
        for octet in 0..=u8::MAX {
            assert_eq!(is_token(&[b'a', octet]), is_token_octet(octet), "{octet}");
        }
        assert!(!is_token(b""));
    }

    #[test]
    fn quoted_strings_end_at_their_quote() {
        let table: [(&[u8], Result<usize, SyntaxError>); 6] = [
            (b"\"a\" b", Ok(3)),
            (b"\"\"", Ok(2)),
            (b"\"a\\\"b\"c", Ok(6)),
            (b"\"a\\\\\"c", Ok(5)),
            (b"\"a", Err(SyntaxError::Quote)),
            (b"\"a\\", Err(SyntaxError::Quote)),
        ];
        for (octets, expected) in table {
            assert_eq!(quoted_len(octets), expected, "{}", octets.escape_ascii());
        }
    }

    #[test]
    fn numbers_are_digits_within_32_bits() {
        let bad = Err(SyntaxError::Number);
        let table: [(&[u8], Result<u32, SyntaxError>); 8] = [
            (b"0", Ok(0)),
            (b"0068", Ok(68)),
            (b"4294967295", Ok(u32::MAX)),
            (b"4294967296", bad),
            (b"", bad),
            (b"-1", bad),
            (b"1 ", bad),
            (b"five", bad),
        ];
        for (octets, expected) in table {
            assert_eq!(number(octets), expected, "{}", octets.escape_ascii());
        }
    }

    #[test]
    fn numbers_and_addresses_are_written() {
        for value in [0, 7, 10, 255, 5060, 65_535, u32::MAX] {
            let mut out = BytesMut::new();
            put_number(&mut out, value);
            assert_eq!(out, value.to_string().as_bytes());
        }
        for text in ["192.0.2.1", "255.255.255.255", "0.0.0.0", "2001:db8::1", "::ffff:192.0.2.1"] {
            let mut out = BytesMut::new();
            put_ip(&mut out, text.parse().unwrap());
            assert_eq!(out, text.as_bytes());
        }
    }

    #[test]
    fn offsets_are_of_slices_only() {
        let whole = *b"abcdef";
        let [_, part @ .., _] = &whole;
        assert_eq!(offset_in(&whole, part), Some(1));
        assert_eq!(offset_in(part, &whole), None);
    }
}
