//! Names of people as a hidden side has them: who they are, at our address. Beside the number and the host a
//! name may tell a network by its parameters (RFC 3966, RFC 4904), so that those pass which are known not to.

use sip::{Host, NameAddr, Params, SipUri, Uri};

use super::is_ours;
use crate::sip::dialog::unfolded;
use crate::sip::settings::Settings;

/// Parameters of a number that say more of it.
const OF_NUMBER: [&[u8]; 9] =
    [b"npdi", b"rn", b"cic", b"isub", b"ext", b"cpc", b"oli", b"isup-oli", b"verstat"];
/// Those that pass where they are numbers: else they are names of networks.
const CONTEXTS: [&[u8]; 3] = [b"phone-context", b"rn-context", b"cic-context"];

/// Parameters of a URI.
const OF_URI: [&[u8]; 8] = [b"user", b"method", b"cause", b"npi", b"noa", b"cpc", b"isup-oli", b"verstat"];

/// Parameters behind a name.
const OF_HEADER: [&[u8]; 17] = [
    b"tag",
    b"party",
    b"screen",
    b"privacy",
    b"id-type",
    b"reason",
    b"counter",
    b"limit",
    b"index",
    b"rc",
    b"mp",
    b"np",
    b"npi",
    b"noa",
    b"cpc",
    b"sescase",
    b"regstate",
];

/// From or To as a side has it that is not shown whose it is; `None` where it says nothing that is not to be
/// told, and where it cannot be read at all.
#[must_use]
pub fn with_host(settings: &Settings, name: &[u8], ours: &str) -> Option<Box<[u8]>> {
    let name = unfolded(name);
    let parsed = NameAddr::parse(&name).ok()?;
    let written = anew(settings, &parsed, ours).unwrap_or_else(|| {
        // Nobody can be reached by it, but the tag is needed.
        let tag = parsed.tag.map(|tag| [b";tag=", tag].concat()).unwrap_or_default();
        [b"<sip:unknown@", ours.as_bytes(), b">", &tag].concat()
    });
    (written != *name).then(|| written.into_boxed_slice())
}

/// A name with our address; `None` for a URI of a kind that we do not know.
pub(super) fn anew(settings: &Settings, name: &NameAddr<'_>, ours: &str) -> Option<Vec<u8>> {
    let uri = match name.uri().ok()? {
        Uri::Sip(uri) => of_sip(settings, name.uri, &uri, ours)?,
        Uri::Tel(uri) => {
            let start = [before(name.uri, b':')?, uri.number].concat();
            with_params(start, uri.params, is_of_number)
        }
        Uri::Other { .. } => return None,
    };
    let display = name.display.map(|display| [display, b" "].concat()).unwrap_or_default();
    let written = if name.bracketed { [&display[..], b"<", &uri, b">"].concat() } else { uri };
    Some(with_params(written, name.params, |name, _| is_one_of(&OF_HEADER, name)))
}

/// `uri` is what was read of `text`.
fn of_sip(settings: &Settings, text: &[u8], uri: &SipUri<'_>, ours: &str) -> Option<Vec<u8>> {
    let mut written = before(text, b':')?.to_vec();
    if let Some(user) = uri.user {
        let end = user.iter().position(|octet| *octet == b';').unwrap_or(user.len());
        let (number, params) = user.split_at_checked(end)?;
        written.extend_from_slice(number);
        written = with_params(written, Params::new(params), is_of_number);
        written.push(b'@');
    }
    let host = if is_nobody(uri.host) || is_ours(settings, uri) { host_of(text)? } else { ours.as_bytes() };
    written.extend_from_slice(host);
    let mut written = with_params(written, uri.params, |name, _| is_one_of(&OF_URI, name));
    let headers = uri.headers.unwrap_or_default().split(|octet| *octet == b'&');
    for (at, header) in headers.filter_map(header).enumerate() {
        written.push(if at == 0 { b'?' } else { b'&' });
        written.extend_from_slice(header);
    }
    Some(written)
}

/// A header of a URI, where it passes: of a reason its protocol and cause.
fn header(header: &[u8]) -> Option<&[u8]> {
    const SEMICOLON: &[u8] = b"%3B";
    let name = header.split(|octet| *octet == b'=').next().unwrap_or_default();
    if name.eq_ignore_ascii_case(b"Replaces") || name.eq_ignore_ascii_case(b"Privacy") {
        return Some(header);
    }
    if !name.eq_ignore_ascii_case(b"Reason") {
        return None;
    }
    let octets = header.windows(SEMICOLON.len()).enumerate();
    let mut ends = octets.filter(|(_, octets)| octets.eq_ignore_ascii_case(SEMICOLON)).map(|(at, _)| at);
    header.get(..ends.nth(1).unwrap_or(header.len()))
}

fn is_of_number(name: &[u8], value: Option<&[u8]>) -> bool {
    let is_number = || value.is_some_and(|value| value.starts_with(b"+"));
    is_one_of(&OF_NUMBER, name) || (is_one_of(&CONTEXTS, name) && is_number())
}

pub(super) fn is_one_of(names: &[&[u8]], name: &[u8]) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Adds those parameters that pass.
fn with_params(
    mut written: Vec<u8>,
    params: Params<'_>,
    passes: impl Fn(&[u8], Option<&[u8]>) -> bool,
) -> Vec<u8> {
    for param in params.iter().flatten().filter(|param| passes(param.name, param.value)) {
        written.push(b';');
        written.extend_from_slice(param.name);
        if let Some(value) = param.value {
            written.push(b'=');
            written.extend_from_slice(value);
        }
    }
    written
}

/// A text up to this octet, with it.
fn before(text: &[u8], octet: u8) -> Option<&[u8]> {
    let at = text.iter().position(|found| *found == octet)?;
    text.get(..=at)
}

/// Host and port of a SIP URI, as they are written.
fn host_of(uri: &[u8]) -> Option<&[u8]> {
    let scheme = uri.iter().position(|octet| *octet == b':')?;
    let user = uri.iter().position(|octet| *octet == b'@');
    let rest = uri.get(user.unwrap_or(scheme) + 1..)?;
    let end = rest.iter().position(|octet| matches!(octet, b';' | b'?'));
    rest.get(..end.unwrap_or(rest.len()))
}

/// Whether a host is nobody's (RFC 3323, 4.1.1.3).
fn is_nobody(host: Host<'_>) -> bool {
    const NOBODY: &[u8] = b".invalid";
    let Host::Name(name) = host else { return false };
    let at = name.len().checked_sub(NOBODY.len());
    at.and_then(|at| name.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(NOBODY))
}
