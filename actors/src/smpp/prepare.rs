//! From what the customer sent to what the vendor gets: alphabet, splitting, receipts asked for.
//!
//! Pure. Where nothing has to change, the customer's frame is relayed as it came, sequence_number apart.

use bytes::{Bytes, BytesMut};
use smpp::pdu::{EncodeError, Sm};
use smpp::segment::{self, Reference};
use smpp::text::{self, Alphabet};
use smpp::udh::{self, Udh};
use smpp::{CommandId, CommandStatus, DataCoding, HEADER_LEN, RegisteredDelivery, Tag, TlvBuf};

/// How a vendor wants its messages.
#[derive(Debug, Clone, Copy)]
pub struct Wishes {
    /// What data_coding 0 means to it.
    pub alphabet: Alphabet,
    /// Long messages whole, as message_payload.
    pub long_as_payload: bool,
    /// Ask for receipts even when the customer did not.
    pub receipts_always: bool,
}

/// A message made ready for a vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// One submit_sm, or the parts in order. Empty: relay the customer's frame as it is.
    pub frames: Vec<Bytes>,
    /// Segments that the whole counts for.
    pub segments: u8,
    /// What data_coding 0 means in the frames.
    pub alphabet: Alphabet,
}

/// Why a message cannot be made ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused(pub CommandStatus);

impl From<EncodeError> for Refused {
    fn from(_: EncodeError) -> Self {
        Self(CommandStatus::ESME_RINVMSGLEN)
    }
}

/// Makes a submit_sm ready. `from` is what data_coding 0 means to the customer; `transcode` is false when its
/// octets pass as they are whatever the vendor takes them for.
///
/// # Errors
/// The status for the customer: a text of more than 255 parts.
pub fn prepare(
    sm: &Sm<'_>,
    (from, transcode): (Alphabet, bool),
    to: &Wishes,
    reference: u8,
) -> Result<Prepared, Refused> {
    let (header, text) = split_header(sm);
    let text = Text::of(sm, text, from, transcode.then_some(to.alphabet));
    let segmented_by_customer = !header.is_empty() || udh::sar(&sm.tlvs).is_some();
    let segments = if segmented_by_customer {
        on_air(text.alphabet, header, &text.octets)
    } else {
        segment::count(text.alphabet, &text.octets)
    };
    let segments = u8::try_from(segments).map_err(|_| Refused(CommandStatus::ESME_RINVMSGLEN))?;
    let default = sm.data_coding.alphabet().is_none();
    let prepared =
        |frames| Prepared { frames, segments, alphabet: if default { text.default } else { from } };
    if segments > 1 && !to.long_as_payload && !segmented_by_customer {
        return Ok(prepared(split(sm, &text, to, reference)?));
    }
    let asked = ask(sm.registered_delivery, to.receipts_always);
    let plain = !text.changed && asked == sm.registered_delivery && sm.schedule_delivery_time.is_empty();
    let long = segments > 1 && !segmented_by_customer;
    if plain && (!long || sm.short_message.is_empty()) {
        return Ok(prepared(Vec::new()));
    }
    let octets = [header, &text.octets].concat();
    Ok(prepared(vec![whole(sm, &text, (&octets, long), asked)?]))
}

/// Asks for the receipt of every outcome when the customer wants any: without one for success, a message
/// that was delivered would seem to expire.
#[must_use]
pub fn ask(asked: RegisteredDelivery, always: bool) -> RegisteredDelivery {
    if asked.none() && !always { asked } else { RegisteredDelivery(asked.0 & !0b11 | 0b01) }
}

/// Messages on air that octets take which their sender has segmented, or says it has: 140 octets each, the
/// header counted, septets packed.
fn on_air(alphabet: Alphabet, header: &[u8], text: &[u8]) -> usize {
    let text = match alphabet {
        Alphabet::Gsm7 | Alphabet::Ascii => (text.len() * 7).div_ceil(8),
        Alphabet::Latin1 | Alphabet::Ucs2 | Alphabet::Octets => text.len(),
    };
    (header.len() + text).div_ceil(segment::single_max(Alphabet::Octets)).max(1)
}

/// A message of a vendor as its customer reads it: the body of a deliver_sm whose text is in the customer's
/// alphabet. None when nothing has to change.
///
/// # Errors
/// A text that has no room in the other alphabet.
pub fn deliverable(sm: &Sm<'_>, from: Alphabet, to: Alphabet) -> Result<Option<Bytes>, Refused> {
    let (header, octets) = split_header(sm);
    let text = Text::of(sm, octets, from, Some(to));
    if !text.changed {
        return Ok(None);
    }
    let octets = [header, &text.octets].concat();
    let frame = whole(sm, &text, (&octets, false), sm.registered_delivery)?;
    Ok(Some(frame.slice(HEADER_LEN..)))
}

struct Text {
    octets: Vec<u8>,
    alphabet: Alphabet,
    /// What data_coding 0 means where these octets go.
    default: Alphabet,
    data_coding: DataCoding,
    changed: bool,
}

impl Text {
    fn of(sm: &Sm<'_>, octets: &[u8], from: Alphabet, to: Option<Alphabet>) -> Self {
        let own = sm.data_coding.alphabet();
        let unchanged = |default| Self {
            octets: octets.to_vec(),
            alphabet: own.unwrap_or(default),
            default,
            data_coding: sm.data_coding,
            changed: false,
        };
        let Some(to) = to.filter(|to| own.is_none() && *to != from) else { return unchanged(from) };
        match text::transcode(from, to, octets) {
            Ok(transcoded) => Self {
                changed: transcoded != octets,
                octets: transcoded,
                alphabet: to,
                default: to,
                data_coding: sm.data_coding,
            },
            // A character that the vendor's alphabet lacks: the whole text goes as UCS2, which has all.
            Err(_) => Self {
                octets: text::encode_lossy(Alphabet::Ucs2, &text::decode(from, octets)),
                alphabet: Alphabet::Ucs2,
                default: to,
                data_coding: DataCoding::UCS2,
                changed: true,
            },
        }
    }
}

fn split_header<'a>(sm: &Sm<'a>) -> (&'a [u8], &'a [u8]) {
    let octets = sm.text_octets();
    match Udh::parse(octets) {
        Ok((_, text)) if sm.esm_class.udhi() => octets.split_at(octets.len() - text.len()),
        _ => (&[], octets),
    }
}

fn split(sm: &Sm<'_>, text: &Text, to: &Wishes, reference: u8) -> Result<Vec<Bytes>, Refused> {
    let parts = segment::segments(text.alphabet, &text.octets, Reference::Eight(reference));
    let parts = parts.map_err(|_| Refused(CommandStatus::ESME_RINVMSGLEN))?;
    let tlvs = without_payload(sm);
    parts
        .map(|part| {
            encode(&Sm {
                esm_class: sm.esm_class.with_udhi(part.concat.is_some()),
                data_coding: text.data_coding,
                registered_delivery: ask(sm.registered_delivery, to.receipts_always),
                schedule_delivery_time: &[],
                short_message: &part.octets,
                tlvs: tlvs.as_tlvs(),
                ..*sm
            })
        })
        .collect()
}

fn whole(
    sm: &Sm<'_>,
    text: &Text,
    (octets, long): (&[u8], bool),
    registered_delivery: RegisteredDelivery,
) -> Result<Bytes, Refused> {
    let mut tlvs = without_payload(sm);
    let as_payload =
        long || octets.len() > SHORT_MESSAGE_MAX || sm.short_message.is_empty() && !octets.is_empty();
    if as_payload {
        tlvs.push(Tag::MESSAGE_PAYLOAD, octets).map_err(|_| Refused(CommandStatus::ESME_RINVMSGLEN))?;
    }
    encode(&Sm {
        data_coding: text.data_coding,
        registered_delivery,
        schedule_delivery_time: &[],
        short_message: if as_payload { &[] } else { octets },
        tlvs: tlvs.as_tlvs(),
        ..*sm
    })
}

/// Octets that short_message holds (4.4.1).
pub(super) const SHORT_MESSAGE_MAX: usize = 254;

/// The optional parameters of a message other than its text.
#[must_use]
pub fn without_payload(sm: &Sm<'_>) -> TlvBuf {
    let mut tlvs = TlvBuf::new();
    for (tag, value) in sm.tlvs.iter().filter(|(tag, _)| *tag != Tag::MESSAGE_PAYLOAD) {
        // A value that was decoded fits where it came from.
        let _ = tlvs.push(tag, value);
    }
    tlvs
}

fn encode(sm: &Sm<'_>) -> Result<Bytes, Refused> {
    let mut pdu = BytesMut::with_capacity(320);
    sm.encode(CommandId::SUBMIT_SM, 0, &mut pdu)?;
    Ok(pdu.freeze())
}

#[cfg(test)]
mod tests;
