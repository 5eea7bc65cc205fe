use std::net::SocketAddr;
use std::time::Duration;

use super::{Counters, Current, Error, Meaning, Quality, Reply, Ssrc, Statistics, Totals, write};
use crate::bencode;
use crate::testing::{body, datagrams};

#[test]
fn results_are_told_apart() {
    assert_eq!(Reply::parse(&body("reply", "pong")), Ok(Reply::Pong));
    let octets = body("reply", "ok");
    let reply = Reply::parse(&octets).unwrap();
    let done = reply.done().unwrap();
    assert_eq!((done.warning, done.sdp(), done.calls(), done.statistics()), (None, None, None, None));
    assert_eq!((done.call(), done.is_unknown_call()), (None, false));
}

#[test]
fn the_sdp_of_an_offer_is_all_of_it() {
    let octets = body("reply", "offer");
    let reply = Reply::parse(&octets).unwrap();
    let sdp = reply.done().and_then(super::Done::sdp).unwrap();
    assert!(sdp.starts_with(b"v=0\r\n") && sdp.ends_with(b"a=rtcp:21001\r\n"));
}

#[test]
fn calls_are_listed() {
    let octets = body("reply", "list");
    let reply = Reply::parse(&octets).unwrap();
    let calls: [&[u8]; 2] = [b"a84b4c76e66710@192.0.2.1", b"3848276298220188511@192.0.2.9"];
    assert_eq!(reply.done().unwrap().calls().unwrap(), calls);
}

#[test]
fn errors_have_a_meaning() {
    let table: [(&str, &str, Meaning); 14] = [
        ("unknown_command", "Unrecognized command", Meaning::BadRequest),
        ("no_command", "Dictionary contains no key \"command\"", Meaning::BadRequest),
        ("no_sdp", "No SDP body in message", Meaning::BadSdp),
        ("no_call_id", "No call-id in message", Meaning::BadRequest),
        ("no_from_tag", "No from-tag in message", Meaning::BadRequest),
        ("bad_sdp", "Failed to parse SDP", Meaning::BadSdp),
        ("no_media", "Error rewriting SDP", Meaning::BadSdp),
        ("unknown_call", "Unknown call-id", Meaning::UnknownCall),
        ("no_ports", "Ran out of ports", Meaning::AnotherNode),
        ("session_limit", "Parallel session limit reached", Meaning::AnotherNode),
        ("not_bencode", "Invalid NG data format", Meaning::BadRequest),
        ("cut_short", "Could not decode bencode dictionary", Meaning::BadRequest),
        ("no_file", "Failed to start media playback from file", Meaning::Other),
        ("load_limit", "CPU usage limit exceeded", Meaning::Overloaded),
    ];
    for (name, text, expected) in table {
        let octets = body("reply", name);
        let reply = Reply::parse(&octets).unwrap();
        assert_eq!(reply.is_unknown_call(), expected == Meaning::UnknownCall, "{name}");
        assert_eq!(reply, Reply::Failed { reason: text.as_bytes(), meaning: expected }, "{name}");
    }
}

#[test]
fn texts_of_other_releases_have_their_meaning() {
    let table = [
        ("Unknown call-ID", Meaning::UnknownCall),
        ("unknown call-ID", Meaning::UnknownCall),
        ("Load limit exceeded", Meaning::Overloaded),
        ("Bandwidth limit exceeded", Meaning::Overloaded),
        ("Incomplete SDP specification", Meaning::BadSdp),
        ("Ran out of ports ", Meaning::Other),
        ("", Meaning::Other),
    ];
    for (text, meaning) in table {
        assert_eq!(Meaning::of(text.as_bytes()), meaning, "{text:?}");
    }
    // A node that was told that it is understood says so in another place; a limit of a later release is one too.
    for (text, meaning) in [
        ("Parallel session limit reached", Meaning::AnotherNode),
        ("Bandwidth limit exceeded", Meaning::Overloaded),
        ("Unknown call-id", Meaning::Overloaded),
        ("", Meaning::Overloaded),
    ] {
        let octets = written(|out| write::load_limit(out, text));
        assert_eq!(Reply::parse(octets.as_bytes()), Ok(Reply::Failed { reason: text.as_bytes(), meaning }));
    }
    let reply = Reply::parse(b"d6:result10:load limite").unwrap();
    assert_eq!(reply, Reply::Failed { reason: b"", meaning: Meaning::Overloaded });
}

#[test]
fn a_delete_of_an_unknown_call_is_no_failure() {
    let octets = body("reply", "delete_unknown");
    let reply = Reply::parse(&octets).unwrap();
    assert!(reply.is_unknown_call());
    let warning = reply.done().unwrap().warning;
    assert_eq!(warning, Some(b"Call-ID not found or tags didn't match".as_slice()));
}

#[test]
fn what_is_no_reply_is_refused() {
    let table: [(&[u8], Error); 7] = [
        (b"", Error::Bencode(bencode::Error::Truncated)),
        (b"{\"result\":\"pong\"}", Error::Bencode(bencode::Error::Malformed)),
        (b"i1e", Error::NotDict),
        (b"de", Error::NoResult),
        (b"d6:resulti1ee", Error::NoResult),
        (b"d6:result2:noe", Error::UnknownResult),
        (b"d6:result2:oke ", Error::Bencode(bencode::Error::Trailing)),
    ];
    for (octets, error) in table {
        assert_eq!(Reply::parse(octets), Err(error), "{}", octets.escape_ascii());
    }
    for (name, error) in [
        ("deep", bencode::Error::TooDeep),
        ("claimed_length", bencode::Error::Truncated),
        ("negative_zero", bencode::Error::Malformed),
    ] {
        assert_eq!(Reply::parse(&body("reply", name)), Err(Error::Bencode(error)), "{name}");
    }
}

#[test]
fn no_reply_that_is_cut_is_read() {
    for (name, datagram) in datagrams("reply") {
        let Ok((_, body)) = crate::cookie::split(&datagram) else {
            assert_eq!(name, "no_cookie");
            continue;
        };
        for cut in 0..body.len() {
            assert!(Reply::parse(&body[..cut]).is_err(), "{name} cut at {cut}");
        }
    }
}

fn address(text: &str) -> Option<SocketAddr> {
    text.parse().ok()
}

#[test]
fn a_call_has_all_its_fields() {
    let octets = body("reply", "query");
    let reply = Reply::parse(&octets).unwrap();
    let call = reply.done().unwrap().call().unwrap();
    assert_eq!(call.created, Some(1_790_000_000));
    assert_eq!(call.created_us, Some(250_125));
    assert_eq!(call.last_signal, Some(1_790_000_003));
    assert_eq!(call.rtp, Counters { packets: 99, bytes: 17_028, errors: 1 });
    assert_eq!(call.rtcp, Counters { packets: 2, bytes: 160, errors: 0 });
    assert_eq!(call.sides.len(), 2);

    let side = call.side(b"from1").unwrap();
    assert_eq!(side.via_branch, Some(b"z9hG4bK1".as_slice()));
    assert_eq!(side.label, Some(b"caller".as_slice()));
    assert_eq!(side.created, Some(1_790_000_000));
    let (subscription, subscriber) = (side.subscriptions[0], side.subscribers[0]);
    assert_eq!(subscription, subscriber);
    assert_eq!((subscription.tag, subscription.kind), (b"to1".as_slice(), Some(b"offer/answer".as_slice())));

    let media = &side.medias[0];
    assert_eq!((media.index, media.kind), (Some(1), Some(b"audio".as_slice())));
    assert_eq!(media.protocol, Some(b"RTP/AVP".as_slice()));
    assert_eq!(media.codec, Some(b"PCMA/8000".as_slice()));
    assert_eq!(media.flags, [b"initialized".as_slice(), b"send", b"recv"]);

    let [rtp, rtcp] = media.streams.as_slice() else { panic!("two streams") };
    assert_eq!((rtp.local_port, rtp.local_address), (Some(21_000), "127.0.0.1".parse().ok()));
    assert_eq!(
        (rtp.endpoint, rtp.advertised_endpoint),
        (address("192.0.2.1:4000"), address("192.0.2.1:4000"))
    );
    assert_eq!((rtp.last_packet, rtp.ssrc), (Some(1_790_000_012), Some(305_419_896)));
    assert_eq!((rtp.stats, rtp.stats_out), (Counters { packets: 50, bytes: 8_600, errors: 1 }, None));
    assert!(rtp.is_rtp() && !rtcp.is_rtp());
    assert_eq!((rtcp.ssrc, rtcp.crypto_suite), (None, None));
}

fn reported() -> Ssrc {
    let report = |mos, round_trip, leg, jitter, loss| Quality {
        mos_tenths: Some(mos),
        round_trip_us: Some(round_trip),
        round_trip_leg_us: Some(leg),
        jitter_ms: Some(jitter),
        loss_percent: Some(loss),
        ..Quality::default()
    };
    Ssrc {
        ssrc: 305_419_896,
        cumulative_loss: Some(7),
        average: Some(Quality { samples: Some(3), ..report(41, 12_000, 6_000, 3, 1) }),
        lowest: Some(Quality { reported_at: Some(1_790_000_010), ..report(36, 15_000, 7_000, 9, 4) }),
        highest: Some(Quality { reported_at: Some(1_790_000_005), ..report(43, 11_000, 5_000, 1, 0) }),
    }
}

#[test]
fn sources_are_found_where_either_release_has_them() {
    for name in ["query", "query_later"] {
        let octets = body("reply", name);
        let call = Reply::parse(&octets).unwrap().done().unwrap().call().unwrap();
        assert_eq!(call.ssrcs, [reported()], "{name}");
        let sent = call.sides[1].medias[0].streams[0].stats_out;
        let expected = Counters { packets: 49, bytes: 8_428, errors: 0 };
        assert_eq!(sent, (name == "query_later").then_some(expected), "{name}");
    }
}

/// A loss has 24 bits and a sign, which no release minds: what came twice counts against what did not come.
#[test]
fn a_loss_below_none_is_none() {
    for (reported, lost) in
        [(0, 0), (7, 7), (8_388_607, 8_388_607), (8_388_608, 0), (16_777_215, 0), (16_777_216, 0)]
    {
        let octets = String::from_utf8(body("reply", "query")).unwrap();
        let loss = format!("cumulative lossi{reported}e");
        let octets = octets.replace("cumulative lossi7e", &loss);
        let call = Reply::parse(octets.as_bytes()).unwrap().done().unwrap().call().unwrap();
        assert_eq!(call.ssrcs[0].cumulative_loss, Some(lost), "{reported}");
        assert_eq!(call.statistics().sides[0].lost, Some(lost), "{reported}");
    }
}

#[test]
fn a_call_is_summed_up_by_side() {
    for name in ["query", "query_later"] {
        let octets = body("reply", name);
        let statistics = Reply::parse(&octets).unwrap().done().unwrap().call().unwrap().statistics();
        let caller = statistics.side(b"from1").unwrap();
        assert_eq!(caller.codec, Some(b"PCMA/8000".as_slice()));
        assert_eq!(caller.rtp, Counters { packets: 50, bytes: 8_600, errors: 1 });
        assert_eq!(caller.rtcp, Counters { packets: 2, bytes: 160, errors: 0 });
        assert_eq!(caller.last_packet, Some(1_790_000_012));
        assert_eq!((caller.lost, caller.loss_percent, caller.jitter_ms), (Some(7), Some(1), Some(3)));
        let scores = (caller.mos_tenths, caller.mos_tenths_lowest, caller.mos_tenths_highest);
        assert_eq!(scores, (Some(41), Some(36), Some(43)));
        assert_eq!(caller.round_trip_us, Some(12_000));

        let called = statistics.side(b"to1").unwrap();
        assert_eq!(called.rtp, Counters { packets: 49, bytes: 8_428, errors: 0 });
        assert_eq!(
            (called.lost, called.jitter_ms, called.mos_tenths),
            (None, None, None),
            "it has reported nothing"
        );
        assert_eq!(statistics.rtp, caller.rtp.plus(called.rtp));
    }
}

#[test]
fn the_mean_of_two_sources_has_their_weights() {
    let octets = body("reply", "query");
    let mut call = Reply::parse(&octets).unwrap().done().unwrap().call().unwrap();
    // Once more with a source that took over in the middle of the call.
    let average = Some(Quality { mos_tenths: Some(21), samples: Some(1), ..Quality::default() });
    call.ssrcs.push(Ssrc { ssrc: 9, cumulative_loss: Some(3), average, ..Ssrc::default() });
    call.sides[0].medias[0].ingress_ssrcs = vec![9, 305_419_896];
    let caller = call.statistics().sides[0];
    assert_eq!((caller.lost, caller.mos_tenths), (Some(10), Some(36)), "(3 * 41 + 21) / 4");
    assert_eq!(caller.jitter_ms, Some(3), "the other one has none");
}

#[test]
fn a_side_without_a_tag_has_an_empty_one() {
    let octets = body("reply", "query_untagged");
    let call = Reply::parse(&octets).unwrap().done().unwrap().call().unwrap();
    assert_eq!(call.sides[0].tag, b"");
    assert_eq!(call.statistics().side(b"").unwrap().last_packet, None);
}

/// The figures of the sample.
fn figures() -> Statistics {
    let current = Current {
        sessions_own: 3,
        sessions_foreign: 1,
        sessions_total: 4,
        transcoded_media: 2,
        packet_rate_user: 150,
        byte_rate_user: 25_800,
        error_rate_user: 1,
        packet_rate: 150,
        byte_rate: 25_800,
        error_rate: 1,
        media_userspace: 6,
        ..Current::default()
    };
    let totals = Totals {
        managed_sessions: 1_200,
        rejected_sessions: 5,
        timeout_sessions: 4,
        silent_timeout_sessions: 3,
        final_timeout_sessions: 2,
        offer_timeout_sessions: 1,
        regular_terminated_sessions: 1_180,
        forced_terminated_sessions: 6,
        relayed_packets_user: 70_000,
        relayed_packet_errors_user: 7,
        relayed_bytes_user: 12_040_000,
        relayed_packets: 70_000,
        relayed_packet_errors: 7,
        relayed_bytes: 12_040_000,
        zero_way_streams: 9,
        one_way_streams: 8,
        ..Totals::default()
    };
    let average_call_duration = Duration::from_micros(61_250_000);
    Statistics { current, totals, uptime: Duration::from_secs(86_407), average_call_duration }
}

#[test]
fn figures_are_read_whether_numbers_or_texts() {
    let octets = body("reply", "statistics");
    let reply = Reply::parse(&octets).unwrap();
    let done = reply.done().unwrap();
    assert_eq!(done.statistics(), Some(figures()));
    assert_eq!(done.interval_millionths("avgofferdelay"), Some(57));
    assert_eq!(done.interval_millionths("maxofferdelay"), Some(1_900));
    assert_eq!(done.interval_millionths("maxofferrequestrate"), Some(12_000_000));
    assert_eq!(done.interval_millionths("minstart recordingdelay"), Some(0));
    assert_eq!(done.interval_millionths("minanswerdelay"), None);
}

#[test]
fn times_that_are_no_numbers_are_passed_over() {
    let table = [
        ("3:1.5", Some(1_500_000)),
        ("10:2.12345678", Some(2_123_456)),
        ("i3e", Some(3_000_000)),
        ("2:1.", None),
        ("2:.5", None),
        ("4:-1.5", None),
        ("4:1.-5", None),
        ("3:1,5", None),
        ("22:18446744073709551615.0", None),
        ("le", None),
    ];
    for (value, millionths) in table {
        let octets = format!("d6:result2:ok10:statisticsd18:intervalstatisticsd1:a{value}eee");
        let reply = Reply::parse(octets.as_bytes()).unwrap();
        assert_eq!(reply.done().unwrap().interval_millionths("a"), millionths, "{value}");
    }
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn replies_of_a_node_are_written() {
    assert_eq!(written(write::pong), "d6:result4:ponge");
    assert_eq!(written(write::ok), "d6:result2:oke");
    assert_eq!(written(|out| write::sdp(out, b"v=0\r\n")), "d3:sdp5:v=0\r\n6:result2:oke");
    let calls: [&[u8]; 2] = [b"a", b"bc"];
    assert_eq!(written(|out| write::calls(out, calls)), "d5:callsl1:a2:bce6:result2:oke");
    assert_eq!(written(|out| write::calls(out, [])), "d5:callsle6:result2:oke");
    assert_eq!(written(|out| write::warning(out, "odd")), "d7:warning3:odd6:result2:oke");
    assert_eq!(written(|out| write::error(out, "no")), "d6:result5:error12:error-reason2:noe");
    assert_eq!(written(|out| write::load_limit(out, "no")), "d6:result10:load limit7:message2:noe");
}

#[test]
fn calls_and_figures_that_are_written_are_read() {
    for name in ["query", "query_later", "query_untagged"] {
        let octets = body("reply", name);
        let call = Reply::parse(&octets).unwrap().done().unwrap().call().unwrap();
        let out = written(|out| write::call(out, &call));
        assert_eq!(Reply::parse(out.as_bytes()).unwrap().done().unwrap().call(), Some(call), "{name}");
    }
    let out = written(|out| write::statistics(out, &figures()));
    assert_eq!(Reply::parse(out.as_bytes()).unwrap().done().unwrap().statistics(), Some(figures()));
    assert!(out.contains("6:uptime5:86407"), "a text, as a node writes it: {out}");
    assert!(out.contains("15:avgcallduration9:61.250000"), "{out}");
}
