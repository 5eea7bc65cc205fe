//! Calls of a telephone that was not written here: it says by digest whose it is, and sends its media from another
//! address than its description has, as one behind a NAT does.

use std::net::SocketAddr;

use super::super::super::peer;
use super::super::baresip::{BY_HAND, Baresip, two_ports};
use super::super::digest;
use super::rtp::hear_oneself;
use super::{CALLED, Stage};

/// Of a trunk whose telephones may be behind a NAT.
pub(super) const BEHIND_NAT: &str = "media = { learning = \"immediate\", strict_source = false }";

#[test]
fn a_digest_and_what_is_said_go_both_ways() {
    let Some(program) = peer::program("baresip") else { return };
    let trunk = digest::trunk("roaming", "DIGEST", BEHIND_NAT);
    let Some(stage) = Stage::provisioned(digest::MD5, &trunk, ("", "")) else { return };
    let mut callee = stage.callee(0);
    let local = SocketAddr::from((digest::UNLISTED, two_ports()));
    let at = stage.node.ports().sip[0];
    let account = format!(
        "<sip:+442079460000@{local};transport=udp>;{BY_HAND};auth_user=roaming;auth_pass={};\
         outbound=\"sip:{at};transport=udp\"",
        digest::PASSWORD
    );
    let telephone = Baresip::start(&program, local, &account, &format!("net_interface {}", local.ip()));
    for (number, hangs_up) in [(1, true), (2, false)] {
        telephone.command("dial", &format!("sip:{CALLED}@{at}"));
        let invite = callee.expect("INVITE");
        for secret in ["Authorization", "roaming"] {
            assert!(!invite.text.contains(secret), "{secret} went to the vendor: {}", invite.text);
        }
        let of_callee = stage.leads(&invite);
        callee.reply(&invite, "200 OK", "", &callee.media.describe("RTP/AVP 0 101", ""));
        callee.expect("ACK");
        telephone.wait("CALL_ESTABLISHED", number);
        hear_oneself(&callee.media, &of_callee);
        assert_eq!(stage.carried().len(), 1, "one media node carries it");
        if hangs_up {
            telephone.command("hangup", "");
            let bye = callee.expect("BYE");
            callee.reply(&bye, "200 OK", "", "");
        } else {
            callee.request("BYE", "");
            callee.expect("200 BYE");
        }
        telephone.wait("CALL_CLOSED", number);
        stage.wait_empty();
    }
    assert!(stage.node.metric("warp_sip_digests_right_total") > 1.5, "each call by a digest of its own");
}
