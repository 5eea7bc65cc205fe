//! Telephone numbers as PASSporTs have them (RFC 8224, 8.3).

/// Characters of a number that are taken; E.164 has 15 digits, networks of their own some more.
const NUMBER_MAX: usize = 32;

/// The number of a user part of a SIP URI, or of a tel URI behind its scheme: digits, `*` and `#`, without plus, visual
/// separators and parameters. `None` where it is no number.
///
/// A number without country code stays without: which one it is in is the matter of who knows where it was written.
#[must_use]
pub fn canonical(user: &[u8]) -> Option<String> {
    let written = user.split(|octet| *octet == b';').next().unwrap_or_default();
    let written = match written {
        [b'+', rest @ ..] | [b'%', b'2', b'B' | b'b', rest @ ..] => rest,
        rest => rest,
    };
    let mut number = String::new();
    let mut rest = written;
    while let [octet, after @ ..] = rest {
        rest = after;
        match octet {
            b'0'..=b'9' | b'*' | b'#' => number.push(char::from(*octet)),
            // RFC 3966, 5.1.1.
            b'-' | b'.' | b'(' | b')' => {}
            // A number sign is escaped in a URI.
            b'%' => {
                rest = after.strip_prefix(b"23")?;
                number.push('#');
            }
            _ => return None,
        }
        if number.len() > NUMBER_MAX {
            return None;
        }
    }
    (!number.is_empty()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (user, expected) in [
            ("+12155551212", Some("12155551212")),
            ("12155551212", Some("12155551212")),
            ("+1-(215)-555.1212", Some("12155551212")),
            ("%2B12155551212", Some("12155551212")),
            ("+12155551212;npdi;verstat=TN-Validation-Passed", Some("12155551212")),
            ("*67#", Some("*67#")),
            ("*67%23", Some("*67#")),
            ("alice", None),
            ("+", None),
            ("", None),
            (";x", None),
            ("1%24", None),
            ("1+2", None),
            ("1 2", None),
        ] {
            assert_eq!(canonical(user.as_bytes()).as_deref(), expected, "{user}");
        }
        assert!(canonical("1".repeat(NUMBER_MAX).as_bytes()).is_some());
        assert_eq!(canonical("1".repeat(NUMBER_MAX + 1).as_bytes()), None);
    }
}
