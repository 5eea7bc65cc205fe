//! What a proxy decides (RFC 3261 16.7 to 16.10): which vendor comes next, which response goes upstream, when a
//! call is cancelled. Nothing here parses a message or knows a vendor.
//!
//! A [`ResponseContext`] belongs to one INVITE and its serial fork, a [`ForkContext`] to one and its parallel fork; a
//! [`Context`] is either. It is told what its client transactions, its
//! timers and its caller did ([`Input`]) and says what to do ([`Step`]). The caller performs the steps from a
//! queue: what comes of one, such as a vendor that cannot be reached, is the next input and never a call within
//! the first, and every new vendor costs one of a fixed number of attempts.

pub mod best;
pub mod context;
pub mod failover;
pub mod fork;
pub mod forward;
pub mod response_context;

pub use context::Context;
pub use failover::{FailoverOptions, StatusSet};
pub use fork::ForkContext;
pub use response_context::ResponseContext;

use std::time::Duration;

use crate::status::StatusCode;
use crate::transaction::{Failure, TIME_MAX};

/// The least timer C, which must be larger than 3 minutes (16.6 step 11); less counts as this.
pub const TIMER_C_MIN: Duration = Duration::from_secs(181);

/// Attempts that one call may have, whatever [`FailoverOptions::attempts_max`] says.
pub const ATTEMPTS_MAX: usize = 16;

/// Settings of the attempt that is under way: its vendor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long a vendor may ring without a new provisional response; [`TIMER_C_MIN`] to
    /// [`TIME_MAX`](crate::transaction::TIME_MAX).
    pub timer_c: Duration,
    /// Forward a 503 where every vendor gave that. Otherwise it becomes 500: upstream it would say that this
    /// node is overloaded (16.7 step 6).
    pub pass_503: bool,
    /// When the next vendor is tried.
    pub failover: FailoverOptions,
}

impl Default for Options {
    /// Timer C of 3 minutes and 5 seconds; 503 becomes 500.
    fn default() -> Self {
        Self { timer_c: Duration::from_secs(185), pass_503: false, failover: FailoverOptions::default() }
    }
}

impl Options {
    /// Timer C within its bounds.
    fn bounded_timer_c(&self) -> Duration {
        self.timer_c.clamp(TIMER_C_MIN, TIME_MAX)
    }
}

/// One attempt at a vendor, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BranchId(u8);

impl BranchId {
    /// The branch of attempt `index`; no context has one from [`ATTEMPTS_MAX`] on.
    pub const fn new(index: u8) -> Self {
        Self(index)
    }

    /// Which attempt it is.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Timers of a response context. Of each at most one is armed for a branch that is being tried: serially, of one branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyTimer {
    /// No new provisional response for too long (16.8).
    C,
    /// The vendor's own patience: nothing but 100 yet.
    Pdd,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The vendor asked for by [`Step::NextVendor`] was chosen and the client transaction of its INVITE begins.
    /// Goes before every response of the branch; where the transaction fails first, it may be left out.
    Started {
        /// As in the step.
        branch: BranchId,
        /// How long this vendor may give no sign of ringing; `None` waits as long as the transaction does. More
        /// than [`TIME_MAX`](crate::transaction::TIME_MAX) counts as that.
        pdd: Option<Duration>,
    },
    /// No vendor is left. The status goes upstream where none was tried at all; one below 300 counts as 500.
    NoVendor(StatusCode),
    /// The client transaction passed a response, late ones too.
    Response {
        /// Whose.
        branch: BranchId,
        /// Of the response.
        status: StatusCode,
        /// Whether it has a session description.
        sdp: bool,
    },
    /// The client transaction failed.
    Failed {
        /// Which.
        branch: BranchId,
        /// How.
        failure: Failure,
    },
    /// The client transaction ended; the last that is heard of it.
    Terminated(BranchId),
    /// A timer fired.
    Timer(ProxyTimer, BranchId),
    /// The caller cancelled; its CANCEL was answered with 200 in its own transaction.
    Cancel,
}

/// What to do, in the order given. "Upstream" is towards the caller, through the server transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Choose a vendor for this attempt and give [`Input::Started`] or [`Input::NoVendor`], also when other steps
    /// or inputs came in between. Where [`ResponseContext::is_done`] by the time the vendor is known, because the
    /// caller cancelled or a vendor given up before answered, begin nothing and give [`Input::NoVendor`].
    NextVendor(BranchId),
    /// Relay the response in hand: a provisional one or a 2xx.
    Forward(BranchId, StatusCode),
    /// Keep the response in hand: it may be forwarded. The one kept before is no longer needed.
    Keep(BranchId),
    /// Relay the kept response of this branch as the final one.
    ForwardKept(BranchId, StatusCode),
    /// Make this final response and send it upstream.
    Respond(StatusCode),
    /// Give `Event::Cancel` to the client transaction of this branch. It may have ended just before, and be freed:
    /// then there is nothing to do.
    Cancel(BranchId),
    /// The response in hand is a 2xx that the caller shall not have: acknowledge it, and end the call there with
    /// a BYE, one for each To tag of the branch. With a tag that was ended already the ACK was lost: acknowledge
    /// again, without a BYE. A vendor that forks makes several calls of one branch. Nothing of it goes upstream.
    EndAtVendor(BranchId),
    /// Arm this timer for this branch, in place of the one of that name that it has.
    Arm(ProxyTimer, BranchId, Duration),
    /// Disarm this timer, of whichever branch it is: only one is tried.
    Disarm(ProxyTimer),
    /// Disarm this timer of this branch; others may be tried beside it.
    DisarmOf(ProxyTimer, BranchId),
    /// Nothing more will come: free the context.
    Finished,
}
