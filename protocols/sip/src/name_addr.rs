//! `"Display name" <uri>;parameters` and `uri;parameters` (RFC 3261, 20.10, 20.20, 20.34, 20.39).

use memchr::{memchr, memchr2, memchr3};

use crate::params::Params;
use crate::syntax::{
    SyntaxError, has_white_space, is_lws, is_token, is_token_octet, quoted_len, split, trim,
};
use crate::uri::Uri;

/// One value of From, To, Contact, Route, Record-Route, P-Asserted-Identity and their like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// As it is written, quotes and escapes included; `None` where there is none.
    pub display: Option<&'a [u8]>,
    /// The URI as it is written, without angle brackets.
    pub uri: &'a [u8],
    /// Whether the URI stands in angle brackets; then parameters behind it belong to the header.
    pub bracketed: bool,
    /// Parameters of the header.
    pub params: Params<'a>,
    /// The `tag` parameter, a token; an empty one counts as none, two are malformed.
    pub tag: Option<&'a [u8]>,
}

impl<'a> NameAddr<'a> {
    /// Reads one value, without commas around it. Unquoted display names are tokens or octets above ASCII;
    /// white space before `<` may be missing (RFC 4475, 3.1.1.6).
    ///
    /// The URI is not read: [`NameAddr::uri`] does that, and may fail on its own.
    pub fn parse(octets: &'a [u8]) -> Result<Self, SyntaxError> {
        let octets = trim(octets);
        if octets.is_empty() {
            return Err(SyntaxError::Empty);
        }
        let quoted = if octets.first() == Some(&b'"') { quoted_len(octets)? } else { 0 };
        let (quoted, rest) = split(octets, quoted);
        let Some(open) = memchr(b'<', rest) else {
            if !quoted.is_empty() {
                return Err(SyntaxError::Angle);
            }
            return Self::parse_addr_spec(octets);
        };
        let (between, rest) = split(rest, open);
        let display = match (quoted, trim(between)) {
            ([], []) => None,
            ([], words) => Some(words).filter(|words| words.iter().all(|&octet| is_word_octet(octet))),
            (quoted, []) => Some(quoted),
            _ => return Err(SyntaxError::Quote),
        };
        if display.is_none() && !trim(between).is_empty() {
            return Err(SyntaxError::Octet);
        }
        let close = memchr(b'>', rest).ok_or(SyntaxError::Angle)?;
        let (bracketed, rest) = split(rest, close);
        let uri = bracketed.get(1..).unwrap_or_default();
        let params = Params::new(rest.get(1..).unwrap_or_default());
        Self { display, uri, bracketed: true, params, tag: None }.checked()
    }

    /// The parameters end where the URI has none: a semicolon, question mark or comma belongs to the URI only
    /// in brackets (20).
    fn parse_addr_spec(octets: &'a [u8]) -> Result<Self, SyntaxError> {
        let end = memchr(b';', octets).unwrap_or(octets.len());
        let (uri, params) = split(octets, end);
        let uri = trim(uri);
        if memchr2(b'?', b',', uri).is_some() || memchr(b'>', uri).is_some() {
            return Err(SyntaxError::Angle);
        }
        Self { display: None, uri, bracketed: false, params: Params::new(params), tag: None }.checked()
    }

    fn checked(mut self) -> Result<Self, SyntaxError> {
        if self.uri.is_empty() {
            return Err(SyntaxError::Empty);
        }
        if has_white_space(self.uri) {
            return Err(SyntaxError::Octet);
        }
        let mut tagged = false;
        // Another value could begin there for whoever reads a list.
        let listed = memchr3(b',', b'<', b'>', self.params.as_octets()).is_some();
        for param in self.params {
            let param = param?;
            if param.is(b"tag") {
                if std::mem::replace(&mut tagged, true) {
                    return Err(SyntaxError::Parameter);
                }
                self.tag = param.value.filter(|tag| !tag.is_empty());
                if self.tag.is_some_and(|tag| !is_token(tag)) {
                    return Err(SyntaxError::Parameter);
                }
            }
            if listed && (has_list_octet(param.name) || param.value.is_some_and(has_list_octet)) {
                return Err(SyntaxError::Parameter);
            }
        }
        Ok(self)
    }

    /// The URI, read.
    pub fn uri(&self) -> Result<Uri<'a>, SyntaxError> {
        Uri::parse(self.uri)
    }

    /// The display name without quotes around it, escapes left as they are.
    pub const fn display_text(&self) -> Option<&'a [u8]> {
        match self.display {
            Some([b'"', inner @ .., b'"']) => Some(inner),
            other => other,
        }
    }

    /// Whether the value is the `*` of a REGISTER that removes all bindings (10.2.2).
    pub fn is_star(&self) -> bool {
        !self.bracketed && self.uri == b"*"
    }
}

/// Whether an octet ends a value or begins an address; in quotes they are text.
fn has_list_octet(octets: &[u8]) -> bool {
    octets.first() != Some(&b'"') && memchr3(b',', b'<', b'>', octets).is_some()
}

fn is_word_octet(octet: u8) -> bool {
    is_token_octet(octet) || is_lws(octet) || !octet.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Display name, URI, bracketed, parameters.
    type Parts<'a> = (Option<&'a str>, &'a str, bool, &'a str);

    #[test]
    fn well_formed_values() {
        let table: [(&str, Parts<'_>); 17] = [
            ("sip:a@b", (None, "sip:a@b", false, "")),
            ("sip:a@b ;   tag    = 19", (None, "sip:a@b", false, ";   tag    = 19")),
            ("<sip:a@b;lr>;x", (None, "sip:a@b;lr", true, ";x")),
            ("<sip:a@b> ; tag = 1", (None, "sip:a@b", true, "; tag = 1")),
            ("caller<sip:a@b>;tag=3", (Some("caller"), "sip:a@b", true, ";tag=3")),
            ("A. Bell <sip:a@b>", (Some("A. Bell"), "sip:a@b", true, "")),
            (
                "token1~` token2'+_ token3*%!.- <sip:a@b>",
                (Some("token1~` token2'+_ token3*%!.-"), "sip:a@b", true, ""),
            ),
            ("J\u{fc}rgen <sip:a@b>", (Some("J\u{fc}rgen"), "sip:a@b", true, "")),
            (
                "\"J Rosenberg \\\\\\\"\"       <sip:a@b>\r\n  ;\r\n  tag = 98",
                (Some("\"J Rosenberg \\\\\\\"\""), "sip:a@b", true, ";\r\n  tag = 98"),
            ),
            ("\"<sip:evil@z>\" <sip:x@y>;tag=7", (Some("\"<sip:evil@z>\""), "sip:x@y", true, ";tag=7")),
            ("\"\"<sip:a@b>", (Some("\"\""), "sip:a@b", true, "")),
            ("<sip:a@b?Route=%3Csip:c%3E>", (None, "sip:a@b?Route=%3Csip:c%3E", true, "")),
            ("<tel:+1555;phone-context=+1>", (None, "tel:+1555;phone-context=+1", true, "")),
            ("isbn:2983792873", (None, "isbn:2983792873", false, "")),
            ("<http://www.example.com>;tag=3234233", (None, "http://www.example.com", true, ";tag=3234233")),
            ("*", (None, "*", false, "")),
            ("<sip:a@b>;x=\"1,<2>\";tag=3", (None, "sip:a@b", true, ";x=\"1,<2>\";tag=3")),
        ];
        for (text, (display, uri, bracketed, params)) in table {
            let value = NameAddr::parse(text.as_bytes()).unwrap();
            assert_eq!(value.display, display.map(str::as_bytes), "{text}");
            assert_eq!((value.uri, value.bracketed), (uri.as_bytes(), bracketed), "{text}");
            assert_eq!(value.params.as_octets(), params.as_bytes(), "{text}");
        }
    }

    #[test]
    fn malformed_values() {
        let table = [
            ("", SyntaxError::Empty),
            ("<>", SyntaxError::Empty),
            (";tag=1", SyntaxError::Empty),
            ("\"Mr. J. User <sip:j.user@example.com>", SyntaxError::Quote),
            ("\"a\" b <sip:a@b>", SyntaxError::Quote),
            ("\"a\" sip:a@b", SyntaxError::Angle),
            ("Bell, Alexander <sip:a.g.bell@example.com>;tag=43", SyntaxError::Octet),
            ("<sip:a@b", SyntaxError::Angle),
            ("sip:a@b>", SyntaxError::Angle),
            ("sip:a@b?Route=x", SyntaxError::Angle),
            ("\"Watson, Thomas\" < sip:t.watson@example.org >", SyntaxError::Octet),
            ("sip:a@b c", SyntaxError::Octet),
            ("\"Joe\" <sip:joe@example.org>;;;;", SyntaxError::Parameter),
            ("<sip:a@b>x", SyntaxError::Parameter),
            ("<sip:a@b>;x=\"y", SyntaxError::Quote),
            ("<sip:a@b>;tag=1,<sip:c@d>", SyntaxError::Parameter),
            ("<sip:a@b>;x=1,<sip:c@d>;tag=2", SyntaxError::Parameter),
            ("<sip:a@b>;x,<sip:c@d>;tag=2", SyntaxError::Parameter),
            ("sip:a@b;tag=1,sip:c@d", SyntaxError::Parameter),
            ("<sip:a@b>;tag=1;tag=2", SyntaxError::Parameter),
            ("<sip:a@b>;tag=;TAG=2", SyntaxError::Parameter),
            ("<sip:a@b>;tag=\"1\"", SyntaxError::Parameter),
            ("<sip:a@b>;tag=1@2", SyntaxError::Parameter),
            ("<sip:a@b>;tag=\u{fc}", SyntaxError::Parameter),
        ];
        for (text, error) in table {
            assert_eq!(NameAddr::parse(text.as_bytes()), Err(error), "{text}");
        }
    }

    #[test]
    fn parts_that_callers_ask_for() {
        let value = NameAddr::parse(b"\"A\" <sip:a@b;tag=no>;x;TAG=yes").unwrap();
        assert_eq!((value.tag, value.display_text()), (Some(&b"yes"[..]), Some(&b"A"[..])));
        assert_eq!(value.uri().unwrap().user(), Some(&b"a"[..]));
        assert_eq!(NameAddr::parse(b"<sip:a@b;tag=no>;tag=").unwrap().tag, None);
        assert!(NameAddr::parse(b"*").unwrap().is_star());
    }
}
