//! Who was called before, as the two headers tell it: Diversion (RFC 5806), the latest first, and
//! History-Info (RFC 7044), the first first, with the causes of RFC 4458. One is made of the other as RFC
//! 7544 maps them.

use std::collections::VecDeque;

use super::VALUES_MAX;
use crate::name_addr::NameAddr;
use crate::syntax::{number, offset_in};
use crate::uri::Uri;

/// Octets of a value that is made here: what is longer would not fit into the line of a header everywhere.
const VALUE_MAX: usize = 4096;
/// Octets of an index.
const INDEX_MAX: usize = 128;

/// Somebody of whom only this is known, that a call was diverted there.
const SOMEBODY: &[u8] = b"sip:unknown@unknown.invalid";

/// Reasons of Diversion, and the causes that stand for them.
static REASONS: [(&[u8], u32); 6] = [
    (b"unconditional", 302),
    (b"user-busy", 486),
    (b"no-answer", 408),
    (b"deflection", 480),
    (b"deflection", 487),
    (b"unavailable", 503),
];
/// The cause of every other reason, and the reason of every other cause.
const UNKNOWN: (&[u8], u32) = (b"unknown", 404);
/// A service's number became that of who serves (RFC 8119): nobody diverted anything.
const TRANSLATED: u32 = 380;

/// Why a call was diverted and how often, as one Diversion value says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diverted<'a> {
    /// The `reason` parameter: `no-answer`, `unconditional`, a quoted string.
    pub reason: Option<&'a [u8]>,
    /// The `counter` parameter; 1 where it is missing (RFC 5806, 5).
    pub counter: u32,
    /// Whether it is to be kept from the called side: `privacy` of another value than `off`; `None` where it
    /// does not say.
    pub withheld: Option<bool>,
}

impl<'a> Diverted<'a> {
    /// The parameters of a Diversion value.
    pub fn of(value: &NameAddr<'a>) -> Self {
        let counter = value.params.get(b"counter").and_then(|param| param.value);
        let counter = counter.and_then(|counter| number(counter).ok()).unwrap_or(1);
        let privacy = value.params.get(b"privacy");
        Self {
            reason: value.params.get(b"reason").map(|param| param.unquoted()),
            counter,
            withheld: privacy.map(|param| !param.unquoted().eq_ignore_ascii_case(b"off")),
        }
    }
}

/// What a value of History-Info says beside its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Targeted<'a> {
    /// Its place among the others: `1.1.2`.
    pub index: &'a [u8],
    /// The place of whom this one was called instead of: the `mp` parameter.
    pub instead_of: Option<&'a [u8]>,
    /// Why: the `cause` parameter of its URI (RFC 4458).
    pub cause: Option<u32>,
    /// Whether it is to be kept from others (RFC 7044, 10.1): Privacy in its URI of another value than
    /// `none`.
    pub withheld: bool,
}

impl<'a> Targeted<'a> {
    /// What a value says; `None` without an index.
    pub fn of(value: &NameAddr<'a>) -> Option<Self> {
        let index = |name: &[u8]| {
            let index = value.params.get(name)?.value?;
            let well_formed = index.iter().all(|octet| octet.is_ascii_digit() || *octet == b'.');
            (well_formed && (1..=INDEX_MAX).contains(&index.len())).then_some(index)
        };
        let (params, headers) = match value.uri().ok()? {
            Uri::Sip(uri) => (uri.params, uri.headers),
            Uri::Tel(uri) => (uri.params, None),
            Uri::Other { .. } => return None,
        };
        let cause = params.get(b"cause").and_then(|param| param.value);
        Some(Self {
            index: index(b"index")?,
            instead_of: index(b"mp"),
            cause: cause.and_then(|cause| number(cause).ok()),
            withheld: headers.is_some_and(|headers| headers.split(|octet| *octet == b'&').any(hides)),
        })
    }
}

/// Whether one header of a URI is a Privacy that asks for something.
fn hides(header: &[u8]) -> bool {
    let mut parts = header.splitn(2, |octet| *octet == b'=');
    let is_privacy = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(b"Privacy"));
    is_privacy && !parts.next().unwrap_or_default().eq_ignore_ascii_case(b"none")
}

/// History-Info of a request to `target` that has these Diversion values: one entry for each who diverted,
/// the first of them first, and one for the target. `None` without any, and where it would be too long.
pub fn history<'a>(diversions: impl IntoIterator<Item = &'a [u8]>, target: &[u8]) -> Option<Vec<u8>> {
    let values = diversions.into_iter().take(VALUES_MAX);
    let values: Vec<_> = values.filter_map(|value| NameAddr::parse(value).ok()).collect();
    if values.is_empty() {
        return None;
    }
    let mut chain = Chain::default();
    for value in values.iter().rev() {
        let diverted = Diverted::of(value);
        // Those before whom nobody has named.
        for _ in (1..diverted.counter).take(VALUES_MAX) {
            chain.put(SOMEBODY, None);
            chain.cause = Some(UNKNOWN.1);
        }
        chain.put(&address(value.uri), diverted.withheld);
        chain.cause = Some(cause_of(diverted.reason.unwrap_or_default()));
    }
    chain.put(&address(target), None);
    (chain.written.len() <= VALUE_MAX).then_some(chain.written)
}

/// Entries of which each was called instead of the one before.
#[derive(Default)]
struct Chain {
    written: Vec<u8>,
    /// Of the last one.
    index: Vec<u8>,
    /// Why the next one is called.
    cause: Option<u32>,
}

impl Chain {
    fn put(&mut self, uri: &[u8], withheld: Option<bool>) {
        // It is too long already.
        if self.written.len() > VALUE_MAX {
            return;
        }
        let before = std::mem::take(&mut self.index);
        let first = before.is_empty();
        self.index = if first { b"1".to_vec() } else { [before.as_slice(), b".1"].concat() };
        let cause = self.cause.take().map(|cause| format!(";cause={cause}")).unwrap_or_default();
        let privacy: &[u8] = match withheld {
            Some(true) => b"?Privacy=history",
            Some(false) => b"?Privacy=none",
            None => b"",
        };
        let instead_of = if first { Vec::new() } else { [b";mp=", before.as_slice()].concat() };
        let comma: &[u8] = if first { b"" } else { b", " };
        let parts =
            [comma, b"<", uri, cause.as_bytes(), privacy, b">;index=", self.index.as_slice(), &instead_of];
        parts.into_iter().for_each(|part| self.written.extend_from_slice(part));
    }
}

/// Diversion of a request that has these History-Info values: one for each entry that was called instead of
/// another, the latest first. `None` where none was, and where it would be too long. Of many values the last
/// ones count.
pub fn diversions<'a>(history: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut entries: VecDeque<(NameAddr<'a>, Targeted<'a>)> = VecDeque::new();
    for value in history {
        let name = NameAddr::parse(value).ok();
        let Some(entry) = name.and_then(|name| Some((name, Targeted::of(&name)?))) else { continue };
        if entries.len() >= VALUES_MAX {
            entries.pop_front();
        }
        entries.push_back(entry);
    }
    let mut written = Vec::new();
    for (at, (_, entry)) in entries.iter().enumerate().rev() {
        let Some(cause) = entry.cause.filter(|cause| *cause != TRANSLATED) else { continue };
        let by = match entry.instead_of {
            Some(index) => entries.iter().find(|(_, by)| by.index == index),
            None => at.checked_sub(1).and_then(|before| entries.get(before)),
        };
        let Some((name, by)) = by else { continue };
        let comma: &[u8] = if written.is_empty() { b"" } else { b", " };
        let privacy: &[u8] = if by.withheld { b"full" } else { b"off" };
        let uri = bare(name.uri).unwrap_or(SOMEBODY);
        let parts = [comma, b"<", uri, b">;reason=", reason_of(cause), b";counter=1;privacy=", privacy];
        parts.into_iter().for_each(|part| written.extend_from_slice(part));
        if written.len() > VALUE_MAX {
            return None;
        }
    }
    (!written.is_empty()).then_some(written)
}

fn cause_of(reason: &[u8]) -> u32 {
    let known = REASONS.iter().find(|(known, _)| known.eq_ignore_ascii_case(reason));
    known.unwrap_or(&UNKNOWN).1
}

fn reason_of(cause: u32) -> &'static [u8] {
    REASONS.iter().find(|(_, known)| *known == cause).unwrap_or(&UNKNOWN).0
}

/// The address of an entry of History-Info: a SIP URI, which alone has causes and headers.
fn address(uri: &[u8]) -> Vec<u8> {
    match Uri::parse(uri) {
        Ok(Uri::Sip(_)) => bare(uri).unwrap_or(SOMEBODY).to_vec(),
        Ok(Uri::Tel(tel)) if tel.is_global() => {
            [b"sip:", tel.number, b"@unknown.invalid;user=phone"].concat()
        }
        Ok(Uri::Tel(_) | Uri::Other { .. }) | Err(_) => SOMEBODY.to_vec(),
    }
}

/// A URI without headers, and without its parameters where a cause is one of them: there is to be one of
/// each.
fn bare(uri: &[u8]) -> Option<&[u8]> {
    let before = |part: &[u8]| offset_in(uri, part).and_then(|at| uri.get(..at));
    let (params, headers) = match Uri::parse(uri).ok()? {
        Uri::Sip(uri) => (uri.params, uri.headers),
        Uri::Tel(uri) => (uri.params, None),
        Uri::Other { .. } => return None,
    };
    if params.get(b"cause").is_some() {
        return before(params.as_octets());
    }
    match headers {
        Some(headers) => before(headers)?.strip_suffix(b"?"),
        None => Some(uri),
    }
}
