use std::collections::HashMap;
use std::net::SocketAddr;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::net::Listener;
use crate::tls::ServerTls;

/// A network of one server that answers every connection the same way.
#[derive(Default)]
struct OneServer {
    answer: Vec<u8>,
    /// Keeps silent after the answer instead of closing.
    hangs: bool,
    /// Addresses that take no connection.
    dead: Vec<IpAddr>,
    tls: Option<ServerTls>,
    connected: Mutex<Vec<(String, u16)>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Net for OneServer {
    fn listen(&self, _: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Listener>>> {
        Box::pin(async { Err(io::Error::from(io::ErrorKind::Unsupported)) })
    }

    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Stream>> {
        Box::pin(async move {
            self.connected.lock().push((host.to_owned(), port));
            if self.dead.contains(&host.parse().unwrap()) {
                return future::pending().await;
            }
            let (here, there) = tokio::io::duplex(4096);
            let (answer, hangs) = (self.answer.clone(), self.hangs);
            let requests = Arc::clone(&self.requests);
            let acceptor = self.tls.as_ref().map(ServerTls::acceptor);
            tokio::spawn(async move {
                let there: Stream = Box::new(there);
                let stream = match acceptor {
                    Some(acceptor) => Box::new(acceptor.accept(there).await?),
                    None => there,
                };
                serve(stream, &answer, hangs, &requests).await;
                io::Result::Ok(())
            });
            Ok(Box::new(here) as Stream)
        })
    }
}

async fn serve(mut stream: Stream, answer: &[u8], hangs: bool, requests: &Mutex<Vec<String>>) {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        text.extend_from_slice(&buffer[..read]);
        let request = String::from_utf8_lossy(&text).into_owned();
        let whole = request.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            body.len() >= length.map_or(0, |length| length.parse().unwrap())
        });
        if whole || read == 0 {
            requests.lock().push(request);
            break;
        }
    }
    let _ = stream.write_all(answer).await;
    if hangs {
        future::pending::<()>().await;
    }
    let _ = stream.shutdown().await;
}

/// Names and the answers of their resolver, one for each question and then the last again.
#[derive(Default)]
struct Names(Mutex<HashMap<&'static str, Vec<&'static [&'static str]>>>);

impl Resolve for Names {
    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let mut names = self.0.lock();
            let answers = names.get_mut(name).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
            let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0] };
            Ok(answer.iter().map(|text| text.parse().unwrap()).collect())
        })
    }
}

fn names(list: &[(&'static str, &[&'static [&'static str]])]) -> Arc<Names> {
    Arc::new(Names(Mutex::new(list.iter().map(|(name, answers)| (*name, answers.to_vec())).collect())))
}

const PUBLIC: &[&str] = &["93.184.216.34"];

fn client(policy: AddressPolicy, server: &Arc<OneServer>, names: Arc<Names>) -> HttpClient {
    let net: Arc<dyn Net> = Arc::<OneServer>::clone(server);
    HttpClient::new(ClientTls::new(None).unwrap(), policy).with_network(net, names)
}

fn answering(answer: impl Into<Vec<u8>>) -> OneServer {
    OneServer { answer: answer.into(), ..OneServer::default() }
}

fn ok(body: &str) -> Arc<OneServer> {
    Arc::new(answering(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())))
}

#[tokio::test]
async fn a_request_as_it_goes_out() {
    let server = ok("{}");
    let client = client(AddressPolicy::PublicOnly, &server, names(&[("hooks.example", &[PUBLIC])]));
    let mut headers = HeaderMap::new();
    headers.insert("x-signature", HeaderValue::from_static("v1=00"));
    headers.insert(HOST, HeaderValue::from_static("internal.example"));
    headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("999"));
    headers.insert(UPGRADE, HeaderValue::from_static("h2c"));
    let url = "http://hooks.example:8080/a/b?c=d#e";
    let response = client.post(url, headers, Bytes::from_static(b"hello")).await.unwrap();
    assert_eq!(
        (response.status, &response.body[..], response.truncated),
        (StatusCode::OK, &b"{}"[..], false)
    );
    assert_eq!(*server.connected.lock(), [("93.184.216.34".to_owned(), 8080)]);
    let sent = server.requests.lock().first().unwrap().to_lowercase();
    let (head, body) = sent.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "hello");
    let mut lines: Vec<&str> = head.split("\r\n").collect();
    assert_eq!(lines.remove(0), "post /a/b?c=d http/1.1");
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "accept: */*",
            "connection: close",
            "content-length: 5",
            "host: hooks.example:8080",
            "user-agent: warp",
            "x-signature: v1=00",
        ]
    );
}

#[tokio::test]
async fn statuses_are_answers_and_redirects_are_not_followed() {
    for (line, status) in [
        ("HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/", StatusCode::FOUND),
        ("HTTP/1.1 404 Not Found", StatusCode::NOT_FOUND),
        ("HTTP/1.1 503 Service Unavailable\r\nretry-after: 5", StatusCode::SERVICE_UNAVAILABLE),
        ("HTTP/1.0 200 OK", StatusCode::OK),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content", StatusCode::NO_CONTENT),
    ] {
        let server = Arc::new(answering(format!("{line}\r\n\r\n")));
        let client = client(AddressPolicy::PublicOnly, &server, names(&[("a.example", &[PUBLIC])]));
        assert_eq!(client.get("http://a.example/").await.unwrap().status, status, "{line}");
        assert_eq!(server.connected.lock().len(), 1, "{line}");
    }
}

/// However an address is spelled, and whatever a name turns out to be.
#[tokio::test]
async fn only_public_addresses_are_connected_to() {
    let server = ok("secret");
    let table: &[(&'static str, &[&'static [&'static str]])] = &[
        ("localhost", &[&["127.0.0.1", "::1"]]),
        ("rebound.example", &[&["10.0.0.1"]]),
        ("mixed.example", &[&["93.184.216.34", "192.168.0.1"]]),
        ("last.example", &[&["1.1.1.1", "1.0.0.1", "8.8.8.8", "8.8.4.4", "9.9.9.9", "fd00::1"]]),
        ("mapped.example", &[&["::ffff:10.0.0.1"]]),
        ("metadata.example", &[&["169.254.169.254"]]),
    ];
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "017700000001",
        "0",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fd00::1]",
        "[fec0::1]",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "0xa9fea9fe",
        "192.168.1.1:22",
        "255.255.255.255",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "rebound.example",
        "mixed.example",
        "last.example",
        "mapped.example",
        "metadata.example.",
    ] {
        let client = client(AddressPolicy::PublicOnly, &server, names(table));
        for scheme in ["http", "https"] {
            let outcome = client.get(&format!("{scheme}://{host}/latest/meta-data")).await;
            let error = outcome.expect_err(host);
            assert!(matches!(error, Error::Denied { .. }), "{host}: {error}");
            let text = error.to_string();
            assert!(!text.contains("10.0.0.1") || host == "10.0.0.1", "{text}");
        }
    }
    assert!(server.connected.lock().is_empty());
    // The operator's own URLs may name them.
    let client = client(AddressPolicy::Any, &server, names(table));
    assert_eq!(client.get("http://localhost:9/").await.unwrap().body, "secret");
}

/// The name is public when it is asked and private a moment later: it is asked once.
#[tokio::test]
async fn a_rebinding_name_gains_nothing() {
    let server = ok("");
    let rebinding = names(&[("rebinding.example", &[PUBLIC, &["127.0.0.1"]])]);
    let client = client(AddressPolicy::PublicOnly, &server, rebinding);
    client.get("http://rebinding.example/").await.unwrap();
    assert_eq!(*server.connected.lock(), [("93.184.216.34".to_owned(), 80)]);
    assert!(matches!(client.get("http://rebinding.example/").await, Err(Error::Denied { .. })));
    assert!(matches!(client.get("http://unknown.example/").await, Err(Error::Resolve { .. })));
    assert!(matches!(client.get("ftp://rebinding.example/").await, Err(Error::Url(_))));
}

#[tokio::test(start_paused = true)]
async fn every_wait_ends() {
    let names = names(&[("a.example", &[PUBLIC])]);
    let start = Instant::now();
    let dead = OneServer { dead: vec!["93.184.216.34".parse().unwrap()], ..OneServer::default() };
    let client_of = |server| client(AddressPolicy::PublicOnly, &Arc::new(server), Arc::clone(&names));
    let error = client_of(dead).get("http://a.example/").await.unwrap_err();
    assert!(matches!(error, Error::ConnectTimeout(_) | Error::Connect { .. }), "{error}");
    assert!(start.elapsed() <= Duration::from_secs(4));
    for begun in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"] {
        let start = Instant::now();
        let server = OneServer { hangs: true, ..answering(begun) };
        let error = client_of(server).get("http://a.example/").await.unwrap_err();
        assert!(matches!(error, Error::Timeout(_)), "{error}");
        assert_eq!(start.elapsed().as_secs(), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_address_is_tried() {
    let server = OneServer {
        dead: vec!["93.184.216.34".parse().unwrap()],
        ..answering("HTTP/1.1 204 No Content\r\n\r\n")
    };
    let server = Arc::new(server);
    let names = names(&[("a.example", &[&["93.184.216.34", "2606:4700::1111"]])]);
    let client = client(AddressPolicy::PublicOnly, &server, names);
    assert_eq!(client.get("http://a.example/").await.unwrap().status, StatusCode::NO_CONTENT);
    let connected: Vec<String> = server.connected.lock().iter().map(|(host, _)| host.clone()).collect();
    assert_eq!(connected, ["93.184.216.34", "2606:4700::1111"]);
}

#[tokio::test]
async fn a_response_is_bounded() {
    let body = "x".repeat(100);
    let limits = Limits { body_octets_max: 100, ..Limits::default() };
    for (length, truncated) in [(99, false), (100, false), (101, true), (100_000, true)] {
        let sent = "x".repeat(length);
        let chunked =
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{sent}\r\n0\r\n\r\n");
        let until_close = format!("HTTP/1.1 200 OK\r\n\r\n{sent}");
        for answer in [chunked, until_close] {
            let server = Arc::new(answering(answer));
            let client = client(AddressPolicy::Any, &server, names(&[])).with_limits(limits);
            let response = client.get("http://192.0.2.1/").await.unwrap();
            assert_eq!(response.truncated, truncated, "{length}");
            assert_eq!(response.body, body.get(..length.min(100)).unwrap());
        }
    }
    let many = "a: b\r\n".repeat(HEADERS_MAX + 1);
    let long = format!("a: {}\r\n", "b".repeat(2 * HEADER_OCTETS_MAX));
    for head in [format!("HTTP/1.1 200 OK\r\n{many}\r\n"), format!("HTTP/1.1 200 OK\r\n{long}\r\n")] {
        let server = Arc::new(answering(head));
        let client = client(AddressPolicy::Any, &server, names(&[]));
        let error = client.get("http://192.0.2.1/").await.unwrap_err();
        assert!(matches!(error, Error::Exchange { .. }), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_http_is_an_error() {
    for answer in [
        "",
        "\0\0\0\0",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhal",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let server = Arc::new(answering(answer));
        let client = client(AddressPolicy::Any, &server, names(&[]));
        let error = client.get("http://192.0.2.1/").await.expect_err(answer);
        assert!(matches!(error, Error::Exchange { .. }), "{answer:?}: {error}");
    }
}

/// The certificate is for the name of the URL, not for the address.
#[tokio::test]
async fn tls_checks_the_name() {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["a.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let [cert_pem, key_pem] = ["cert.pem", "key.pem"].map(|file| dir.path().join(file));
    std::fs::write(&cert_pem, certificate.pem()).unwrap();
    std::fs::write(&key_pem, key.serialize_pem()).unwrap();
    let server = OneServer {
        tls: Some(ServerTls::load(&cert_pem, &key_pem).unwrap()),
        ..answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
    };
    let server = Arc::new(server);
    let names = names(&[("a.example", &[PUBLIC]), ("b.example", &[PUBLIC])]);
    let trusting = HttpClient {
        tls: ClientTls::new(Some(&cert_pem)).unwrap(),
        ..client(AddressPolicy::PublicOnly, &server, Arc::clone(&names))
    };
    for url in ["https://a.example/", "https://a.example./"] {
        assert_eq!(trusting.get(url).await.unwrap().body, "hi", "{url}");
    }
    assert_eq!(server.connected.lock()[0], ("93.184.216.34".to_owned(), 443));
    let strange = client(AddressPolicy::PublicOnly, &server, names);
    for (client, url) in [(&trusting, "https://b.example/"), (&strange, "https://a.example/")] {
        assert!(matches!(client.get(url).await, Err(Error::Connect { .. })), "{url}");
    }
}

#[tokio::test]
async fn the_systems_resolver_knows_this_machine() {
    let addresses = SystemResolver::default().addresses("localhost").await.unwrap();
    assert!(!addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback), "{addresses:?}");
}
