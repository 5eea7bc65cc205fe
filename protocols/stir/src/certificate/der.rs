//! As much of DER (X.690) as is needed of a certificate: what stands where. Whether it is well formed is checked by who
//! follows its chain.

use crate::date;

/// 1.3.6.1.5.5.7.1.26, the TNAuthList (RFC 8226, 9).
const TN_AUTH_LIST: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x1A];

/// 1.3.6.1.5.5.7.1.27 and 33, the JWTClaimConstraints (RFC 8226, 9) and those of RFC 9118.
const CLAIM_CONSTRAINTS: [&[u8]; 2] =
    [&[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x1B], &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x21]];

pub(super) const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const IA5_STRING: u8 = 0x16;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;

/// A tag that depends on where it stands, with elements inside.
pub(super) const fn context(number: u8) -> u8 {
    0xA0 | number
}

/// Elements, one after the other.
pub(super) struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    pub(super) const fn of(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    /// The content of the next one, which has to be of this tag.
    pub(super) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, content) = self.any()?;
        (found == tag).then_some(content)
    }

    /// Tag and content of the next one; `None` behind the last, and where it is cut short.
    pub(super) fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7F => (usize::from(*first), rest),
            0x81 => {
                let (length, rest) = rest.split_first()?;
                (usize::from(*length), rest)
            }
            0x82 => {
                let (length, rest) = rest.split_first_chunk::<2>()?;
                (usize::from(u16::from_be_bytes(*length)), rest)
            }
            // Nothing of a certificate is longer.
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What is wanted of a certificate.
pub(super) struct Parts<'a> {
    /// From and until when it is valid, in seconds since 1970.
    pub(super) valid: (u64, u64),
    /// Its key: algorithm and bit string.
    pub(super) key: &'a [u8],
    /// The content of its TNAuthList.
    pub(super) numbers: Option<&'a [u8]>,
    /// Whether it says which claims its holder may make.
    pub(super) constrains_claims: bool,
}

impl<'a> Parts<'a> {
    pub(super) fn read(certificate: &'a [u8]) -> Option<Self> {
        let whole = Elements::of(certificate).take(SEQUENCE)?;
        let signed = Elements::of(whole).take(SEQUENCE)?;
        let mut fields = Elements::of(signed);
        // Its version, then its number, the algorithm, the issuer.
        fields.take(context(0))?;
        fields.take(INTEGER)?;
        fields.take(SEQUENCE)?;
        fields.take(SEQUENCE)?;
        let mut times = Elements::of(fields.take(SEQUENCE)?);
        let valid = (time(times.any()?)?, time(times.any()?)?);
        // The subject.
        fields.take(SEQUENCE)?;
        let key = fields.take(SEQUENCE)?;
        let mut parts = Self { valid, key, numbers: None, constrains_claims: false };
        while let Some((tag, content)) = fields.any() {
            if tag == context(3) {
                parts.extend(content)?;
            }
        }
        Some(parts)
    }

    /// Takes what its extensions say.
    fn extend(&mut self, extensions: &'a [u8]) -> Option<()> {
        let mut list = Elements::of(Elements::of(extensions).take(SEQUENCE)?);
        while !list.is_empty() {
            let (id, value) = extension(list.take(SEQUENCE)?)?;
            if id == TN_AUTH_LIST {
                self.numbers = Some(Elements::of(value).take(SEQUENCE)?);
            }
            self.constrains_claims |= CLAIM_CONSTRAINTS.contains(&id);
        }
        Some(())
    }
}

/// Whether a certificate is of the version that knows no extensions: it does not say which it is.
pub(super) fn is_of_version_1(certificate: &[u8]) -> bool {
    let whole = Elements::of(certificate).take(SEQUENCE);
    let signed = whole.and_then(|whole| Elements::of(whole).take(SEQUENCE));
    signed.and_then(|signed| Elements::of(signed).take(INTEGER)).is_some()
}

/// Name and value of an extension.
fn extension(fields: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut fields = Elements::of(fields);
    let id = fields.take(OBJECT_IDENTIFIER)?;
    // Whether it is critical may stand between.
    match fields.any()? {
        (OCTET_STRING, value) => Some((id, value)),
        _ => Some((id, fields.take(OCTET_STRING)?)),
    }
}

/// A time, always in UTC and with seconds (RFC 5280, 4.1.2.5).
fn time((tag, content): (u8, &[u8])) -> Option<u64> {
    let text = str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let (century, text) = match tag {
        UTC_TIME => (None, text),
        GENERALIZED_TIME => {
            let (century, text) = text.split_at_checked(2)?;
            (Some(date::number(century, 2)?), text)
        }
        _ => return None,
    };
    let mut rest = text;
    let mut pair = || {
        let (pair, after) = rest.split_at_checked(2)?;
        rest = after;
        date::number(pair, 2)
    };
    let year = pair()?;
    let date = (pair()?, pair()?);
    let clock = (pair()?, pair()?, pair()?);
    let century = century.unwrap_or(if year >= 50 { 19 } else { 20 });
    let seconds = date::seconds((century * 100 + year, date.0, date.1), clock);
    seconds.filter(|_| rest.is_empty())
}

/// Private and public key of an `ECPrivateKey` (RFC 5915, 3).
pub(crate) fn ec_private_key(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut fields = Elements::of(Elements::of(octets).take(SEQUENCE)?);
    fields.take(INTEGER)?;
    let private = fields.take(OCTET_STRING)?;
    while let Some((tag, content)) = fields.any() {
        if tag == context(1) {
            let point = Elements::of(content).take(BIT_STRING)?;
            return Some((private, point.strip_prefix(&[0])?));
        }
    }
    None
}
