//! What a payload type is: by `a=rtpmap` (RFC 8866, 6.6), else by the profile (RFC 3551, 6).

use crate::syntax::{leading_number, number, trim};

/// The largest payload type.
const PAYLOAD_TYPE_MAX: u8 = 127;

/// A codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codec<'a> {
    /// Its name, in the case it came in; compared without case.
    pub name: &'a [u8],
    /// Ticks per second of its timestamps.
    pub clock: u32,
    /// Channels of audio; 1 where nothing is said.
    pub channels: u16,
}

impl<'a> Codec<'a> {
    /// Whether it has this name.
    pub const fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// Whether it is no codec of sound, but goes along with one: `telephone-event` (RFC 4733) and `CN` (RFC
    /// 3389).
    pub const fn is_auxiliary(&self) -> bool {
        self.is("telephone-event") || self.is("CN")
    }

    /// What stands behind the payload type of `a=rtpmap`.
    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        let mut parts = trim(text).split(|octet| *octet == b'/').map(trim);
        let name = parts.next().filter(|name| !name.is_empty())?;
        let clock = number(parts.next()?).ok()?;
        let channels = parts.next().map_or(Some(1), |channels| u16::try_from(number(channels).ok()?).ok())?;
        Some(Self { name, clock, channels })
    }
}

impl Codec<'static> {
    /// The codec of a payload type that needs no `a=rtpmap`; `None` for those that have none or are dynamic.
    pub(super) fn of_profile(payload_type: u8) -> Option<Self> {
        let (name, clock, channels) = match payload_type {
            0 => ("PCMU", 8_000, 1),
            3 => ("GSM", 8_000, 1),
            4 => ("G723", 8_000, 1),
            5 => ("DVI4", 8_000, 1),
            6 => ("DVI4", 16_000, 1),
            7 => ("LPC", 8_000, 1),
            8 => ("PCMA", 8_000, 1),
            // 16 kHz; the clock is an error of RFC 1890 that has stayed (RFC 3551, 4.5.2).
            9 => ("G722", 8_000, 1),
            10 => ("L16", 44_100, 2),
            11 => ("L16", 44_100, 1),
            12 => ("QCELP", 8_000, 1),
            13 => ("CN", 8_000, 1),
            14 => ("MPA", 90_000, 1),
            15 => ("G728", 8_000, 1),
            16 => ("DVI4", 11_025, 1),
            17 => ("DVI4", 22_050, 1),
            18 => ("G729", 8_000, 1),
            25 => ("CelB", 90_000, 1),
            26 => ("JPEG", 90_000, 1),
            28 => ("nv", 90_000, 1),
            31 => ("H261", 90_000, 1),
            32 => ("MPV", 90_000, 1),
            33 => ("MP2T", 90_000, 1),
            34 => ("H263", 90_000, 1),
            _ => return None,
        };
        Some(Self { name: name.as_bytes(), clock, channels })
    }
}

/// The payload type that a format of RTP is.
pub(super) fn payload_type(format: &[u8]) -> Option<u8> {
    within(number(format).ok()?)
}

/// The payload type at the front of the value of an attribute, and what follows it.
pub(super) fn numbered(value: &[u8]) -> Option<(u8, &[u8])> {
    let (payload_type, rest) = leading_number(value).ok()?;
    let apart = matches!(rest, [] | [b' ' | b'\t', ..]);
    within(payload_type).filter(|_| apart).map(|payload_type| (payload_type, rest))
}

fn within(payload_type: u32) -> Option<u8> {
    u8::try_from(payload_type).ok().filter(|payload_type| *payload_type <= PAYLOAD_TYPE_MAX)
}
