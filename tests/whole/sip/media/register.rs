//! Telephones that were not written here register as a trunk, and a vendor's calls to the trunk's number reach them: over
//! a restart of the node too, and no more once they have left or their time is over.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use super::super::super::peer;
use super::super::super::process::signal;
use super::super::baresip::{Baresip, two_ports};
use super::super::linphone::{self, IDLE, Linphone, TALKING};
use super::super::registered::{bound, text, wait_bound};
use super::super::{digest, free_port};
use super::Stage;
use super::rtp::{Described, hear_oneself};
use super::side::Side;
use super::telephones::BEHIND_NAT;

/// The number of the trunk that registers.
const OWN: &str = "+442079469999";
/// Seconds for which telephones register that are to stay, and one that is to go without a word.
const LONG: u32 = 3600;
const SHORT: u32 = 10;

#[test]
fn a_telephone_registers_is_called_and_leaves() {
    let Some(program) = peer::program("baresip") else { return };
    let Some(stage) = stage(digest::MD5) else { return };
    let (local, telephone) = baresip(&program, &stage, LONG);
    let bound = wait_bound(&stage.node, 1);
    assert_eq!(bound[0]["source"], local.to_string(), "{bound:?}");
    assert!(text(&bound[0], "contact").contains(&local.to_string()), "{bound:?}");
    assert!(text(&bound[0], "user_agent").starts_with("baresip"), "{bound:?}");

    let mut vendor = stage.callee(0);
    for number in 1..=2 {
        let of_vendor = calls(&stage, &mut vendor);
        telephone.wait("CALL_ESTABLISHED", number);
        hear_oneself(&vendor.media, &of_vendor);
        if number == 1 {
            hang_up_on(&mut vendor);
        } else {
            telephone.command("hangup", "");
            let bye = vendor.expect("BYE");
            vendor.reply(&bye, "200 OK", "", "");
        }
        telephone.wait("CALL_CLOSED", number);
        stage.wait_empty();
    }

    // It takes its contact back when it is told to end.
    signal(telephone.pid(), "TERM");
    wait_bound(&stage.node, 0);
    is_not_reached(&mut vendor);
}

#[test]
fn a_restart_forgets_nobody() {
    let Some(program) = peer::program("baresip") else { return };
    let Some(mut stage) = stage(digest::MD5) else { return };
    let (_, telephone) = baresip(&program, &stage, LONG);
    let before = wait_bound(&stage.node, 1);
    let mut vendor = stage.callee(0);
    let of_vendor = calls(&stage, &mut vendor);
    hear_oneself(&vendor.media, &of_vendor);
    hang_up_on(&mut vendor);
    stage.wait_empty();

    let place = Arc::clone(stage.node.place());
    stage.node.kill();
    stage.node = place.start();
    stage.wait_up(2);
    assert_eq!(wait_bound(&stage.node, 1), before, "nobody has registered anew");
    let of_vendor = calls(&stage, &mut vendor);
    telephone.wait("CALL_ESTABLISHED", 2);
    hear_oneself(&vendor.media, &of_vendor);
    hang_up_on(&mut vendor);
    stage.wait_empty();
}

#[test]
fn a_telephone_that_is_gone_is_called_until_its_time_is_over() {
    let Some(program) = peer::program("baresip") else { return };
    let lines = format!("{}\nregister_expires_min = \"1s\"", digest::MD5);
    let Some(stage) = stage(&lines) else { return };
    let (_, telephone) = baresip(&program, &stage, SHORT);
    wait_bound(&stage.node, 1);
    // By kill -9: it says nothing.
    drop(telephone);
    wait_bound(&stage.node, 0);
    is_not_reached(&mut stage.callee(0));
}

#[test]
fn a_wrong_password_registers_nobody() {
    let Some(program) = peer::program("linphone-daemon") else { return };
    let Some(stage) = stage("") else { return };
    let telephone = linphone(&program, &stage, "another-horse-battery");
    telephone.wait_for("register-status ALL", "LinphoneRegistrationFailed");
    assert!(stage.node.metric("warp_sip_digests_wrong_total") > 0.5, "{}", stage.node.metrics());
    assert!(bound(&stage.node).is_empty());
    is_not_reached(&mut stage.callee(0));
}

/// Another telephone, which answers the challenge by SHA-256.
#[test]
fn linphone_registers_is_called_and_leaves() {
    let Some(program) = peer::program("linphone-daemon") else { return };
    let Some(stage) = stage("") else { return };
    let telephone = linphone(&program, &stage, digest::PASSWORD);
    telephone.wait_for("register-status ALL", "LinphoneRegistrationOk");
    wait_bound(&stage.node, 1);
    let mut vendor = stage.callee(0);
    calls(&stage, &mut vendor);
    telephone.wait_for("call-status", TALKING);
    hang_up_on(&mut vendor);
    telephone.wait_for("call-status", IDLE);
    stage.wait_empty();
    telephone.command("unregister ALL");
    wait_bound(&stage.node, 0);
    is_not_reached(&mut vendor);
}

/// A node with a trunk that may register and has a number.
#[track_caller]
fn stage(lines: &str) -> Option<Stage> {
    let own = format!(
        "{}[[dids]]\nnumber = \"{OWN}\"\ncustomer = \"TB-000000001\"\ntrunk = \"roaming\"\n",
        digest::trunk("roaming", "DIGEST", BEHIND_NAT)
    );
    Stage::provisioned(lines, &own, ("", ""))
}

/// A telephone that registers for so many seconds, and answers what comes.
#[track_caller]
fn baresip(program: &Path, stage: &Stage, seconds: u32) -> (SocketAddr, Baresip) {
    let local = SocketAddr::from((digest::UNLISTED, two_ports()));
    let at = stage.node.ports().sip[0];
    let account = format!(
        "<sip:roaming@{at};transport=udp>;regint={seconds};answermode=auto;auth_user=roaming;auth_pass={}",
        digest::PASSWORD
    );
    (local, Baresip::start(program, local, &account, &format!("net_interface {}", local.ip())))
}

#[track_caller]
fn linphone(program: &Path, stage: &Stage, password: &str) -> Linphone {
    let local = SocketAddr::from((digest::UNLISTED, free_port()));
    let registers = format!("reg_sendregister=1\nreg_expires={LONG}\n");
    let account = linphone::account("roaming", password, stage.node.ports().sip[0], &registers);
    Linphone::start(program, local, &account)
}

/// A vendor calls the number until the ACK of the answer; where it is told to send.
#[track_caller]
fn calls(stage: &Stage, vendor: &mut Side) -> Described {
    vendor.call(OWN, &vendor.media.describe("RTP/AVP 0 101", ""));
    let answer = vendor.expect_behind("180 INVITE", "200 INVITE");
    vendor.request("ACK", "");
    stage.leads(&answer)
}

#[track_caller]
fn hang_up_on(vendor: &mut Side) {
    vendor.request("BYE", "");
    vendor.expect("200 BYE");
}

/// A vendor calls the number, which leads nowhere.
#[track_caller]
fn is_not_reached(vendor: &mut Side) {
    vendor.call(OWN, &vendor.media.describe("RTP/AVP 0 101", ""));
    vendor.is_refused(480);
}
