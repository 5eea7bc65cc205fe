//! How much a carrier knows of a caller.

/// What the signer of a call says of its caller (RFC 8588, 4). The weaker one is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attestation {
    /// Full: it knows the customer, and that the number is the customer's.
    A,
    /// Partial: it knows the customer, and not whose the number is.
    B,
    /// Gateway: it knows where the call came from, and no more.
    C,
}

impl Attestation {
    /// The letter in a PASSporT.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
        }
    }

    /// The one of a letter.
    #[must_use]
    pub fn from_letter(letter: &str) -> Option<Self> {
        [Self::A, Self::B, Self::C].into_iter().find(|known| known.as_str() == letter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters() {
        for (letter, expected) in
            [("A", Some(Attestation::A)), ("C", Some(Attestation::C)), ("a", None), ("", None), ("D", None)]
        {
            assert_eq!(Attestation::from_letter(letter), expected, "{letter}");
        }
        assert_eq!(Attestation::A.max(Attestation::C), Attestation::C, "the weaker one");
    }
}
