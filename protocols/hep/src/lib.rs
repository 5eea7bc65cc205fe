//! HEP3: a copy of a message with where it came from, where it went and when, for a Homer collector.
//!
//! One packet is one datagram to the collector. The format is that of the HEP3 specification of the sipcapture
//! project: a header, then chunks of a vendor, a type and a length, in any order. Everything here is a function
//! of its arguments; this crate must not know sockets, clocks, logs or SIP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What every packet begins with.
const MAGIC: [u8; 4] = *b"HEP3";
/// Octets of [`MAGIC`] and the length of the packet.
const HEADER: usize = 6;
/// Octets of a chunk before its value.
const CHUNK_HEADER: usize = 6;
/// The vendor of the chunks that the specification names.
const GENERIC: u16 = 0;

/// Protocol type of SIP.
pub const SIP: u8 = 1;
/// IP protocol of UDP.
pub const UDP: u8 = 17;
/// IP protocol of TCP, and of TLS, whose messages are shown in clear.
pub const TCP: u8 = 6;

const FAMILY_V4: u8 = 2;
const FAMILY_V6: u8 = 10;

const FAMILY: u16 = 1;
const IP_PROTOCOL: u16 = 2;
const SOURCE_V4: u16 = 3;
const DESTINATION_V4: u16 = 4;
const SOURCE_V6: u16 = 5;
const DESTINATION_V6: u16 = 6;
const SOURCE_PORT: u16 = 7;
const DESTINATION_PORT: u16 = 8;
const SECONDS: u16 = 9;
const MICROSECONDS: u16 = 10;
const PROTOCOL: u16 = 11;
const AGENT: u16 = 12;
const AUTH_KEY: u16 = 14;
const PAYLOAD: u16 = 15;
const CORRELATION: u16 = 17;

/// One captured message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Who sent it.
    pub source: SocketAddr,
    /// Who it was sent to; of the same family as the source.
    pub destination: SocketAddr,
    /// [`UDP`] or [`TCP`].
    pub ip_protocol: u8,
    /// When, in whole seconds since the Unix epoch.
    pub seconds: u32,
    /// And microseconds, below one million.
    pub microseconds: u32,
    /// What the payload is: [`SIP`].
    pub protocol: u8,
    /// The number of the node, by which the collector tells its sources apart.
    pub agent: u32,
    /// What the collector may ask for.
    pub auth_key: Option<&'a [u8]>,
    /// What the messages of one call have in common: the Call-ID.
    pub correlation_id: Option<&'a [u8]>,
    /// The message.
    pub payload: &'a [u8],
}

/// Why a message cannot be written as a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A packet has 65,535 octets at most.
    #[error("the message is too long for a packet")]
    TooLong,
    /// One end is IPv4 and the other IPv6.
    #[error("source and destination are of different families")]
    Families,
}

/// Why octets are not a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They do not begin as one, or their length is another than they say.
    #[error("not a packet")]
    NotHep3,
    /// A chunk is longer than what is left, or shorter than its type.
    #[error("chunk {0} has a wrong length")]
    Chunk(u16),
    /// A chunk that every packet has is not there.
    #[error("chunk {0} is missing")]
    Missing(u16),
}

impl<'a> Packet<'a> {
    /// Appends the packet to `out`; on an error nothing.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = out.len();
        let written = self.write(out, start);
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    fn write(&self, out: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[0; 2]);
        match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                chunk(out, FAMILY, &[FAMILY_V4])?;
                chunk(out, SOURCE_V4, &source.octets())?;
                chunk(out, DESTINATION_V4, &destination.octets())?;
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                chunk(out, FAMILY, &[FAMILY_V6])?;
                chunk(out, SOURCE_V6, &source.octets())?;
                chunk(out, DESTINATION_V6, &destination.octets())?;
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
                return Err(EncodeError::Families);
            }
        }
        chunk(out, IP_PROTOCOL, &[self.ip_protocol])?;
        chunk(out, SOURCE_PORT, &self.source.port().to_be_bytes())?;
        chunk(out, DESTINATION_PORT, &self.destination.port().to_be_bytes())?;
        chunk(out, SECONDS, &self.seconds.to_be_bytes())?;
        chunk(out, MICROSECONDS, &self.microseconds.to_be_bytes())?;
        chunk(out, PROTOCOL, &[self.protocol])?;
        chunk(out, AGENT, &self.agent.to_be_bytes())?;
        if let Some(key) = self.auth_key {
            chunk(out, AUTH_KEY, key)?;
        }
        if let Some(id) = self.correlation_id {
            chunk(out, CORRELATION, id)?;
        }
        chunk(out, PAYLOAD, self.payload)?;
        let length = u16::try_from(out.len() - start).map_err(|_| EncodeError::TooLong)?;
        if let Some(place) = out.get_mut(start + MAGIC.len()..start + HEADER) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }

    /// Reads one packet, which is all of `octets`. Chunks that are not known are passed over; of one that comes
    /// twice the last counts.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(octets: &'a [u8]) -> Result<Self, DecodeError> {
        let chunks = Chunks::read(octets)?;
        Ok(Self {
            source: SocketAddr::new(need(chunks.source, SOURCE_V4)?, need(chunks.source_port, SOURCE_PORT)?),
            destination: SocketAddr::new(
                need(chunks.destination, DESTINATION_V4)?,
                need(chunks.destination_port, DESTINATION_PORT)?,
            ),
            ip_protocol: need(chunks.ip_protocol, IP_PROTOCOL)?,
            seconds: need(chunks.seconds, SECONDS)?,
            microseconds: need(chunks.microseconds, MICROSECONDS)?,
            protocol: need(chunks.protocol, PROTOCOL)?,
            agent: need(chunks.agent, AGENT)?,
            auth_key: chunks.auth_key,
            correlation_id: chunks.correlation_id,
            payload: need(chunks.payload, PAYLOAD)?,
        })
    }
}

#[derive(Default)]
struct Chunks<'a> {
    source: Option<IpAddr>,
    destination: Option<IpAddr>,
    source_port: Option<u16>,
    destination_port: Option<u16>,
    ip_protocol: Option<u8>,
    seconds: Option<u32>,
    microseconds: Option<u32>,
    protocol: Option<u8>,
    agent: Option<u32>,
    auth_key: Option<&'a [u8]>,
    correlation_id: Option<&'a [u8]>,
    payload: Option<&'a [u8]>,
}

impl<'a> Chunks<'a> {
    fn read(octets: &'a [u8]) -> Result<Self, DecodeError> {
        let (magic, rest) = octets.split_first_chunk().ok_or(DecodeError::NotHep3)?;
        let (length, mut rest) = rest.split_first_chunk().ok_or(DecodeError::NotHep3)?;
        if *magic != MAGIC || usize::from(u16::from_be_bytes(*length)) != octets.len() {
            return Err(DecodeError::NotHep3);
        }
        let mut chunks = Self::default();
        while !rest.is_empty() {
            let (&[v0, v1, t0, t1, l0, l1], after) =
                rest.split_first_chunk::<CHUNK_HEADER>().ok_or(DecodeError::NotHep3)?;
            let kind = u16::from_be_bytes([t0, t1]);
            let value = usize::from(u16::from_be_bytes([l0, l1]))
                .checked_sub(CHUNK_HEADER)
                .and_then(|length| after.split_at_checked(length));
            let (value, after) = value.ok_or(DecodeError::Chunk(kind))?;
            rest = after;
            if u16::from_be_bytes([v0, v1]) == GENERIC {
                chunks.take(kind, value)?;
            }
        }
        Ok(chunks)
    }

    fn take(&mut self, kind: u16, value: &'a [u8]) -> Result<(), DecodeError> {
        match kind {
            SOURCE_V4 => self.source = Some(Ipv4Addr::from(exact(kind, value)?).into()),
            SOURCE_V6 => self.source = Some(Ipv6Addr::from(exact::<16>(kind, value)?).into()),
            DESTINATION_V4 => self.destination = Some(Ipv4Addr::from(exact(kind, value)?).into()),
            DESTINATION_V6 => self.destination = Some(Ipv6Addr::from(exact::<16>(kind, value)?).into()),
            SOURCE_PORT => self.source_port = Some(u16::from_be_bytes(exact(kind, value)?)),
            DESTINATION_PORT => self.destination_port = Some(u16::from_be_bytes(exact(kind, value)?)),
            IP_PROTOCOL => self.ip_protocol = Some(u8::from_be_bytes(exact(kind, value)?)),
            SECONDS => self.seconds = Some(u32::from_be_bytes(exact(kind, value)?)),
            MICROSECONDS => self.microseconds = Some(u32::from_be_bytes(exact(kind, value)?)),
            PROTOCOL => self.protocol = Some(u8::from_be_bytes(exact(kind, value)?)),
            AGENT => self.agent = Some(u32::from_be_bytes(exact(kind, value)?)),
            AUTH_KEY => self.auth_key = Some(value),
            CORRELATION => self.correlation_id = Some(value),
            PAYLOAD => self.payload = Some(value),
            _ => {}
        }
        Ok(())
    }
}

fn exact<const N: usize>(kind: u16, value: &[u8]) -> Result<[u8; N], DecodeError> {
    value.try_into().map_err(|_| DecodeError::Chunk(kind))
}

fn need<T>(value: Option<T>, kind: u16) -> Result<T, DecodeError> {
    value.ok_or(DecodeError::Missing(kind))
}

fn chunk(out: &mut Vec<u8>, kind: u16, value: &[u8]) -> Result<(), EncodeError> {
    let length = u16::try_from(CHUNK_HEADER + value.len()).map_err(|_| EncodeError::TooLong)?;
    for field in [GENERIC, kind, length] {
        out.extend_from_slice(&field.to_be_bytes());
    }
    out.extend_from_slice(value);
    Ok(())
}

#[cfg(test)]
mod tests;
