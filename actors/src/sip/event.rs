//! What a worker tells of calls: to those who keep time and money.

use std::net::SocketAddr;
use std::sync::Arc;

use runtime::log::{CallIdentity, Reason};
use runtime::model::Money;
use sip::StatusCode;
use uuid::Uuid;

use super::anchor::Counted;
use super::dialog::{Dialog, End};
use super::routing::Direction;
use super::snapshot::Snapshot;
use super::transactions::Now;
use super::usage::Channel;

/// Something that happened to a call.
#[derive(Debug)]
pub struct CallEvent {
    /// The call: its dialog's number.
    pub dialog: Uuid,
    /// When.
    pub at: Now,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug)]
pub enum What {
    /// An INVITE was admitted.
    Started(Box<Started>),
    /// An attempt at a vendor came to its end, or was answered.
    Attempted(Box<Attempted>),
    /// The caller was given a 2xx.
    Answered(Box<Answered>),
    /// The dialog has new targets or routes.
    Refreshed(Arc<Dialog>),
    /// It is over, or never began.
    Ended(Ended),
    /// Its media node was told that it is over, and has said what it counted.
    Media(Counted),
}

/// A call that begins.
#[derive(Debug)]
pub struct Started {
    /// The configuration that it was planned by, and its places in it.
    pub snapshot: Arc<Snapshot>,
    /// The trunk, by place.
    pub trunk: u32,
    /// Which way.
    pub direction: Direction,
    /// Where the INVITE came from.
    pub source: SocketAddr,
    /// Call-ID, what is not UTF-8 replaced.
    pub call_id: String,
    /// The number that calls, as it came.
    pub caller: String,
    /// The number called, as it came.
    pub callee: String,
    /// Whether it was up before this process began, and left no record.
    pub recovered: bool,
    /// The trunk's channel that the call has.
    pub channel: Option<Channel>,
}

/// An attempt at a vendor.
#[derive(Debug)]
pub struct Attempted {
    /// Counted from 0.
    pub attempt: u8,
    /// The vendor, by place and by key.
    pub vendor: u32,
    /// Its primary key.
    pub vendor_id: Option<Uuid>,
    /// Where the INVITE went.
    pub address: SocketAddr,
    /// The number as it was sent to the vendor.
    pub callee: String,
    /// The vendor's rate of a minute.
    pub rate: Money,
    /// The prefix of that rate: digits of the number before the vendor's rules.
    pub prefix: String,
    /// Whether the number is in the list of high-cost destinations.
    pub high_cost: bool,
    /// When the INVITE went.
    pub started: Now,
    /// When the first answer other than 100 came.
    pub ringing: Option<Now>,
    /// The outcome.
    pub status: StatusCode,
    /// Whether the vendor said so; else it was silent, or could not be reached.
    pub received: bool,
    /// What was signed of the caller: when it came, and for this vendor.
    pub identity: CallIdentity,
}

/// A call that is up.
#[derive(Debug)]
pub struct Answered {
    /// The dialog as it stands.
    pub dialog: Arc<Dialog>,
    /// The vendor's channel.
    pub channel: Option<Channel>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The final status that the caller got; 200 of a call that was up.
    pub status: StatusCode,
    /// Why.
    pub reason: Reason,
    /// Who ended it; `None` is we.
    pub by: Option<End>,
    /// Requests and responses of it that came again, where they were counted.
    pub retransmissions: Option<u32>,
    /// The cause that the final response, or the BYE, gave (RFC 3326, Q.850).
    pub q850_cause: Option<u8>,
    /// The media node that is asked what it has counted of it; [`What::Media`] comes of that.
    pub media: Option<u8>,
    /// What was signed of the caller of a call that never came up; of another its attempts have told.
    pub identity: CallIdentity,
}

impl Ended {
    /// An end of which no more is known.
    pub const fn new(status: StatusCode, reason: Reason, by: Option<End>) -> Self {
        let identity = CallIdentity { verstat: None, received: None, signed: None };
        Self { status, reason, by, retransmissions: None, q850_cause: None, media: None, identity }
    }
}
