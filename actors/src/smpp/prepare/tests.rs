use proptest::prelude::*;
use smpp::EsmClass;
use smpp::pdu::Address;

use super::*;

const GSM: Wishes = Wishes { alphabet: Alphabet::Gsm7, long_as_payload: false, receipts_always: false };

fn sm(text: &[u8]) -> Sm<'_> {
    Sm {
        source: Address { ton: 5, npi: 0, addr: b"WARP" },
        destination: Address { ton: 1, npi: 1, addr: b"15550001111" },
        registered_delivery: RegisteredDelivery(1),
        short_message: text,
        ..Sm::default()
    }
}

fn decode(frame: &Bytes) -> Sm<'_> {
    Sm::decode(&frame[HEADER_LEN..]).unwrap()
}

fn made(sm: &Sm<'_>, from: Alphabet, to: &Wishes) -> Prepared {
    prepare(sm, (from, true), to, 7).unwrap()
}

#[test]
fn what_fits_is_relayed_as_it_came() {
    for text in [&b""[..], b"hello", &[b'a'; 160]] {
        assert_eq!(
            made(&sm(text), Alphabet::Gsm7, &GSM),
            Prepared { frames: Vec::new(), segments: 1, alphabet: Alphabet::Gsm7 }
        );
    }
    let own_parts = [&[5, 0, 3, 9, 2, 1][..], &[b'a'; 153]].concat();
    let own = Sm { esm_class: EsmClass(0x40), ..sm(&own_parts) };
    assert_eq!(made(&own, Alphabet::Gsm7, &GSM).segments, 1);
    assert!(made(&own, Alphabet::Gsm7, &GSM).frames.is_empty());
}

#[test]
fn a_long_text_becomes_parts_with_a_common_reference() {
    let prepared = made(&sm(&[b'a'; 200]), Alphabet::Gsm7, &GSM);
    assert_eq!((prepared.frames.len(), prepared.segments), (2, 2));
    for (at, frame) in prepared.frames.iter().enumerate() {
        let part = decode(frame);
        assert!(part.esm_class.udhi());
        assert_eq!(part.short_message[..6], [5, 0, 3, 7, 2, u8::try_from(at).unwrap() + 1]);
        assert_eq!(part.destination.addr, b"15550001111");
    }
}

#[test]
fn a_payload_is_split_and_loses_its_tlv_but_keeps_the_others() {
    let mut tlvs = TlvBuf::new();
    tlvs.push(Tag(0x1401), b"x").unwrap();
    tlvs.push(Tag::MESSAGE_PAYLOAD, &[b'b'; 400]).unwrap();
    let long = Sm { tlvs: tlvs.as_tlvs(), ..sm(b"") };
    let prepared = made(&long, Alphabet::Gsm7, &GSM);
    assert_eq!(prepared.frames.len(), 3);
    let part = decode(&prepared.frames[2]);
    assert_eq!(part.tlvs.get(Tag(0x1401)), Some(&b"x"[..]));
    assert_eq!(part.tlvs.get(Tag::MESSAGE_PAYLOAD), None);

    let as_payload = Wishes { long_as_payload: true, ..GSM };
    let prepared = made(&long, Alphabet::Gsm7, &as_payload);
    assert_eq!((prepared.frames.len(), prepared.segments), (0, 3), "relayed as it came");
    let prepared = made(&sm(&[b'a'; 200]), Alphabet::Gsm7, &as_payload);
    assert_eq!(decode(&prepared.frames[0]).payload(), [b'a'; 200]);
    assert_eq!(decode(&prepared.frames[0]).short_message, b"");
}

#[test]
fn text_is_written_in_the_vendors_alphabet() {
    let latin1 = Wishes { alphabet: Alphabet::Latin1, ..GSM };
    // @ is 0x00 in GSM 03.38.
    let prepared = made(&sm(&[0x00, b'a']), Alphabet::Gsm7, &latin1);
    assert_eq!(decode(&prepared.frames[0]).short_message, b"@a");
    assert_eq!(prepared.alphabet, Alphabet::Latin1);
    // The euro sign is not in Latin-1.
    let prepared = made(&sm(&[0x1b, 0x65]), Alphabet::Gsm7, &latin1);
    let sent = decode(&prepared.frames[0]);
    assert_eq!((sent.data_coding, sent.short_message), (DataCoding::UCS2, &[0x20, 0xac][..]));
    // Without transcoding, octets pass.
    let prepared = prepare(&sm(&[0x00]), (Alphabet::Gsm7, false), &latin1, 0).unwrap();
    assert!(prepared.frames.is_empty());
    // Text that names its alphabet passes too.
    let ucs2 = Sm { data_coding: DataCoding::UCS2, ..sm(&[0, b'a']) };
    assert!(made(&ucs2, Alphabet::Gsm7, &latin1).frames.is_empty());
}

#[test]
fn any_wish_for_receipts_asks_the_vendor_for_all() {
    for (asked, always, sent) in
        [(0, false, 0), (1, false, 1), (2, false, 1), (3, false, 1), (0x12, false, 0x11), (0, true, 1)]
    {
        assert_eq!(ask(RegisteredDelivery(asked), always), RegisteredDelivery(sent));
    }
    let failures_only = Sm { registered_delivery: RegisteredDelivery(2), ..sm(b"x") };
    let prepared = made(&failures_only, Alphabet::Gsm7, &GSM);
    assert_eq!(decode(&prepared.frames[0]).registered_delivery, RegisteredDelivery(1));
}

#[test]
fn more_than_255_parts_are_refused() {
    let mut tlvs = TlvBuf::new();
    tlvs.push(Tag::MESSAGE_PAYLOAD, &vec![b'b'; 60_000]).unwrap();
    let long = Sm { tlvs: tlvs.as_tlvs(), ..sm(b"") };
    assert_eq!(prepare(&long, (Alphabet::Gsm7, true), &GSM, 0), Err(Refused(CommandStatus::ESME_RINVMSGLEN)));
}

#[test]
fn what_its_sender_segmented_counts_by_octets_and_is_never_split() {
    let header: &[u8] = &[5, 0, 3, 9, 2, 1];
    for (text, segments) in [(153, 1), (154, 2), (400, 3), (39_000, 244)] {
        let octets = [header, &vec![b'a'; text]].concat();
        let mut tlvs = TlvBuf::new();
        tlvs.push(Tag::MESSAGE_PAYLOAD, &octets).unwrap();
        let own = Sm { esm_class: EsmClass(0x40), tlvs: tlvs.as_tlvs(), ..sm(b"") };
        let prepared = made(&own, Alphabet::Gsm7, &GSM);
        assert_eq!((prepared.segments, prepared.frames.len()), (segments, 0), "{text}");
    }
    let mut tlvs = TlvBuf::new();
    tlvs.push(Tag::MESSAGE_PAYLOAD, &[header, &vec![b'a'; 60_000]].concat()).unwrap();
    let own = Sm { esm_class: EsmClass(0x40), tlvs: tlvs.as_tlvs(), ..sm(b"") };
    assert_eq!(prepare(&own, (Alphabet::Gsm7, true), &GSM, 0), Err(Refused(CommandStatus::ESME_RINVMSGLEN)));
}

#[test]
fn a_vendors_text_is_written_in_the_customers_alphabet() {
    let body = deliverable(&sm(b"@a"), Alphabet::Latin1, Alphabet::Gsm7).unwrap().unwrap();
    assert_eq!(Sm::decode(&body).unwrap().short_message, [0x00, b'a']);
    let euro = [&[5, 0, 3, 9, 2, 1][..], &[0x1b, 0x65], &[b'a'; 150]].concat();
    let part = Sm { esm_class: EsmClass(0x40), ..sm(&euro) };
    let body = deliverable(&part, Alphabet::Gsm7, Alphabet::Latin1).unwrap().unwrap();
    let delivered = Sm::decode(&body).unwrap();
    assert_eq!((delivered.data_coding, delivered.short_message), (DataCoding::UCS2, &b""[..]));
    assert_eq!(delivered.payload()[..8], [5, 0, 3, 9, 2, 1, 0x20, 0xac]);
    assert_eq!(deliverable(&sm(b"plain"), Alphabet::Latin1, Alphabet::Gsm7), Ok(None));
    let ucs2 = Sm { data_coding: DataCoding::UCS2, ..sm(&[0, b'@']) };
    assert_eq!(deliverable(&ucs2, Alphabet::Latin1, Alphabet::Gsm7), Ok(None));
}

proptest! {
    #[test]
    fn parts_put_together_are_the_text(text in "[a-zA-Z0-9 €@\\[\\]{}é]{0,900}") {
        let mut octets = Vec::new();
        text::gsm7::encode(&text, &mut octets).unwrap();
        let mut tlvs = TlvBuf::new();
        tlvs.push(Tag::MESSAGE_PAYLOAD, &octets).unwrap();
        let long = Sm { tlvs: tlvs.as_tlvs(), ..sm(b"") };
        let prepared = made(&long, Alphabet::Gsm7, &GSM);
        let mut whole = Vec::new();
        for frame in &prepared.frames {
            let part = decode(frame);
            let (_, rest) = Udh::parse(part.short_message).unwrap();
            whole.extend_from_slice(rest);
        }
        if !prepared.frames.is_empty() {
            prop_assert_eq!(prepared.frames.len(), usize::from(prepared.segments));
            prop_assert_eq!(whole, octets);
        }
    }
}
