//! One function per parser, taking any octets and asserting what must hold of them. The fuzz targets, the corpus test
//! and property tests call these.

use crate::certificate::{Authorities, Certificate};
use crate::identity::{Identity, VALUE_MAX};
use crate::verify::{About, FRESH_FOR, Signed};
use crate::{canonical, date};

/// 9999-12-31 23:59:59: four digits of a year have no later one (RFC 5280, 4.1.2.5).
const LAST_SECOND: u64 = 253_402_300_799;
/// The time of the corpus.
const NOW: u64 = 1_790_000_000;

/// An Identity value, of a call between the numbers of the corpus.
pub fn identity(octets: &[u8]) {
    let Ok(identity) = Identity::parse(octets) else { return };
    assert!(octets.len() <= VALUE_MAX, "longer than any");
    assert!(!identity.token.is_empty() && !identity.info.is_empty(), "without what it needs");
    let (orig, dest) = (["12155551212".to_owned()], ["12125551213".to_owned()]);
    let about = About { orig: &orig, dest: &dest, date: Some(NOW), now: NOW };
    let Ok(signed) = Signed::read(&identity, &about) else { return };
    assert_eq!(signed.x5u(), identity.info, "another certificate than in clear");
    let later = About { now: NOW + 2 * FRESH_FOR + 1, ..about };
    assert!(Signed::read(&identity, &later).is_err(), "fresh for ever");
    let others = About { orig: &dest, dest: &orig, ..about };
    // The short form is about any call, and its signature decides.
    let is_short = identity.token.starts_with("..");
    assert!(is_short || Signed::read(&identity, &others).is_err(), "about two calls");
}

/// A chain of certificates.
pub fn chain(octets: &[u8]) {
    let nobody = Authorities::default();
    assert!(nobody.certificate(octets, NOW).is_err(), "trusted by nobody");
    let _ = Authorities::parse(octets);
    if let Ok(own) = Certificate::own(octets) {
        assert!(own.not_after() <= LAST_SECOND, "later than any date");
        assert!(!own.has_signed(octets, &[0; 64]), "a signature of nothing");
        let _ = own.may_sign("12155551212");
    }
}

/// A user part, and a Date.
pub fn words(octets: &[u8]) {
    if let Some(number) = canonical(octets) {
        assert_eq!(canonical(number.replace('#', "%23").as_bytes()), Some(number), "two forms");
    }
    if let Some(seconds) = date::parse(octets) {
        assert_eq!(date::parse(date::write(seconds).as_bytes()), Some(seconds), "another date");
    }
}

#[cfg(test)]
mod tests;
