//! Texts that differ in the number of their call only: written once, then the digits are put in.

/// Digits of a call's number.
pub(crate) const DIGITS: usize = 8;
/// Where they go in a template.
pub(crate) const MARK: &str = "########";

/// A text and the places of the number in it.
#[derive(Clone, Debug)]
pub(crate) struct Numbered {
    octets: Vec<u8>,
    places: Vec<usize>,
}

impl Numbered {
    /// `text` has [`MARK`] wherever the number goes.
    pub(crate) fn new(text: &str) -> Self {
        let places = text.match_indices(MARK).map(|(place, _)| place).collect();
        Self { octets: text.as_bytes().to_vec(), places }
    }

    /// The text for call `id`.
    pub(crate) fn of(&mut self, id: u32) -> &[u8] {
        let digits = digits(id);
        for place in &self.places {
            if let Some(to) = self.octets.get_mut(*place..place + DIGITS) {
                to.copy_from_slice(&digits);
            }
        }
        &self.octets
    }
}

/// Reads a number back; `None` where there is none.
pub(crate) fn number(octets: &[u8]) -> Option<u32> {
    let digits = octets.get(..DIGITS)?;
    digits.iter().try_fold(0_u32, |sum, digit| {
        digit.is_ascii_digit().then(|| sum.wrapping_mul(10).wrapping_add(u32::from(digit - b'0')))
    })
}

fn digits(id: u32) -> [u8; DIGITS] {
    let mut digits = [b'0'; DIGITS];
    let mut rest = id;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_gets_the_number() {
        let mut text = Numbered::new("a########b########");
        assert_eq!(text.of(42), b"a00000042b00000042");
        assert_eq!(text.of(99_999_999), b"a99999999b99999999");
        assert_eq!(Numbered::new("none").of(1), b"none");
    }

    #[test]
    fn numbers_are_read_back() {
        for (octets, expected) in [
            (&b"00000042@x"[..], Some(42)),
            (b"99999999", Some(99_999_999)),
            (b"0000004", None),
            (b"0000004x", None),
            (b"", None),
        ] {
            assert_eq!(number(octets), expected);
        }
    }
}
