//! registered_delivery (5.2.17).

/// The registered_delivery octet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RegisteredDelivery(pub u8);

impl RegisteredDelivery {
    /// No receipt.
    pub const NONE: Self = Self(0x00);
    /// A receipt on success and on failure.
    pub const ALWAYS: Self = Self(0x01);

    /// Whether a final receipt is wanted when the message is delivered.
    pub const fn receipt_on_success(self) -> bool {
        matches!(self.0 & 0b11, 0b01 | 0b11)
    }

    /// Whether a final receipt is wanted when the message fails.
    pub const fn receipt_on_failure(self) -> bool {
        matches!(self.0 & 0b11, 0b01 | 0b10)
    }

    /// Whether no final receipt is wanted.
    pub const fn none(self) -> bool {
        self.0 & 0b11 == 0
    }

    /// Whether intermediate notifications are wanted (bit 4).
    pub const fn intermediate_notification(self) -> bool {
        self.0 & 0b1_0000 != 0
    }
}
