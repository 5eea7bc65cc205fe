//! Kamailio as a carrier: it wants to know where we are and who calls, sends our calls on to a gateway, and calls from
//! there to where we have registered.

use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::super::super::process::{READY, signal};
use super::super::super::{peer, wait};
use super::super::{
    CUSTOMER_CALLS, HERE, Route, SOON, Transport, customer_address, digest, free_port, place, records,
    scenario,
};
use super::{PASSWORD, REALM, Stage, USERNAME, filled, finish, named, patient, recorded, with_account};

const CONFIGURATION: &str = include_str!("kamailio.cfg");
/// Where the carrier's gateway is, which the node knows nothing of.
const BEYOND: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));
/// Our number at the carrier, and what a call of SIPp puts a 1 behind to call it.
const OWN: &str = "442079460201";
const OWN_PREFIX: &str = "44207946020";
/// The numbers that the carrier is called for.
const PREFIX: &str = "441";

#[test]
fn a_carrier_that_asks_by_md5() {
    play("MD5");
}

#[test]
fn a_carrier_that_asks_by_sha_256() {
    play("SHA-256");
}

fn play(algorithm: &str) {
    let Some(stage) = Stage::new() else { return };
    let Some(program) = peer::program("kamailio") else { return };
    let (carrier, customer) = (digest::vendor_address(), customer_address());
    let gateway = SocketAddr::from((BEYOND, free_port()));
    let kamailio = Kamailio::start(&program, carrier, gateway, algorithm);
    let text = provisioned(carrier, customer);
    let place = place(&[Transport::Udp], "", text.clone());
    let node = place.start();
    kamailio.wait_for(&format!("registered +{OWN} for 3600 s"));
    wait::until("the node knows that it is registered", SOON, || {
        (node.metric("warp_sip_vendor_registered") > 0.5).then_some(())
    });

    let vendor = format!("{PREFIX}-1");
    let answering = stage.takes_call("gateway", gateway);
    finish([stage.customer(PREFIX, &node), answering]);
    let attempt = (carrier, Some(200), "answered");
    records::expect_one(&stage.sqlite, &node, PREFIX, (200, "answered", "caller", &[attempt]));
    assert_eq!(recorded(&node, PREFIX), ("outbound".to_owned(), vendor.clone()));
    stage.expect_unaware(PREFIX);
    for said in ["asks for INVITE", "knows who sent INVITE", "knows who sent BYE"] {
        kamailio.wait_for(said);
    }

    // From the gateway to our number: the carrier finds the node by what that has registered.
    let answering = stage.takes_call("called", customer);
    let calls = |name: &str, lines: &[&str]| {
        let scenario = scenario::customer(OWN_PREFIX, Transport::Udp, lines);
        stage.play(name, scenario, (BEYOND, free_port()).into(), Some(carrier))
    };
    finish([calls("beyond", CUSTOMER_CALLS), answering]);
    let attempt = (customer, Some(200), "answered");
    records::expect_one(&stage.sqlite, &node, OWN, (200, "answered", "caller", &[attempt]));
    assert_eq!(recorded(&node, OWN), ("inbound".to_owned(), vendor.clone()));

    // A vendor that is not to be used is told so, asks who says it, and finds nobody from then on.
    let name = named(&vendor);
    place.apply(&text.replace(&name, &format!("{name}status = \"DISABLED\"\n"))).assert_success();
    kamailio.wait_for(&format!("registered +{OWN} for 0 s"));
    finish([calls("nobody", &["INVITE sdp", "expect 404", "ACK refused"])]);
    assert!(!place.log().contains(PASSWORD), "{}", place.log());
}

/// A customer whose trunk has our number at the carrier, and calls through it.
#[track_caller]
fn provisioned(carrier: SocketAddr, customer: SocketAddr) -> String {
    let route = Route { prefix: PREFIX.to_owned(), gateways: vec![(carrier, Transport::Udp)] };
    let trunk = format!("[[trunks]]\ngateways = [\"sip:{customer};transport=udp\"]\n");
    let text = patient(&[route]).replace("[[trunks]]\n", &trunk);
    let register = format!(", register = {{ user = \"+{OWN}\", required = true }}");
    let own = format!("[[dids]]\nnumber = \"+{OWN}\"\ncustomer = \"TB-000000001\"\ntrunk = \"acme\"\n");
    with_account(&text, &format!("{PREFIX}-1"), &register) + &own
}

/// A Kamailio of this test alone.
struct Kamailio {
    child: Child,
    folder: TempDir,
}

impl Kamailio {
    /// Starts it; it answers when this returns.
    #[track_caller]
    fn start(program: &Path, local: SocketAddr, gateway: SocketAddr, algorithm: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [listen, node, gateway, user] =
            [local.to_string(), HERE.to_string(), gateway.to_string(), format!("+{OWN}")];
        let words = [
            ("listen", listen.as_str()),
            ("node", node.as_str()),
            ("gateway", gateway.as_str()),
            ("user", user.as_str()),
            ("username", USERNAME),
            ("password", PASSWORD),
            ("realm", REALM),
            ("algorithm", algorithm),
        ];
        let file = folder.path().join("kamailio.cfg");
        fs::write(&file, filled(CONFIGURATION, &words)).unwrap();
        let output = File::create(folder.path().join("output")).unwrap();
        let mut command = Command::new("setpriv");
        // Its children outlive one that is killed.
        command.args(["--pdeathsig", "TERM"]).arg(program).args(["-DD", "-E", "-m", "64", "-M", "8"]);
        command.arg("-Y").arg(folder.path()).arg("-f").arg(&file);
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let mut kamailio = Self { child: command.spawn().unwrap(), folder };
        kamailio.wait_ready(local);
        kamailio
    }

    #[track_caller]
    fn wait_ready(&mut self, local: SocketAddr) {
        let probe = UdpSocket::bind((HERE, 0)).unwrap();
        probe.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let own = probe.local_addr().unwrap();
        let options = format!(
            "OPTIONS sip:{local} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKready\r\nMax-Forwards: 70\r\n\
             From: <sip:test@{own}>;tag=1\r\nTo: <sip:{local}>\r\nCall-ID: ready\r\nCSeq: 1 OPTIONS\r\n\
             Content-Length: 0\r\n\r\n"
        );
        wait::until("Kamailio answers", READY, || {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "Kamailio ended: {}", self.log());
            // Nobody takes it before it listens.
            let _ = probe.send_to(options.as_bytes(), local);
            let mut answer = vec![0; 4096];
            let read = probe.recv(&mut answer).unwrap_or_default();
            answer[..read].starts_with(b"SIP/2.0 200").then_some(())
        });
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("output")).unwrap_or_default()
    }

    /// Waits until it has said this.
    #[track_caller]
    fn wait_for(&self, said: &str) {
        let found = wait::within_time(SOON * 3, || self.log().contains(said).then_some(()));
        assert!(found.is_some(), "no {said:?} of Kamailio: {}", self.log());
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            signal(self.child.id(), "TERM");
        }
        let _ = wait::within_time(SOON, || self.child.try_wait().ok().flatten());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
