//! Customers and vendors that speak TLS, which the packaged SIPp does not.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
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
use super::baresip::{BY_HAND, Baresip, two_ports};
use super::sipp::{Part, Sipp};
use super::ua::{Callee, Caller, Datagrams};
use super::wire::{Messages, accept, connect, request};
use super::{
    CUSTOMER, HERE, Route, Transport, VENDOR_ANSWERS, customer_address, digest, place, programs, provision,
    records, scenario, vendor_address,
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
    let attempt = (gateway, Some(200), "answered");
    records::expect_one(&sqlite, &node, prefix, (200, "answered", hangs_up, &[attempt]));
}

/// baresip hears of the challenge, and answers it, on a connection whose certificate it has looked at.
#[test]
fn a_telephone_on_tls_says_by_digest_whose_it_is() {
    let Some((program, sqlite)) = programs() else { return };
    let Some(baresip) = peer::program("baresip") else { return };
    // The source of its connection is the address of the node: vendors are at another one.
    let gateway = digest::vendor_address();
    let routes = [Route { prefix: "44".to_owned(), gateways: vec![(gateway, Transport::Udp)] }];
    let text = provision(digest::ANOTHER, &routes) + &digest::trunk("roaming", "DIGEST", "");
    let Scene { node, certificate, folder } = Scene::with(digest::MD5, text, false);
    let at = node.ports().sip[1];
    let part = Part {
        name: "vendor".to_owned(),
        scenario: scenario::vendor(Transport::Udp, VENDOR_ANSWERS),
        transport: Transport::Udp,
        local: gateway,
        calls: None,
        count: (1, 1),
        folder: folder.path(),
    };
    let sipp = Sipp::start(&program, part);
    let local = SocketAddr::from((CUSTOMER, two_ports()));
    let account = format!(
        "<sip:+442079460000@{local};transport=tls>;{BY_HAND};auth_user=roaming;auth_pass={};\
         outbound=\"sip:{at};transport=tls\"",
        digest::PASSWORD
    );
    let believes = format!("sip_cafile {}", certificate.ca.display());
    let telephone = Baresip::start(&baresip, local, &account, &believes);
    telephone.command("dial", &format!("sip:+4420@{at}"));
    telephone.wait("CALL_ESTABLISHED", 1);
    telephone.command("hangup", "");
    telephone.wait("CALL_CLOSED", 1);
    assert_eq!(sipp.finish(), Ok(()));
    let attempt = (gateway, Some(200), "answered");
    records::expect_one(&sqlite, &node, "44", (200, "answered", "caller", &[attempt]));
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
    let attempt = (gateway, Some(200), "answered");
    records::expect_one(&sqlite, &node, "44", (200, "answered", hangs_up, &[attempt]));
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
    let attempts = [(impostor, None, "unreachable"), (honest, Some(200), "answered")];
    records::expect_one(&sqlite, &node, "44", (200, "answered", "caller", &attempts));
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

/// What a vendor on TLS does with a call.
type Plays = fn(&mut Callee<Served>);
type Served = Messages<StreamOwned<ServerConnection, TcpStream>>;
type Dialled = Messages<StreamOwned<ClientConnection, TcpStream>>;

/// A call whose ends are all on TLS.
struct Case {
    name: &'static str,
    vendors: &'static [Plays],
    customer: fn(&mut Caller<Dialled>, &str),
    /// Status, reason, who ended it.
    record: (u64, &'static str, &'static str),
    attempts: Attempts,
}

/// Each one's status and reason.
type Attempts = &'static [(Option<u64>, &'static str)];

const ANSWERED: Attempts = &[(Some(200), "answered")];

fn is_talked_to(vendor: &mut Callee<Served>) {
    vendor.rings();
    vendor.answers();
    vendor.is_hung_up_on();
}

fn talks(customer: &mut Caller<Dialled>, number: &str) {
    customer.call(number);
    customer.hang_up();
}

const CASES: &[Case] = &[
    Case {
        name: "the caller hangs up",
        vendors: &[is_talked_to],
        customer: talks,
        record: (200, "answered", "caller"),
        attempts: ANSWERED,
    },
    Case {
        name: "the callee hangs up",
        vendors: &[|vendor| {
            vendor.rings();
            vendor.answers();
            vendor.hangs_up();
        }],
        customer: |customer, number| {
            customer.call(number);
            customer.is_hung_up_on();
        },
        record: (200, "answered", "callee"),
        attempts: ANSWERED,
    },
    Case {
        name: "the first vendor has no room",
        vendors: &[|vendor| vendor.refuses("503 Service Unavailable"), is_talked_to],
        customer: talks,
        record: (200, "answered", "caller"),
        attempts: &[(Some(503), "vendor_failed"), (Some(200), "answered")],
    },
    Case {
        name: "busy",
        vendors: &[|vendor| vendor.refuses("486 Busy Here")],
        customer: |customer, number| customer.is_refused(number, 486),
        record: (486, "busy", "callee"),
        attempts: &[(Some(486), "busy")],
    },
    Case {
        name: "cancelled while it rings",
        vendors: &[|vendor| {
            vendor.rings();
            vendor.is_cancelled();
        }],
        customer: |customer, number| customer.cancels(number),
        record: (487, "cancelled", "caller"),
        attempts: &[(Some(487), "cancelled")],
    },
    Case {
        name: "the customer changes the media",
        vendors: &[|vendor| {
            vendor.rings();
            vendor.answers();
            vendor.is_asked_again();
            vendor.is_hung_up_on();
        }],
        customer: |customer, number| {
            customer.call(number);
            customer.asks_again();
            customer.hang_up();
        },
        record: (200, "answered", "caller"),
        attempts: ANSWERED,
    },
];

#[test]
fn what_can_happen_to_a_call_that_is_on_tls_all_the_way() {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    let prefix = |at: usize| format!("44{at:02}");
    let route = |(at, case): (usize, &Case)| {
        let gateways = case.vendors.iter().map(|_| (vendor_address(), Transport::Tls)).collect();
        Route { prefix: prefix(at), gateways }
    };
    let routes: Vec<Route> = CASES.iter().enumerate().map(route).collect();
    let Scene { node, certificate, folder: _folder } = Scene::new(provision(HERE, &routes), true);
    let local = "127.0.0.1:5061".parse().unwrap();
    for ((at, case), route) in CASES.iter().enumerate().zip(&routes) {
        wait::progress(&format!("on tls: {}", case.name));
        thread::scope(|scope| {
            for (play, (gateway, _)) in case.vendors.iter().zip(&route.gateways) {
                let listener = TcpListener::bind(gateway).unwrap();
                let certificate = &certificate;
                scope.spawn(move || {
                    let link = Messages::new(serve(&listener, certificate));
                    play(&mut Callee::new(link, Transport::Tls, *gateway));
                });
            }
            let link = Messages::new(dial(node.ports().sip[1], &certificate));
            let mut customer = Caller::new(link, Transport::Tls, local, &format!("tls{at}"));
            (case.customer)(&mut customer, &format!("+{}20", prefix(at)));
        });
        let (status, reason, ended_by) = case.record;
        let attempts: Vec<_> = route
            .gateways
            .iter()
            .zip(case.attempts)
            .map(|((at, _), (status, reason))| (*at, *status, *reason))
            .collect();
        records::expect_one(&sqlite, &node, &prefix(at), (status, reason, ended_by, &attempts));
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
        Self::with("", provision, believes)
    }

    /// The same with more lines of `[sip]`.
    #[track_caller]
    fn with(lines: &str, provision: String, believes: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificate = Certificate::write(folder.path());
        let lines = format!("{lines}\n{}", self::lines(&certificate, believes));
        let node = place(&[Transport::Udp, Transport::Tls], &lines, provision).start();
        Self { node, certificate, folder }
    }
}

/// Lines of `[sip]` of a node with this certificate.
pub(super) fn lines(certificate: &Certificate, believes: bool) -> String {
    let line = |key: &str, path: &Path| format!("{key} = {:?}\n", path.display().to_string());
    let own = line("tls_certificate", &certificate.chain) + &line("tls_key", &certificate.key);
    if believes { own + &line("tls_client_ca", &certificate.ca) } else { own }
}

/// A connection to the node; who is asked for a certificate shows the node's.
#[track_caller]
fn dial(node: SocketAddr, certificate: &Certificate) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&certificate.ca).unwrap()).unwrap();
    let versions = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let (chain, key) = (chain(certificate), PrivateKeyDer::from_pem_file(&certificate.key).unwrap());
    let config = versions.unwrap().with_root_certificates(roots).with_client_auth_cert(chain, key).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), connect(node))
}

/// The next connection of the node.
#[track_caller]
fn serve(listener: &TcpListener, certificate: &Certificate) -> StreamOwned<ServerConnection, TcpStream> {
    let versions = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let key = PrivateKeyDer::from_pem_file(&certificate.key).unwrap();
    let config = versions.unwrap().with_no_client_auth().with_single_cert(chain(certificate), key).unwrap();
    StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), accept(listener))
}

fn chain(certificate: &Certificate) -> Vec<CertificateDer<'static>> {
    vec![CertificateDer::from_pem_file(&certificate.chain).unwrap()]
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
