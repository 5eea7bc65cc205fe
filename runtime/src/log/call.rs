//! Rows of calls: dialogs that are up, calls that ended, vendors that were tried.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use uuid::{Builder, Uuid};

use crate::clock::Timestamp;
use crate::model::Money;

/// Numbers of the database with their words.
macro_rules! coded {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])+ $variant:ident = $code:literal, $word:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(i16)]
        pub enum $name {
            $($(#[$variant_doc])+ $variant = $code,)+
        }

        impl $name {
            /// Every one, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word in JSON and metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The number in the database.
            #[must_use]
            pub const fn code(self) -> i16 {
                self as i16
            }

            /// The one of a number from the database.
            #[must_use]
            pub const fn from_code(code: i16) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

coded!(
    /// Which way a call goes.
    CallDirection {
        /// Customer to vendor.
        Outbound = 0, "outbound";
        /// Vendor to customer.
        Inbound = 1, "inbound";
    }
);

coded!(
    /// Who ended a call.
    EndedBy {
        /// Whoever sent the INVITE.
        Caller = 0, "caller";
        /// Whoever the INVITE went to.
        Callee = 1, "callee";
        /// This program.
        System = 2, "system";
    }
);

coded!(
    /// Why a call, or an attempt at a vendor, ended as it did.
    Reason {
        /// It was answered, and ended by a BYE.
        Answered = 0, "answered";
        /// 486, 600.
        Busy = 1, "busy";
        /// It rang and nobody answered: 480, or the time to ring was over.
        NoAnswer = 2, "no_answer";
        /// Another final response that says that trying elsewhere is of no use.
        Rejected = 3, "rejected";
        /// The caller sent CANCEL.
        Cancelled = 4, "cancelled";
        /// No response in time.
        Timeout = 5, "timeout";
        /// No vendor for the number.
        NoRoute = 6, "no_route";
        /// A limit of calls, of trunk or vendors.
        Capacity = 7, "capacity";
        /// It lasted as long as a call may.
        MaxDuration = 8, "max_duration";
        /// A side was gone without a BYE.
        DeadCall = 9, "dead_call";
        /// The process that served it was gone; it was closed at its last sign of life.
        Recovered = 10, "recovered";
        /// A person ended it.
        Operator = 11, "operator";
        /// No media relay took it.
        MediaFailed = 12, "media_failed";
        /// The vendor answered with a failure of its own: 5xx, 6xx.
        VendorFailed = 13, "vendor_failed";
        /// The INVITE could not be sent, or came back as undeliverable.
        Unreachable = 14, "unreachable";
        /// Customer, trunk or number may not make this call.
        NotAllowed = 15, "not_allowed";
        /// The sides had agreed to refresh it, and did not (RFC 4028).
        SessionExpired = 16, "session_expired";
    }
);

coded!(
    /// What came of checking the Identity of a call (RFC 8224).
    Verstat {
        /// It was right.
        Passed = 0, "TN-Validation-Passed";
        /// It was wrong.
        Failed = 1, "TN-Validation-Failed";
        /// There was none, or it could not be checked.
        NoValidation = 2, "No-TN-Validation";
    }
);

coded!(
    /// What the signer of a call says of its caller (RFC 8588).
    Attested {
        /// Full.
        A = 0, "A";
        /// Partial.
        B = 1, "B";
        /// Gateway.
        C = 2, "C";
    }
);

/// A call that is up, as another process or the next one needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialog {
    /// Of the dialog and of its CDR: a UUID of version 7.
    pub id: Uuid,
    /// The node that serves it.
    pub node: u16,
    /// When it was answered.
    pub answered_at: Timestamp,
    /// Its last sign of life when this was written.
    pub updated_at: Timestamp,
    /// Whatever serves dialogs knows its form; at most [`DIALOG_STATE_MAX`] octets.
    pub state: Bytes,
}

/// Octets of [`Dialog::state`].
pub const DIALOG_STATE_MAX: usize = 4096;

/// A call that ended, answered or not: one row per call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cdr {
    /// The dialog's id: a UUID of version 7, made when the INVITE came. Pages and retention go by its time.
    pub id: Uuid,
    /// The node that wrote it.
    pub node: u16,
    /// The customer who pays.
    pub customer: Uuid,
    /// The customer's trunk.
    pub trunk: Uuid,
    /// The vendor that had it last.
    pub vendor: Option<Uuid>,
    /// Which way.
    pub direction: CallDirection,
    /// Where the INVITE came from.
    pub source: SocketAddr,
    /// Call-ID of the caller's leg; octets that are not UTF-8 are replaced.
    pub call_id: Arc<str>,
    /// The caller as received.
    pub caller: Arc<str>,
    /// The callee as received.
    pub callee: Arc<str>,
    /// The callee as sent to the last vendor; empty when none was tried.
    pub callee_sent: Arc<str>,
    /// When the INVITE came.
    pub started_at: Timestamp,
    /// First 180 or 183.
    pub ringing_at: Option<Timestamp>,
    /// 200 to the INVITE.
    pub answered_at: Option<Timestamp>,
    /// BYE, final response, or when we gave it up.
    pub ended_at: Timestamp,
    /// Post-dial delay: INVITE to the first 180, 183 or 200, in microseconds.
    pub pdd_us: Option<u64>,
    /// Answer to end, by a monotonic clock; by the wall clock when `recovered`.
    pub duration_ms: u64,
    /// Seconds to bill: `duration_ms` rounded up.
    pub billed_seconds: u32,
    /// Final SIP status towards the caller.
    pub status: u16,
    /// Why it ended.
    pub reason: Reason,
    /// Who ended it.
    pub ended_by: EndedBy,
    /// The prefix that chose the vendor; empty when none was chosen.
    pub prefix: Arc<str>,
    /// The vendor's, per minute; zero when no vendor was chosen.
    pub rate: Money,
    /// Requests and responses that came again until it ended, where they were counted.
    pub retransmissions: Option<u32>,
    /// Cause of Q.850 in the Reason of the final response or the BYE (RFC 3326).
    pub q850_cause: Option<u8>,
    /// Closed by another process than the one that answered it.
    pub recovered: bool,
    /// Vendors tried.
    pub attempts: u16,
    /// What the media node that carried it while it was up counted; `None` where none did.
    pub media: Option<CallMedia>,
    /// What was signed of its caller.
    pub identity: CallIdentity,
}

/// What was signed of the caller of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallIdentity {
    /// What came of checking it; `None` where that was not asked for.
    pub verstat: Option<Verstat>,
    /// What its signer says, where that was right.
    pub received: Option<Attested>,
    /// What was said when it was signed here for its vendor; `None` where it was not.
    pub signed: Option<Attested>,
}

/// What a media node counted of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallMedia {
    /// Number of the node.
    pub node: u8,
    /// What the caller sent.
    pub caller: MediaSent,
    /// What the callee sent.
    pub callee: MediaSent,
}

impl CallMedia {
    /// Whether the node has told anything.
    #[must_use]
    pub const fn is_told(&self) -> bool {
        self.caller.packets.is_some() || self.callee.packets.is_some()
    }
}

/// What one side of a call sent through its media node. Each is `None` where the node has not told it; all but the
/// packets are what those who receive them report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MediaSent {
    /// RTP packets that came from it.
    pub packets: Option<u64>,
    /// Packets of it that were lost.
    pub lost: Option<u64>,
    /// Mean jitter.
    pub jitter_ms: Option<u32>,
    /// Mean opinion score in tenths: 43 is 4.3.
    pub mos_tenths: Option<u8>,
}

/// A vendor tried for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// From 1, in the order of trying.
    pub number: u16,
    /// The vendor.
    pub vendor: Uuid,
    /// Address and transport as tried.
    pub gateway: Arc<str>,
    /// When the INVITE was sent.
    pub started_at: Timestamp,
    /// When the final response came, or the attempt was given up.
    pub ended_at: Timestamp,
    /// INVITE to the first 180, 183 or 200, in microseconds.
    pub pdd_us: Option<u64>,
    /// The vendor's final status; None when it gave none.
    pub status: Option<u16>,
    /// How it ended.
    pub reason: Reason,
}

/// The lowest id of a call that began at this time.
pub(super) fn first_id_at(time: Timestamp) -> Uuid {
    let ms = u64::try_from(time.micros() / 1000).unwrap_or(0);
    Builder::from_unix_timestamp_millis(ms, &[0; 10]).into_uuid()
}
