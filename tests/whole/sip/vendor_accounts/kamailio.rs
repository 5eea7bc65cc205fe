//! Kamailio as a carrier: it wants to know where we are and who calls, sends our calls on to a gateway, and
//! calls from there to where we have registered. By TCP and TLS it makes a connection of its own for that.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::super::super::certificate::Certificate;
use super::super::super::{peer, wait};
use super::super::kamailio::Kamailio;
use super::super::{
    CUSTOMER_CALLS, HERE, Route, SOON, Transport, customer_address, digest, free_port, place, records,
    scenario, tls, vendor_address,
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
/// Of a package of its own.
const TLS_MODULE: &str = "kamailio/modules/tls.so";
/// Connections that peers have made.
const ACCEPTED: &str = "warp_sip_connections_accepted_total";

#[test]
fn a_carrier_that_asks_by_md5() {
    play("MD5", Transport::Udp);
}

#[test]
fn a_carrier_that_asks_by_sha_256() {
    play("SHA-256", Transport::Udp);
}

#[test]
fn a_carrier_on_tcp() {
    play("MD5", Transport::Tcp);
}

#[test]
fn a_carrier_on_tls() {
    play("SHA-256", Transport::Tls);
}

fn play(algorithm: &str, transport: Transport) {
    let Some(stage) = Stage::new() else { return };
    let Some(program) = peer::program("kamailio") else { return };
    let certificate = Certificate::write(stage.folder.path());
    // The certificate is of the address of the node, and so are connections of a carrier that chooses none.
    let carrier = if transport == Transport::Udp { digest::vendor_address() } else { vendor_address() };
    let Some(carries) = carries(transport, carrier, &certificate) else { return };
    let (customer, gateway) = (customer_address(), SocketAddr::from((BEYOND, free_port())));
    let kamailio =
        Kamailio::start(&program, carrier, &configuration(carrier, gateway, (algorithm, carries.as_str())));
    let text = provisioned((carrier, transport), customer);
    let lines = if transport == Transport::Tls { tls::lines(&certificate, true) } else { String::new() };
    let mut listeners = vec![Transport::Udp, transport];
    listeners.dedup();
    let place = place(&listeners, &lines, text.clone());
    let node = place.start();
    let by = transport.name();
    kamailio.wait_for(&format!("registered +{OWN} for 3600 s by {by}"));
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
    kamailio.wait_for("asks for INVITE");
    for method in ["INVITE", "BYE"] {
        kamailio.wait_for(&format!("knows who sent {method} by {by}"));
    }

    // From the gateway to our number: the carrier finds the node by what that has registered.
    let before = node.metric(ACCEPTED);
    let answering = stage.takes_call("called", customer);
    let calls = |name: &str, lines: &[&str]| {
        let scenario = scenario::customer(OWN_PREFIX, Transport::Udp, lines);
        stage.play(name, scenario, (BEYOND, free_port()).into(), Some(carrier))
    };
    finish([calls("beyond", CUSTOMER_CALLS), answering]);
    let attempt = (customer, Some(200), "answered");
    records::expect_one(&stage.sqlite, &node, OWN, (200, "answered", "caller", &[attempt]));
    assert_eq!(recorded(&node, OWN), ("inbound".to_owned(), vendor.clone()));
    let made = node.metric(ACCEPTED) - before;
    assert_eq!(made > 0.5, transport != Transport::Udp, "the Contact says {by}: {}", node.metrics());

    // A vendor that is not to be used is told so, asks who says it, and finds nobody from then on.
    let name = named(&vendor);
    place.apply(&text.replace(&name, &format!("{name}status = \"DISABLED\"\n"))).assert_success();
    kamailio.wait_for(&format!("registered +{OWN} for 0 s by {by}"));
    finish([calls("nobody", &["INVITE sdp", "expect 404", "ACK refused"])]);
    assert!(!place.log().contains(PASSWORD), "{}", place.log());
}

/// A customer whose trunk has our number at the carrier, and calls through it.
#[track_caller]
fn provisioned(carrier: (SocketAddr, Transport), customer: SocketAddr) -> String {
    let route = Route { prefix: PREFIX.to_owned(), gateways: vec![carrier] };
    let trunk = format!("[[trunks]]\ngateways = [\"sip:{customer};transport=udp\"]\n");
    let text = patient(&[route]).replace("[[trunks]]\n", &trunk);
    let register = format!(", register = {{ user = \"+{OWN}\", required = true }}");
    let own = format!("[[dids]]\nnumber = \"+{OWN}\"\ncustomer = \"TB-000000001\"\ntrunk = \"acme\"\n");
    with_account(&text, &format!("{PREFIX}-1"), &register) + &own
}

fn configuration(carrier: SocketAddr, gateway: SocketAddr, (algorithm, carries): (&str, &str)) -> String {
    let [listen, node, gateway, user] =
        [carrier.to_string(), HERE.to_string(), gateway.to_string(), format!("+{OWN}")];
    let words = [
        ("carries", carries),
        ("listen", listen.as_str()),
        ("node", node.as_str()),
        ("gateway", gateway.as_str()),
        ("user", user.as_str()),
        ("username", USERNAME),
        ("password", PASSWORD),
        ("realm", REALM),
        ("algorithm", algorithm),
    ];
    filled(CONFIGURATION, &words)
}

/// What the carrier is told of what it speaks beside UDP; none where it has no TLS.
#[track_caller]
fn carries(transport: Transport, carrier: SocketAddr, certificate: &Certificate) -> Option<String> {
    match transport {
        Transport::Udp => Some("disable_tcp=yes".to_owned()),
        Transport::Tcp => Some(format!("tcp_children=2\nlisten=tcp:{carrier}")),
        Transport::Tls => {
            let module = tls_module()?;
            let mut text = format!(
                "tcp_children=2\nenable_tls=yes\nlisten=tls:{carrier}\nloadmodule \"{}\"\n\
                 modparam(\"tls\", \"tls_method\", \"TLSv1.2+\")\n\
                 modparam(\"tls\", \"verify_certificate\", 1)\n",
                module.display()
            );
            let Certificate { ca, chain, key } = certificate;
            for (name, path) in [("certificate", chain), ("private_key", key), ("ca_list", ca)] {
                let _ = writeln!(text, "modparam(\"tls\", \"{name}\", \"{}\")", path.display());
            }
            Some(text)
        }
    }
}

/// Beside its other modules, in the folder of the architecture.
#[track_caller]
fn tls_module() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").unwrap().map(|folder| folder.unwrap().path());
    let found = folders.map(|folder| folder.join(TLS_MODULE)).find(|path| path.is_file());
    if found.is_none() {
        peer::absent("kamailio-tls-modules");
    }
    found
}
