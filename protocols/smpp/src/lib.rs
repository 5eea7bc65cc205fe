//! SMPP 3.4 with the TLVs and statuses of 5.0: framing, PDUs, session rules, request window, text, receipts, times.
//!
//! Everything here is a function of its arguments. This crate must not know sockets, clocks, randomness,
//! logs, metrics, actors, databases, customers, vendors, routes or prices; it does not know `runtime`, and
//! the time it needs comes in as an `Instant` or as microseconds since the epoch.
//!
//! Bytes become a [`Frame`] first, always by `command_length` ([`frame::split`]), so that one bad field costs
//! its sender one error response and never the stream. Fields are then read from the frame's body by the
//! borrowed structs of [`pdu`]: liberal in, strict out. The frame itself stays available for exact relay.
//!
//! Sections are those of "Short Message Peer to Peer Protocol Specification v3.4", issue 1.2, unless 5.0 is
//! named.

pub mod command;
pub mod data_coding;
pub mod dlr;
pub mod esm_class;
pub mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzz_entry;
pub mod pdu;
pub mod registered_delivery;
pub mod segment;
pub mod session;
pub mod status;
pub mod text;
pub mod time;
pub mod tlv;
pub mod udh;
pub mod window;

#[cfg(test)]
mod wire;

pub use command::CommandId;
pub use data_coding::DataCoding;
pub use esm_class::EsmClass;
pub use frame::{Frame, FrameError, HEADER_LEN, Header};
pub use pdu::{EncodeError, FieldError};
pub use registered_delivery::RegisteredDelivery;
pub use status::CommandStatus;
pub use tlv::{Tag, TlvBuf, Tlvs};
