//! Parameters: `;name`, `;name=value`, `;name="value"` (RFC 3261, 25.1, generic-param and uri-parameter).

use memchr::{memchr, memchr2};

use crate::syntax::{SyntaxError, is_one_word, is_param_mark, quoted_len, split, trim, trim_start};

/// One parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    /// In the case it came in; compared without case.
    pub name: &'a [u8],
    /// What follows the equals sign, with its quotes where it has them; `None` without equals sign.
    pub value: Option<&'a [u8]>,
}

impl<'a> Param<'a> {
    /// The value without quotes around it, escapes left as they are; empty without a value.
    pub const fn unquoted(&self) -> &'a [u8] {
        match self.value {
            Some([b'"', inner @ .., b'"']) => inner,
            Some(value) => value,
            None => &[],
        }
    }

    /// Whether this is the parameter `name`.
    pub const fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// A run of parameters, beginning with a semicolon, or empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a>(&'a [u8]);

impl<'a> Params<'a> {
    /// Parameters as they stand in `octets`; nothing is checked yet.
    pub const fn new(octets: &'a [u8]) -> Self {
        Self(trim(octets))
    }

    /// The octets.
    pub const fn as_octets(self) -> &'a [u8] {
        self.0
    }

    /// All parameters in their order; the first malformed one is the last item.
    pub const fn iter(self) -> ParamIter<'a> {
        ParamIter { rest: self.0 }
    }

    /// The first parameter `name`, malformed ones before it notwithstanding.
    pub fn get(self, name: &[u8]) -> Option<Param<'a>> {
        self.iter().flatten().find(|param| param.is(name))
    }

    /// Whether every parameter is well formed.
    pub fn check(self) -> Result<(), SyntaxError> {
        self.iter().try_for_each(|param| param.map(|_| ()))
    }
}

impl<'a> IntoIterator for Params<'a> {
    type Item = Result<Param<'a>, SyntaxError>;
    type IntoIter = ParamIter<'a>;

    fn into_iter(self) -> ParamIter<'a> {
        self.iter()
    }
}

/// Iterator over [`Params`].
#[derive(Clone, Debug)]
pub struct ParamIter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for ParamIter<'a> {
    type Item = Result<Param<'a>, SyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = trim_start(self.rest);
        let (semicolon, after) = rest.split_first()?;
        self.rest = &[];
        if *semicolon != b';' {
            return Some(Err(SyntaxError::Parameter));
        }
        if let Some((param, rest)) = plain(after) {
            self.rest = rest;
            return Some(Ok(param));
        }
        let len = match param_len(after) {
            Ok(len) => len,
            Err(error) => return Some(Err(error)),
        };
        let (param, rest) = split(after, len);
        let param = param_of(param);
        if param.is_ok() {
            self.rest = rest;
        }
        Some(param)
    }
}

/// A parameter without white space and quotes, as nearly all are, and what follows it; `None` says nothing of it.
fn plain(octets: &[u8]) -> Option<(Param<'_>, &[u8])> {
    let is_mark = |octet: &u8| is_param_mark(*octet);
    let name_end = octets.iter().position(is_mark).unwrap_or(octets.len());
    let (name, rest) = octets.split_at_checked(name_end).filter(|(name, _)| !name.is_empty())?;
    let (value, rest) = match rest {
        [] | [b';', ..] => (None, rest),
        [b'=', rest @ ..] => {
            let (value, rest) = split(rest, memchr(b';', rest).unwrap_or(rest.len()));
            if !is_one_word(value) {
                return None;
            }
            (Some(value), rest)
        }
        _ => return None,
    };
    matches!(rest, [] | [b';', ..]).then_some((Param { name, value }, rest))
}

/// Octets up to the semicolon that ends the first parameter, or all of them.
fn param_len(octets: &[u8]) -> Result<usize, SyntaxError> {
    let mut at = 0;
    while let Some(rest) = octets.get(at..)
        && let Some(found) = memchr2(b';', b'"', rest)
    {
        at += found;
        match octets.get(at..) {
            Some(quoted @ [b'"', ..]) => at += quoted_len(quoted)?,
            _ => return Ok(at),
        }
    }
    Ok(octets.len())
}

/// One parameter, without what separates it from others.
pub(crate) fn param_of(octets: &[u8]) -> Result<Param<'_>, SyntaxError> {
    let (name, value) = match memchr(b'=', octets) {
        None => (trim(octets), None),
        Some(at) => {
            let (name, value) = split(octets, at);
            (trim(name), Some(trim(value.get(1..).unwrap_or_default())))
        }
    };
    if name.is_empty() || !is_one_word(name) {
        return Err(SyntaxError::Parameter);
    }
    match value {
        Some(quoted @ [b'"', ..]) if quoted_len(quoted)? != quoted.len() => Err(SyntaxError::Quote),
        Some(value) if value.first() != Some(&b'"') && !is_one_word(value) => Err(SyntaxError::Parameter),
        value => Ok(Param { name, value }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What is read at a glance is read the same by the grammar.
        #[test]
        fn plain_parameters(text in "[a-z=;\" \\t%\u{1}\u{7F}]{0,12}") {
            let octets = text.as_bytes();
            if let Some((param, rest)) = plain(octets) {
                let len = param_len(octets).unwrap();
                prop_assert_eq!(param_of(&octets[..len]), Ok(param));
                prop_assert_eq!(&octets[len..], rest);
            }
        }
    }

    type Parsed<'a> = Vec<Result<(&'a str, Option<&'a str>), SyntaxError>>;

    fn parsed(octets: &str) -> Parsed<'_> {
        let text = |octets| std::str::from_utf8(octets).unwrap();
        let pair = |param: Param<'static>| (text(param.name), param.value.map(text));
        let octets: &'static str = octets.to_owned().leak();
        Params::new(octets.as_bytes()).iter().map(|param| param.map(pair)).collect()
    }

    #[test]
    fn parameters_are_read_in_order() {
        let table: [(&str, Parsed<'_>); 9] = [
            ("", vec![]),
            (";lr", vec![Ok(("lr", None))]),
            (";a=1;B", vec![Ok(("a", Some("1"))), Ok(("B", None))]),
            (" ;   tag    = 19 ", vec![Ok(("tag", Some("19")))]),
            (";\r\n  tag\r\n = 9", vec![Ok(("tag", Some("9")))]),
            (";x=\"a;b=\\\"c\";y", vec![Ok(("x", Some("\"a;b=\\\"c\""))), Ok(("y", None))]),
            (";branch=", vec![Ok(("branch", Some("")))]),
            (";a==b", vec![Ok(("a", Some("=b")))]),
            (";n%61me=v%25", vec![Ok(("n%61me", Some("v%25")))]),
        ];
        for (octets, expected) in table {
            assert_eq!(parsed(octets), expected, "{octets}");
        }
    }

    #[test]
    fn a_malformed_parameter_is_the_last() {
        let parameter = Err(SyntaxError::Parameter);
        let table: [(&str, Parsed<'_>); 7] = [
            (";;a", vec![parameter]),
            (";a;", vec![Ok(("a", None)), parameter]),
            ("a", vec![parameter]),
            (";a=b c;d", vec![parameter]),
            (";a b", vec![parameter]),
            (";a=\"b", vec![Err(SyntaxError::Quote)]),
            (";a=\"b\"c", vec![Err(SyntaxError::Quote)]),
        ];
        for (octets, expected) in table {
            assert_eq!(parsed(octets), expected, "{octets}");
        }
    }

    #[test]
    fn names_have_no_case() {
        let params = Params::new(b";A=1;tag=\"x\"");
        assert_eq!(params.get(b"a").and_then(|param| param.value), Some(b"1".as_slice()));
        assert_eq!(params.get(b"TAG").map(|param| param.unquoted()), Some(b"x".as_slice()));
        assert_eq!(params.get(b"b"), None);
    }
}
