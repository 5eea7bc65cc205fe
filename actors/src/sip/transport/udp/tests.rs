use std::net::Ipv6Addr;
use std::time::Duration;

use futures_util::FutureExt;
use runtime::model::Transport;
use runtime::telemetry::metrics::Metrics as Registry;
use tokio::time::{Instant, timeout};

use super::*;
use crate::sip::flow::Flow;

const V4: &str = "127.0.0.1:0";
const V6: &str = "[::1]:0";
const DEADLINE: Duration = Duration::from_secs(10);

fn metrics() -> Metrics {
    Metrics::new(&Registry::new())
}

fn open(address: &str) -> UdpSocket {
    let bound = Bound::open(&Options::new(address.parse().unwrap())).unwrap();
    UdpSocket::attach(&bound, 1_000, metrics()).unwrap()
}

fn outbound(peer: SocketAddr, octets: impl Into<Bytes>, sender: u64) -> Outbound {
    let flow = Flow { listener: 0, transport: Transport::Udp, peer, connection: 0 };
    Outbound { flow, octets: octets.into(), sender }
}

async fn turn(socket: &mut UdpSocket, received: &mut Vec<Datagram>, failed: &mut Vec<Undelivered>) {
    socket.ready().await.unwrap();
    while socket.recv_batch(received).unwrap() {}
    socket.errors(failed);
    socket.flush(failed).unwrap();
    // A turn that spins lets its deadline pass.
    tokio::task::coop::consume_budget().await;
}

async fn receive(socket: &mut UdpSocket, count: usize) -> Vec<Datagram> {
    let mut received = Vec::new();
    timeout(DEADLINE, async {
        while received.len() < count {
            turn(socket, &mut received, &mut Vec::new()).await;
        }
    })
    .await
    .expect("datagrams arrive");
    received
}

async fn failures(socket: &mut UdpSocket, count: usize) -> Vec<Undelivered> {
    let mut failed = Vec::new();
    timeout(DEADLINE, async {
        while failed.len() < count {
            turn(socket, &mut Vec::new(), &mut failed).await;
        }
    })
    .await
    .expect("the error is told");
    failed
}

/// An address where nothing listens.
fn closed_port(ip: &str) -> SocketAddr {
    StdSocket::bind((ip, 0)).unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn batches_pass_whole_and_in_order() {
    for address in [V4, V6] {
        let (mut a, mut b) = (open(address), open(address));
        let sizes: Vec<usize> = (0..150).map(|i| 1 + i * 37).chain([65_000, 1]).collect();
        for (i, &size) in sizes.iter().enumerate() {
            let octets = vec![u8::try_from(i % 251).unwrap(); size];
            a.queue(outbound(b.address(), octets, Outbound::NOBODY), None).unwrap();
        }
        let mut failed = Vec::new();
        a.flush(&mut failed).unwrap();
        assert!(failed.is_empty());
        let received = receive(&mut b, sizes.len()).await;
        for (i, (datagram, size)) in received.iter().zip(sizes).enumerate() {
            assert_eq!((datagram.peer, datagram.local), (a.address(), b.address().ip()));
            assert_eq!(datagram.octets.len(), size);
            assert!(datagram.octets.iter().all(|&octet| usize::from(octet) == i % 251));
        }
    }
}

#[tokio::test]
async fn a_wildcard_socket_tells_and_keeps_the_address_hit() {
    let table = [("0.0.0.0:0", "127.0.0.7", "127.0.0.1:0"), ("[::]:0", "::1", "[::1]:0")];
    for (wildcard, hit, peer) in table {
        let (mut wild, mut peer) = (open(wildcard), open(peer));
        let hit: IpAddr = hit.parse().unwrap();
        let to = SocketAddr::new(hit, wild.address().port());
        peer.queue(outbound(to, "one", 1), None).unwrap();
        peer.flush(&mut Vec::new()).unwrap();
        let received = receive(&mut wild, 1).await;
        assert_eq!((received[0].local, received[0].peer), (hit, peer.address()));
        // Plain ones beside it leave in their order.
        for (text, source) in [("two", Some(hit)), ("three", None), ("four", Some(hit))] {
            wild.queue(outbound(peer.address(), text, 1), source).unwrap();
        }
        let mut failed = Vec::new();
        wild.flush(&mut failed).unwrap();
        assert_eq!(failed, []);
        let received = receive(&mut peer, 3).await;
        assert_eq!(received[0].peer, to);
        assert_eq!(
            received.iter().map(|d| &d.octets[..]).collect::<Vec<_>>(),
            [&b"two"[..], b"three", b"four"]
        );
        assert_eq!(received[2].peer, to);
    }
}

#[tokio::test]
async fn a_closed_port_is_told_at_once_and_hurts_nobody_else() {
    for (address, ip) in [(V4, "127.0.0.1"), (V6, "::1")] {
        let (mut a, mut b) = (open(address), open(address));
        let closed = closed_port(ip);
        a.queue(outbound(closed, "lost", 7), None).unwrap();
        let mut failed = Vec::new();
        a.flush(&mut failed).unwrap();
        // The pending error is not that of the next datagram.
        a.queue(outbound(b.address(), "found", 8), None).unwrap();
        a.flush(&mut failed).unwrap();
        if failed.is_empty() {
            failed = failures(&mut a, 1).await;
        }
        assert_eq!(failed, [Undelivered { sender: None, peer: closed }]);
        assert_eq!(receive(&mut b, 1).await[0].octets, "found");
        b.queue(outbound(a.address(), "answer", 9), None).unwrap();
        b.flush(&mut failed).unwrap();
        assert_eq!(receive(&mut a, 1).await[0].octets, "answer");
    }
}

#[tokio::test]
async fn an_error_does_not_keep_the_socket_ready() {
    let mut a = open(V4);
    a.queue(outbound(closed_port("127.0.0.1"), "lost", 7), None).unwrap();
    a.flush(&mut Vec::new()).unwrap();
    failures(&mut a, 1).await;
    tokio::task::yield_now().await;
    assert!(a.ready().now_or_never().is_none());
}

#[tokio::test]
async fn what_the_system_refuses_is_told_by_its_sender() {
    let (mut a, mut b) = (open(V4), open(V4));
    let too_large = vec![0; 65_536];
    let v6 = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 5060);
    let queue = [
        outbound(b.address(), "first", 1),
        outbound(b.address(), too_large.clone(), 2),
        outbound(v6, "not of this family", 3),
        outbound(b.address(), too_large, Outbound::NOBODY),
        outbound(b.address(), "last", 5),
    ];
    let refused = [(2, b.address()), (3, v6)].map(|(n, peer)| Undelivered { sender: Some(n), peer });
    for outbound in queue {
        a.queue(outbound, None).unwrap();
    }
    let mut failed = Vec::new();
    a.flush(&mut failed).unwrap();
    assert_eq!(failed, refused);
    let received = receive(&mut b, 2).await;
    assert_eq!((&received[0].octets[..], &received[1].octets[..]), (&b"first"[..], &b"last"[..]));
}

#[tokio::test]
async fn a_full_queue_refuses() {
    let bound = Bound::open(&Options::new(V4.parse().unwrap())).unwrap();
    let mut socket = UdpSocket::attach(&bound, 2, metrics()).unwrap();
    let to = socket.address();
    assert_eq!([(); 3].map(|()| socket.queue(outbound(to, "x", 1), None)), [Ok(()), Ok(()), Err(Full)]);
    assert_eq!(socket.metrics.dropped.with_label_values(&["send_queue"]).get(), 1);
    socket.flush(&mut Vec::new()).unwrap();
    assert_eq!(receive(&mut socket, 2).await.len(), 2);
}

#[tokio::test]
async fn a_socket_outlives_its_worker_and_shares_its_address() {
    let bound = Bound::open(&Options::new(V4.parse().unwrap())).unwrap();
    let second = Bound::open(&Options::new(bound.address())).unwrap();
    assert_eq!(second.address(), bound.address());
    drop(second);
    drop(UdpSocket::attach(&bound, 10, metrics()).unwrap());
    let mut peer = open(V4);
    // It comes while no worker is there.
    peer.queue(outbound(bound.address(), "early", 1), None).unwrap();
    peer.flush(&mut Vec::new()).unwrap();
    let mut again = UdpSocket::attach(&bound, 10, metrics()).unwrap();
    assert_eq!(receive(&mut again, 1).await[0].octets, "early");
}

/// Prints nanoseconds per datagram of 1,300 octets, there and back through our batches and through tokio's calls.
#[tokio::test]
#[ignore = "a measurement: run alone, with --release"]
async fn cost_of_a_datagram() {
    const ROUNDS: usize = 4_000;
    let octets = Bytes::from(vec![b'x'; 1_300]);
    let per = |elapsed: Duration, n: usize| elapsed.as_nanos() / n as u128;
    for batch in [1, 8, BATCH] {
        let (mut a, mut b) = (open(V4), open(V4));
        let (mut sending, mut receiving) = (Duration::ZERO, Duration::ZERO);
        let (mut got, mut failed) = (Vec::with_capacity(BATCH), Vec::new());
        for _ in 0..ROUNDS {
            let start = Instant::now();
            for _ in 0..batch {
                a.queue(outbound(b.address(), octets.clone(), 1), None).unwrap();
            }
            a.flush(&mut failed).unwrap();
            sending += start.elapsed();
            let start = Instant::now();
            let mut count = 0;
            while count < batch {
                b.recv_batch(&mut got).unwrap();
                count += got.len();
                got.clear();
            }
            receiving += start.elapsed();
        }
        let n = ROUNDS * batch;
        println!("batch {batch}: send {} ns, receive {} ns", per(sending, n), per(receiving, n));
    }
    let a = tokio::net::UdpSocket::bind(V4).await.unwrap();
    let b = tokio::net::UdpSocket::bind(V4).await.unwrap();
    let to = b.local_addr().unwrap();
    let (mut sending, mut receiving) = (Duration::ZERO, Duration::ZERO);
    let mut buffer = vec![0; 65_536];
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..BATCH {
            a.send_to(&octets, to).await.unwrap();
        }
        sending += start.elapsed();
        let start = Instant::now();
        for _ in 0..BATCH {
            let (n, _) = b.recv_from(&mut buffer).await.unwrap();
            std::hint::black_box(Bytes::copy_from_slice(&buffer[..n]));
        }
        receiving += start.elapsed();
    }
    let n = ROUNDS * BATCH;
    println!("tokio: send {} ns, receive {} ns", per(sending, n), per(receiving, n));
}
