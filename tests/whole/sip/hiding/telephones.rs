//! Telephones that were not written here, as the customer: they call a hidden vendor, and it calls them. They
//! are not shown the vendor either, and give back what the node has sealed for them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::super::super::peer;
use super::super::baresip::{BY_HAND, Baresip, two_ports};
use super::super::digest::{PASSWORD, vendor_address};
use super::super::linphone::{IDLE, Linphone, TALKING, account};
use super::super::sipp::{Part, Sipp};
use super::super::{
    CUSTOMER, Route, Transport, VENDOR_ANSWERS, free_port, place, programs, records, scenario, wait_quiet,
};
use super::looking::{Looks, looking};
use super::{Hides, LINES, Node, trunk, vendors};

/// The number that a telephone calls, and the beginning of its route.
const CALLED: &str = "+44301";
const PREFIX: &str = "443";
/// The number of a telephone, which SIPp makes of its beginning in its first call.
const OWN: &str = "+442079460001";
const OWN_PREFIX: &str = "44207946000";
/// The vendor's part where it calls.
const VENDOR_CALLS: &[&str] =
    &["INVITE sdp", "expect 180", "expect 200 sdp", "ACK", "expect BYE", "reply 200"];
/// A telephone that answers by itself may do so without ringing.
const RINGS: [&str; 2] =
    ["<recv response=\"180\" rrs=\"true\">", "<recv response=\"180\" rrs=\"true\" optional=\"true\">"];
/// An address of theirs within a header, and what they are. Where no media node is, descriptions of media
/// have it too, at the end of a line.
const NEVER: &[&str] = &["127[.]0[.]0[.]2:[0-9]+[^0-9[:space:]]", "User-Agent", "Server:"];

#[test]
fn baresip_calls_a_hidden_vendor_and_is_called_by_it() {
    let Some((sipp, sqlite)) = programs() else { return };
    let Some(program) = peer::program("baresip") else { return };
    let local = SocketAddr::from((CUSTOMER, two_ports()));
    let stage = Stage::new(sipp, local);
    let at = stage.node.ports().sip[0];
    let of_telephone =
        format!("<sip:{OWN}@{local};transport=udp>;{BY_HAND};outbound=\"sip:{at};transport=udp\"");
    let telephone = Baresip::start(&program, local, &of_telephone, "");

    let vendor = stage.vendor_answers();
    telephone.command("dial", &format!("sip:{CALLED}@{at}"));
    telephone.wait("CALL_ESTABLISHED", 1);
    telephone.command("hangup", "");
    telephone.wait("CALL_CLOSED", 1);
    assert_eq!(vendor.finish(), Ok(()));

    let vendor = stage.vendor_calls();
    telephone.wait("CALL_INCOMING", 1);
    telephone.command("accept", "");
    telephone.wait("CALL_ESTABLISHED", 2);
    telephone.command("hangup", "");
    telephone.wait("CALL_CLOSED", 2);
    assert_eq!(vendor.finish(), Ok(()));
    stage.expect_records(&sqlite);
}

#[test]
fn linphone_calls_a_hidden_vendor_and_is_called_by_it() {
    let Some((sipp, sqlite)) = programs() else { return };
    let Some(program) = peer::program("linphone-daemon") else { return };
    let local = SocketAddr::from((CUSTOMER, free_port()));
    let stage = Stage::new(sipp, local);
    let at = stage.node.ports().sip[0];
    let telephone = Linphone::start(&program, local, &account(OWN, PASSWORD, at, ""));

    let vendor = stage.vendor_answers();
    telephone.command(&format!("call sip:{CALLED}@{at}"));
    telephone.wait_for("call-status", TALKING);
    telephone.command("terminate");
    telephone.wait_for("call-status", IDLE);
    assert_eq!(vendor.finish(), Ok(()));

    let vendor = stage.vendor_calls();
    telephone.wait_for("call-status", TALKING);
    telephone.command("terminate");
    telephone.wait_for("call-status", IDLE);
    assert_eq!(vendor.finish(), Ok(()));
    stage.expect_records(&sqlite);
}

/// A node, a trunk where a telephone is, and a place for a vendor.
struct Stage {
    node: Node,
    sipp: PathBuf,
    vendor: SocketAddr,
    folder: TempDir,
}

impl Stage {
    #[track_caller]
    fn new(sipp: PathBuf, telephone: SocketAddr) -> Self {
        let vendor = vendor_address();
        let routes = [Route { prefix: PREFIX.to_owned(), gateways: vec![(vendor, Transport::Udp)] }];
        let own = trunk("own", Hides::BOTH, (telephone, Transport::Udp), &[OWN.to_owned()]);
        let node = place(&[Transport::Udp], LINES, vendors(Hides::BOTH, &routes) + &own).start();
        Self { node, sipp, vendor, folder: tempfile::tempdir().unwrap() }
    }

    #[track_caller]
    fn vendor_answers(&self) -> Sipp {
        self.start("answers", &scenario::vendor(Transport::Udp, VENDOR_ANSWERS), true)
    }

    #[track_caller]
    fn vendor_calls(&self) -> Sipp {
        let scenario = scenario::customer(OWN_PREFIX, Transport::Udp, VENDOR_CALLS);
        let [rings, may_ring] = RINGS;
        assert!(scenario.contains(rings), "{scenario}");
        self.start("calls", &scenario.replace(rings, may_ring), false)
    }

    #[track_caller]
    fn start(&self, name: &str, scenario: &str, called: bool) -> Sipp {
        let node = self.node.ports().sip[0];
        let looks = Looks { node, transport: Transport::Udp, never: NEVER, called };
        let part = Part {
            name: name.to_owned(),
            scenario: looking(scenario, &looks),
            transport: Transport::Udp,
            local: self.vendor,
            calls: (!called).then_some(node),
            count: (1, 1),
            folder: self.folder.path(),
        };
        Sipp::start(&self.sipp, part)
    }

    /// The telephone ended the call that it made, and the one that it got.
    #[track_caller]
    fn expect_records(&self, sqlite: &Path) {
        wait_quiet(&self.node);
        for (prefix, ended_by) in [(PREFIX, "caller"), (OWN_PREFIX, "callee")] {
            let cdrs = records::wait_cdrs(sqlite, &self.node, prefix, 1);
            let [cdr] = &cdrs[..] else { panic!("{cdrs:?}") };
            assert_eq!((cdr.status, cdr.ended_by, cdr.answered), (200, ended_by, true), "{cdr:?}");
        }
    }
}
