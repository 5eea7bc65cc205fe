//! SME addresses (5.2.5 - 5.2.9).

use std::fmt;

/// TON, NPI and the address octets without their NUL; digits, letters or any octets a peer sends.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Address<'a> {
    /// Type of number: 1 international, 2 national, 5 alphanumeric.
    pub ton: u8,
    /// Numbering plan: 1 is E.164.
    pub npi: u8,
    /// The address.
    pub addr: &'a [u8],
}

/// Shows all but the last four octets masked: logs hold no whole numbers.
impl fmt::Debug for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail = self.addr.get(self.addr.len().saturating_sub(4)..).unwrap_or_default();
        write!(f, "{}/{}/..{}", self.ton, self.npi, tail.escape_ascii())
    }
}
