//! STIR/SHAKEN: who calls, signed by the carrier that knows it (RFC 8224, RFC 8225, RFC 8588, ATIS-1000074), and the
//! certificates that it is signed with (RFC 8226).
//!
//! A carrier signs a PASSporT: the number that calls, the number called, the time, and how much it knows of the caller
//! ([`Attestation`]). It goes along in the Identity header of the INVITE. Who gets the call reads the header
//! ([`Signed::read`]), holds what it says against the call, fetches the certificate that it names, and checks the
//! signature ([`Signed::check`]). The certificate has to lead to an authority that is trusted ([`Authorities`]).
//!
//! Everything here is a function of its arguments. This crate must not know sockets, clocks, logs, SIP messages or where
//! certificates come from; the randomness of a signature is given to it. PASSporTs that say more than `shaken` does
//! (`div`, `rph`, `rcd`) are not read.

pub mod attestation;
pub mod certificate;
pub mod date;
pub mod failure;
#[cfg(any(test, fuzzing))]
pub mod fuzz_entry;
pub mod identity;
pub mod number;
pub mod passport;
pub mod sign;
#[cfg(test)]
mod testing;
pub mod verify;

pub use attestation::Attestation;
pub use certificate::{Authorities, Certificate};
pub use failure::Failure;
pub use identity::Identity;
pub use number::canonical;
pub use passport::{Claims, Header, Party, Shaken};
pub use sign::Signer;
pub use verify::{About, Signed, Verified};
