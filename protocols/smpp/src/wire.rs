//! Whole PDUs laid out by hand from the tables of section 4, for the tests of every module. Hexadecimal, with
//! strings in quotes.

/// Name and notation of each PDU.
const SAMPLES: &[(&str, &str)] = &[
    (
        "bind_transceiver",
        "0000002F 00000009 00000000 00000001
        'SMPP3TEST' 00 'secret08' 00 'SUBMIT1' 00 34 01 01 00",
    ),
    (
        "bind_receiver",
        "0000002D 00000001 00000000 00000002
        'SMPP3TEST' 00 'secret08' 00 00 33 00 00 '^4917' 00",
    ),
    (
        "bind_transceiver_resp",
        "0000001A 80000009 00000000 00000001
        'WARP' 00 0210 0001 34",
    ),
    (
        "outbind",
        "0000001E 0000000B 00000000 00000001
        'WARP' 00 'secret08' 00",
    ),
    (
        "unbind",
        "00000010 00000006 00000000 00000003",
    ),
    (
        "unbind_resp",
        "00000010 80000006 00000000 00000003",
    ),
    (
        "enquire_link",
        "00000010 00000015 00000000 7FFFFFFF",
    ),
    (
        "enquire_link_resp",
        "00000010 80000015 00000000 7FFFFFFF",
    ),
    (
        "generic_nack",
        "00000010 80000000 00000003 00000000",
    ),
    (
        "submit_sm",
        "0000004F 00000004 00000000 0000000A
        'CMT' 00 05 00 'WARP' 00 01 01 '491701234567' 00 00 00 01 00 '000001000000000R' 00 01 00 00 00 05 'Hello' 0204 0002 ABCD",
    ),
    (
        "submit_sm_resp",
        "00000021 80000004 00000000 0000000A
        '00000000deadbeef' 00",
    ),
    (
        "submit_sm_resp refused",
        "00000010 80000004 00000058 0000000B",
    ),
    (
        "deliver_sm",
        "000000AB 00000005 00000000 00000014
        00 01 01 '491701234567' 00 05 00 'WARP' 00 04 00 00 00 00 00 00 00 00 65
        'id:0123 sub:001 dlvrd:001 submit date:2611211530 done date:2611211531 stat:DELIVRD err:000 text:Hello'
        001E 0005 '0123' 00 0427 0001 02 0423 0003 03 0000",
    ),
    (
        "deliver_sm_resp",
        "00000011 80000005 00000000 00000014
        00",
    ),
    (
        "data_sm",
        "0000002B 00000103 00000000 00000015
        00 01 01 '4917' 00 01 01 '12345' 00 00 01 08 0424 0004 00480069",
    ),
    (
        "data_sm_resp",
        "00000018 80000103 000000FE 00000015
        '77' 00 0425 0001 01",
    ),
    (
        "submit_multi",
        "00000034 00000021 00000000 00000016
        00 05 00 'WARP' 00 02 01 01 01 '4917' 00 02 'staff' 00 00 00 00 00 00 00 00 00 00 02 'Hi'",
    ),
    (
        "submit_multi_resp",
        "0000001F 80000021 00000000 00000016
        '88' 00 01 01 01 '4917' 00 0000000B",
    ),
    (
        "query_sm",
        "0000001A 00000003 00000000 00000017
        '88' 00 05 00 'WARP' 00",
    ),
    (
        "query_sm_resp",
        "00000026 80000003 00000000 00000017
        '88' 00 '261121153000000+' 00 02 00",
    ),
    (
        "cancel_sm",
        "00000022 00000008 00000000 00000018
        00 '88' 00 05 00 'WARP' 00 01 01 '4917' 00",
    ),
    (
        "cancel_sm_resp",
        "00000010 80000008 00000000 00000018",
    ),
    (
        "replace_sm",
        "00000022 00000007 00000000 00000019
        '88' 00 05 00 'WARP' 00 00 00 01 00 03 'New'",
    ),
    (
        "replace_sm_resp",
        "00000010 80000007 00000013 00000019",
    ),
    (
        "alert_notification",
        "00000023 00000102 00000000 0000001A
        01 01 '4917' 00 05 00 'WARP' 00 0422 0001 00",
    ),
];

/// Every sample.
pub(crate) fn samples() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    SAMPLES.iter().map(|(name, notation)| (*name, octets(notation)))
}

/// The sample of this name.
pub(crate) fn sample(name: &str) -> Vec<u8> {
    samples().find(|(found, _)| *found == name).map(|(_, octets)| octets).unwrap()
}

/// The body of the sample of this name.
pub(crate) fn body(name: &str) -> Vec<u8> {
    sample(name).split_off(crate::HEADER_LEN)
}

/// Reads the notation.
pub(crate) fn octets(notation: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for (place, part) in notation.split('\'').enumerate() {
        if place % 2 == 1 {
            octets.extend_from_slice(part.as_bytes());
            continue;
        }
        let digits: Vec<u8> =
            part.chars().filter_map(|char| char.to_digit(16)).flat_map(u8::try_from).collect();
        octets.extend(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]));
    }
    octets
}
