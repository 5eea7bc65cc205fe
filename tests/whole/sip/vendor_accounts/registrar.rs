//! SIPp as a registrar of a vendor that is called only while we are registered there.

use std::net::UdpSocket;

use super::super::super::wait;
use super::super::{Route, SOON, Transport, digest, place, records};
use super::{PASSWORD, REALM, Stage, USERNAME, filled, finish, patient, recorded, with_account};

const REGISTRAR: &str = include_str!("registrar.xml");
/// The user that is registered.
const OWN: &str = "+442079460200";
const REGISTERED: &str = "warp_sip_vendor_registered";

#[test]
fn sipp_is_told_where_we_are() {
    let Some(stage) = Stage::new() else { return };
    let gateways = [(); 2].map(|()| digest::vendor_address());
    let [registrar, other] = gateways;
    let gateways = gateways.map(|gateway| (gateway, Transport::Udp)).to_vec();
    let register = format!(", register = {{ user = \"{OWN}\", required = true }}");
    let text = with_account(&patient(&[Route { prefix: "44".to_owned(), gateways }]), "44-1", &register);
    let silent = UdpSocket::bind(registrar).unwrap();
    let mut node = place(&[Transport::Udp], "", text).start();

    // Nobody has answered: the vendor is passed over, although it is the cheaper one.
    hear_register(&silent);
    assert!(node.metric(REGISTERED) < 0.5, "{}", node.metrics());
    let taking = stage.takes_call("other", other);
    finish([stage.customer("441", &node), taking]);
    let attempt = (other, Some(200), "answered");
    records::expect_one(&stage.sqlite, &node, "441", (200, "answered", "caller", &[attempt]));
    assert_eq!(recorded(&node, "441"), ("outbound".to_owned(), "44-2".to_owned()));

    // What is not answered comes again after seconds: meanwhile SIPp takes the place of who said nothing.
    hear_register(&silent);
    drop(silent);
    let contact = format!("sip:.{}@{}", OWN.trim_start_matches('+'), node.ports().sip[0]);
    let words =
        [("username", USERNAME), ("password", PASSWORD), ("realm", REALM), ("contact", contact.as_str())];
    // A registration is one call to SIPp, and the other one comes later.
    let registering = stage.play_calls(2, "registrar", filled(REGISTRAR, &words), (registrar, None));
    wait::until("the node is registered, and has renewed that", SOON * 6, || {
        let renewed = node.metric("warp_sip_challenges_answered_total") > 1.5;
        (renewed && node.metric(REGISTERED) > 0.5).then_some(())
    });
    finish([stage.customer("442", &node)]);
    let attempt = (registrar, Some(200), "answered");
    records::expect_one(&stage.sqlite, &node, "442", (200, "answered", "caller", &[attempt]));
    assert_eq!(recorded(&node, "442"), ("outbound".to_owned(), "44-1".to_owned()));
    stage.expect_unaware("442");

    // Its last request ends the registration, which SIPp waits for.
    assert!(node.terminate().success(), "{}", node.place().log());
    finish([registering]);
    assert!(!node.place().log().contains(PASSWORD), "{}", node.place().log());
}

/// Waits for a REGISTER that comes from now on, which nobody answers. It shows no credentials before it is asked.
#[track_caller]
fn hear_register(socket: &UdpSocket) {
    let mut buffer = vec![0; 65_536];
    socket.set_nonblocking(true).unwrap();
    while socket.recv(&mut buffer).is_ok() {}
    socket.set_nonblocking(false).unwrap();
    socket.set_read_timeout(Some(SOON * 6)).unwrap();
    let read = socket.recv(&mut buffer).expect("a REGISTER");
    let text = String::from_utf8_lossy(&buffer[..read]);
    assert!(text.starts_with("REGISTER ") && !text.contains("uthorization:"), "{text}");
}
