//! One media section: an `m=` line and the lines up to the next one (RFC 8866, 5.14).

use std::fmt;
use std::net::IpAddr;

use super::codec::{Codec, numbered, payload_type};
use super::{FORMATS_MAX, SdpError, attribute, attributes, first, words};
use crate::syntax::{leading_number, number, split, trim, trim_start};

/// What kind of media a section is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// `audio`.
    Audio,
    /// `video`.
    Video,
    /// `image`: fax.
    Image,
    /// Any other.
    Other,
}

impl MediaKind {
    const fn from_name(name: &[u8]) -> Self {
        match name {
            _ if name.eq_ignore_ascii_case(b"audio") => Self::Audio,
            _ if name.eq_ignore_ascii_case(b"video") => Self::Video,
            _ if name.eq_ignore_ascii_case(b"image") => Self::Image,
            _ => Self::Other,
        }
    }
}

/// Which way media go, as the sender of the description sees it (RFC 3264, 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both ways; also where nothing is said.
    SendRecv,
    /// It sends only.
    SendOnly,
    /// It receives only.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    const fn from_name(name: &[u8]) -> Option<Self> {
        match name {
            _ if name.eq_ignore_ascii_case(b"sendrecv") => Some(Self::SendRecv),
            _ if name.eq_ignore_ascii_case(b"sendonly") => Some(Self::SendOnly),
            _ if name.eq_ignore_ascii_case(b"recvonly") => Some(Self::RecvOnly),
            _ if name.eq_ignore_ascii_case(b"inactive") => Some(Self::Inactive),
            _ => None,
        }
    }
}

/// Where media go (RFC 8866, 5.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection<'a> {
    /// `IP4` or `IP6`.
    pub family: &'a [u8],
    /// An address or a name, without what multicast has behind a slash.
    pub address: &'a [u8],
}

impl<'a> Connection<'a> {
    /// Reads the value of `c=`.
    pub(super) fn parse(value: &'a [u8]) -> Option<Self> {
        let mut words = words(value);
        let (_network, family, address) = (words.next()?, words.next()?, words.next()?);
        let address = address.split(|octet| *octet == b'/').next().filter(|address| !address.is_empty())?;
        Some(Self { family, address })
    }

    /// The address, where it is no name.
    pub fn ip(&self) -> Option<IpAddr> {
        std::str::from_utf8(self.address).ok()?.parse().ok()
    }
}

/// Where RTCP goes, where that is not the next port (RFC 3605).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rtcp<'a> {
    /// The port.
    pub port: u16,
    /// The address, where it is another one than that of the media.
    pub connection: Option<Connection<'a>>,
}

/// A media section.
#[derive(Clone, Copy)]
pub struct Media<'a> {
    /// What kind of media.
    pub kind: MediaKind,
    /// Where the sender of the description wants the media; 0 where it wants none.
    pub port: u16,
    /// How many ports; 1 where nothing is said.
    pub ports: u16,
    /// The transport, such as `RTP/AVP`.
    pub protocol: &'a [u8],
    /// From the first format to the last.
    pub(super) all_formats: &'a [u8],
    /// The section, with its `m=` line.
    pub(super) lines: &'a [u8],
    session: &'a [u8],
}

impl<'a> Media<'a> {
    /// Reads a section, which begins with its `m=` line.
    pub(super) fn parse(session: &'a [u8], lines: &'a [u8]) -> Result<Self, SdpError> {
        let line = first(lines, b'm').ok_or(SdpError::Media)?;
        let (kind, rest) = word(line).ok_or(SdpError::Media)?;
        let (ports, rest) = word(rest).ok_or(SdpError::Media)?;
        let (protocol, rest) = word(rest).ok_or(SdpError::Media)?;
        let (port, ports) = read_ports(ports).ok_or(SdpError::Media)?;
        let all_formats = trim(rest);
        if words(all_formats).count() > FORMATS_MAX {
            return Err(SdpError::TooLarge);
        }
        let kind = MediaKind::from_name(kind);
        Ok(Self { kind, port, ports, protocol, all_formats, lines, session })
    }

    /// The formats in their order, the best one first: payload types of RTP, else what the protocol has.
    pub fn formats(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        words(self.all_formats)
    }

    /// Where the media go: by the first `c=` of the section, else by that of the session. `None` where there
    /// is none, or where the one that counts is malformed.
    pub fn connection(&self) -> Option<Connection<'a>> {
        let own = first(self.lines, b'c');
        Connection::parse(own.or_else(|| first(self.session, b'c'))?)
    }

    /// Which way media go: by the section, else by the session.
    pub fn direction(&self) -> Direction {
        let stated = |lines: &[u8]| attributes(lines).find_map(|(name, _)| Direction::from_name(name));
        stated(self.lines).or_else(|| stated(self.session)).unwrap_or(Direction::SendRecv)
    }

    /// Whether the other side is put on hold: it shall send nothing. Said by direction (RFC 3264, 8.4), and
    /// of old by the address 0.0.0.0 (RFC 2543, B.5), which says nothing of the direction.
    pub fn is_hold(&self) -> bool {
        matches!(self.direction(), Direction::SendOnly | Direction::Inactive)
            || self.connection().and_then(|connection| connection.ip()).is_some_and(|ip| ip.is_unspecified())
    }

    /// What a format is: by the first `a=rtpmap` for it, else by the profile. `None` for a format that
    /// nothing is said of, for one whose `a=rtpmap` cannot be read, and where the protocol is not RTP.
    pub fn codec(&self, format: &[u8]) -> Option<Codec<'a>> {
        let wanted = payload_type(format).filter(|_| self.is_rtp())?;
        let maps = attributes(self.lines).filter(|(name, _)| name.eq_ignore_ascii_case(b"rtpmap"));
        let mut maps = maps.filter_map(|(_, value)| numbered(value));
        match maps.find(|(payload_type, _)| *payload_type == wanted) {
            Some((_, codec)) => Codec::parse(codec),
            None => Codec::of_profile(wanted),
        }
    }

    /// Milliseconds of media in a packet, where they are asked for as a whole number.
    pub fn ptime(&self) -> Option<u32> {
        number(attribute(self.lines, b"ptime")?).ok()
    }

    /// The value of `a=rtcp`.
    pub fn rtcp(&self) -> Option<Rtcp<'a>> {
        let (port, rest) = leading_number(attribute(self.lines, b"rtcp")?).ok()?;
        Some(Rtcp { port: u16::try_from(port).ok()?, connection: Connection::parse(rest) })
    }

    /// Whether the section is refused, or offered without being wanted: its port is 0 (RFC 3264, 5.1, 6).
    /// That is also what a section of a bundle may have (RFC 8843), which media here are not.
    pub const fn is_rejected(&self) -> bool {
        self.port == 0
    }

    /// Whether the media are RTP, secure or not.
    pub fn is_rtp(&self) -> bool {
        self.protocol_has(b"RTP")
    }

    /// Whether it is fax over UDPTL (ITU-T T.38, D; RFC 7345 with DTLS).
    pub fn is_t38(&self) -> bool {
        let t38 = |format: &[u8]| format.eq_ignore_ascii_case(b"t38");
        self.kind == MediaKind::Image && self.protocol_has(b"udptl") && self.formats().any(t38)
    }

    /// Whether the media are ciphered, or may be: by a secure profile, or by keys that are given for them,
    /// which some do under a plain profile to offer both.
    pub fn is_secure(&self) -> bool {
        let profile =
            [&b"SAVP"[..], b"SAVPF", b"TLS", b"DTLS"].into_iter().any(|part| self.protocol_has(part));
        let keys = |lines: &[u8]| {
            attributes(lines).any(|(name, _)| {
                name.eq_ignore_ascii_case(b"crypto") || name.eq_ignore_ascii_case(b"fingerprint")
            })
        };
        profile || keys(self.lines) || keys(self.session)
    }

    fn protocol_has(&self, wanted: &[u8]) -> bool {
        self.protocol.split(|octet| *octet == b'/').any(|part| part.eq_ignore_ascii_case(wanted))
    }
}

/// Shows the `m=` line only: the rest holds addresses and keys.
impl fmt::Debug for Media<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = self.protocol.escape_ascii().to_string();
        let formats = self.all_formats.escape_ascii().to_string();
        let mut shown = f.debug_struct("Media");
        shown.field("kind", &self.kind).field("port", &self.port).field("protocol", &protocol);
        shown.field("formats", &formats).finish_non_exhaustive()
    }
}

/// The first word, and what follows it.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = trim_start(text);
    let end = text.iter().position(|octet| matches!(octet, b' ' | b'\t')).unwrap_or(text.len());
    Some(split(text, end)).filter(|(word, _)| !word.is_empty())
}

/// `49170`, or `49170/2`.
fn read_ports(word: &[u8]) -> Option<(u16, u16)> {
    let mut numbers = word.splitn(2, |octet| *octet == b'/').map(|text| {
        let value = number(text).ok()?;
        u16::try_from(value).ok()
    });
    let port = numbers.next()??;
    let ports = numbers.next().unwrap_or(Some(1))?;
    Some((port, ports))
}
