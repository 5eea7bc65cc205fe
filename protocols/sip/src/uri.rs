//! SIP, SIPS and tel URIs (RFC 3261, 19.1; RFC 3966).

mod compare;
mod host;
mod tel;

use memchr::{memchr, memchr2};

use crate::params::Params;
use crate::syntax::{SyntaxError, number, split};

pub(crate) use compare::same_nocase;
pub use host::Host;
pub use tel::TelUri;

/// A URI by its scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uri<'a> {
    /// `sip:` or `sips:`.
    Sip(SipUri<'a>),
    /// `tel:`.
    Tel(TelUri<'a>),
    /// Any other scheme, with what follows its colon.
    Other {
        /// The scheme, without colon.
        scheme: &'a [u8],
        /// What follows the colon.
        rest: &'a [u8],
    },
}

/// `sip:user:password@host:port;parameters?headers`. Nothing is unescaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SipUri<'a> {
    /// The scheme is `sips`.
    pub secure: bool,
    /// Before the at sign, without password; it may have parameters of its own.
    pub user: Option<&'a [u8]>,
    /// After the colon of the user part.
    pub password: Option<&'a [u8]>,
    /// The host.
    pub host: Host<'a>,
    /// The port where one is written.
    pub port: Option<u16>,
    /// URI parameters.
    pub params: Params<'a>,
    /// What follows the question mark.
    pub headers: Option<&'a [u8]>,
}

impl<'a> Uri<'a> {
    /// Reads a URI that is `octets` whole, without angle brackets.
    ///
    /// Errors: [`SyntaxError::Uri`] without a scheme; [`SyntaxError::Octet`] for white space, controls,
    /// quotes or angle brackets where none may be; those of host, port and parameters.
    pub fn parse(octets: &'a [u8]) -> Result<Self, SyntaxError> {
        let colon = memchr(b':', octets).ok_or(SyntaxError::Uri)?;
        let (scheme, rest) = split(octets, colon);
        let rest = rest.get(1..).unwrap_or_default();
        if scheme.eq_ignore_ascii_case(b"sip") {
            stray(rest)?;
            return SipUri::parse_rest(false, rest).map(Self::Sip);
        }
        if scheme.eq_ignore_ascii_case(b"sips") {
            stray(rest)?;
            return SipUri::parse_rest(true, rest).map(Self::Sip);
        }
        if scheme.eq_ignore_ascii_case(b"tel") {
            stray(rest)?;
            return TelUri::parse_rest(rest).map(Self::Tel);
        }
        let scheme_octet = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'-' | b'.');
        let well_formed =
            scheme.first().is_some_and(u8::is_ascii_alphabetic) && scheme.iter().all(scheme_octet);
        if !well_formed {
            return Err(SyntaxError::Uri);
        }
        plain(rest)?;
        Ok(Self::Other { scheme, rest })
    }

    /// The SIP or SIPS URI, if it is one.
    pub const fn sip(self) -> Option<SipUri<'a>> {
        match self {
            Self::Sip(uri) => Some(uri),
            Self::Tel(_) | Self::Other { .. } => None,
        }
    }

    /// The user part of a SIP URI, or the number of a tel URI as it is written.
    pub const fn user(self) -> Option<&'a [u8]> {
        match self {
            Self::Sip(uri) => uri.user,
            Self::Tel(uri) => Some(uri.number),
            Self::Other { .. } => None,
        }
    }
}

impl<'a> SipUri<'a> {
    fn parse_rest(secure: bool, rest: &'a [u8]) -> Result<Self, SyntaxError> {
        // An at sign is allowed in no other part; what stands before it may be anything but white space.
        let (userinfo, rest) = match memchr(b'@', rest) {
            None => (None, rest),
            Some(at) => {
                let (userinfo, rest) = split(rest, at);
                (Some(userinfo), rest.get(1..).unwrap_or_default())
            }
        };
        let (user, password) = userinfo.map(split_password).transpose()?.unwrap_or_default();
        let end = memchr2(b';', b'?', rest).unwrap_or(rest.len());
        let (host_port, tail) = split(rest, end);
        let (params, headers) = match memchr(b'?', tail) {
            None => (tail, None),
            Some(at) => {
                let (params, headers) = split(tail, at);
                (params, Some(headers.get(1..).unwrap_or_default()))
            }
        };
        plain(headers.unwrap_or_default())?;
        // Quoted values are kept: equipment writes them.
        let params = Params::new(params);
        params.check()?;
        let (host, port) = Host::parse_with_port(host_port)?;
        Ok(Self { secure, user, password, host, port, params, headers })
    }

    /// The `transport` parameter.
    pub fn transport(&self) -> Option<&'a [u8]> {
        self.params.get(b"transport").and_then(|param| param.value)
    }

    /// The `maddr` parameter.
    pub fn maddr(&self) -> Option<&'a [u8]> {
        self.params.get(b"maddr").and_then(|param| param.value)
    }

    /// The `ttl` parameter.
    pub fn ttl(&self) -> Option<u8> {
        let value = self.params.get(b"ttl").and_then(|param| param.value)?;
        number(value).ok().and_then(|ttl| u8::try_from(ttl).ok())
    }

    /// Whether it has `lr`: a loose router (19.1.1).
    pub fn is_loose_router(&self) -> bool {
        self.params.get(b"lr").is_some()
    }
}

/// User and password of a userinfo.
type Userinfo<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

fn split_password(userinfo: &[u8]) -> Result<Userinfo<'_>, SyntaxError> {
    plain(userinfo)?;
    let (user, password) = match memchr(b':', userinfo) {
        None => (userinfo, None),
        Some(at) => {
            let (user, password) = split(userinfo, at);
            (user, password.get(1..))
        }
    };
    if user.is_empty() {
        return Err(SyntaxError::Empty);
    }
    Ok((Some(user), password))
}

/// No white space, control or angle bracket, in quotes or not: such a URI could stand in no request line.
fn stray(octets: &[u8]) -> Result<(), SyntaxError> {
    let stray = |octet: u8| octet <= b' ' || matches!(octet, 0x7F | b'<' | b'>');
    let found = octets.iter().fold(false, |found, &octet| found | stray(octet));
    if found { Err(SyntaxError::Octet) } else { Ok(()) }
}

/// Nothing [`stray`], and no quote.
fn plain(octets: &[u8]) -> Result<(), SyntaxError> {
    if memchr(b'"', octets).is_some() { Err(SyntaxError::Octet) } else { stray(octets) }
}

#[cfg(test)]
mod tests;
