//! Rows of the message log.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
pub enum Direction {
    /// Mobile terminated: customer to vendor.
    Mt = 0,
    /// Mobile originated: vendor to customer.
    Mo = 1,
}

/// What a message waits for, or how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i16)]
pub enum State {
    /// Accepted, its delivery time is to come.
    Scheduled = 0,
    /// Accepted, waits for a vendor bind.
    Queued = 1,
    /// The attempt is durable; the bytes may have left.
    Submitted = 2,
    /// The vendor's answer was lost: nobody knows whether it has the message.
    Uncertain = 3,
    /// The vendor has it; the receipt is to come.
    Enroute = 4,
    /// We split it; its parts have rows of their own.
    Split = 5,
    /// Final: reached the handset (MT) or the customer (MO).
    Delivered = 10,
    /// Final: its validity ended first.
    Expired = 11,
    /// Final: cancelled by the customer.
    Deleted = 12,
    /// Final: the vendor says it cannot be delivered.
    Undeliverable = 13,
    /// Final: the vendor accepted it and nobody asked for a receipt (MT), or we took it for the customer's
    /// outbox (MO).
    Accepted = 14,
    /// Final: no one knows.
    Unknown = 15,
    /// Final: refused by the vendor or by us after acceptance.
    Rejected = 16,
}

impl State {
    /// Every state, in the order of its number.
    pub const ALL: [Self; 13] = [
        Self::Scheduled,
        Self::Queued,
        Self::Submitted,
        Self::Uncertain,
        Self::Enroute,
        Self::Split,
        Self::Delivered,
        Self::Expired,
        Self::Deleted,
        Self::Undeliverable,
        Self::Accepted,
        Self::Unknown,
        Self::Rejected,
    ];

    /// The number in the database.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The state of a number from the database.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// True when nothing more will happen to the message.
    #[must_use]
    pub const fn is_final(self) -> bool {
        self.code() >= 10
    }

    /// True for the states that [`LogStore::live`](super::LogStore::live) pages through: the log keeps them by id.
    #[must_use]
    pub const fn is_paged(self) -> bool {
        matches!(self, Self::Scheduled | Self::Queued | Self::Submitted | Self::Uncertain | Self::Split)
    }

    /// True for the states whose deadlines the log keeps in order.
    #[must_use]
    pub const fn is_timed(self) -> bool {
        matches!(self, Self::Scheduled | Self::Queued | Self::Uncertain | Self::Enroute | Self::Split)
    }

    /// The word for logs and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Submitted => "submitted",
            Self::Uncertain => "uncertain",
            Self::Enroute => "enroute",
            Self::Split => "split",
            Self::Delivered => "delivered",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
            Self::Undeliverable => "undeliverable",
            Self::Accepted => "accepted",
            Self::Unknown => "unknown",
            Self::Rejected => "rejected",
        }
    }
}

/// What to do with a message whose vendor response was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(i16)]
pub enum Uncertain {
    /// Never send again; a final receipt at the deadline. The message reaches the SMSC at most once.
    #[default]
    Hold = 0,
    /// Send again. The message reaches the SMSC at least once.
    Retry = 1,
}

impl Uncertain {
    /// The policy of a number from the database.
    #[must_use]
    pub const fn from_code(code: i16) -> Self {
        if code == 1 { Self::Retry } else { Self::Hold }
    }
}

/// The part of a message row that changes. A change always carries all of it, so the last one wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What the message waits for.
    pub state: State,
    /// The vendor account that has it, had it last, or in whose queue it stands.
    pub vendor: Option<Uuid>,
    /// The route that chose the vendor.
    pub route: Option<Uuid>,
    /// Policy of that route.
    pub uncertain: Uncertain,
    /// Attempts whose bytes may have left.
    pub attempts: u16,
    /// Unix microseconds of the vendor's acceptance.
    pub submitted_at: Option<i64>,
    /// Unix microseconds of the final state.
    pub done_at: Option<i64>,
    /// Unix microseconds at which something is due: schedule, expiry, end of uncertainty. None when final.
    pub deadline: Option<i64>,
    /// The vendor's message id as received.
    pub vendor_message_id: Option<Arc<str>>,
    /// Hash of vendor account and id, while a receipt may come.
    pub dlr_hash: Option<i64>,
    /// The vendor's last `command_status`.
    pub command_status: Option<u32>,
    /// The receipt's error code, or why we ended it ourselves.
    pub error: Option<Arc<str>>,
}

/// What replace_sm, or being made ready for a vendor, changes of a message that has not been sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// As in [`MessageRow`].
    pub alphabet: u8,
    /// As in [`MessageRow`].
    pub registered_delivery: u8,
    /// As in [`MessageRow`].
    pub expires_at: i64,
    /// As in [`MessageRow`].
    pub frame: Bytes,
}

/// A message row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRow {
    /// Our id; its high bits are the time of acceptance.
    pub id: i64,
    /// MT or MO.
    pub direction: Direction,
    /// The customer who pays.
    pub customer: Uuid,
    /// The ESME account it came from or goes to.
    pub account: Uuid,
    /// The message of which this is a part, when we split it.
    pub parent: Option<i64>,
    /// Number of the part, from 1; 0 for a whole message.
    pub part: u8,
    /// The id that the customer knows it by, when that is another message's: submit_multi answers one id for all
    /// its destinations.
    pub answered_as: Option<i64>,
    /// Segments that it counts for.
    pub segments: u8,
    /// Source address, octets as Latin-1 characters.
    pub source: Arc<str>,
    /// Destination address, octets as Latin-1 characters.
    pub destination: Arc<str>,
    /// What data_coding 0 means in `frame`; a number of the messaging layer.
    pub alphabet: u8,
    /// registered_delivery as the customer sent it.
    pub registered_delivery: u8,
    /// Lane 0 to 3.
    pub priority: u8,
    /// Unix microseconds.
    pub accepted_at: i64,
    /// Unix microseconds: end of validity.
    pub expires_at: i64,
    /// Prepaid hold in nano-units of money; granted in the same commit as the message.
    pub hold: i64,
    /// What changes.
    pub progress: Progress,
    /// The whole PDU as it came (or, for a part, as it was made).
    pub frame: Bytes,
}

/// What belongs to a message that came by the REST interface: how a repetition of its request is known, and where its
/// receipts go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The message.
    pub message: i64,
    /// Who asked, and the `Idempotency-Key` of the request: keys of one mean nothing to another.
    pub key: Option<Arc<str>>,
    /// Number of the message in its request, from 0.
    pub item: u16,
    /// Hash of the whole request.
    pub hash: Arc<[u8]>,
    /// Where receipts of this message are sent instead of to the webhook of its account.
    pub callback_url: Option<Arc<str>>,
}

/// Kind of a `deliver_sm` owed to a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
pub enum OutboxKind {
    /// A delivery receipt.
    Receipt = 0,
    /// A mobile originated message.
    Mo = 1,
}

/// A `deliver_sm` owed to a customer until it acknowledges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Our id, in the order of arrival.
    pub id: i64,
    /// The ESME account it goes to.
    pub account: Uuid,
    /// The message it speaks of.
    pub message: i64,
    /// Receipt or MO.
    pub kind: OutboxKind,
    /// True when memory does not hold it.
    pub spilled: bool,
    /// Unix microseconds after which it is given up.
    pub expires_at: i64,
    /// Body of the `deliver_sm`.
    pub body: Bytes,
}

/// A receipt that matched no message yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedRow {
    /// Our id.
    pub id: i64,
    /// The vendor account that sent it.
    pub vendor: Uuid,
    /// Unix microseconds.
    pub received_at: i64,
    /// Body of the `deliver_sm`.
    pub body: Bytes,
}
