//! A customer that speaks TLS, which the packaged SIPp does not, and its call to a vendor on UDP.

use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::super::certificate::Certificate;
use super::sipp::{Part, Sipp};
use super::wire::{Message, Messages, connect};
use super::{
    HERE, Route, SOON, Transport, VENDOR_ANSWERS, place, programs, provision, records, scenario,
    vendor_address, wait_quiet,
};

const SDP: &str = "v=0\r\no=test 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                   m=audio 20000 RTP/AVP 0\r\n";

#[test]
fn a_customer_on_tls_talks_to_a_vendor_on_udp() {
    call("44", VENDOR_ANSWERS, "caller");
}

#[test]
fn a_vendor_on_udp_hangs_up_on_a_customer_on_tls() {
    let lines =
        &["expect INVITE", "answer 180", "answer 200 sdp", "expect ACK", "pause 200", "BYE", "expect 200"];
    call("44", lines, "callee");
}

fn call(prefix: &str, vendor: &[&str], hangs_up: &str) {
    let Some((program, sqlite)) = programs() else { return };
    let (gateway, folder) = (vendor_address(), tempfile::tempdir().unwrap());
    let certificate = Certificate::write(folder.path());
    let lines = format!(
        "tls_certificate = {:?}\ntls_key = {:?}\n",
        certificate.chain.display().to_string(),
        certificate.key.display().to_string()
    );
    let routes = [Route { prefix: prefix.to_owned(), gateways: vec![(gateway, Transport::Udp)] }];
    // The source of a plain connection is that of the node: the customer is there, and the vendor by its port.
    let node = place(&[Transport::Udp, Transport::Tls], &lines, provision(HERE, &routes)).start();
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

    let mut customer = Customer::connect(node.ports().sip[1], &certificate);
    customer.call(prefix);
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

struct Customer {
    wire: Messages<StreamOwned<ClientConnection, TcpStream>>,
    /// What its requests in the call begin with, after the method.
    dialog: String,
}

impl Customer {
    fn connect(node: std::net::SocketAddr, certificate: &Certificate) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&certificate.ca).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        Self { wire: Messages::new(StreamOwned::new(connection, connect(node))), dialog: String::new() }
    }

    /// Until the ACK of its answer.
    fn call(&mut self, prefix: &str) {
        let ours = "Call-ID: tls\r\nFrom: <sip:+442079460000@127.0.0.1>;tag=tls\r\n";
        self.wire.send(&format!(
            "INVITE sip:+{prefix}20@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bKtls1\r\n\
             Max-Forwards: 70\r\n{ours}To: <sip:+{prefix}20@127.0.0.1>\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:test@127.0.0.1:5061;transport=tls>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{SDP}",
            SDP.len()
        ));
        let answer = self.wire.expect(200, SOON);
        assert!(answer.text.contains("m=audio"), "{}", answer.text);
        self.dialog = within(&answer, ours);
        self.send("ACK", 1);
    }

    fn hang_up(&mut self) {
        self.send("BYE", 2);
        self.wire.expect(200, SOON);
    }

    fn is_hung_up_on(&mut self) {
        let bye = self.wire.receive(SOON).expect("the connection stays");
        assert!(bye.text.starts_with("BYE sip:test@127.0.0.1:5061"), "{}", bye.text);
        let copied = ["Via", "From", "To", "Call-ID", "CSeq"]
            .map(|name| bye.headers(name).map(|value| format!("{name}: {value}\r\n")).collect::<String>());
        self.wire.send(&format!("SIP/2.0 200 OK\r\n{}Content-Length: 0\r\n\r\n", copied.concat()));
    }

    fn send(&mut self, method: &str, number: u32) {
        let text = self.dialog.replace("METHOD", method).replace("NUMBER", &number.to_string());
        self.wire.send(&text);
    }
}

/// A request within the call that this answered: to its Contact, by its Record-Routes in reverse (RFC 3261 12.1.2).
fn within(answer: &Message, ours: &str) -> String {
    let contact = answer.header("Contact").unwrap();
    let target = contact.trim_start_matches('<').split('>').next().unwrap();
    let mut routes: Vec<&str> = answer.headers("Record-Route").flat_map(|value| value.split(',')).collect();
    assert!(!routes.is_empty(), "{}", answer.text);
    routes.reverse();
    let to = answer.header("To").unwrap();
    format!(
        "METHOD {target} SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bKtlsNUMBERMETHOD\r\nMax-Forwards: 70\r\n\
         Route: {}\r\n{ours}To: {to}\r\nCSeq: NUMBER METHOD\r\nContent-Length: 0\r\n\r\n",
        routes.join(",")
    )
}
