//! Addresses of mail.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Invalid;

/// Octets of an address (RFC 5321, 4.5.3.1.3, less the angle brackets) and of the part before the at sign.
const OCTETS_MAX: usize = 254;
const LOCAL_OCTETS_MAX: usize = 64;
/// Octets of a label of a host name.
const LABEL_OCTETS_MAX: usize = 63;

/// A mail address in lower case, such as `maria@example.net`.
///
/// Only the form that every mail server takes: a dot-atom (RFC 5322, 3.2.3) at a host name of two labels or more. No
/// quoted part, no comment, no address literal, so that an address is the same text wherever it stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

impl Email {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host name behind the at sign.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl FromStr for Email {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let parts = text.rsplit_once('@').filter(|_| text.len() <= OCTETS_MAX);
        match parts {
            Some((local, domain)) if is_local(local) && is_domain(domain) => {
                Ok(Self(text.to_ascii_lowercase()))
            }
            _ => Err(Invalid::new(text, "a mail address such as maria@example.net")),
        }
    }
}

fn is_local(text: &str) -> bool {
    let atom = |atom: &str| {
        let special = |octet: u8| b"!#$%&'*+/=?^_`{|}~-".contains(&octet);
        !atom.is_empty() && atom.bytes().all(|octet| octet.is_ascii_alphanumeric() || special(octet))
    };
    text.len() <= LOCAL_OCTETS_MAX && text.split('.').all(atom)
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=LABEL_OCTETS_MAX).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
    };
    // What ends in a digit is an address that was not meant as a name.
    let is_top =
        |label: &str| label.len() >= 2 && label.starts_with(|first: char| first.is_ascii_alphabetic());
    text.rsplit_once('.').is_some_and(|(_, top)| is_top(top)) && text.split('.').all(label)
}

impl TryFrom<String> for Email {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, read) in [
            ("maria@example.net", "maria@example.net"),
            ("Maria.O'Neil+warp@Example.NET", "maria.o'neil+warp@example.net"),
            ("m@xn--bcher-kva.xn--p1ai", "m@xn--bcher-kva.xn--p1ai"),
        ] {
            assert_eq!(text.parse::<Email>().unwrap().as_str(), read);
        }
        assert_eq!("a@mail.example.net".parse::<Email>().unwrap().domain(), "mail.example.net");
        let long = format!("{}@example.net", "a".repeat(65));
        let longer = format!("a@{}example.net", "b.".repeat(130));
        for text in [
            "",
            "maria",
            "@example.net",
            "maria@",
            "maria@localhost",
            "maria@192.0.2.1",
            "maria@[192.0.2.1]",
            "maria@-example.net",
            "maria@example..net",
            "maria@example.net.",
            ".maria@example.net",
            "ma..ria@example.net",
            "ma ria@example.net",
            "\"ma ria\"@example.net",
            "maria@example.net\r\nBcc: all@example.net",
            "Maria <maria@example.net>",
            "märia@example.net",
            "a@b@example.net",
            &long,
            &longer,
        ] {
            assert!(text.parse::<Email>().is_err(), "{text:?}");
        }
    }
}
