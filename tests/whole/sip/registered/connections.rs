//! baresip registers by TCP or TLS. Its Contact has another address than its connection comes from, so that
//! nothing but that connection leads to it: while it is up, and by the next one that it makes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use super::super::super::certificate::Certificate;
use super::super::super::process::Node;
use super::super::super::{peer, wait};
use super::super::baresip::{Baresip, two_ports};
use super::super::{HERE, SOON, Transport, digest, place, tls, wait_quiet};
use super::{LONG, OVER, OWN, bound, caller, calls, provisioned, text, wait_bound, wait_records};

/// Seconds for which a telephone registers that soon does so again.
const SHORT: u32 = 20;
/// Connections that are up, and that peers have made.
const CONNECTIONS: &str = "warp_sip_connections";
const ACCEPTED: &str = "warp_sip_connections_accepted_total";

#[test]
fn a_call_takes_the_connection_and_then_the_next_one_over_tcp() {
    reach(Transport::Tcp);
}

#[test]
fn a_call_takes_the_connection_and_then_the_next_one_over_tls() {
    reach(Transport::Tls);
}

/// Over a restart of the node, which ends its connections.
fn reach(transport: Transport) {
    let Some(mut scene) = Scene::new(transport) else { return };
    let telephone = scene.telephone(SHORT);
    scene.expect_by_connection(&wait_bound(&scene.node, 1)[0]);
    let mut vendor = calls(scene.vendor, &scene.node, "first");
    telephone.wait("CALL_ESTABLISHED", 1);
    vendor.hang_up();
    telephone.wait("CALL_CLOSED", 1);
    wait_quiet(&scene.node);
    scene.expect_one_connection();
    drop(vendor);
    // What is not on the disk yet is a call that is up for the next process.
    wait_records(&scene.node, 1);

    let place = Arc::clone(scene.node.place());
    scene.node.kill();
    scene.node = place.start();
    let before = wait_bound(&scene.node, 1);
    let renewed = wait::until("the telephone registers again", SOON + OVER, || {
        bound(&scene.node).into_iter().find(|one| one["registered_at"] != before[0]["registered_at"])
    });
    scene.expect_by_connection(&renewed);
    let mut vendor = calls(scene.vendor, &scene.node, "second");
    telephone.wait("CALL_ESTABLISHED", 2);
    telephone.command("hangup", "");
    vendor.is_hung_up_on();
    telephone.wait("CALL_CLOSED", 2);
    wait_quiet(&scene.node);
    scene.expect_one_connection();

    let recorded = wait_records(&scene.node, 2);
    let mut ends: Vec<_> = recorded.iter().map(|cdr| (cdr.status, cdr.ended_by)).collect();
    ends.sort_unstable();
    assert_eq!(ends, [(200, "callee"), (200, "caller")], "{recorded:?}");
}

#[test]
fn a_telephone_whose_connection_has_ended_is_passed_over_on_tcp() {
    pass_over(Transport::Tcp);
}

#[test]
fn a_telephone_whose_connection_has_ended_is_passed_over_on_tls() {
    pass_over(Transport::Tls);
}

fn pass_over(transport: Transport) {
    let Some(scene) = Scene::new(transport) else { return };
    let telephone = scene.telephone(LONG);
    wait_bound(&scene.node, 1);
    // By kill -9: it takes nothing back.
    drop(telephone);
    wait::until("the node has seen the end of the connection", SOON, || {
        (scene.node.metric(CONNECTIONS) < 0.5).then_some(())
    });
    wait_bound(&scene.node, 1);
    let mut vendor = caller(scene.vendor, &scene.node, "nobody");
    vendor.is_refused(OWN, 480);
    wait_quiet(&scene.node);
    drop(vendor);

    // Both are bound, and one can be reached.
    let telephone = scene.telephone(LONG);
    wait_bound(&scene.node, 2);
    let mut vendor = calls(scene.vendor, &scene.node, "somebody");
    telephone.wait("CALL_ESTABLISHED", 1);
    vendor.hang_up();
    telephone.wait("CALL_CLOSED", 1);
    wait_quiet(&scene.node);
}

/// A node that speaks UDP with its vendor, and something else with telephones.
struct Scene {
    node: Node,
    transport: Transport,
    vendor: SocketAddr,
    baresip: PathBuf,
    certificate: Certificate,
    _folder: TempDir,
}

impl Scene {
    #[track_caller]
    fn new(transport: Transport) -> Option<Self> {
        let baresip = peer::program("baresip")?;
        let folder = tempfile::tempdir().unwrap();
        let certificate = Certificate::write(folder.path());
        let secured =
            if transport == Transport::Tls { tls::lines(&certificate, false) } else { String::new() };
        let lines = format!("{}\nregister_expires_min = \"1s\"\n{secured}", digest::MD5);
        let vendor = digest::vendor_address();
        let node = place(&[Transport::Udp, transport], &lines, provisioned(vendor)).start();
        Some(Self { node, transport, vendor, baresip, certificate, _folder: folder })
    }

    /// A telephone that registers for so many seconds, believes the node's certificate, and answers what comes.
    #[track_caller]
    fn telephone(&self, seconds: u32) -> Baresip {
        let local = SocketAddr::from((digest::UNLISTED, two_ports()));
        let (at, by) = (self.node.ports().sip[1], self.transport.name());
        let account = format!(
            "<sip:roaming@{at};transport={by}>;regint={seconds};answermode=auto;auth_user=roaming;\
             auth_pass={}",
            digest::PASSWORD
        );
        let ca = self.certificate.ca.display();
        let more = format!("net_interface {}\nsip_cafile {ca}", local.ip());
        Baresip::start(&self.baresip, local, &account, &more)
    }

    /// Demands that a contact is where nobody but its own connection leads.
    #[track_caller]
    fn expect_by_connection(&self, bound: &Value) {
        assert_eq!(bound["transport"], self.transport.name(), "{bound}");
        let source: SocketAddr = text(bound, "source").parse().unwrap();
        let contact = format!("@{}:", digest::UNLISTED);
        assert!(source.ip() == HERE && text(bound, "contact").contains(&contact), "{bound}");
    }

    /// Demands that this process of the node has had one connection, which is up.
    #[track_caller]
    fn expect_one_connection(&self) {
        for metric in [CONNECTIONS, ACCEPTED] {
            let count = self.node.metric(metric);
            assert!((0.5..1.5).contains(&count), "{metric}: {}", self.node.metrics());
        }
    }
}
