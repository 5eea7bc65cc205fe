//! The query of a request, checked against what its route takes.

use runtime::clock::Timestamp;
use uuid::Uuid;

use crate::problem::{Code, Problem};

/// A parameter of a query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// For people.
    pub(crate) about: &'static str,
    /// Whether there is no answer without it.
    pub(crate) needed: bool,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A whole number from 1 on.
    Number { most: u32, otherwise: u32 },
    /// An id.
    Id,
    /// A point in time (RFC 3339).
    Time,
    /// `true` or `false`; bare is true.
    Flag,
    /// Text of at most so many characters.
    Text(usize),
    /// One of these.
    Words(&'static [&'static str]),
}

impl Param {
    pub(crate) const fn new(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, kind, about, needed: false }
    }

    pub(crate) const fn needed(mut self) -> Self {
        self.needed = true;
        self
    }
}

/// How many of a list.
pub(crate) const LIMIT: Param =
    Param::new("limit", Kind::Number { most: 200, otherwise: 50 }, "Entries of one page");
/// Where a list goes on.
pub(crate) const CURSOR: Param =
    Param::new("cursor", Kind::Text(200), "Where the page begins: `next` of the page before");

/// Where a list by ids goes on.
pub(crate) const CURSOR_ID: Param =
    Param::new("cursor", Kind::Id, "Where the page begins: `next` of the page before");

/// Text for people instead of JSON.
pub(crate) const FORMAT: Param =
    Param::new("format", Kind::Words(&["json", "text"]), "JSON, or text for people");

/// The query of a request, decoded.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(&'static str, String)>);

impl Query {
    /// Reads `a=b&c=d`. A name that the route does not know is refused, and so is one given twice: a
    /// misspelt name must not mean a default.
    pub(crate) fn parse(raw: &str, known: &'static [Param]) -> Result<Self, Problem> {
        let mut values: Vec<(&'static str, String)> = Vec::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (form_decode(name), form_decode(value)) else {
                return Err(refused(format!("{pair:?} is not percent-encoded text")));
            };
            let Some(param) = known.iter().find(|param| param.name == name) else {
                let known: Vec<&str> = known.iter().map(|param| param.name).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(refused(format!("unknown query parameter {name:?}; known here: {known}")));
            };
            if values.iter().any(|(seen, _)| *seen == name) {
                return Err(refused(format!("query parameter {name:?} is given twice")));
            }
            param.kind.check(param.name, &value)?;
            // `dry` is a flag that is set; `dry=` says neither.
            if param.kind.is_flag() && value.is_empty() && pair.contains('=') {
                return Err(refused(format!("{name} is true or false, not \"\"")));
            }
            values.push((param.name, value));
        }
        let query = Self(values);
        match known.iter().find(|param| param.needed && query.get(param.name).is_none_or(str::is_empty)) {
            Some(param) => Err(refused(format!("query parameter {:?} is needed", param.name))),
            None => Ok(query),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// A value of a parameter that is needed.
    pub(crate) fn required(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// A number, or what the parameter is otherwise.
    pub(crate) fn number(&self, param: &Param) -> u32 {
        let otherwise = if let Kind::Number { otherwise, .. } = param.kind { otherwise } else { 0 };
        self.get(param.name).and_then(|value| value.parse().ok()).unwrap_or(otherwise)
    }

    /// An id.
    pub(crate) fn id(&self, name: &str) -> Option<Uuid> {
        self.get(name).and_then(|value| value.parse().ok())
    }

    /// A time.
    pub(crate) fn time(&self, name: &str) -> Option<Timestamp> {
        self.get(name).and_then(|value| value.parse().ok())
    }

    /// A flag: absent is no, bare or `true` is yes.
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some("" | "true"))
    }
}

impl Kind {
    const fn is_flag(self) -> bool {
        matches!(self, Self::Flag)
    }

    fn check(self, name: &str, value: &str) -> Result<(), Problem> {
        let wrong = |what: &str| Err(refused(format!("{name} is {what}, not {value:?}")));
        match self {
            Self::Number { most, .. } => {
                let number: Option<u32> = value.parse().ok();
                match number.filter(|number| (1..=most).contains(number)) {
                    Some(_) => Ok(()),
                    None => wrong(&format!("a number from 1 to {most}")),
                }
            }
            Self::Id if value.parse::<Uuid>().is_err() => wrong("an id"),
            Self::Time if value.parse::<Timestamp>().is_err() => {
                wrong("a time of RFC 3339, as 2026-01-02T03:04:05Z (a plus is written %2B)")
            }
            Self::Flag if !matches!(value, "" | "true" | "false") => wrong("true or false"),
            Self::Text(most) if value.chars().count() > most => wrong(&format!("at most {most} characters")),
            Self::Text(_) if value.contains('\0') => wrong("text"),
            Self::Words(words) if !words.contains(&value) => wrong(&words.join(" or ")),
            Self::Id | Self::Time | Self::Flag | Self::Text(_) | Self::Words(_) => Ok(()),
        }
    }
}

fn refused(detail: String) -> Problem {
    Problem::new(Code::BadRequest, detail)
}

/// application/x-www-form-urlencoded: a plus is a space.
fn form_decode(text: &str) -> Option<String> {
    let spaced: Vec<u8> = text.bytes().map(|byte| if byte == b'+' { b' ' } else { byte }).collect();
    decode(&spaced)
}

/// RFC 3986, 2.1. None for a broken escape or octets that are not UTF-8.
pub(crate) fn decode(octets: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(octets.len());
    let mut rest = octets.iter();
    while let Some(octet) = rest.next() {
        if *octet != b'%' {
            decoded.push(*octet);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(*digit).to_digit(16));
        let (high, low) = (digit()?, digit()?);
        decoded.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Param] = &[
        Param::new("from", Kind::Text(20), ""),
        Param::new("to", Kind::Text(20), ""),
        Param::new("limit", Kind::Number { most: 5, otherwise: 2 }, ""),
        Param::new("before", Kind::Id, ""),
        Param::new("dry", Kind::Flag, ""),
        Param::new("as", Kind::Words(&["json", "text"]), ""),
        Param::new("since", Kind::Time, ""),
    ];

    #[test]
    fn queries() {
        for (raw, from, to) in [
            ("", None, None),
            ("from=1&to=2", Some("1"), Some("2")),
            ("to=%2B15550001111", None, Some("+15550001111")),
            ("from=a+b%20c", Some("a b c"), None),
            ("from", Some(""), None),
            ("&&to==", None, Some("=")),
        ] {
            let query = Query::parse(raw, KNOWN).unwrap();
            assert_eq!((query.get("from"), query.get("to")), (from, to), "{raw}");
        }
        for (raw, detail) in [
            ("form=1", "unknown query parameter \"form\"; known here: from, to, limit"),
            ("to=%2", "is not percent-encoded"),
            ("to=%zz", "is not percent-encoded"),
            ("to=%ff", "is not percent-encoded"),
            ("to=1&to=2", "is given twice"),
            ("to=123456789012345678901", "at most 20 characters"),
            ("to=%00", "to is text"),
            ("limit=0", "a number from 1 to 5, not \"0\""),
            ("limit=6", "a number from 1 to 5"),
            ("limit=x", "a number from 1 to 5"),
            ("before=7", "before is an id"),
            ("dry=yes", "true or false"),
            ("dry=", "true or false, not \"\""),
            ("as=xml", "json or text, not \"xml\""),
            ("since=yesterday", "since is a time of RFC 3339"),
            ("since=2026-01-02T03:04:05+02:00", "a plus is written %2B"),
        ] {
            let problem = Query::parse(raw, KNOWN).unwrap_err();
            assert!(format!("{problem:?}").contains(&detail.replace('"', "\\\"")), "{problem:?}");
            assert_eq!(problem.code, Code::BadRequest);
        }
        let query = Query::parse("limit=5&dry", KNOWN).unwrap();
        assert_eq!((query.number(&KNOWN[2]), query.flag("dry"), query.flag("as")), (5, true, false));
        assert_eq!(Query::default().number(&KNOWN[2]), 2);
        let query = Query::parse("since=2026-01-02T03:04:05%2B02:00", KNOWN).unwrap();
        assert_eq!(query.time("since").unwrap().to_string(), "2026-01-02T01:04:05.000000Z");
        assert_eq!(query.time("until"), None);
    }
}
