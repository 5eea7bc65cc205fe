//! What both sides report of what they hear (RTCP, RFC 3550 section 6.4): it passes a media node unchanged, and stands in
//! the record of the call.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::super::wait;
use super::super::{Message, SOON, wait_quiet};
use super::rtp::{Described, Media, body, converse_as};
use super::side::{Side, hang_up};
use super::{CALLED, CUSTOMER, Stage, Up, VENDOR_MEDIA};

/// On a busy machine a media node may be too late for the record of one.
const CALLS: usize = 5;
/// Between a report and the next one.
const BETWEEN: Duration = Duration::from_millis(20);
/// Time for a record, and what its media node has told for it.
const RECORDED: Duration = Duration::from_secs(2);
/// Ticks of the clock of G.711 in a millisecond: jitter is counted in them.
const TICKS: u32 = 8;

/// One side's reports.
struct Reporter {
    media: Media,
    /// Its own source, and that of whom it hears.
    sources: [u32; 2],
    /// Packets of the other one that were lost, and jitter in milliseconds, as it says.
    heard: (u8, u32),
    /// What the other one has sent last, by its middle bits, and when that came.
    last: Option<(u32, Instant)>,
}

impl Reporter {
    /// Reports to where it was told to, as the other one hears it. `middle` tells it from other reports.
    #[track_caller]
    fn reports(&self, middle: u32, to: SocketAddr, (hearer, from): (&mut Self, SocketAddr)) {
        let report = self.report(middle);
        self.media.send(std::slice::from_ref(&report), to);
        let heard = hearer.media.hear_next(1, from);
        assert!(heard == [report], "a report changed on its way: {heard:?}");
        hearer.last = Some((middle, Instant::now()));
    }

    /// A sender report with one block (6.4.1). The time in it is none: what matters is that no other has its middle.
    fn report(&self, middle: u32) -> Vec<u8> {
        let [own, other] = self.sources;
        let (lost, jitter) = self.heard;
        let (packets, octets) = (50_u32, 8_000_u32);
        // In parts of 65,536 of a second, never more than it was.
        let parts = |at: &Instant| u32::try_from(at.elapsed().as_micros() * 65_536 / 1_000_000).unwrap();
        let (last, ago) = self.last.as_ref().map_or((0, 0), |(middle, at)| (*middle, parts(at)));
        let time = [middle >> 16, middle << 16];
        // 4 parts of 256 are 1 %.
        let loss = u32::from_be_bytes([4, 0, 0, lost]);
        let words =
            [own, time[0], time[1], 8_000, packets, octets, other, loss, packets, jitter * TICKS, last, ago];
        let length = u16::try_from(words.len()).unwrap();
        let head = [&[0x81_u8, 200][..], &length.to_be_bytes()].concat();
        [head, words.map(u32::to_be_bytes).concat()].concat()
    }
}

/// Where a description says that reports are taken (RFC 3605).
#[track_caller]
fn of_reports(message: &Message, described: &Described) -> SocketAddr {
    let said = body(message).lines().find_map(|line| line.strip_prefix("a=rtcp:"));
    let port = said.and_then(|said| said.split(' ').next()?.parse().ok());
    let port: u16 = port.unwrap_or_else(|| panic!("no port for reports: {}", message.text));
    (described.at.ip(), port).into()
}

#[test]
fn what_the_sides_report_stands_in_the_record() {
    let Some(stage) = Stage::new("", "") else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    for _ in 0..CALLS {
        reported(&stage, &mut caller, &mut callee);
        let Some(media) = wait::within_time(RECORDED, || last_told(&stage)) else { continue };
        let side = |packets: u64, lost: u64, jitter: u64, score: &Value| {
            assert!(score.as_u64().is_some_and(|score| (10..=45).contains(&score)), "{media}");
            json!({"packets": packets, "lost": lost, "jitter_ms": jitter, "mos_tenths": score})
        };
        // What the callee reports is what became of the caller's sound.
        assert_eq!(media["caller"], side(50, 3, 20, &media["caller"]["mos_tenths"]), "{media}");
        assert_eq!(media["callee"], side(50, 7, 30, &media["callee"]["mos_tenths"]), "{media}");
        return;
    }
    panic!("no record of {CALLS} has what was reported");
}

/// A call in which both sides report until the media node has heard of both, and its end.
#[track_caller]
fn reported(stage: &Stage, caller: &mut Side, callee: &mut Side) {
    let reporter =
        |address, sources, heard| Reporter { media: Media::bind(address), sources, heard, last: None };
    let (of_caller, of_callee) = (0x1111, 0x2222);
    let mut one = reporter(CUSTOMER, [of_caller, of_callee], (7, 30));
    let mut other = reporter(VENDOR_MEDIA, [of_callee, of_caller], (3, 20));
    let sdp = |side: &Side, reporter: &Reporter| {
        side.media.describe("RTP/AVP 0 8 101", &format!("a=rtcp:{}\r\n", reporter.media.port()))
    };
    caller.call(CALLED, &sdp(caller, &one));
    let invite = callee.expect("INVITE");
    callee.reply(&invite, "200 OK", "", &sdp(callee, &other));
    let answer = caller.expect("200 INVITE");
    caller.request("ACK", "");
    callee.expect("ACK");
    let up = Up { of_caller: stage.leads(&answer), of_callee: stage.leads(&invite) };
    let (to_one, to_other) = (of_reports(&answer, &up.of_caller), of_reports(&invite, &up.of_callee));
    let sources = (of_caller, of_callee);
    converse_as(sources, (&caller.media, &up.of_caller), (&callee.media, &up.of_callee));

    let (node, call) = stage.up();
    let mut middle = 0;
    // It takes one report of each in a second for its score, and the first ones have no answer yet.
    wait::until("the media node has heard of both sides", SOON, || {
        one.reports(middle + 1, to_one, (&mut other, to_other));
        wait::pause(BETWEEN);
        other.reports(middle + 2, to_other, (&mut one, to_one));
        wait::pause(BETWEEN);
        middle += 2;
        (node.scored(&call) == 2).then_some(())
    });
    hang_up(caller, callee);
    stage.wait_empty();
    wait_quiet(&stage.node);
}

/// What the last record has of its media, if a media node has told it.
fn last_told(stage: &Stage) -> Option<Value> {
    let page = stage.node.get("/v1/cdrs/recent?limit=1").json();
    let media = page["cdrs"][0]["media"].clone();
    ["caller", "callee"].iter().all(|side| media[side]["packets"].is_u64()).then_some(media)
}
