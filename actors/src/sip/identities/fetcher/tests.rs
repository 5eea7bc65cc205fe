use std::io;
use std::net::{IpAddr, SocketAddr};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use runtime::clock::{SimClock, Timestamp};
use runtime::config::StirOptions;
use runtime::http_client::{AddressPolicy, Limits, Resolve};
use runtime::net::{Listener, Net, Stream};
use runtime::tls::{ClientTls, ServerTls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::sip::identities::Source;
use crate::sip::identities::place::Place;
use crate::sip::identities::testing::{NOW, Pki, THEIRS};
use crate::sip::testing::voice;

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
        let got = get(&client, THEIRS).await;
        let (outcome, lifetime) = judged(&identities, got, NOW);
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
    // Whether it was asked at all, and what it is worth.
    type Row<'a> = (&'a str, Vec<u8>, bool, Failure);
    let table: [Row<'_>; 8] = [
        ("10.0.0.1", ok(&good), false, Failure::Unavailable),
        ("169.254.169.254", ok(&good), false, Failure::Unavailable),
        (PUBLIC, answer("302 Found", "location: /\r\n", &good), true, Failure::Unavailable),
        (PUBLIC, ok(&long), true, Failure::Unavailable),
        (PUBLIC, ok("<html>"), true, Failure::Unavailable),
        (PUBLIC, ok(""), true, Failure::Unavailable),
        (PUBLIC, ok(good.get(..good.len() - 40).unwrap()), true, Failure::Unavailable),
        (PUBLIC, ok(&others), true, Failure::Credential),
    ];
    for (address, answer, is_asked, failure) in table {
        let text = String::from_utf8_lossy(&answer).into_owned();
        let (server, client) = server(&pki, answer, address);
        let got = get(&client, THEIRS).await;
        let (outcome, lifetime) = judged(&identities, got, NOW);
        assert_eq!((outcome, lifetime), (Err(failure), REFUSED_FOR), "{text} at {address}");
        assert_eq!(!server.connected.lock().is_empty(), is_asked, "{text} at {address}");
    }
}

/// Who fetches for a node, with what it counts.
struct Lab {
    identities: Arc<Identities>,
    counters: Counters,
    clock: SharedClock,
    client: HttpClient,
    face: Face,
}

impl Lab {
    fn new(pki: &Pki, client: HttpClient) -> Self {
        let start = Timestamp::from_micros(i64::try_from(NOW * 1_000_000).unwrap());
        Self {
            identities: pki.identities(),
            counters: Counters::default(),
            clock: Arc::new(SimClock::starting_at(start)),
            client,
            face: Face::default(),
        }
    }

    fn want(&self, url: &str, source: Source) {
        let place = Place::read(url, &StirOptions::default()).unwrap();
        self.identities.certificates.want(&place, source, Instant::now().into_std());
    }

    fn find(&self, url: &str) -> Option<Outcome> {
        self.identities.certificates.find(url, Instant::now().into_std())
    }

    /// Fetches for so long.
    async fn run(&self, time: Duration) {
        let Self { identities, counters, clock, client, face } = self;
        let fetching = Fetching { identities, counters, clock, client, face };
        assert!(tokio::time::timeout(time, fetching.run()).await.is_err());
    }

    /// Fetched, refused, dropped.
    fn counts(&self) -> [u64; 3] {
        let Counters { certificates_fetched, certificates_refused, certificates_dropped, .. } =
            &self.counters;
        [certificates_fetched, certificates_refused, certificates_dropped].map(|counter| counter.get())
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn what_is_wanted_is_fetched_and_renewed() {
    let pki = Pki::new();
    let (server, client) = server(&pki, answer("200 OK", "", &pki.carrier().chain), PUBLIC);
    let lab = Lab::new(&pki, client);
    lab.want(THEIRS, Source::Vendor(1));
    lab.run(SECOND).await;
    assert!(matches!(lab.find(THEIRS), Some(Ok(_))));
    assert_eq!((lab.counts(), lab.identities.certificates.wanted()), ([1, 0, 0], 0));
    lab.identities.certificates.proved(THEIRS);
    tokio::time::advance(LIFETIME * 15 / 16).await;
    assert!(matches!(lab.find(THEIRS), Some(Ok(_))), "it is good, and wanted again");
    lab.run(SECOND).await;
    assert_eq!((lab.counts(), server.connected.lock().len()), ([2, 0, 0], 2));
    tokio::time::advance(LIFETIME / 2).await;
    assert!(matches!(lab.find(THEIRS), Some(Ok(_))));
}

/// A server that answers with something else for once does not take away what is good.
#[tokio::test(start_paused = true)]
async fn what_is_good_stays_until_it_is_over() {
    let pki = Pki::new();
    let (_, client) = server(&pki, answer("200 OK", "", "<html>"), PUBLIC);
    let lab = Lab::new(&pki, client);
    pki.carrier().publish(&lab.identities, Instant::now().into_std());
    lab.identities.certificates.proved(THEIRS);
    tokio::time::advance(SECOND * 550).await;
    assert!(matches!(lab.find(THEIRS), Some(Ok(_))));
    lab.run(SECOND).await;
    assert_eq!(lab.counts(), [0, 1, 0]);
    assert!(matches!(lab.find(THEIRS), Some(Ok(_))));
    assert_eq!(lab.identities.certificates.wanted(), 0, "it is not asked for again at once");
    tokio::time::advance(SECOND * 50).await;
    assert_eq!(lab.find(THEIRS), None);
}

/// A network on which one server answers; all others take a connection and say nothing.
struct Tarpit {
    server: Arc<Server>,
    held: Mutex<Vec<tokio::io::DuplexStream>>,
}

impl Net for Tarpit {
    fn listen(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Listener>>> {
        self.server.listen(address)
    }

    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Stream>> {
        if host == PUBLIC {
            return self.server.connect(host, port);
        }
        Box::pin(async move {
            let (here, there) = tokio::io::duplex(4096);
            self.held.lock().push(there);
            Ok(Box::new(here) as Stream)
        })
    }
}

impl Resolve for Tarpit {
    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let address = if name.ends_with("tarpit.example") { "93.184.216.99" } else { PUBLIC };
        Box::pin(async move { Ok(vec![address.parse().unwrap()]) })
    }
}

/// Calls of one source, each with a certificate at another server that stalls.
#[tokio::test(start_paused = true)]
async fn a_source_that_stalls_stops_nobody_else() {
    let pki = Pki::new();
    let (server, client) = server(&pki, answer("200 OK", "", &pki.carrier().chain), PUBLIC);
    let tarpit = Arc::new(Tarpit { server, held: Mutex::default() });
    let (net, names): (Arc<dyn Net>, Arc<dyn Resolve>) =
        (Arc::<Tarpit>::clone(&tarpit), Arc::<Tarpit>::clone(&tarpit));
    let limits = Limits { connect: 3 * SECOND, whole: 3 * SECOND, body_octets_max: 4096 };
    let lab = Lab::new(&pki, client.with_network(net, names).with_limits(limits));
    for name in 0..70 {
        lab.want(&format!("https://{name}.tarpit.example/"), Source::Trunk(1));
    }
    let looks = async {
        sleep(SECOND).await;
        assert_eq!((lab.counts(), tarpit.held.lock().len()), ([0, 0, 6], 4), "what has no room is counted");
        lab.want(THEIRS, Source::Vendor(1));
        sleep(SECOND).await;
        assert!(matches!(lab.find(THEIRS), Some(Ok(_))));
        sleep(SECOND * 3 / 2).await;
        assert_eq!((lab.counts(), tarpit.held.lock().len()), ([1, 4, 6], 8), "each has an end");
        assert_eq!(lab.find("https://0.tarpit.example/"), Some(Err(Failure::Unavailable)));
    };
    tokio::join!(lab.run(4 * SECOND), looks);
}

#[test]
fn what_is_said_once_and_what_again() {
    let mut said = Said::default();
    let wrong = || Err(Unusable::OtherKey);
    let files: [(Result<bool, Unusable>, bool); 6] = [
        (Ok(false), false),
        (wrong(), true),
        (wrong(), false),
        (Err(Unusable::NewKey), true),
        (Ok(true), true),
        (wrong(), true),
    ];
    for (place, (outcome, expected)) in files.into_iter().enumerate() {
        assert_eq!(said.of_files(outcome, true), expected, "{place}");
    }
    for (term, at, expected) in [
        (Term::Good, 0, false),
        (Term::EndsSoon, 30, true),
        (Term::EndsSoon, 60, false),
        (Term::EndsSoon, 30 + SAY_EVERY, true),
        (Term::Over, 60 + SAY_EVERY, true),
        (Term::Over, 90 + SAY_EVERY, false),
        (Term::Over, 60 + 2 * SAY_EVERY, true),
        (Term::Good, 90 + 2 * SAY_EVERY, false),
        (Term::Over, 120 + 2 * SAY_EVERY, true),
    ] {
        assert_eq!(said.of_own(term, Some(100 * SAY_EVERY), NOW + at), expected, "{term:?} {at}");
    }
    let policies = [false, true, true, false, true].map(|policy| said.of_policy(policy));
    assert_eq!(policies, [false, true, false, false, true]);
}

#[test]
fn who_refuses_calls() {
    let snapshot = |voice| Snapshot::new(voice, None, &|_| Vec::new(), Instant::now().into_std());
    assert!(!refuses(&snapshot(voice())));
    let (mut by_trunk, mut by_vendor) = (voice(), voice());
    by_trunk.trunks[0].verify_identity = VerifyIdentity::Refuse;
    by_vendor.vendors[2].verify_identity = VerifyIdentity::Refuse;
    assert!(refuses(&snapshot(by_trunk)) && refuses(&snapshot(by_vendor)));
}
