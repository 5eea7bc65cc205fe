//! Kamailio as an edge proxy between a telephone and the node: what it writes into Path (RFC 3327) is the way
//! back.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::super::super::peer;
use super::super::super::process::Node;
use super::super::baresip::{Baresip, two_ports};
use super::super::kamailio::Kamailio;
use super::super::{Transport, digest, free_port, place, wait_quiet};
use super::{LONG, OWN, calls, provisioned, text, wait_bound, wait_records};

const CONFIGURATION: &str = include_str!("edge.cfg");
/// Where the edge is.
const EDGE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 10));

#[test]
fn a_call_to_a_telephone_takes_the_path_that_it_registered_by() {
    let Some((baresip, kamailio)) = peer::program("baresip").zip(peer::program("kamailio")) else { return };
    let vendor = digest::vendor_address();
    let place = place(&[Transport::Udp], digest::MD5, provisioned(vendor));
    let mut node = place.start();
    let at = node.ports().sip[0];
    let edge = SocketAddr::from((EDGE, free_port()));
    let configuration =
        CONFIGURATION.replace("{listen}", &edge.to_string()).replace("{node}", &at.to_string());
    let kamailio = Kamailio::start(&kamailio, edge, &configuration);
    let local = SocketAddr::from((digest::UNLISTED, two_ports()));
    let account = format!(
        "<sip:roaming@{at};transport=udp>;regint={LONG};answermode=auto;auth_user=roaming;auth_pass={};\
         outbound=\"sip:{edge};transport=udp\"",
        digest::PASSWORD
    );
    let telephone = Baresip::start(&baresip, local, &account, &format!("net_interface {}", local.ip()));
    let bound = wait_bound(&node, 1);
    let path = format!("<sip:edge@{edge};lr>");
    let found = ["path", "source"].map(|key| text(&bound[0], key));
    assert_eq!(found, [path.as_str(), edge.to_string().as_str()], "{bound:?}");
    assert!(text(&bound[0], "contact").contains(&local.to_string()), "{bound:?}");

    let stage = Stage { vendor, local, telephone, kamailio };
    stage.talk(&node, 1, true);
    stage.talk(&node, 2, false);
    // What is not on the disk yet is a call that is up for the next process.
    wait_records(&node, 2);
    // The path is on the disk, with the contact.
    node.kill();
    node = place.start();
    assert_eq!(wait_bound(&node, 1), bound, "nobody has registered anew");
    stage.talk(&node, 3, true);
    stage.talk(&node, 4, false);
    let log = stage.kamailio.log();
    assert!(log.matches(&format!("INVITE for {OWN} by {path}")).count() >= 4, "{log}");
}

/// All but the node.
struct Stage {
    vendor: SocketAddr,
    /// Where the telephone is.
    local: SocketAddr,
    telephone: Baresip,
    kamailio: Kamailio,
}

impl Stage {
    /// The call of this number, which one side ends by way of the edge.
    #[track_caller]
    fn talk(&self, node: &Node, number: usize, vendor_ends: bool) {
        let Self { vendor, local, telephone, kamailio } = self;
        let before = self.byes(node);
        let mut caller = calls(*vendor, node, &format!("path{number}"));
        telephone.wait("CALL_ESTABLISHED", number);
        if vendor_ends {
            caller.hang_up();
        } else {
            telephone.command("hangup", "");
            caller.is_hung_up_on();
        }
        telephone.wait("CALL_CLOSED", number);
        wait_quiet(node);
        let after = self.byes(node);
        let from = usize::from(!vendor_ends);
        assert!(after[from] > before[from], "{local}: {}", kamailio.log());
        assert_eq!(after[1 - from], before[1 - from], "{local}: {}", kamailio.log());
    }

    /// How many BYEs have passed the edge from the node, and from the telephone.
    fn byes(&self, node: &Node) -> [usize; 2] {
        let log = self.kamailio.log();
        [node.ports().sip[0], self.local].map(|from| log.matches(&format!("BYE from {from}\n")).count())
    }
}
