//! Real sockets: h2, TLS and its protocols, places of an address, drain.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use runtime::net::{Net as _, OsNet};
use runtime::tls::{ClientTls, ServerTls};
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject as _;

use super::*;

/// A served loopback address.
struct Served {
    lab: Lab,
    supervisor: SupervisorHandle,
    address: SocketAddr,
    places: Arc<Places>,
}

impl Served {
    async fn new(tls: Option<ServerTls>, per_address_max: u32) -> Self {
        let lab = Lab::new().await;
        let listener = OsNet.listen(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = listener.local_addr().unwrap();
        let places = Places::new(100, per_address_max, &[]);
        let server = Server {
            name: ActorName::new("api_server", NAME),
            dispatch: lab.dispatch(Surface::Api),
            socket: Mutex::new(Socket::Tcp(listener)),
            tls,
            places: Arc::clone(&places),
            times: Times { header: HEADER_TIMEOUT, idle: IDLE_TIMEOUT },
            figures: Arc::new(Figures::default()),
        };
        let intensity = Intensity::new(3, Duration::from_secs(60));
        let spec = SupervisorSpec::new(ActorName::new("supervisor", "api"), Strategy::OneForOne, intensity)
            .child(child_spec(Arc::new(server)));
        let supervisor = Supervisor::spawn(spec, &lab.smpp.registry).await.unwrap();
        Self { lab, supervisor, address, places }
    }

    async fn connect(&self) -> Stream {
        OsNet.connect("127.0.0.1", self.address.port()).await.unwrap()
    }
}

/// h2 over a stream, with prior knowledge (RFC 9113, 3.3).
async fn h2(stream: Stream) -> (SendRequest<Empty<Bytes>>, tokio::task::JoinHandle<()>) {
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    (sender, tokio::spawn(async move { drop(connection.await) }))
}

fn get(path: &str) -> Request<Empty<Bytes>> {
    Request::builder().uri(format!("http://localhost{path}")).body(Empty::new()).unwrap()
}

#[tokio::test]
async fn h2_with_prior_knowledge_carries_many_requests() {
    let served = Served::new(None, 10).await;
    let (sender, _connection) = h2(served.connect().await).await;
    let answers = (0..300).map(|_| {
        let mut sender = sender.clone();
        async move {
            sender.ready().await.unwrap();
            let answer = sender.send_request(get("/health")).await.unwrap();
            (answer.version(), answer.status(), answer.into_body().collect().await.unwrap().to_bytes())
        }
    });
    for (version, status, body) in futures_util::future::join_all(answers).await {
        assert_eq!((version, status), (Version::HTTP_2, StatusCode::OK));
        assert!(!body.is_empty());
    }
    served.supervisor.stop().await;
}

#[tokio::test]
async fn too_much_header_is_refused_by_h2_too() {
    let served = Served::new(None, 10).await;
    let (mut sender, _connection) = h2(served.connect().await).await;
    let request =
        Request::builder().uri("http://localhost/health").header("a", "a".repeat(20_000)).body(Empty::new());
    let refused = match sender.send_request(request.unwrap()).await {
        Ok(answer) => answer.status() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        // The client knows the server's bound.
        Err(_) => true,
    };
    assert!(refused);
    served.supervisor.stop().await;
}

#[tokio::test]
async fn a_stopping_server_ends_h2_connections() {
    let served = Served::new(None, 10).await;
    let (mut sender, connection) = h2(served.connect().await).await;
    assert_eq!(sender.send_request(get("/health")).await.unwrap().status(), StatusCode::OK);
    served.supervisor.stop().await;
    timeout(Duration::from_secs(5), connection).await.expect("the connection stays").unwrap();
    assert!(served.lab.smpp.registry.is_empty());
}

#[tokio::test]
async fn tls_offers_h2_and_http_1_1() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let served = Served::new(Some(ServerTls::load_http(&cert, &key).unwrap()), 10).await;

    // Without ALPN, as old clients are.
    let client = ClientTls::new(Some(&cert)).unwrap();
    let mut plain = client.connect(served.connect().await, "localhost").await.unwrap();
    assert!(exchange(&mut plain, HEALTH).await.starts_with("HTTP/1.1 200"));

    for (offered, chosen) in
        [(vec!["h2", "http/1.1"], "h2"), (vec!["http/1.1"], "http/1.1"), (vec!["http/1.1", "h2"], "h2")]
    {
        let mut roots = rustls::RootCertStore::empty();
        let der = rustls::pki_types::CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).unwrap();
        roots.add(der).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = connector.connect(name, served.connect().await).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(chosen.as_bytes()), "{offered:?}");
        if chosen == "h2" {
            let (mut sender, _connection) = h2(Box::new(stream)).await;
            let answer = sender.send_request(get("/health")).await.unwrap();
            assert_eq!((answer.version(), answer.status()), (Version::HTTP_2, StatusCode::OK));
        } else {
            assert!(exchange(&mut stream, HEALTH).await.starts_with("HTTP/1.1 200"));
        }
    }

    // Who speaks in plain to a TLS port is no burden to others.
    let mut wrong = served.connect().await;
    wrong.write_all(HEALTH.as_bytes()).await.unwrap();
    let mut octets = Vec::new();
    drop(timeout(Duration::from_secs(5), wrong.read_to_end(&mut octets)).await.expect("it stays open"));
    assert!(!octets.starts_with(b"HTTP"), "{octets:?}");
    served.supervisor.stop().await;
}

#[tokio::test]
async fn more_connections_of_one_address_are_closed() {
    let served = Served::new(None, 2).await;
    let mut held = [served.connect().await, served.connect().await];
    for stream in &mut held {
        assert!(exchange(stream, HEALTH).await.starts_with("HTTP/1.1 200"));
    }
    let mut third = served.connect().await;
    let read = timeout(Duration::from_secs(5), third.read(&mut [0; 16])).await.expect("it stays open");
    assert_eq!(read.unwrap_or(0), 0);
    drop(held);
    // Until the server has seen that they are gone.
    let free = async {
        while served.places.of(Some(served.address)).is_none() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), free).await.expect("no place became free");
    assert!(exchange(&mut served.connect().await, HEALTH).await.starts_with("HTTP/1.1 200"));
    served.supervisor.stop().await;
}

/// The peer is an extension of each request, which handlers read by warp.
#[tokio::test]
async fn a_request_knows_its_peer() {
    use warp::Filter as _;
    let told =
        |peer: Option<super::super::Peer>| peer.map_or_else(|| "none".to_owned(), |peer| peer.0.to_string());
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let times = Times { header: HEADER_TIMEOUT, idle: IDLE_TIMEOUT };
    let terms = super::super::Terms::new(None, times, stopped);
    let peer = super::super::Peer(SocketAddr::from(([192, 0, 2, 1], 1)));
    for (peer, expected) in [(Some(peer), "192.0.2.1:1"), (None, "none")] {
        let (mut ours, theirs) = duplex(64 * 1024);
        let service =
            hyper_util::service::TowerToHyperService::new(warp::service(warp::ext::optional().map(told)));
        tokio::spawn(terms.clone().serve(Box::new(theirs), peer, service));
        let answer = exchange(&mut ours, HEALTH).await;
        assert!(answer.ends_with(expected), "{answer}");
    }
}
