//! What is said of a caller when its call is signed: which number, and how much is known of it (RFC 8588).
//!
//! Pure. Workers sign by it, and a call that might be placed is explained by it.

use runtime::model::{Attestation, Trunk};

use super::number::digits;
use super::snapshot::Snapshot;

/// How much is said of who calls from this number by a trunk.
pub fn of(snapshot: &Snapshot, trunk: &Trunk, number: &str) -> Attestation {
    let is_own = snapshot.owner(number) == Some(trunk.customer);
    let known = if is_own { Attestation::A } else { Attestation::B };
    known.max(trunk.attestation_max)
}

/// The number that is signed, of the one that a vendor is shown. One that a rule has written shorter or longer is the same
/// number in another form, and is signed as the trunk's rules make it (`own`).
pub fn number(own: Option<String>, shown: &str) -> String {
    let same = own.filter(|own| own.ends_with(digits(shown)) || shown.ends_with(own.as_str()));
    same.filter(|_| !shown.starts_with('+')).unwrap_or_else(|| digits(shown).to_owned())
}
