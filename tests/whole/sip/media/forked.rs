//! A vendor's calls to two telephones of a trunk that ring at the same time: who answers is heard, before the answer too,
//! and of the other one nothing is left.

use std::net::SocketAddr;

use tempfile::TempDir;

use super::super::super::peer;
use super::super::baresip::{BY_HAND, Baresip, two_ports};
use super::super::registered::wait_bound;
use super::super::sipp::{Part, Sipp};
use super::super::{Message, Transport, digest, free_port, programs, records};
use super::Stage;
use super::rtp::{Described, converse, hear_oneself};
use super::side::{Side, hang_up};
use super::telephones::BEHIND_NAT;

/// The number of the trunk, as it is called and as records begin with it.
const OWN: &str = "+442079469999";
const RECORDED: &str = "442079469999";
/// Seconds for which telephones register.
const LONG: u32 = 3600;

#[test]
fn the_second_of_two_that_ring_answers() {
    let Some((_, sqlite)) = programs() else { return };
    let Some(scene) = Scene::new() else { return };
    let [mut first, mut second] = scene.telephones();
    let (stage, mut vendor) = (&scene.stage, scene.stage.callee(0));
    let [(of_first, at_first), (of_second, at_second)] = scene.call(&mut vendor, &mut first, &mut second);
    assert_ne!(at_first.at, at_second.at, "each is offered ports of its own");
    first.reply(&of_first, "180 Ringing", "", "");
    vendor.expect("180 INVITE");
    second.reply(&of_second, "180 Ringing", "", "");
    vendor.expect("180 INVITE");
    assert_eq!(stage.carried().len(), 1, "it is one call");

    second.reply(&of_second, "200 OK", "", &second.sdp("sendrecv"));
    let at_vendor = stage.leads(&vendor.expect("200 INVITE"));
    vendor.request("ACK", "");
    second.expect("ACK");
    let why = is_cancelled(&mut first, &of_first);
    assert_eq!(why.as_deref(), Some("SIP;cause=200;text=\"Call completed elsewhere\""));
    converse((&vendor.media, &at_vendor), (&second.media, &at_second));
    hang_up(&mut vendor, &mut second);
    stage.wait_empty();
    let [lost, won] = scene.local;
    let attempts = [(won, Some(200), "answered"), (lost, None, "cancelled")];
    records::expect_one(&sqlite, &stage.node, RECORDED, (200, "answered", "caller", &attempts));
}

#[test]
fn who_plays_before_the_answer_is_heard_until_another_does_and_who_answers_last_has_no_call() {
    let Some((_, sqlite)) = programs() else { return };
    let Some(scene) = Scene::new() else { return };
    let [mut first, mut second] = scene.telephones();
    let (stage, mut vendor) = (&scene.stage, scene.stage.callee(0));
    let [(of_first, at_first), (of_second, at_second)] = scene.call(&mut vendor, &mut first, &mut second);
    let answer = first.sdp("sendrecv");
    first.reply(&of_first, "183 Session Progress", "", &answer);
    let at_vendor = stage.leads(&vendor.expect("183 INVITE"));
    converse((&vendor.media, &at_vendor), (&first.media, &at_first));
    second.reply(&of_second, "183 Session Progress", "", &second.sdp("sendrecv"));
    let at_vendor = stage.leads(&vendor.expect("183 INVITE"));
    converse((&vendor.media, &at_vendor), (&second.media, &at_second));

    first.reply(&of_first, "200 OK", "", &answer);
    let at_vendor = stage.leads(&vendor.expect("200 INVITE"));
    vendor.request("ACK", "");
    first.expect("ACK");
    converse((&vendor.media, &at_vendor), (&first.media, &at_first));
    // It crosses the CANCEL.
    second.reply(&of_second, "200 OK", "", &second.sdp("sendrecv"));
    let cancel = second.expect("CANCEL");
    second.reply(&cancel, "481 Call/Transaction Does Not Exist", "", "");
    second.expect("ACK");
    let bye = second.expect("BYE");
    second.reply(&bye, "200 OK", "", "");
    converse((&vendor.media, &at_vendor), (&first.media, &at_first));
    hang_up(&mut first, &mut vendor);
    stage.wait_empty();
    let [won, lost] = scene.local;
    let attempts = [(won, Some(200), "answered"), (lost, None, "cancelled")];
    records::expect_one(&sqlite, &stage.node, RECORDED, (200, "answered", "callee", &attempts));
}

#[test]
fn a_vendor_that_gives_up_cancels_both_and_a_refusal_of_both_is_the_vendors() {
    let Some((_, sqlite)) = programs() else { return };
    let Some(scene) = Scene::new() else { return };
    let [mut first, mut second] = scene.telephones();
    let (stage, mut vendor) = (&scene.stage, scene.stage.callee(0));
    let [(of_first, _), (of_second, _)] = scene.call(&mut vendor, &mut first, &mut second);
    for (telephone, invite) in [(&first, &of_first), (&second, &of_second)] {
        telephone.reply(invite, "180 Ringing", "", "");
        vendor.expect("180 INVITE");
    }
    vendor.cancel();
    vendor.expect("200 CANCEL");
    assert_eq!(is_cancelled(&mut first, &of_first), None);
    assert_eq!(is_cancelled(&mut second, &of_second), None);
    vendor.is_refused(487);
    stage.wait_empty();
    let [one, other] = scene.local.map(|local| (local, Some(487), "cancelled"));
    records::expect_one(&sqlite, &stage.node, RECORDED, (487, "cancelled", "caller", &[one, other]));

    let [(of_first, _), (of_second, _)] = scene.call(&mut vendor, &mut first, &mut second);
    first.refuse(&of_first, "486 Busy Here");
    second.reply(&of_second, "180 Ringing", "", "");
    vendor.expect("180 INVITE");
    second.refuse(&of_second, "480 Temporarily Unavailable");
    vendor.is_refused(486);
    stage.wait_empty();
    let cdrs = records::wait_cdrs(&sqlite, &stage.node, RECORDED, 2);
    let mut ends: Vec<_> = cdrs.iter().map(|cdr| (cdr.status, cdr.reason, cdr.attempts.len())).collect();
    ends.sort_unstable();
    assert_eq!(ends, [(486, "busy", 2), (487, "cancelled", 2)], "{cdrs:?}");
}

/// Telephones that were not written here, of which each has the call once.
#[test]
fn two_telephones_ring_and_the_one_that_is_taken_up_is_heard() {
    let Some((_, sqlite)) = programs() else { return };
    let Some(program) = peer::program("baresip") else { return };
    let Some(stage) = stage(BEHIND_NAT) else { return };
    let at = stage.node.ports().sip[0];
    let telephones = [1, 2].map(|count| {
        let local = SocketAddr::from((digest::UNLISTED, two_ports()));
        let by_hand = BY_HAND.replace("regint=0", &format!("regint={LONG}"));
        let account = format!(
            "<sip:roaming@{at};transport=udp>;{by_hand};auth_user=roaming;auth_pass={}",
            digest::PASSWORD
        );
        let telephone = Baresip::start(&program, local, &account, &format!("net_interface {}", local.ip()));
        wait_bound(&stage.node, count);
        telephone
    });
    let mut vendor = stage.callee(0);
    for (number, (taken, other)) in (1..).zip([(1, 0), (0, 1)]) {
        vendor.call(OWN, &vendor.media.describe("RTP/AVP 0 101", ""));
        telephones.iter().for_each(|telephone| telephone.wait("CALL_INCOMING", number));
        telephones[taken].command("accept", "");
        let answer = vendor.expect_behind("180 INVITE", "200 INVITE");
        vendor.request("ACK", "");
        telephones[taken].wait("CALL_ESTABLISHED", 1);
        telephones[other].wait("CALL_CLOSED", number);
        hear_oneself(&vendor.media, &stage.leads(&answer));
        vendor.request("BYE", "");
        vendor.expect_behind("180 INVITE", "200 BYE");
        telephones[taken].wait("CALL_CLOSED", number);
        stage.wait_empty();
    }
    let cdrs = records::wait_cdrs(&sqlite, &stage.node, RECORDED, 2);
    assert_eq!(cdrs.len(), 2, "{cdrs:?}");
    for cdr in cdrs {
        let reasons: Vec<_> = cdr.attempts.iter().map(|(_, _, reason)| *reason).collect();
        assert_eq!((cdr.status, &reasons[..]), (200, &["answered", "cancelled"][..]), "{cdr:?}");
    }
}

/// A node with a trunk that may register, has a number, and whose telephones ring at the same time.
#[track_caller]
fn stage(trunk: &str) -> Option<Stage> {
    let trunk = digest::trunk("roaming", "DIGEST", &format!("fork = \"parallel\"\n{trunk}"));
    let own = format!("[[dids]]\nnumber = \"{OWN}\"\ncustomer = \"TB-000000001\"\ntrunk = \"roaming\"\n");
    Stage::provisioned(digest::MD5, &format!("{trunk}{own}"), ("", ""))
}

/// It, and where two telephones are that have registered.
struct Scene {
    stage: Stage,
    local: [SocketAddr; 2],
    _folder: TempDir,
}

impl Scene {
    #[track_caller]
    fn new() -> Option<Self> {
        let sipp = peer::program("sipp")?;
        let stage = stage("")?;
        let folder = tempfile::tempdir().unwrap();
        let at = stage.node.ports().sip[0];
        let about = at.to_string();
        let local = [(); 2].map(|()| SocketAddr::from((digest::UNLISTED, free_port())));
        for (number, local) in local.into_iter().enumerate() {
            let part = Part {
                name: format!("register-{number}"),
                scenario: register(),
                transport: Transport::Udp,
                local,
                calls: Some(at),
                count: (1, 1),
                folder: folder.path(),
            };
            let said = ["-au", "roaming", "-ap", digest::PASSWORD, "-auth_uri", about.as_str()];
            let registers = Sipp::start_with(&sipp, part, &said.map(str::to_owned));
            assert_eq!(registers.finish(), Ok(()));
        }
        wait_bound(&stage.node, 2);
        Some(Self { stage, local, _folder: folder })
    }

    /// Where they have registered, now that SIPp is not there any more.
    #[track_caller]
    fn telephones(&self) -> [Side; 2] {
        self.local.map(|local| Side::new(local, digest::UNLISTED, self.stage.node.ports().sip[0]))
    }

    /// The vendor calls the number: the INVITE that each telephone gets, and where it leads.
    #[track_caller]
    fn call(&self, vendor: &mut Side, first: &mut Side, second: &mut Side) -> [(Message, Described); 2] {
        vendor.call(OWN, &vendor.sdp("sendrecv"));
        [first, second].map(|telephone| {
            let invite = telephone.expect("INVITE");
            assert!(!invite.text.contains("100rel"), "{}", invite.text);
            let described = self.stage.leads(&invite);
            (invite, described)
        })
    }
}

/// One that rings is told to stop; what it is told why.
#[track_caller]
fn is_cancelled(telephone: &mut Side, invite: &Message) -> Option<String> {
    let cancel = telephone.expect("CANCEL");
    telephone.reply(&cancel, "200 OK", "", "");
    telephone.refuse(invite, "487 Request Terminated");
    cancel.header("Reason").map(str::to_owned)
}

/// The scenario in which SIPp registers, and answers the challenge. A copy of what is challenged would get a challenge of
/// its own.
fn register() -> String {
    let send = |number: u32, more: &str, again: &str| {
        format!(
            "<send{again}><![CDATA[\n\
             REGISTER sip:[remote_ip]:[remote_port] SIP/2.0\n\
             Via: SIP/2.0/[transport] [local_ip]:[local_port];rport;branch=[branch]\n\
             Max-Forwards: 70\n\
             From: <sip:roaming@[remote_ip]:[remote_port]>;tag=[pid]r[call_number]\n\
             To: <sip:roaming@[remote_ip]:[remote_port]>\n\
             Call-ID: [call_id]\n\
             CSeq: {number} REGISTER\n\
             Contact: <sip:roaming@[local_ip]:[local_port];transport=udp>\n\
             Expires: {LONG}\n\
             {more}Content-Length: 0\n\n]]></send>\n"
        )
    };
    format!(
        "<?xml version=\"1.0\"?>\n<scenario name=\"register\">\n{}\
         <recv response=\"401\" auth=\"true\"></recv>\n{}<recv response=\"200\"></recv>\n</scenario>\n",
        send(1, "", ""),
        send(2, "[authentication]\n", " retrans=\"500\"")
    )
}
