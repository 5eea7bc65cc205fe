//! RTPEngine's ng control protocol: commands that offer, answer and delete calls, and what is replied to
//! them.
//!
//! One message is one datagram: a cookie, a space and a dictionary in bencode. A reply repeats the cookie
//! of its command. RTPEngine keeps the replies of the last while by cookie: the same command under the same
//! cookie is answered again and not done again. So a cookie is never used for another command, see
//! [`Cookies`].
//!
//! Everything here is a function of its arguments. This crate must not know sockets, clocks, randomness,
//! logs, SIP, or which of several nodes is asked. The second form of ng, JSON, is neither read nor written.
//!
//! Keys and texts are those of RTPEngine's documentation; what release 10.5 does not know yet is said at
//! its field.

pub mod bencode;
pub mod command;
pub mod cookie;
#[cfg(any(test, fuzzing))]
pub mod fuzz_entry;
pub mod reply;
pub mod request;
#[cfg(test)]
mod testing;

pub use bencode::{Value, Writer};
pub use command::{Command, Leg, MediaOptions, Part};
pub use cookie::{Cookie, Cookies};
pub use reply::{Meaning, Reply};
pub use request::Request;
