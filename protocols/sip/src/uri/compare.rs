//! Equality of URIs (RFC 3261, 19.1.4; RFC 3966, 4).

use memchr::memchr_iter;

use super::{SipUri, TelUri, Uri};
use crate::params::{Param, Params};

/// Parameters that make URIs differ when only one of them has it, whatever its value.
const DISTINGUISHING: [&[u8]; 5] = [b"user", b"ttl", b"method", b"maddr", b"transport"];

/// Parameters, or headers, that are compared one with another; with more of them URIs are the same only where these
/// stand there alike.
pub(super) const PARAMS_MAX: usize = 32;

impl Uri<'_> {
    /// Whether both name the same resource. Other schemes are compared octet by octet, the scheme without
    /// case.
    pub fn is_equivalent(&self, other: &Uri<'_>) -> bool {
        match (self, other) {
            (Uri::Sip(one), Uri::Sip(other)) => one.is_equivalent(other),
            (Uri::Tel(one), Uri::Tel(other)) => one.is_equivalent(other),
            (Uri::Other { scheme, rest }, Uri::Other { scheme: other, rest: other_rest }) => {
                scheme.eq_ignore_ascii_case(other) && rest == other_rest
            }
            (Uri::Sip(_) | Uri::Tel(_) | Uri::Other { .. }, _) => false,
        }
    }
}

impl SipUri<'_> {
    /// Equality by 19.1.4. It is not transitive: a parameter that only one of two has is mostly ignored.
    pub fn is_equivalent(&self, other: &SipUri<'_>) -> bool {
        self.secure == other.secure
            && same_text(self.user, other.user)
            && same_text(self.password, other.password)
            && self.host.is(other.host)
            && self.port == other.port
            && compared(self.params, other.params, params_match)
            && headers_match(self.headers, other.headers)
    }
}

impl TelUri<'_> {
    /// Equality by RFC 3966, 4: digits without visual separators, and the same parameters.
    pub fn is_equivalent(&self, other: &TelUri<'_>) -> bool {
        let lower = |octet: u8| octet.to_ascii_lowercase();
        let contained = |one: Params<'_>, other: Params<'_>| {
            one.iter().flatten().all(|param| is_among(param, other) == Some(true))
        };
        self.is_global() == other.is_global()
            && self.digits().map(lower).eq(other.digits().map(lower))
            && compared(self.params, other.params, contained)
    }
}

fn same_text(one: Option<&[u8]>, other: Option<&[u8]>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => unescaped(one).eq(unescaped(other)),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

/// Both directions of `contained`, where there are few enough.
fn compared(one: Params<'_>, other: Params<'_>, contained: impl Fn(Params<'_>, Params<'_>) -> bool) -> bool {
    let few = |params: Params<'_>| params.iter().take(PARAMS_MAX + 1).count() <= PARAMS_MAX;
    one.as_octets() == other.as_octets()
        || few(one) && few(other) && contained(one, other) && contained(other, one)
}

/// One direction: whatever `one` has matches in `other`, or may be absent there. A name that comes twice matches
/// by any of its values.
fn params_match(one: Params<'_>, other: Params<'_>) -> bool {
    one.iter().flatten().all(|param| match is_among(param, other) {
        Some(same) => same,
        None => !DISTINGUISHING.iter().any(|name| same_nocase(param.name, name)),
    })
}

/// Whether `params` have this one with its value; `None` when they do not have its name.
fn is_among(param: Param<'_>, params: Params<'_>) -> Option<bool> {
    let named = params.iter().flatten().filter(|other| same_nocase(param.name, other.name));
    named.fold(None, |found, other| Some(found == Some(true) || same_value(param, other)))
}

fn same_value(one: Param<'_>, other: Param<'_>) -> bool {
    match (one.value, other.value) {
        (Some(one), Some(other)) => same_nocase(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

pub(crate) fn same_nocase(one: &[u8], other: &[u8]) -> bool {
    let lower = |(octet, escaped): (u8, bool)| (octet.to_ascii_lowercase(), escaped);
    unescaped(one).map(lower).eq(unescaped(other).map(lower))
}

/// Headers are never ignored; their order is.
fn headers_match(one: Option<&[u8]>, other: Option<&[u8]>) -> bool {
    let one = one.unwrap_or_default();
    let other = other.unwrap_or_default();
    let contained = |one: &[u8], other: &[u8]| {
        let mut fields = one.split(|&octet| octet == b'&');
        fields.all(|field| other.split(|&octet| octet == b'&').any(|found| same_header(field, found)))
    };
    let few = |headers: &[u8]| memchr_iter(b'&', headers).take(PARAMS_MAX).count() < PARAMS_MAX;
    one == other || few(one) && few(other) && contained(one, other) && contained(other, one)
}

fn same_header(one: &[u8], other: &[u8]) -> bool {
    let mut one = one.splitn(2, |&octet| octet == b'=');
    let mut other = other.splitn(2, |&octet| octet == b'=');
    let names = same_nocase(one.next().unwrap_or_default(), other.next().unwrap_or_default());
    names && same_text(one.next(), other.next())
}

/// The octets with `%HH` replaced by what it stands for, never twice (RFC 4475, 3.1.1.3), and whether it is an escape
/// that means something else than its octet: only those outside the reserved set are the same (19.1.4).
fn unescaped(octets: &[u8]) -> impl Iterator<Item = (u8, bool)> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        if let [b'%', high, low, after @ ..] = rest
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            rest = after;
            let octet = high << 4 | low;
            return Some((octet, b";/?:@&=+$,".contains(&octet)));
        }
        let (first, after) = rest.split_first()?;
        rest = after;
        Some((*first, false))
    })
}

const fn hex(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        _ => None,
    }
}
