use std::fs;
use std::io;

use bytes::Bytes;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use runtime::clock::SystemClock;
use runtime::net::OsNet;
use runtime::random::Random;
use runtime::registry::{ActorName, Registry};
use runtime::supervision::{Intensity, Strategy, Supervisor, SupervisorHandle, SupervisorSpec};
use runtime::telemetry::metrics::Metrics as MetricsRegistry;
use runtime::tls::ServerTls;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use super::*;

const DEADLINE: Duration = Duration::from_secs(20);
const OPTIONS: &str = "OPTIONS sip:a@example.com SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKx\r\n\
    From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
const BAD_REQUEST: &str = "SIP/2.0 400 Bad Request\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKx\r\n\
    From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

/// A node's streams, with what they deliver and fail.
struct Side {
    streams: Streams,
    metrics: Metrics,
    inbound: mpsc::UnboundedReceiver<Inbound>,
    failed: mpsc::UnboundedReceiver<Undelivered>,
    registry: Registry,
    supervisor: Option<SupervisorHandle>,
}

fn side(change: impl FnOnce(&mut Options)) -> Side {
    let (deliver, inbound) = mpsc::unbounded_channel();
    let (fail, failed) = mpsc::unbounded_channel();
    let metrics = Metrics::new(&MetricsRegistry::new());
    let mut options = Options {
        net: Arc::new(OsNet),
        client_tls: None,
        limits: Limits::default(),
        deliver: Arc::new(move |message| {
            let _ = deliver.send(message);
            Delivered::Done
        }),
        fail: Arc::new(move |undelivered| {
            let _ = fail.send(undelivered);
        }),
        metrics: metrics.clone(),
    };
    change(&mut options);
    let streams = Streams::new(options, Handle::current());
    let registry = Registry::new(Arc::new(SystemClock), Random::seeded(1));
    Side { streams, metrics, inbound, failed, registry, supervisor: None }
}

impl Side {
    async fn listen(&mut self, tls: Option<ServerTls>, proxies: &[&str]) -> SocketAddr {
        let (bound, mut address) = watch::channel(None);
        let options = listener::Options {
            streams: self.streams.clone(),
            listener: 3,
            address: "127.0.0.1:0".parse().unwrap(),
            tls,
            proxies: proxies.iter().map(|network| network.parse().unwrap()).collect(),
            bound,
        };
        let name = ActorName::new("supervisor", "listeners");
        let spec = SupervisorSpec::new(name, Strategy::OneForOne, Intensity::new(1, DEADLINE))
            .child(listener::child_spec(options));
        self.supervisor = Some(Supervisor::spawn(spec, &self.registry).await.unwrap());
        let bound = timeout(DEADLINE, address.wait_for(Option::is_some)).await.unwrap().unwrap();
        (*bound).unwrap()
    }

    async fn next(&mut self) -> Inbound {
        timeout(DEADLINE, self.inbound.recv()).await.expect("a message comes").unwrap()
    }

    async fn next_failed(&mut self) -> Undelivered {
        timeout(DEADLINE, self.failed.recv()).await.expect("a failure is told").unwrap()
    }

    fn closed(&self, why: Closed) -> u64 {
        self.metrics.closed.with_label_values(&[why.name()]).get()
    }
}

fn outbound(flow: Flow, octets: impl Into<Bytes>, sender: u64) -> Outbound {
    Outbound { flow, octets: octets.into(), sender }
}

fn to(address: SocketAddr, transport: Transport) -> Flow {
    Flow { listener: 3, transport, peer: address, connection: 0 }
}

/// Reads until the end; a reset is an end too.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut octets = Vec::new();
    let end = timeout(DEADLINE, stream.read_to_end(&mut octets)).await.expect("the connection ends");
    assert!(end.is_ok() || end.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset));
    octets
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpSocket::new_v4().unwrap().connect(address).await.unwrap()
}

async fn expect(stream: &mut TcpStream, expected: &[u8]) {
    let mut octets = vec![0; expected.len()];
    timeout(DEADLINE, stream.read_exact(&mut octets)).await.expect("octets come").unwrap();
    assert_eq!(octets, expected);
}

#[tokio::test]
async fn messages_in_pieces_are_delivered_answered_and_kept_alive() {
    let mut node = side(|_| {});
    let address = node.listen(None, &[]).await;
    let mut peer = connect(address).await;
    peer.set_nodelay(true).unwrap();
    let (a, b) = OPTIONS.split_at(70);
    peer.write_all(a.as_bytes()).await.unwrap();
    tokio::task::yield_now().await;
    peer.write_all([b, OPTIONS, "\r\n\r\n"].concat().as_bytes()).await.unwrap();
    let first = node.next().await;
    let expected =
        Flow { connection: first.flow.connection, ..to(peer.local_addr().unwrap(), Transport::Tcp) };
    assert_eq!((first.flow, &first.octets[..]), (expected, OPTIONS.as_bytes()));
    assert_eq!(node.next().await.octets, OPTIONS);
    expect(&mut peer, b"\r\n").await;
    for text in ["answer one ", "answer two"] {
        node.streams.send(outbound(first.flow, text, 1)).unwrap();
    }
    expect(&mut peer, b"answer one answer two").await;
    drop(peer);
}

#[tokio::test]
async fn one_connection_is_made_for_all_and_used_again() {
    let mut near = side(|_| {});
    let mut far = side(|_| {});
    let address = far.listen(None, &[]).await;
    for n in 0..3 {
        near.streams.send(outbound(to(address, Transport::Tcp), OPTIONS, n)).unwrap();
    }
    let target =
        Target { listener: 3, transport: Transport::Tcp, address, server_name: Some("ignored".into()) };
    let flow = near.streams.connect(&target).unwrap();
    near.streams.send(outbound(flow, OPTIONS, 3)).unwrap();
    let mut flows = Vec::new();
    for _ in 0..4 {
        flows.push(far.next().await.flow);
    }
    assert!(flows.iter().all(|flow| *flow == flows[0]));
    assert_eq!((near.streams.len(), far.streams.len()), (1, 1));
    // What comes back on it has the flow that we made.
    far.streams.send(outbound(flows[0], OPTIONS, 9)).unwrap();
    assert_eq!(near.next().await.flow, flow);
    assert!(near.failed.try_recv().is_err());
}

#[tokio::test]
async fn what_cannot_be_sent_is_told() {
    let mut near = side(|_| {});
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for sender in [1, Outbound::NOBODY, 2] {
        near.streams.send(outbound(to(closed, Transport::Tcp), OPTIONS, sender)).unwrap();
    }
    for sender in [1, 2] {
        assert_eq!(near.next_failed().await, Undelivered { sender: Some(sender), peer: closed });
    }
    assert_eq!(near.metrics.connects.with_label_values(&["failed"]).get(), 1);
    let send = |connection, transport| {
        near.streams.send(outbound(Flow { connection, ..to(closed, transport) }, "", 1))
    };
    let refused = [send(77, Transport::Tcp), send(0, Transport::Udp), send(0, Transport::Tls)];
    assert_eq!(refused, [Err(Refused::Gone), Err(Refused::Transport), Err(Refused::Transport)]);
}

#[tokio::test]
async fn other_protocols_and_endless_heads_are_closed() {
    let table = [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), Closed::NotSip),
        ("\u{16}\u{3}\u{1}".to_owned(), Closed::NotSip),
        (format!("OPTIONS sip:a SIP/2.0\r\nX: {}", "x".repeat(70_000)), Closed::Unframed),
    ];
    let mut node = side(|_| {});
    let address = node.listen(None, &[]).await;
    for (octets, why) in table {
        let mut peer = connect(address).await;
        // It may be closed before all of it is written.
        let _ = peer.write_all(octets.as_bytes()).await;
        assert_eq!(rest(&mut peer).await, b"");
        assert_eq!(node.closed(why), 1 + u64::from(octets.starts_with('\u{16}')), "{why:?}");
    }
    assert!(node.inbound.try_recv().is_err());
}

#[tokio::test]
async fn what_cannot_be_framed_is_answered_before_the_end() {
    let mut node = side(|_| {});
    let address = node.listen(None, &[]).await;
    let mut peer = connect(address).await;
    peer.write_all(OPTIONS.replace("Length: 0", "Length: -1").as_bytes()).await.unwrap();
    let inbound = node.next().await;
    node.streams.send(outbound(inbound.flow, BAD_REQUEST, 1)).unwrap();
    assert_eq!(rest(&mut peer).await, BAD_REQUEST.as_bytes());
    assert_eq!(node.closed(Closed::Unframed), 1);
}

#[tokio::test]
async fn a_pong_is_no_answer() {
    let mut node = side(|_| {});
    let address = node.listen(None, &[]).await;
    let mut peer = connect(address).await;
    let unframed = OPTIONS.replace("Length: 0", "Length: -1");
    peer.write_all(format!("\r\n\r\n{unframed}").as_bytes()).await.unwrap();
    let inbound = node.next().await;
    // The pong is out, and nothing else for a while.
    expect(&mut peer, b"\r\n").await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    node.streams.send(outbound(inbound.flow, BAD_REQUEST, 1)).unwrap();
    assert_eq!(rest(&mut peer).await, BAD_REQUEST.as_bytes());
}

#[tokio::test]
async fn what_is_not_read_any_more_takes_answers_and_no_requests() {
    let mut node = side(|_| {});
    let address = node.listen(None, &[]).await;
    let mut peer = connect(address).await;
    peer.write_all(format!("{OPTIONS}GET / HTTP/1.1\r\n\r\n").as_bytes()).await.unwrap();
    let flow = node.next().await.flow;
    while node.streams.has(flow.connection) {
        tokio::task::yield_now().await;
    }
    assert_eq!(node.closed(Closed::NotSip), 1);
    assert_eq!(node.streams.send(outbound(flow, OPTIONS, 1)), Err(Refused::Gone));
    node.streams.send(outbound(flow, BAD_REQUEST, 1)).unwrap();
    expect(&mut peer, BAD_REQUEST.as_bytes()).await;
    assert!(node.failed.try_recv().is_err());
}

#[tokio::test]
async fn a_vendor_that_says_something_else_gets_a_new_connection() {
    let vendor = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    vendor.set_nonblocking(true).unwrap();
    let vendor = tokio::net::TcpListener::from_std(vendor).unwrap();
    let flow = to(vendor.local_addr().unwrap(), Transport::Tcp);
    let mut near = side(|_| {});
    let mut used = Vec::new();
    for round in 1..=2 {
        near.streams.send(outbound(flow, OPTIONS, round)).unwrap();
        let (mut stream, _) = timeout(DEADLINE, vendor.accept()).await.expect("a connection").unwrap();
        expect(&mut stream, OPTIONS.as_bytes()).await;
        stream.write_all(format!("{BAD_REQUEST}GET / HTTP/1.1\r\n\r\n").as_bytes()).await.unwrap();
        let answer = near.next().await;
        assert_eq!((answer.octets, answer.flow.peer), (Bytes::from(BAD_REQUEST), flow.peer));
        // Not a moment longer than it takes to see it: no request may go there and find nobody.
        assert_eq!(rest(&mut stream).await, b"");
        assert!(!near.streams.has(answer.flow.connection));
        assert_eq!(near.closed(Closed::NotSip), round);
        used.push(answer.flow.connection);
    }
    assert_ne!(used[0], used[1]);
}

#[tokio::test]
async fn what_came_before_something_else_is_answered() {
    let mut node = side(|_| {});
    let address = node.listen(None, &[]).await;
    let mut peer = connect(address).await;
    peer.write_all(format!("{OPTIONS}GET / HTTP/1.1\r\n\r\n").as_bytes()).await.unwrap();
    let inbound = node.next().await;
    while node.closed(Closed::NotSip) == 0 {
        tokio::task::yield_now().await;
    }
    for answer in ["SIP/2.0 100 Trying\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n"] {
        node.streams.send(outbound(inbound.flow, answer, 1)).unwrap();
        expect(&mut peer, answer.as_bytes()).await;
    }
}

#[tokio::test]
async fn slow_and_silent_peers_are_closed() {
    let short = Duration::from_millis(30);
    let table: [(&str, Limits, Closed); 3] = [
        ("OPTIONS sip:a SIP/2.0\r\n", Limits { message: short, ..Limits::default() }, Closed::Slow),
        ("", Limits { message: short, ..Limits::default() }, Closed::Idle),
        (OPTIONS, Limits { idle: short, ..Limits::default() }, Closed::Idle),
    ];
    for (octets, limits, why) in table {
        let mut node = side(|options| options.limits = limits);
        let address = node.listen(None, &[]).await;
        let mut peer = connect(address).await;
        peer.write_all(octets.as_bytes()).await.unwrap();
        assert_eq!(rest(&mut peer).await, b"");
        assert_eq!(node.closed(why), 1, "{octets:?}");
    }
}

#[tokio::test]
async fn connections_are_bounded_in_all_and_by_peer() {
    let table =
        [Limits { per_peer_max: 2, ..Limits::default() }, Limits { connections_max: 2, ..Limits::default() }];
    for limits in table {
        let mut node = side(|options| options.limits = limits);
        let address = node.listen(None, &[]).await;
        let mut kept = Vec::new();
        for _ in 0..2 {
            let mut peer = connect(address).await;
            peer.write_all(OPTIONS.as_bytes()).await.unwrap();
            node.next().await;
            kept.push(peer);
        }
        assert_eq!(rest(&mut connect(address).await).await, b"");
        assert_eq!((node.closed(Closed::Limit), node.streams.len()), (1, 2));
        // A place given up is a place to have.
        drop(kept);
        timeout(DEADLINE, async {
            while !node.streams.is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("connections end with their peers");
        let mut peer = connect(address).await;
        peer.write_all(OPTIONS.as_bytes()).await.unwrap();
        node.next().await;
    }
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_closed() {
    let mut node = side(|_| {});
    let address = node.listen(None, &[]).await;
    let mut peer = connect(address).await;
    peer.write_all(OPTIONS.as_bytes()).await.unwrap();
    let flow = node.next().await.flow;
    let large = Bytes::from(vec![b'x'; 60_000]);
    let mut sent = 0;
    let refused = loop {
        match node.streams.send(outbound(flow, large.clone(), sent)) {
            Ok(()) => sent += 1,
            Err(refused) => break refused,
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(refused, Refused::Full);
    assert_eq!(node.streams.send(outbound(flow, "x", 0)), Err(Refused::Gone));
    assert_eq!(node.closed(Closed::Full), 1);
    // What the peer did not take is told, the last of it last.
    timeout(DEADLINE, async { while node.next_failed().await.sender != Some(sent - 1) {} })
        .await
        .expect("what waited is told");
}

#[tokio::test]
async fn the_proxy_protocol_is_spoken_by_those_who_must() {
    let source: SocketAddr = "203.0.113.9:49152".parse().unwrap();
    let header = proxy_protocol::tests::header(source);
    let with = |header: &[u8]| [header, OPTIONS.as_bytes()].concat();
    let mut trusting = side(|_| {});
    let address = trusting.listen(None, &["127.0.0.0/8"]).await;
    let mut peer = connect(address).await;
    peer.write_all(&with(&header)).await.unwrap();
    assert_eq!(trusting.next().await.flow.peer, source);
    // Without it, a trusted peer is none.
    let mut peer = connect(address).await;
    peer.write_all(OPTIONS.as_bytes()).await.unwrap();
    rest(&mut peer).await;
    assert_eq!(trusting.closed(Closed::Proxy), 1);

    let mut strict = side(|_| {});
    let address = strict.listen(None, &["10.0.0.0/8"]).await;
    let mut peer = connect(address).await;
    peer.write_all(&with(&header)).await.unwrap();
    rest(&mut peer).await;
    assert!(strict.inbound.try_recv().is_err());
}

#[tokio::test]
async fn tls_carries_messages_both_ways_and_checks_names() {
    let files = tempfile::tempdir().unwrap();
    let path = |name: &str| files.path().join(name);
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["sip.example.com".to_owned()]).unwrap();
    fs::write(path("cert.pem"), cert.pem()).unwrap();
    fs::write(path("key.pem"), signing_key.serialize_pem()).unwrap();
    let server = ServerTls::load(&path("cert.pem"), &path("key.pem")).unwrap();
    let trust = ClientTls::new(Some(&path("cert.pem"))).unwrap();

    let mut far = side(|_| {});
    let mut near = side(|options| options.client_tls = Some(trust));
    let address = far.listen(Some(server), &[]).await;
    let target = |name: Option<&str>| Target {
        listener: 3,
        transport: Transport::Tls,
        address,
        server_name: name.map(Arc::from),
    };
    let flow = near.streams.connect(&target(Some("sip.example.com"))).unwrap();
    near.streams.send(outbound(flow, OPTIONS, 1)).unwrap();
    let came = far.next().await;
    assert_eq!(came.flow.transport, Transport::Tls);
    far.streams.send(outbound(came.flow, OPTIONS, 1)).unwrap();
    assert_eq!(near.next().await.flow, flow);

    for wrong in [None, Some("other.example.com")] {
        let other = near.streams.connect(&target(wrong)).unwrap();
        assert_ne!(other.connection, flow.connection);
        near.streams.send(outbound(other, OPTIONS, 7)).unwrap();
        assert_eq!(near.next_failed().await, Undelivered { sender: Some(7), peer: address });
    }
}

#[tokio::test]
async fn what_waits_is_sent_before_the_node_ends() {
    let mut node = side(|_| {});
    let address = node.listen(None, &[]).await;
    let mut peer = connect(address).await;
    peer.write_all(OPTIONS.as_bytes()).await.unwrap();
    let flow = node.next().await.flow;
    node.streams.send(outbound(flow, "last words", 1)).unwrap();
    node.streams.shut_down();
    assert_eq!(rest(&mut peer).await, b"last words");
    assert_eq!(node.closed(Closed::Shutdown), 1);
    assert_eq!(node.streams.send(outbound(to(address, Transport::Tcp), "x", 1)), Err(Refused::TooMany));
}

#[tokio::test]
async fn a_message_without_room_is_waited_for_and_nothing_is_lost() {
    let room = Arc::new(tokio::sync::Semaphore::new(1));
    let (deliver, mut inbound) = mpsc::unbounded_channel();
    let mut node = side(|options| {
        let room = Arc::clone(&room);
        options.deliver = Arc::new(move |message| {
            let (room, deliver) = (Arc::clone(&room), deliver.clone());
            if let Ok(permit) = room.try_acquire() {
                permit.forget();
                let _ = deliver.send(message);
                return Delivered::Done;
            }
            Delivered::Waits(Box::pin(async move {
                room.acquire().await.unwrap().forget();
                let _ = deliver.send(message);
            }))
        });
    });
    let address = node.listen(None, &[]).await;
    let mut peer = connect(address).await;
    let numbered = |number: u32| OPTIONS.replace("1 OPTIONS", &format!("{number} OPTIONS"));
    let all: String = (0..9).map(numbered).collect();
    peer.write_all(all.as_bytes()).await.unwrap();
    let flow = inbound.recv().await.unwrap().flow;
    // What is to be sent goes out meanwhile.
    node.streams.send(outbound(flow, BAD_REQUEST, 1)).unwrap();
    expect(&mut peer, BAD_REQUEST.as_bytes()).await;
    assert!(inbound.try_recv().is_err());
    drop(peer);
    for number in 1..9 {
        room.add_permits(1);
        let came = timeout(DEADLINE, inbound.recv()).await.expect("it has room now").unwrap();
        assert_eq!(came.octets, numbered(number));
    }
}

#[tokio::test]
async fn what_is_not_worth_waiting_for_is_counted_and_holds_nothing_up() {
    let (deliver, mut inbound) = mpsc::unbounded_channel();
    let mut node = side(|options| {
        options.deliver = Arc::new(move |message| {
            if message.octets.starts_with(b"OPTIONS") {
                return Delivered::Dropped;
            }
            let _ = deliver.send(message);
            Delivered::Done
        });
    });
    let address = node.listen(None, &[]).await;
    let mut peer = connect(address).await;
    peer.write_all([OPTIONS, OPTIONS, BAD_REQUEST].concat().as_bytes()).await.unwrap();
    let came = timeout(DEADLINE, inbound.recv()).await.expect("what comes behind").unwrap();
    assert_eq!(came.octets, BAD_REQUEST);
    assert_eq!(node.metrics.dropped.with_label_values(&["worker"]).get(), 2);
}
