//! One function per parser, taking any octets and asserting what must hold of them. The fuzz targets, the
//! corpus test and property tests call these.

use bytes::BytesMut;

use crate::command::CommandId;
use crate::dlr::{self, Receipt};
use crate::frame::{self, Frame, HEADER_LEN, Header};
use crate::pdu::{
    AlertNotification, Bind, BindResp, CancelSm, DataSm, EncodeError, FieldError, Outbind, QuerySm,
    QuerySmResp, ReplaceSm, Sm, SmResp, SubmitMulti, SubmitMultiResp,
};
use crate::segment::{self, Reference};
use crate::text::{self, Alphabet};
use crate::time::{self, Time};
use crate::tlv::{Tag, Tlvs};
use crate::udh::{self, Udh};

const SEQUENCE_NUMBER: u32 = 7;

/// A whole PDU, its command_length ignored: what decodes and may be encoded decodes to the same again.
pub fn pdu(octets: &[u8]) {
    let Some((head, body)) = octets.split_first_chunk::<HEADER_LEN>() else { return };
    let Header { command_id: id, command_status: status, .. } = Header::read(head);
    let number = SEQUENCE_NUMBER;
    let mut room = BytesMut::new();
    match id {
        CommandId::BIND_RECEIVER | CommandId::BIND_TRANSMITTER | CommandId::BIND_TRANSCEIVER => {
            again(body, &mut room, |b| Bind::decode(id, b), |v, out| v.encode(number, out));
        }
        CommandId::BIND_RECEIVER_RESP
        | CommandId::BIND_TRANSMITTER_RESP
        | CommandId::BIND_TRANSCEIVER_RESP => {
            again(body, &mut room, |b| BindResp::decode(id, b), |v, out| v.encode(status, number, out));
        }
        CommandId::OUTBIND => again(body, &mut room, Outbind::decode, |v, out| v.encode(number, out)),
        CommandId::SUBMIT_SM | CommandId::DELIVER_SM => sm(id, body),
        CommandId::DATA_SM => again(body, &mut room, DataSm::decode, |v, out| v.encode(number, out)),
        CommandId::SUBMIT_MULTI => {
            again(body, &mut room, SubmitMulti::decode, |v, out| v.encode(number, out))
        }
        CommandId::SUBMIT_MULTI_RESP => {
            again(body, &mut room, SubmitMultiResp::decode, |v, out| v.encode(status, number, out));
        }
        CommandId::QUERY_SM => again(body, &mut room, QuerySm::decode, |v, out| v.encode(number, out)),
        CommandId::QUERY_SM_RESP => {
            again(body, &mut room, QuerySmResp::decode, |v, out| v.encode(status, number, out))
        }
        CommandId::CANCEL_SM => again(body, &mut room, CancelSm::decode, |v, out| v.encode(number, out)),
        CommandId::REPLACE_SM => again(body, &mut room, ReplaceSm::decode, |v, out| v.encode(number, out)),
        CommandId::ALERT_NOTIFICATION => {
            again(body, &mut room, AlertNotification::decode, |v, out| v.encode(number, out));
        }
        _ => again(body, &mut room, SmResp::decode, |v, out| {
            v.encode(CommandId::SUBMIT_SM_RESP, status, number, out)
        }),
    }
}

fn sm(id: CommandId, body: &[u8]) {
    let mut room = BytesMut::new();
    again(body, &mut room, Sm::decode, |v, out| v.encode(id, SEQUENCE_NUMBER, out));
    if let Ok(sm) = Sm::decode(body) {
        let _ = sm.check_submit();
        let _ = Receipt::of(&sm);
        assert!(sm.text_octets().len() <= body.len(), "text is part of the body");
    }
}

/// Decodes, encodes into `room`, decodes that.
fn again<'a, T: PartialEq + std::fmt::Debug>(
    body: &'a [u8],
    room: &'a mut BytesMut,
    decode: impl Fn(&'a [u8]) -> Result<T, FieldError>,
    encode: impl FnOnce(&T, &mut BytesMut) -> Result<(), EncodeError>,
) {
    let Ok(value) = decode(body) else { return };
    let _ = format!("{value:?}");
    if encode(&value, room).is_err() {
        assert!(room.is_empty(), "an error wrote something");
        return;
    }
    let Some((head, written)) = room.split_first_chunk::<HEADER_LEN>() else { return };
    assert_eq!(Header::read(head).command_length as usize, HEADER_LEN + written.len(), "command_length");
    assert_eq!(decode(written), Ok(value), "not the same again");
}

/// A stream, the first octet being the size of its chunks: frames do not depend on how it is cut.
pub fn stream(octets: &[u8]) {
    const MAX: u32 = 512;
    let Some((&size, octets)) = octets.split_first() else { return };
    let mut whole = BytesMut::from(octets);
    let mut expected = Vec::new();
    let end = frames(&mut whole, MAX, &mut expected);
    let mut buf = BytesMut::new();
    let mut found = Vec::new();
    for chunk in octets.chunks(usize::from(size).max(1)) {
        buf.extend_from_slice(chunk);
        if frames(&mut buf, MAX, &mut found).is_err() {
            break;
        }
    }
    assert_eq!(found, expected, "frames depend on the cut");
    if end.is_ok() {
        assert_eq!(buf, whole, "the rest depends on the cut");
    }
}

fn frames(buf: &mut BytesMut, max: u32, found: &mut Vec<Frame>) -> Result<(), frame::FrameError> {
    while let Some(frame) = frame::split(buf, max)? {
        assert_eq!(frame.bytes().len(), frame.header().command_length as usize, "command_length");
        found.push(frame);
    }
    Ok(())
}

/// A run of TLVs.
pub fn tlv(octets: &[u8]) {
    let prefix = Tlvs::well_formed_prefix(octets);
    assert!(octets.starts_with(prefix.as_bytes()), "not a prefix");
    if let Ok(parsed) = Tlvs::parse(octets) {
        assert_eq!(parsed, prefix, "parse and prefix differ");
    }
    let mut read = 0;
    for (tag, value) in prefix {
        read += value.len() + 4;
        let _ = (prefix.u8(tag), prefix.u16(tag), format!("{tag}"));
        assert!(prefix.get(tag).is_some(), "a tag that is there is not found");
        assert!(prefix.c_octet(tag).is_some_and(|value| !value.contains(&0)), "a NUL in a C-octet string");
    }
    assert_eq!(read, prefix.as_bytes().len(), "octets left out");
    let _ = udh::sar(&prefix);
}

/// Text octets that begin with a user data header.
pub fn udh(octets: &[u8]) {
    let Ok((udh, text)) = Udh::parse(octets) else { return };
    let elements: usize = udh.iter().map(|(_, data)| data.len() + 2).sum();
    assert_eq!(elements + text.len() + 1, octets.len(), "octets left out");
    if let Some(concat) = udh.concat() {
        let mut written = Vec::new();
        udh::write_concat(&concat, &mut written);
        let again = Udh::parse(&written).ok().and_then(|(udh, _)| udh.concat());
        assert_eq!(again, Some(concat), "not the same again");
    }
}

/// Text octets, the first octet choosing alphabets and reference.
pub fn text(octets: &[u8]) {
    const ALL: [Alphabet; 5] =
        [Alphabet::Gsm7, Alphabet::Ascii, Alphabet::Latin1, Alphabet::Ucs2, Alphabet::Octets];
    let Some((&choice, octets)) = octets.split_first() else { return };
    let reference = if choice & 0x80 == 0 { Reference::Eight(choice) } else { Reference::Sixteen(0x1234) };
    for from in ALL {
        let read = text::decode(from, octets);
        for to in ALL {
            let _ = text::transcode(from, to, octets);
            let lossy = text::encode_lossy(to, &read);
            if let Ok(exact) = text::encode(to, &read) {
                assert_eq!(exact, lossy, "lossy is not exact");
                assert_eq!(text::decode(to, &exact), read, "not the same again");
            }
        }
        let Ok(parts) = segment::segments(from, octets, reference) else { continue };
        assert!(parts.len() > 0, "no part");
        let whole: Vec<u8> = parts.flat_map(|part| text_of(&part).to_vec()).collect();
        assert_eq!(whole, octets, "parts are not the whole");
    }
    let mut septets = Vec::new();
    text::gsm7::unpack(octets, choice, octets.len(), &mut septets);
    assert!(septets.len() <= octets.len() * 8 / 7, "too many septets");
    text::gsm7::pack(octets, choice, &mut septets);
}

fn text_of(part: &segment::Segment) -> &[u8] {
    match part.concat {
        Some(_) => Udh::parse(&part.octets).map_or(&[], |(_, text)| text),
        None => &part.octets,
    }
}

/// A receipt text.
pub fn dlr(octets: &[u8]) {
    if let Some(receipt) = Receipt::parse(octets) {
        assert!(!receipt.id.is_empty(), "a receipt without id");
        let forms = dlr::id_forms(receipt.id).count();
        assert!((1..=4).contains(&forms), "an id has its exact form");
        let _ = receipt.submit_date.and_then(dlr::Date::parse).map(|date| date.unix_micros());
    }
    let _ = (dlr::id_forms(octets).count(), dlr::MessageState::parse_stat(octets));
    let mut tlvs = crate::tlv::TlvBuf::new();
    if tlvs.push(Tag::RECEIPTED_MESSAGE_ID, octets).is_ok() {
        let sm = Sm { short_message: octets, tlvs: tlvs.as_tlvs(), ..Sm::default() };
        let _ = Receipt::of(&sm);
    }
}

/// A time field.
pub fn time(octets: &[u8]) {
    let Ok(Some(time)) = Time::parse(octets) else { return };
    for now in [i64::MIN, 0, 1_795_275_000_000_000, i64::MAX] {
        let resolved = time.resolve(now);
        if let Some(written) = time::absolute(resolved) {
            let tenths = resolved.div_euclid(100_000) * 100_000;
            let again = Time::parse(&written).ok().flatten().map(|time| time.resolve(0));
            assert_eq!(again, Some(tenths), "not the same again");
        }
    }
}

#[cfg(test)]
mod tests;
