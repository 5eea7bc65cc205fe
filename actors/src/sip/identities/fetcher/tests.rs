use std::io;
use std::net::{IpAddr, SocketAddr};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use runtime::clock::Timestamp;
use runtime::http_client::{AddressPolicy, Limits, Resolve};
use runtime::net::{Listener, Net, Stream};
use runtime::tls::{ClientTls, ServerTls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::sip::identities::testing::{NOW, Pki, THEIRS};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn how_long_a_certificate_is_good() {
    for (said, expected) in [
        (None, LIFETIME),
        (Some(""), LIFETIME),
        (Some("public"), LIFETIME),
        (Some("max-age=7200"), 2 * HOUR),
        (Some("public, Max-Age=7200 , immutable"), 2 * HOUR),
        (Some("max-age=\"7200\""), 2 * HOUR),
        (Some("max-age=0"), LIFETIME_MIN),
        (Some("max-age=99999999"), LIFETIME_MAX),
        (Some("max-age=99999999999999999999999"), LIFETIME),
        (Some("max-age=7200, no-cache"), LIFETIME_MIN),
        (Some("no-store"), LIFETIME_MIN),
    ] {
        assert_eq!(lifetime(said), expected, "{said:?}");
    }
}

#[test]
fn hosts_that_are_asked() {
    let hosts = |list: &[&str]| list.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>();
    let some = hosts(&["a.example.net", "*.example.org", "192.0.2.1"]);
    for (host, expected) in [
        ("a.example.net", true),
        ("b.a.example.net", false),
        ("xa.example.net", false),
        ("x.example.org", true),
        ("x.y.example.org", true),
        ("example.org", false),
        (".example.org", false),
        ("xexample.org", false),
        ("192.0.2.1", true),
        ("192.0.2.2", false),
    ] {
        assert_eq!(is_allowed(&some, host), expected, "{host}");
        assert!(is_allowed(&[], host), "without a list any is");
    }
}

/// A server by TLS that answers every request the same way, at an address that every name has.
struct Server {
    tls: ServerTls,
    answer: Vec<u8>,
    address: IpAddr,
    connected: Mutex<Vec<String>>,
}

impl Net for Server {
    fn listen(&self, _: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Listener>>> {
        Box::pin(async { Err(io::Error::from(io::ErrorKind::Unsupported)) })
    }

    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Stream>> {
        Box::pin(async move {
            self.connected.lock().push(format!("{host}:{port}"));
            let (here, there) = tokio::io::duplex(4096);
            let (acceptor, answer) = (self.tls.acceptor(), self.answer.clone());
            tokio::spawn(async move {
                let mut stream = acceptor.accept(Box::new(there) as Stream).await?;
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await?);
                }
                stream.write_all(&answer).await?;
                stream.shutdown().await
            });
            Ok(Box::new(here) as Stream)
        })
    }
}

impl Resolve for Server {
    fn addresses<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Ok(vec![self.address]) })
    }
}

/// A server at an address, and a client that believes it.
fn server(pki: &Pki, answer: Vec<u8>, address: &str) -> (Arc<Server>, HttpClient) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["certificates.example.org".to_owned()]).unwrap();
    pki.write("tls.pem", &cert.pem());
    pki.write("tls.key", &signing_key.serialize_pem());
    let path = |name: &str| pki.folder.path().join(name);
    let tls = ServerTls::load(&path("tls.pem"), &path("tls.key")).unwrap();
    let address = address.parse().unwrap();
    let server = Arc::new(Server { tls, answer, address, connected: Mutex::default() });
    let (net, names): (Arc<dyn Net>, Arc<dyn Resolve>) =
        (Arc::<Server>::clone(&server), Arc::<Server>::clone(&server));
    let believes = ClientTls::new(Some(&path("tls.pem"))).unwrap();
    let limits = Limits { body_octets_max: 4096, ..Limits::default() };
    let client = HttpClient::new(believes, AddressPolicy::PublicOnly).with_network(net, names);
    (server, client.with_limits(limits))
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}

fn now() -> Now {
    let wall = Timestamp::from_micros(i64::try_from(NOW * 1_000_000).unwrap());
    Now { instant: Instant::now().into_std(), wall }
}

const PUBLIC: &str = "93.184.216.34";

#[tokio::test]
async fn a_certificate_is_fetched_and_good_for_as_long_as_it_says() {
    let pki = Pki::new();
    let identities = pki.identities();
    let chain = pki.carrier().chain;
    for (headers, expected) in [
        ("", LIFETIME),
        ("cache-control: max-age=7200\r\n", 2 * HOUR),
        ("cache-control: no-store\r\n", LIFETIME_MIN),
    ] {
        let (server, client) = server(&pki, answer("200 OK", headers, &chain), PUBLIC);
        let got = get(&client, &["*.example.org".to_owned()], THEIRS).await;
        let (outcome, lifetime) = judged(&identities, got, now());
        assert!(outcome.is_ok(), "{outcome:?}");
        assert_eq!(lifetime, expected, "{headers}");
        assert_eq!(*server.connected.lock(), [format!("{PUBLIC}:443")]);
    }
}

#[tokio::test]
async fn what_is_not_asked_and_what_is_not_believed() {
    let pki = Pki::new();
    let identities = pki.identities();
    let (good, others) = (pki.carrier().chain, Pki::new().carrier().chain);
    let ok = |body: &str| answer("200 OK", "", body);
    let long = format!("{good}{}", "\n".repeat(4096));
    let hosts = ["certificates.example.org".to_owned()];
    let elsewhere = ["elsewhere.example.org".to_owned()];
    let longer = format!("{THEIRS}/{}", "a".repeat(URL_OCTETS_MAX));
    // Whether it was asked at all, and what it is worth.
    type Row<'a> = (&'a [String], &'a str, &'a str, Vec<u8>, bool, Failure);
    let table: [Row<'_>; 10] = [
        (&elsewhere, THEIRS, PUBLIC, ok(&good), false, Failure::Unavailable),
        (&hosts, "http://certificates.example.org/a", PUBLIC, ok(&good), false, Failure::Unavailable),
        (&hosts, "certificates.example.org", PUBLIC, ok(&good), false, Failure::Unavailable),
        (&hosts, &longer, PUBLIC, ok(&good), false, Failure::Unavailable),
        (&hosts, THEIRS, "10.0.0.1", ok(&good), false, Failure::Unavailable),
        (&hosts, THEIRS, "169.254.169.254", ok(&good), false, Failure::Unavailable),
        (&hosts, THEIRS, PUBLIC, answer("302 Found", "location: /\r\n", &good), true, Failure::Unavailable),
        (&hosts, THEIRS, PUBLIC, ok(&long), true, Failure::Unavailable),
        (&hosts, THEIRS, PUBLIC, ok(&others), true, Failure::Credential),
        (&hosts, THEIRS, PUBLIC, ok("<html>"), true, Failure::Credential),
    ];
    for (hosts, url, address, answer, is_asked, failure) in table {
        let (server, client) = server(&pki, answer, address);
        let got = get(&client, hosts, url).await;
        let (outcome, lifetime) = judged(&identities, got, now());
        assert_eq!((outcome, lifetime), (Err(failure), REFUSED_FOR), "{url} at {address}");
        assert_eq!(!server.connected.lock().is_empty(), is_asked, "{url} at {address}");
    }
}
