//! Who is calling, and who called before: values of P-Asserted-Identity, P-Preferred-Identity (RFC 3325),
//! Remote-Party-ID, Diversion (RFC 5806), History-Info (RFC 7044) and Privacy (RFC 3323).
//!
//! All but Privacy are [`NameAddr`]s in comma lists; what their parameters mean is here.

use crate::name_addr::NameAddr;
use crate::syntax::{number, trim};

/// What Privacy asks for. Unknown values are ignored, as RFC 3323 (4.2) leaves them to others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privacy {
    /// `id`: the asserted identity stays within the trust domain (RFC 3325, 9.3).
    pub id: bool,
    /// `header`.
    pub header: bool,
    /// `session`.
    pub session: bool,
    /// `user`.
    pub user: bool,
    /// `history` (RFC 7044, 10.1).
    pub history: bool,
    /// `critical`: refuse rather than serve without it.
    pub critical: bool,
    /// `none`: no privacy, not even the default of a service.
    pub none: bool,
}

impl Privacy {
    /// Reads a whole value: words between semicolons; some write commas.
    pub fn parse(value: &[u8]) -> Self {
        let mut privacy = Self::default();
        for word in value.split(|octet| matches!(octet, b';' | b',')).map(trim) {
            let flag = match word.to_ascii_lowercase().as_slice() {
                b"id" => &mut privacy.id,
                b"header" => &mut privacy.header,
                b"session" => &mut privacy.session,
                b"user" => &mut privacy.user,
                b"history" => &mut privacy.history,
                b"critical" => &mut privacy.critical,
                b"none" => &mut privacy.none,
                _ => continue,
            };
            *flag = true;
        }
        privacy
    }
}

/// Why a call was diverted and how often, as one Diversion value says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diverted<'a> {
    /// The `reason` parameter: `no-answer`, `unconditional`, a quoted string.
    pub reason: Option<&'a [u8]>,
    /// The `counter` parameter; 1 where it is missing (RFC 5806, 5).
    pub counter: u32,
}

impl<'a> Diverted<'a> {
    /// The parameters of a Diversion value.
    pub fn of(value: &NameAddr<'a>) -> Self {
        let counter = value.params.get(b"counter").and_then(|param| param.value);
        let counter = counter.and_then(|counter| number(counter).ok()).unwrap_or(1);
        Self { reason: value.params.get(b"reason").map(|param| param.unquoted()), counter }
    }
}

/// Whether a Remote-Party-ID value asks to keep its number from the called side: `privacy` of another value
/// than `off`.
pub fn is_withheld(remote_party: &NameAddr<'_>) -> bool {
    remote_party.params.get(b"privacy").is_some_and(|param| !param.unquoted().eq_ignore_ascii_case(b"off"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privacy_words() {
        assert_eq!(Privacy::parse(b"id"), Privacy { id: true, ..Privacy::default() });
        let both = Privacy { id: true, critical: true, ..Privacy::default() };
        assert_eq!(Privacy::parse(b" ID ; critical;x"), both);
        assert_eq!(Privacy::parse(b"id, critical"), both);
        assert!(Privacy::parse(b"none").none && !Privacy::parse(b"").id);
    }

    #[test]
    fn diversion_parameters() {
        let value = NameAddr::parse(b"<sip:a@b>;reason=\"user busy\";counter=3").unwrap();
        assert_eq!(Diverted::of(&value), Diverted { reason: Some(b"user busy"), counter: 3 });
        let bare = NameAddr::parse(b"<sip:a@b>").unwrap();
        assert_eq!(Diverted::of(&bare), Diverted { reason: None, counter: 1 });
    }

    #[test]
    fn remote_party_privacy() {
        for (text, expected) in
            [("<sip:a@b>", false), ("<sip:a@b>;privacy=off", false), ("<sip:a@b>;privacy=full", true)]
        {
            assert_eq!(is_withheld(&NameAddr::parse(text.as_bytes()).unwrap()), expected, "{text}");
        }
    }
}
