//! What media nodes make of the sound itself: other codecs, other packets, digits of another kind.

use super::rtp::{Described, body, kinds, pressed, silence};
use super::side::{Side, hang_up};
use super::{CALLED, Stage, Up};

/// Payload types of PCMU and PCMA (RFC 3551 6), and what silence is there (ITU-T G.711).
const PCMU: (u8, u8) = (0, 0xff);
const PCMA: (u8, u8) = (8, 0xd5);
/// PCMU of that silence of PCMA, which is a step above that of PCMU.
const PCMU_OF_PCMA: (u8, u8) = (0, 0xfe);
/// Packets each way, as many as arrive where no packet grows.
const PACKETS: usize = 50;
/// Of a codec that looks ahead the last ones may stay inside.
const MOST: usize = 45;

/// A call that the caller offers with these formats, and the vendor answers with these and these lines more.
#[track_caller]
fn set_up(
    stage: &Stage,
    caller: &mut Side,
    callee: &mut Side,
    (offered, answered, lines): (&str, &str, &str),
) -> (Up, String) {
    caller.call(CALLED, &caller.media.describe(&format!("RTP/AVP {offered}"), ""));
    let invite = callee.expect("INVITE");
    let of_callee = stage.leads(&invite);
    let answer = callee.media.describe(&format!("RTP/AVP {answered}"), lines);
    callee.reply(&invite, "200 OK", "", &answer);
    let of_caller = stage.leads(&caller.expect("200 INVITE"));
    caller.request("ACK", "");
    callee.expect("ACK");
    (Up { of_caller, of_callee }, body(&invite).to_owned())
}

/// All packets of one kind come as packets of the other, with these octets.
#[track_caller]
fn becomes(
    (speaker, of_speaker): (&Side, &Described),
    said: (u8, u8),
    (hearer, of_hearer): (&Side, &Described),
    (kind, octet): (u8, u8),
) {
    speaker.media.send(&silence(said.0, said.1), of_speaker.at);
    let heard = hearer.media.hear(of_hearer.at);
    // What overtakes another packet within a media node may lose it.
    assert!((MOST..=PACKETS).contains(&heard.len()), "{said:?} as {kind}: {} packets", heard.len());
    assert_eq!(kinds(&heard, kind).0, heard.len(), "{said:?} as {kind}");
    assert!(heard.iter().all(|packet| packet[12..] == [octet; 160]), "{said:?} as {kind}");
}

#[test]
fn a_vendor_hears_another_codec_than_its_customer_speaks() {
    let vendor = "media = { codecs = [\"PCMA\"], transcode = [\"PCMA\"] }";
    let Some(stage) = Stage::new("", vendor) else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    let formats = ("0 101", "8 101", "");
    let (Up { of_caller, of_callee }, _) = set_up(&stage, &mut caller, &mut callee, formats);
    assert_eq!([of_callee.formats.join(" "), of_caller.formats.join(" ")], ["8 101", "0 101"]);
    becomes((&caller, &of_caller), PCMU, (&callee, &of_callee), PCMA);
    becomes((&callee, &of_callee), PCMA, (&caller, &of_caller), PCMU_OF_PCMA);
    hang_up(&mut caller, &mut callee);
    stage.wait_empty();
}

#[test]
fn a_vendor_may_choose_a_codec_that_its_customer_does_not_have() {
    let Some(stage) = Stage::new("", "media = { transcode = [\"opus\"] }") else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    // The number that RTPEngine gives it.
    let formats = ("0 8 101", "96", "a=rtpmap:96 opus/48000/2\r\n");
    let (Up { of_caller, of_callee }, offer) = set_up(&stage, &mut caller, &mut callee, formats);
    assert!(offer.contains("a=rtpmap:96 opus/48000/2\r\n"), "{offer}");
    assert_eq!(of_caller.formats[0], "0");
    caller.media.send(&silence(PCMU.0, PCMU.1), of_caller.at);
    let heard = callee.media.hear(of_callee.at);
    let (of_opus, _) = kinds(&heard, 96);
    assert!((MOST..=PACKETS).contains(&of_opus) && of_opus == heard.len(), "{of_opus} of {}", heard.len());
    hang_up(&mut caller, &mut callee);
    stage.wait_empty();
}

#[test]
fn a_vendor_gets_packets_of_the_length_that_it_wants() {
    let Some(stage) = Stage::new("", "media = { ptime = \"30ms\" }") else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    let formats = ("0 101", "0 101", "a=ptime:30\r\n");
    let (Up { of_caller, of_callee }, offer) = set_up(&stage, &mut caller, &mut callee, formats);
    assert!(offer.contains("a=ptime:30\r\n"), "{offer}");
    caller.media.send(&silence(PCMU.0, PCMU.1), of_caller.at);
    let heard = callee.media.hear(of_callee.at);
    // A second of sound, of which the rest of a packet stays inside, and one more where packets overtook each other.
    assert!((PACKETS * 20 / 30 - 2..=PACKETS * 20 / 30).contains(&heard.len()), "{} packets", heard.len());
    assert!(heard.iter().all(|packet| packet[12..] == [PCMU.1; 240]), "20 ms to 30 ms");
    hang_up(&mut caller, &mut callee);
    stage.wait_empty();
}

#[test]
fn digits_pass_as_they_are() {
    let Some(stage) = Stage::new("", "") else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    let formats = ("0 101", "0 101", "");
    let (Up { of_caller, of_callee }, _) = set_up(&stage, &mut caller, &mut callee, formats);
    let said = pressed(101);
    caller.media.send(&said, of_caller.at);
    let mut heard = callee.media.hear(of_callee.at);
    // Two threads of a node may overtake each other.
    heard.sort_by_key(|packet| [packet[2], packet[3]]);
    assert!(heard == said, "{} of {} packets, or others", heard.len(), said.len());
    hang_up(&mut caller, &mut callee);
    stage.wait_empty();
}

#[test]
fn digits_become_tones_for_a_vendor_that_wants_them() {
    let listed = "media = { dtmf = \"inband\", codecs = [\"PCMU\"] }";
    for vendor in ["media = { dtmf = \"inband\" }", listed] {
        let Some(stage) = Stage::new("", vendor) else { return };
        let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
        let (up, offer) = set_up(&stage, &mut caller, &mut callee, ("0 8 101", "0", ""));
        assert!(!offer.contains("telephone-event"), "{offer}");
        assert!(
            up.of_caller.formats.contains(&"101".to_owned()),
            "its customer presses digits: {:?}",
            up.of_caller
        );
        caller.media.send(&pressed(101), up.of_caller.at);
        let heard = callee.media.hear(up.of_callee.at);
        let (of_sound, tones) = kinds(&heard, PCMU.0);
        assert!(
            of_sound == heard.len() && tones > 3,
            "{vendor}: {tones} of {of_sound}, {} in all",
            heard.len()
        );
        hang_up(&mut caller, &mut callee);
        stage.wait_empty();
    }
}

/// The customer has none, and hears those of the vendor as tones.
#[test]
fn digits_are_events_for_a_vendor_that_wants_those() {
    let Some(stage) = Stage::new("", "media = { dtmf = \"telephone_event\" }") else { return };
    let (mut caller, mut callee) = (stage.caller(), stage.callee(0));
    // The number that RTPEngine gives them.
    let formats = ("0 8", "0 96", "a=rtpmap:96 telephone-event/8000\r\n");
    let (Up { of_caller, of_callee }, offer) = set_up(&stage, &mut caller, &mut callee, formats);
    assert!(offer.contains("a=rtpmap:96 telephone-event/8000\r\n"), "{offer}");
    assert_eq!(of_caller.formats, ["0"]);
    callee.media.send(&pressed(96), of_callee.at);
    let heard = caller.media.hear(of_caller.at);
    let (of_sound, tones) = kinds(&heard, PCMU.0);
    assert!(of_sound == heard.len() && tones > 3, "{tones} of {of_sound}, {} in all", heard.len());
    hang_up(&mut caller, &mut callee);
    stage.wait_empty();
}
