use std::net::IpAddr;

use super::{
    AddressFamily, Codecs, Command, Delete, Dtls, DtmfBlock, DtmfSecurity, EndpointLearning, Flag, Ice, Leg,
    Media, MediaOptions, Name, Osrtp, Part, PlayDtmf, PlayMedia, Recording, Replace, RtcpMux, Sdes, Selected,
    SipMessage, T38, Transport, Who, WithSdp,
};
use crate::Request;

fn encoded(command: Command<'_>) -> String {
    let mut out = Vec::new();
    command.encode(&mut out);
    let request = Request::parse(&out).unwrap();
    assert_eq!(request.name, Some(command.name()));
    String::from_utf8(out).unwrap()
}

fn offered(options: &MediaOptions<'_>) -> String {
    let leg = Leg { call_id: b"c", from_tag: b"f", to_tag: None, via_branch: None };
    let octets = encoded(Command::Offer(WithSdp { leg, sdp: b"s", options }));
    let written = octets.strip_prefix("d7:command5:offer7:call-id1:c8:from-tag1:f3:sdp1:s");
    written.and_then(|rest| rest.strip_suffix('e')).unwrap().to_owned()
}

const LEG: Leg<'_> = Leg {
    call_id: b"a84b@192.0.2.1",
    from_tag: b"from1",
    to_tag: Some(b"to1"),
    via_branch: Some(b"z9hG4bK1"),
};

#[test]
fn commands_without_a_call() {
    assert_eq!(encoded(Command::Ping), "d7:command4:pinge");
    assert_eq!(encoded(Command::Statistics), "d7:command10:statisticse");
    assert_eq!(encoded(Command::List { limit: None }), "d7:command4:liste");
    assert_eq!(encoded(Command::List { limit: Some(2_000) }), "d7:command4:list5:limiti2000ee");
}

#[test]
fn offers_and_answers() {
    let options = MediaOptions::default();
    let offer = Leg { to_tag: None, via_branch: None, ..LEG };
    assert_eq!(
        encoded(Command::Offer(WithSdp { leg: offer, sdp: b"v=0\r\n", options: &options })),
        "d7:command5:offer7:call-id14:a84b@192.0.2.18:from-tag5:from13:sdp5:v=0\r\ne"
    );
    assert_eq!(
        encoded(Command::Answer(WithSdp { leg: LEG, sdp: b"v=0\r\n", options: &options })),
        "d7:command6:answer7:call-id14:a84b@192.0.2.18:from-tag5:from16:to-tag3:to110:via-branch8:z9\
         hG4bK13:sdp5:v=0\r\ne"
    );
    assert_eq!(
        encoded(Command::Publish(WithSdp { leg: offer, sdp: b"v=0\r\n", options: &options })),
        "d7:command7:publish7:call-id14:a84b@192.0.2.18:from-tag5:from13:sdp5:v=0\r\ne"
    );
}

#[test]
fn the_profile_of_a_trunk() {
    let options = MediaOptions {
        transport_protocol: Some(Transport::RtpAvp),
        ice: Some(Ice::Remove),
        rtcp_mux: &[RtcpMux::Demux],
        replace: &[Replace::Origin, Replace::SessionConnection],
        flags: &[Flag::Asymmetric, Flag::StrictSource],
        codec: Codecs { strip: &["all"], offer: &["PCMA", "PCMU"], ..Codecs::default() },
        direction: Some(["external", "internal"]),
        ..MediaOptions::default()
    };
    let offer = Leg { to_tag: None, via_branch: None, ..LEG };
    assert_eq!(
        encoded(Command::Offer(WithSdp { leg: offer, sdp: b"v=0\r\n", options: &options })),
        "d7:command5:offer7:call-id14:a84b@192.0.2.18:from-tag5:from13:sdp5:v=0\r\n18:transport prot\
         ocol7:RTP/AVP3:ICE6:remove8:rtcp-muxl5:demuxe7:replacel6:origin18:session-connectione5:flag\
         sl10:asymmetric13:strict-sourcee9:directionl8:external8:internale5:codecd5:stripl3:alle5:of\
         ferl4:PCMA4:PCMUeee"
    );
}

#[test]
fn each_option() {
    let none = MediaOptions::default();
    let address = |text: &str| text.parse::<IpAddr>().ok();
    let codec = Codecs {
        strip: &["a"],
        offer: &["b"],
        mask: &["c"],
        except: &["d"],
        transcode: &["e"],
        accept: &["f"],
        consume: &["g"],
        ignore: &["h"],
        set: &["i"],
    };
    let sdes = [Sdes::Off, Sdes::Pad, Sdes::Without("NULL_HMAC_SHA1_80"), Sdes::Only("AEAD_AES_256_GCM")];
    let sdes_words = [Sdes::UnencryptedSrtp, Sdes::UnencryptedSrtcp, Sdes::UnauthenticatedSrtp];
    let table = [
        (none, ""),
        (MediaOptions { dtls: Some(Dtls::Off), ..none }, "4:DTLS3:off"),
        (
            MediaOptions { sdes: &sdes, ..none },
            "4:SDESl3:off3:pad20:no-NULL_HMAC_SHA1_8021:only-AEAD_AES_256_GCMe",
        ),
        (
            MediaOptions { sdes: &sdes_words, ..none },
            "4:SDESl16:unencrypted_srtp17:unencrypted_srtcp20:unauthenticated_srtpe",
        ),
        (MediaOptions { sdes: &[Sdes::Lifetime, Sdes::Static], ..none }, "4:SDESl8:lifetime6:statice"),
        (MediaOptions { osrtp: &[Osrtp::Accept], ..none }, "5:OSRTPl6:accepte"),
        (MediaOptions { generate_rtcp: Some(true), ..none }, "13:generate RTCP2:on"),
        (MediaOptions { generate_rtcp: Some(false), ..none }, "13:generate RTCP3:off"),
        (
            MediaOptions { endpoint_learning: Some(EndpointLearning::Off), ..none },
            "17:endpoint-learningl3:offe",
        ),
        (MediaOptions { received_from: address("192.0.2.1"), ..none }, "13:received froml3:IP49:192.0.2.1e"),
        (
            MediaOptions { received_from: address("2001:db8::1"), ..none },
            "13:received froml3:IP611:2001:db8::1e",
        ),
        (MediaOptions { media_address: address("192.0.2.1"), ..none }, "13:media address9:192.0.2.1"),
        (MediaOptions { address_family: Some(AddressFamily::Ip6), ..none }, "14:address family3:IP6"),
        (MediaOptions { tos: Some(184), ..none }, "3:TOSi184e"),
        (
            MediaOptions { codec, ..none },
            "5:codecd5:stripl1:ae5:offerl1:be4:maskl1:ce6:exceptl1:de9:transcodel1:ee6:acceptl1:fe7:\
             consumel1:ge\
             6:ignorel1:he3:setl1:iee",
        ),
    ];
    for (options, written) in table {
        assert_eq!(offered(&options), written, "{options:?}");
    }
}

#[test]
fn each_option_of_packets_fax_digits_and_recordings() {
    let none = MediaOptions::default();
    let table = [
        (MediaOptions { ptime: Some(20), ..none }, "5:ptimei20e"),
        (MediaOptions { ptime_reverse: Some(30), ..none }, "13:ptime-reversei30e"),
        (MediaOptions { t38: &[T38::Decode, T38::NoV27ter], ..none }, "4:T.38l6:decode10:no-V.27tere"),
        (MediaOptions { dtmf_security: Some(DtmfSecurity::Silence), ..none }, "13:DTMF-security7:silence"),
        (MediaOptions { delay_buffer_ms: Some(70), ..none }, "12:delay-bufferi70e"),
        (MediaOptions { label: Some(b"caller"), ..none }, "5:label6:caller"),
        (MediaOptions { metadata: Some(b"k:v"), ..none }, "8:metadata3:k:v"),
        (
            MediaOptions { sip_message: Some(SipMessage::Request), ..none },
            "16:SIP message type11:SIP request",
        ),
        (
            MediaOptions { sip_message: Some(SipMessage::Response(183)), ..none },
            "16:SIP message type12:SIP response8:SIP codei183e",
        ),
        (MediaOptions { record_call: Some(true), ..none }, "11:record call3:yes"),
        (MediaOptions { record_call: Some(false), ..none }, "11:record call2:no"),
        (MediaOptions { recording_file: Some(b"/r/1.wav"), ..none }, "14:recording-file8:/r/1.wav"),
        (MediaOptions { recording_dir: Some(b"/r"), ..none }, "13:recording-dir2:/r"),
        (MediaOptions { recording_pattern: Some(b"%c"), ..none }, "17:recording-pattern2:%c"),
        (MediaOptions { supports_load_limit: true, ..none }, "8:supportsl10:load limite"),
    ];
    for (options, written) in table {
        assert_eq!(offered(&options), written, "{options:?}");
    }
}

#[test]
fn ends_of_calls() {
    let whole = Delete { part: Part::whole(b"c1"), ..Delete::default() };
    assert_eq!(encoded(Command::Delete(whole)), "d7:command6:delete7:call-id2:c1e");
    let all =
        Delete { part: LEG.into(), honour_to_tag: true, fatal: true, fast: true, delay_seconds: Some(0) };
    assert_eq!(
        encoded(Command::Delete(all)),
        "d7:command6:delete7:call-id14:a84b@192.0.2.18:from-tag5:from16:to-tag3:to110:via-branch8:z9\
         hG4bK15:flagsl5:fatal4:fast6:to-tage12:delete delayi0ee"
    );
    assert_eq!(encoded(Command::Query(Part::whole(b"c1"))), "d7:command5:query7:call-id2:c1e");
    let side = Part { from_tag: Some(b"f"), ..Part::whole(b"c1") };
    assert_eq!(encoded(Command::Query(side)), "d7:command5:query7:call-id2:c18:from-tag1:fe");
}

#[test]
fn recordings() {
    let recording = Recording { call_id: b"c1", ..Recording::default() };
    let table = [
        (Command::StartRecording(recording), "d7:command15:start recording7:call-id2:c1e"),
        (Command::StopRecording(recording), "d7:command14:stop recording7:call-id2:c1e"),
        (Command::PauseRecording(recording), "d7:command15:pause recording7:call-id2:c1e"),
    ];
    for (command, octets) in table {
        assert_eq!(encoded(command), octets);
    }
    let recording = Recording {
        call_id: b"c1",
        from_tag: Some(b"f"),
        metadata: Some(b"m"),
        file: Some(b"/r/1.wav"),
        dir: Some(b"/r"),
        pattern: Some(b"%c"),
    };
    assert_eq!(
        encoded(Command::StartRecording(recording)),
        "d7:command15:start recording7:call-id2:c18:from-tag1:f8:metadata1:m18:output-destination8:/\
         r/1.wav13:recording-dir2:/r17:recording-pattern2:%ce"
    );
}

#[test]
fn media_and_digits() {
    let call = Selected { call_id: b"c1", who: Who::Call };
    let all = Selected { who: Who::All, ..call };
    let tag = Selected { who: Who::Tag(b"f"), ..call };
    let label = Selected { who: Who::Label(b"caller"), ..call };
    let address = Selected { who: Who::Address(IpAddr::from([192, 0, 2, 1])), ..call };
    let block = |selected| DtmfBlock { selected, security: None };
    let replaced = DtmfBlock { selected: call, security: Some(DtmfSecurity::Tone) };
    let table = [
        (Command::BlockMedia(call), "d7:command11:block media7:call-id2:c1e"),
        (
            Command::BlockMedia(tag),
            "d7:command11:block media7:call-id2:c18:from-tag1:f5:flagsl11:directionalee",
        ),
        (Command::UnblockMedia(all), "d7:command13:unblock media7:call-id2:c15:flagsl3:allee"),
        (Command::SilenceMedia(label), "d7:command13:silence media7:call-id2:c15:label6:callere"),
        (Command::UnsilenceMedia(address), "d7:command15:unsilence media7:call-id2:c17:address9:192.0.2.1e"),
        (Command::StopMedia(tag), "d7:command10:stop media7:call-id2:c18:from-tag1:fe"),
        (Command::BlockDtmf(block(call)), "d7:command10:block DTMF7:call-id2:c1e"),
        (Command::BlockDtmf(replaced), "d7:command10:block DTMF7:call-id2:c113:DTMF-security4:tonee"),
        (Command::UnblockDtmf(block(all)), "d7:command12:unblock DTMF7:call-id2:c15:flagsl3:allee"),
        (
            Command::PlayMedia(PlayMedia {
                selected: tag,
                media: Media::File(b"/m/a.wav"),
                repeat_times: None,
            }),
            "d7:command10:play media7:call-id2:c18:from-tag1:f4:file8:/m/a.wave",
        ),
        (
            Command::PlayMedia(PlayMedia { selected: all, media: Media::Blob(b"x"), repeat_times: Some(3) }),
            "d7:command10:play media7:call-id2:c15:flagsl3:alle4:blob1:x12:repeat-timesi3ee",
        ),
        (
            Command::PlayMedia(PlayMedia { selected: tag, media: Media::Database(9), repeat_times: None }),
            "d7:command10:play media7:call-id2:c18:from-tag1:f5:db-idi9ee",
        ),
        (
            Command::PlayDtmf(PlayDtmf {
                selected: tag,
                digit: '#',
                duration_ms: Some(250),
                pause_ms: Some(100),
                attenuation_db: Some(8),
            }),
            "d7:command9:play DTMF7:call-id2:c18:from-tag1:f4:code1:#8:durationi250e5:pausei100e6:vo\
             lumei-8ee",
        ),
    ];
    for (command, octets) in table {
        assert_eq!(encoded(command), octets);
    }
}

#[test]
fn every_name_is_found_by_its_word() {
    for name in Name::ALL {
        assert_eq!(Name::from_word(name.word().as_bytes()), Some(*name));
    }
    assert_eq!(Name::from_word(b"Ping"), None);
}

/// With hyphens they are taken by every release, in every list.
#[test]
fn words_have_no_spaces() {
    let words = [
        Flag::ALL.iter().map(|word| word.word()).collect::<Vec<_>>(),
        Replace::ALL.iter().map(|word| word.word()).collect(),
        RtcpMux::ALL.iter().map(|word| word.word()).collect(),
        T38::ALL.iter().map(|word| word.word()).collect(),
    ];
    for word in words.concat() {
        assert!(!word.is_empty() && !word.contains(' '), "{word:?}");
    }
}
