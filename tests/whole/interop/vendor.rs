//! An SMSC that was not written here: npm's smpp, plain, behind stunnel, and stopped in its tracks.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::super::certificate::Certificate;
use super::super::esme::{ANSWER, Esme};
use super::super::pdu::Sm;
use super::super::peer::{self, Peer};
use super::super::process::{Node, Setup, free_port, signal};
use super::provision;

const TIMERS: &str = "enquire_link = \"1s\"\nenquire_link_answer = \"500ms\"\nresponse = \"2s\"\n\
                      reconnect_first = \"50ms\"\nreconnect_max = \"500ms\"\n";
/// For a handful of messages with their receipts, on two busy cores.
const WITHIN: Duration = Duration::from_secs(30);

/// The SMSC on a free port.
#[track_caller]
fn smsc() -> Option<(Peer, u16)> {
    let (Some(node_path), Some(javascript)) = (peer::node_path(), peer::program("node")) else { return None };
    let peer = Peer::start(&javascript, |command| {
        command.env("NODE_PATH", node_path).arg(peer::script("smsc.js"));
    });
    let listening = peer.wait("listening", 1, WITHIN);
    let port = listening[0]["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port");
    Some((peer, port))
}

#[track_caller]
fn node(port: u16, more: &str) -> Node {
    Node::new(&Setup { smpp: TIMERS.to_owned(), provision: provision(port, more), ..Setup::default() })
}

/// Three messages go out and their receipts come back; a word from a subscriber comes in.
#[track_caller]
fn assert_flows(smsc: &Peer, node: &Node, round: &str) {
    let (mut esme, mut delivered) = (Esme::bound(node.smpp(), "acme", "secret12"), Vec::new());
    let texts: Vec<String> = (0..3).map(|n| format!("{round} {n}")).collect();
    let ids: Vec<String> =
        texts.iter().map(|text| esme.submit(&Sm::new("15551234567", text), &mut delivered)).collect();
    esme.collect(&mut delivered, 3, WITHIN);
    for id in ids {
        let receipt = delivered.iter().filter_map(Sm::receipt).find(|(of, _)| *of == id);
        assert_eq!(receipt.map(|(_, state)| state).as_deref(), Some("DELIVRD"), "receipt of {id}");
    }
    let heard: Vec<String> = smsc
        .events("submit_sm")
        .iter()
        .map(|said| said["text"].as_str().unwrap_or_default().to_owned())
        .collect();
    for text in texts {
        assert!(heard.contains(&text), "{text:?} in {heard:?}");
    }
}

#[test]
fn npm_smpp_as_the_vendor() {
    let Some((smsc, port)) = smsc() else { return };
    let node = node(port, "binds = 2");
    let binds = smsc.wait("bind_transceiver", 2, ANSWER);
    assert_eq!((&binds[0]["system_id"], &binds[0]["password"]), (&"warp".into(), &"secret".into()));
    assert_flows(&smsc, &node, "plain");
}

#[test]
fn transmitter_and_receiver_binds() {
    let Some((smsc, port)) = smsc() else { return };
    // Two vendors of one account: messages leave on one bind, receipts come on the other kind.
    let node = node(port, "bind_type = \"transmitter\"");
    smsc.wait("bind_transmitter", 1, ANSWER);
    let mut esme = Esme::bound(node.smpp(), "acme", "secret12");
    esme.submit(&Sm { registered_delivery: 0, ..Sm::new("15551234567", "one way") }, &mut Vec::new());
    smsc.wait("submit_sm", 1, WITHIN);
}

#[test]
fn npm_smpp_behind_stunnel() {
    let (Some((smsc, port)), Some(stunnel)) = (smsc(), peer::program("stunnel4")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let certificate = Certificate::write(folder.path());
    let tls_port = free_port();
    let _terminator = terminator(&stunnel, folder.path(), &certificate, (tls_port, port));
    let node = node(tls_port, &format!("tls = true\ntls_ca = {:?}", certificate.ca.display().to_string()));
    smsc.wait("bind_transceiver", 1, WITHIN);
    assert_flows(&smsc, &node, "through stunnel");
}

#[test]
fn a_terminator_with_a_strange_certificate_is_not_believed() {
    let (Some((smsc, port)), Some(stunnel)) = (smsc(), peer::program("stunnel4")) else { return };
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (certificate, strange) = (Certificate::write(folder.path()), Certificate::write(other.path()));
    let tls_port = free_port();
    let _terminator = terminator(&stunnel, folder.path(), &certificate, (tls_port, port));
    let node = node(tls_port, &format!("tls = true\ntls_ca = {:?}", strange.ca.display().to_string()));
    super::super::wait::pause(Duration::from_secs(2));
    assert!(smsc.events("bind_transceiver").is_empty(), "no password goes to a stranger");
    assert!(node.ready(), "a vendor's certificate is a state of its bind");
}

/// TLS on the first port, plain to the second.
fn terminator(stunnel: &Path, folder: &Path, certificate: &Certificate, ports: (u16, u16)) -> Peer {
    let config = folder.join("stunnel.conf");
    let text = format!(
        "foreground = yes\npid =\nsyslog = no\n[smpp]\naccept = 127.0.0.1:{}\nconnect = 127.0.0.1:{}\n\
         cert = {}\nkey = {}\nTIMEOUTclose = 0\n",
        ports.0,
        ports.1,
        certificate.chain.display(),
        certificate.key.display()
    );
    fs::write(&config, text).unwrap();
    Peer::start(stunnel, |command| {
        command.arg(config).stderr(std::process::Stdio::null());
    })
}

#[test]
fn a_stopped_process_is_seen_and_bound_again() {
    let Some((smsc, port)) = smsc() else { return };
    let node = node(port, "");
    smsc.wait("bind_transceiver", 1, ANSWER);
    assert_flows(&smsc, &node, "before");
    let connected = node.get("/v1/smpp/vendors").json();
    let status = |json: &serde_json::Value| {
        json["vendors"].as_object().and_then(|all| all.values().next().cloned()).unwrap()["status"].clone()
    };
    signal(smsc.pid(), "STOP");
    super::super::wait::until("SIGSTOP of the vendor is seen", ANSWER, || {
        (status(&node.get("/v1/smpp/vendors").json()) != status(&connected)).then_some(())
    });
    signal(smsc.pid(), "CONT");
    assert_flows(&smsc, &node, "after");
    assert!(smsc.events("bind_transceiver").len() >= 2);
}
