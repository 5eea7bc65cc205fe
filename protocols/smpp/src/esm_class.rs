//! esm_class (5.2.12).

/// The esm_class octet, bit fields as 5.2.12 names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EsmClass(pub u8);

/// Bits 5-2: message type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageType {
    /// 0000: an ordinary message.
    Default,
    /// 0001: SMSC delivery receipt (deliver_sm, data_sm from the SMSC).
    DeliveryReceipt,
    /// 0010: delivery acknowledgement of an ESME or SME.
    DeliveryAck,
    /// 0100: manual or user acknowledgement.
    UserAck,
    /// 0110: conversation abort (Korean CDMA).
    ConversationAbort,
    /// 1000: intermediate delivery notification.
    IntermediateNotification,
    /// Any other pattern, its four bits.
    Reserved(u8),
}

const TYPE_MASK: u8 = 0b0011_1100;
const UDHI: u8 = 0b0100_0000;

impl EsmClass {
    /// An ordinary message in the SMSC's default mode.
    pub const DEFAULT: Self = Self(0x00);
    /// What a deliver_sm with a delivery receipt carries.
    pub const DELIVERY_RECEIPT: Self = Self(0x04);
    /// What a deliver_sm with an intermediate notification carries.
    pub const INTERMEDIATE_NOTIFICATION: Self = Self(0x20);

    /// Bits 5-2.
    pub const fn message_type(self) -> MessageType {
        match (self.0 & TYPE_MASK) >> 2 {
            0b0000 => MessageType::Default,
            0b0001 => MessageType::DeliveryReceipt,
            0b0010 => MessageType::DeliveryAck,
            0b0100 => MessageType::UserAck,
            0b0110 => MessageType::ConversationAbort,
            0b1000 => MessageType::IntermediateNotification,
            other => MessageType::Reserved(other),
        }
    }

    /// Whether a deliver_sm or data_sm is a delivery receipt, final or intermediate.
    pub const fn is_delivery_receipt(self) -> bool {
        matches!(self.message_type(), MessageType::DeliveryReceipt | MessageType::IntermediateNotification)
    }

    /// Whether the text starts with a user data header (bit 6).
    pub const fn udhi(self) -> bool {
        self.0 & UDHI != 0
    }

    /// The same octet with the UDHI bit set or cleared.
    #[must_use]
    pub const fn with_udhi(self, udhi: bool) -> Self {
        if udhi { Self(self.0 | UDHI) } else { Self(self.0 & !UDHI) }
    }
}
