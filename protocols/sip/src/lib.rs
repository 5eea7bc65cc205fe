//! SIP (RFC 3261): messages, views of their headers and of the session descriptions in them (RFC 8866), edits,
//! validation, framing; transactions, their timers and a proxy's decisions.
//!
//! Everything here is a function of its arguments. This crate must not know sockets, clocks, randomness, logs,
//! metrics, actors, databases, customers, trunks, vendors, routes or prices; it does not know `runtime`.
//!
//! Octets become a [`Message`] first: an index of where everything is, without a copy and for a usual message
//! without an allocation. Values are read by borrowed views on demand, liberal in; what is written is strict.
//! A message that is passed on is not written anew: [`Edits`] splice what a proxy changes into the octets that
//! came, and all others stay as they are. Whether a message is good enough is asked apart from reading it, of
//! [`validate`].
//!
//! Sections are those of RFC 3261 unless another one is named.

pub mod cseq;
pub mod digest;
pub mod edit;
pub mod framing;
#[cfg(any(test, fuzzing))]
pub mod fuzz_entry;
pub mod header;
pub mod identity;
pub mod limits;
pub mod list;
pub mod message;
pub mod method;
pub mod name_addr;
pub mod params;
pub mod proxy;
pub mod rack;
pub mod reason;
pub mod register;
pub mod sdp;
pub mod session_expires;
pub mod status;
mod syntax;
pub mod timer_wheel;
pub mod transaction;
pub mod uri;
pub mod validate;
pub mod via;
pub mod write;

pub use cseq::CSeq;
pub use edit::{EditError, Edits};
pub use framing::{FrameError, Framed, Framer};
pub use header::HeaderId;
pub use limits::Limits;
pub use list::List;
pub use message::{Defect, Message, NotSip, StartLine};
pub use method::Method;
pub use name_addr::NameAddr;
pub use params::{Param, Params};
pub use rack::RAck;
pub use reason::Reason;
pub use sdp::{Sdp, SdpBody, SdpError};
pub use session_expires::SessionExpires;
pub use status::StatusCode;
pub use syntax::SyntaxError;
pub use uri::{Host, SipUri, TelUri, Uri};
pub use validate::Fault;
pub use via::Via;
pub use write::{Body, Request, Response, WriteError};
