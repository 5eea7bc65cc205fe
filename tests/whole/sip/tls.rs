//! Customers and vendors that speak TLS, which the packaged SIPp does not.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use super::super::certificate::Certificate;
use super::super::peer;
use super::super::process::Node;
use super::super::wait;
use super::sipp::{Part, Sipp};
use super::ua::{Callee, Caller, Datagrams};
use super::wire::{Messages, accept, connect, request};
use super::{
    CUSTOMER, HERE, Route, Transport, VENDOR_ANSWERS, customer_address, place, programs, provision, records,
    scenario, vendor_address, wait_quiet,
};

#[test]
fn a_customer_on_tls_talks_to_a_vendor_on_udp() {
    call_from_tls("44", VENDOR_ANSWERS, "caller");
}

#[test]
fn a_vendor_on_udp_hangs_up_on_a_customer_on_tls() {
    let lines =
        &["expect INVITE", "answer 180", "answer 200 sdp", "expect ACK", "pause 200", "BYE", "expect 200"];
    call_from_tls("44", lines, "callee");
}

fn call_from_tls(prefix: &str, vendor: &[&str], hangs_up: &str) {
    let Some((program, sqlite)) = programs() else { return };
    let gateway = vendor_address();
    let routes = [Route { prefix: prefix.to_owned(), gateways: vec![(gateway, Transport::Udp)] }];
    // The source of a plain connection is that of the node: the customer is there, and the vendor by its port.
    let Scene { node, certificate, folder } = Scene::new(provision(HERE, &routes), false);
    let part = Part {
        name: "vendor".to_owned(),
        scenario: scenario::vendor(Transport::Udp, vendor),
        transport: Transport::Udp,
        local: gateway,
        calls: None,
        count: (1, 1),
        folder: folder.path(),
    };
    let sipp = Sipp::start(&program, part);

    let local = "127.0.0.1:5061".parse().unwrap();
    let wire = Messages::new(dial(node.ports().sip[1], &certificate));
    let mut customer = Caller::new(wire, Transport::Tls, local, "tls");
    customer.call(&format!("+{prefix}20"));
    if hangs_up == "caller" {
        customer.hang_up();
    } else {
        customer.is_hung_up_on();
    }
    assert_eq!(sipp.finish(), Ok(()));
    wait_quiet(&node);
    let cdrs = records::wait_cdrs(&sqlite, &node, prefix, 1);
    assert_eq!(cdrs.len(), 1, "{cdrs:?}");
    assert_eq!((cdrs[0].status, cdrs[0].reason, cdrs[0].ended_by), (200, "answered", hangs_up), "{cdrs:?}");
}

#[test]
fn a_vendor_on_tls_is_called() {
    call_to_tls("caller");
}

#[test]
fn a_vendor_on_tls_hangs_up() {
    call_to_tls("callee");
}

fn call_to_tls(hangs_up: &'static str) {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    let gateway = vendor_address();
    let routes = [Route { prefix: "44".to_owned(), gateways: vec![(gateway, Transport::Tls)] }];
    let Scene { node, certificate, folder: _folder } = Scene::new(provision(CUSTOMER, &routes), true);
    let listener = TcpListener::bind(gateway).unwrap();
    let vendor = thread::spawn(move || {
        let mut vendor = Callee::new(Messages::new(serve(&listener, &certificate)), Transport::Tls, gateway);
        vendor.rings();
        vendor.answers();
        if hangs_up == "caller" {
            vendor.is_hung_up_on();
        } else {
            vendor.hangs_up();
        }
    });
    let local = customer_address();
    let wire = Datagrams::bind(local, node.ports().sip[0]);
    let mut customer = Caller::new(wire, Transport::Udp, local, "totls");
    customer.call("+4420");
    if hangs_up == "caller" {
        customer.hang_up();
    } else {
        customer.is_hung_up_on();
    }
    vendor.join().unwrap();
    wait_quiet(&node);
    let cdrs = records::wait_cdrs(&sqlite, &node, "44", 1);
    let [cdr] = &cdrs[..] else { panic!("{cdrs:?}") };
    assert_eq!((cdr.status, cdr.reason, cdr.ended_by), (200, "answered", hangs_up), "{cdr:?}");
    assert_eq!(cdr.attempts, [(gateway.to_string(), Some(200), "answered")], "{cdr:?}");
}

#[test]
fn a_vendor_whose_certificate_nobody_vouches_for_gets_no_call() {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    let (impostor, honest) = (vendor_address(), vendor_address());
    let gateways = vec![(impostor, Transport::Tls), (honest, Transport::Udp)];
    let routes = [Route { prefix: "44".to_owned(), gateways }];
    let Scene { node, certificate, folder: _folder } = Scene::new(provision(CUSTOMER, &routes), false);
    let listener = TcpListener::bind(impostor).unwrap();
    let refused = thread::spawn(move || Messages::new(serve(&listener, &certificate)).receive(super::SOON));
    let at = node.ports().sip[0];
    let mut vendor = Callee::new(Datagrams::bind(honest, at), Transport::Udp, honest);
    let vendor = thread::spawn(move || {
        vendor.rings();
        vendor.answers();
        vendor.is_hung_up_on();
    });
    let local = customer_address();
    let mut customer = Caller::new(Datagrams::bind(local, at), Transport::Udp, local, "refused");
    customer.call("+4420");
    customer.hang_up();
    vendor.join().unwrap();
    let heard = refused.join().unwrap().map(|message| message.text);
    assert_eq!(heard, None, "the impostor hears nothing of the call");
    wait_quiet(&node);
    let cdrs = records::wait_cdrs(&sqlite, &node, "44", 1);
    let [cdr] = &cdrs[..] else { panic!("{cdrs:?}") };
    let attempts = [(impostor.to_string(), None, "unreachable"), (honest.to_string(), Some(200), "answered")];
    assert_eq!(cdr.attempts, attempts, "{cdr:?}");
}

#[test]
fn a_new_certificate_is_shown_and_open_connections_live_on() {
    let Scene { node, certificate, folder } = Scene::new(provision(HERE, &[]), false);
    let at = node.ports().sip[1];
    let mut open = Messages::new(dial(at, &certificate));
    let options = |id: &str| request("OPTIONS", "1", "TLS 127.0.0.1:5061", id);
    open.send(&options("before"));
    open.expect(405, super::SOON);

    let renewed = Certificate::write(folder.path());
    let shaken = wait::until("the new certificate is shown", super::SOON, || {
        let mut stream = dial(at, &renewed);
        stream.conn.complete_io(&mut stream.sock).is_ok().then_some(stream)
    });
    let mut anew = Messages::new(shaken);
    for (connection, id) in [(&mut anew, "anew"), (&mut open, "after")] {
        connection.send(&options(id));
        connection.expect(405, super::SOON);
    }
}

/// A node on UDP and TLS, and its certificate, which vendors have too.
struct Scene {
    node: Node,
    certificate: Certificate,
    folder: TempDir,
}

impl Scene {
    /// Whether it believes certificates of its own authority; then its peers must have one.
    #[track_caller]
    fn new(provision: String, believes: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificate = Certificate::write(folder.path());
        let mut lines = String::new();
        for (key, path) in [("tls_certificate", &certificate.chain), ("tls_key", &certificate.key)] {
            lines += &format!("{key} = {:?}\n", path.display().to_string());
        }
        if believes {
            lines += &format!("tls_client_ca = {:?}\n", certificate.ca.display().to_string());
        }
        let node = place(&[Transport::Udp, Transport::Tls], &lines, provision).start();
        Self { node, certificate, folder }
    }
}

/// A connection to the node.
#[track_caller]
fn dial(node: SocketAddr, certificate: &Certificate) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&certificate.ca).unwrap()).unwrap();
    let versions = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let config = versions.unwrap().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), connect(node))
}

/// The next connection of the node.
#[track_caller]
fn serve(listener: &TcpListener, certificate: &Certificate) -> StreamOwned<ServerConnection, TcpStream> {
    let versions = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let chain = vec![CertificateDer::from_pem_file(&certificate.chain).unwrap()];
    let key = PrivateKeyDer::from_pem_file(&certificate.key).unwrap();
    let config = versions.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
    StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), accept(listener))
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
