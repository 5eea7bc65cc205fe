use super::*;

fn sent(mix: Mix, place: u64) -> BytesMut {
    let payload = Payload::new(mix, 3);
    let mut out = BytesMut::new();
    let slot = Slot { id: 77, place, receipt: true };
    payload.submit_sm(slot, 1, &mut Scratch::default(), &mut out).unwrap();
    out
}

#[test]
fn every_text_carries_its_marker_and_fits() {
    for mix in [Mix::Gsm7, Mix::Ucs2, Mix::Concat, Mix::Long, Mix::Mixed, Mix::Plain] {
        for place in 0..u64::from(mix.period()) {
            let mut octets = sent(mix, place);
            let frame = smpp::frame::split(&mut octets, 4096).unwrap().unwrap();
            let sm = Sm::decode(frame.body()).unwrap();
            let text = if sm.esm_class.udhi() { &sm.payload()[6..] } else { sm.payload() };
            let (marker, tail) = Marker::parse(text).unwrap();
            assert_eq!((marker.run, marker.id), (3, 77), "{mix:?} {place}");
            assert!(marker.matches(tail), "{mix:?} {place}");
            assert!(sm.short_message.len() <= 160, "{mix:?} {place}");
        }
    }
}

#[test]
fn parts_share_reference_and_destination() {
    let parts: Vec<_> = (3..6)
        .map(|place| {
            let mut octets = sent(Mix::Concat, place);
            smpp::frame::split(&mut octets, 4096).unwrap().unwrap()
        })
        .collect();
    let header = |index: usize| Sm::decode(parts[index].body()).unwrap().payload()[..6].to_vec();
    assert_eq!(header(0), [5, 0, 3, 1, 3, 1]);
    assert_eq!(header(2), [5, 0, 3, 1, 3, 3]);
    let destination = |index: usize| Sm::decode(parts[index].body()).unwrap().destination.addr.to_vec();
    assert_eq!(destination(0), destination(2));
    assert_eq!(destination_of(12_345_678), *b"15552345678");
}

#[test]
fn names_parse_back() {
    for mix in [Mix::Gsm7, Mix::Ucs2, Mix::Concat, Mix::Long, Mix::Mixed, Mix::Plain] {
        assert_eq!(mix.name().parse::<Mix>(), Ok(mix));
    }
    assert!("mp3".parse::<Mix>().is_err());
}
