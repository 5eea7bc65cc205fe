//! A telephone behind something like a NAT: the node keeps it open, and answers who asks through it.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;

use super::super::super::{peer, wait};
use super::super::baresip::{Baresip, two_ports};
use super::super::{SOON, Transport, digest, place, wait_quiet};
use super::{LONG, calls, provisioned, text, wait_bound};

/// How long the NAT waits for a datagram before it looks whether it is to end.
const LOOK: Duration = Duration::from_millis(50);

#[test]
fn the_way_to_a_telephone_behind_a_nat_is_kept_open() {
    let Some(baresip) = peer::program("baresip") else { return };
    let vendor = digest::vendor_address();
    let lines = format!("{}\nregister_keep_alive = \"1s\"", digest::MD5);
    let node = place(&[Transport::Udp], &lines, provisioned(vendor)).start();
    let nat = Nat::start(node.ports().sip[0]);
    let local = SocketAddr::from((digest::UNLISTED, two_ports()));
    let account = format!(
        "<sip:roaming@{};transport=udp>;regint={LONG};answermode=auto;auth_user=roaming;auth_pass={}",
        nat.inside,
        digest::PASSWORD
    );
    let telephone = Baresip::start(&baresip, local, &account, &format!("net_interface {}", local.ip()));
    let bound = wait_bound(&node, 1);
    assert_eq!(text(&bound[0], "source"), nat.outside().to_string(), "{bound:?}");
    assert!(text(&bound[0], "contact").contains(&local.to_string()), "{bound:?}");

    let at_least = |name: &str, least: f64| {
        wait::until(&format!("{name} of {least}"), SOON, || (node.metric(name) >= least).then_some(()));
    };
    at_least("warp_sip_keep_alives_answered_total", 2.5);
    let sent = node.metric("warp_sip_keep_alives_total");
    assert!(sent >= 3.0, "{sent}");

    // The telephone does not ask by itself: another one does in its place.
    nat.ask(node.ports().sip[0]);
    at_least("warp_sip_keep_alives_received_total", 0.5);

    let mut caller = calls(vendor, &node, "nat");
    telephone.wait("CALL_ESTABLISHED", 1);
    caller.hang_up();
    telephone.wait("CALL_CLOSED", 1);
    wait_quiet(&node);
}

/// What a telephone sends to `inside` leaves from another socket, and what comes there goes to the telephone.
struct Nat {
    inside: SocketAddr,
    outer: Arc<UdpSocket>,
    ends: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Nat {
    #[track_caller]
    fn start(node: SocketAddr) -> Self {
        let bind = |port: u16| {
            let socket = UdpSocket::bind((digest::UNLISTED, port)).unwrap();
            socket.set_read_timeout(Some(LOOK)).unwrap();
            Arc::new(socket)
        };
        // A telephone answers at the address that a request came from, and at the port that its Via names (RFC 3261
        // 18.2.2): that is the node's.
        let (inner, outer) = (bind(node.port()), bind(0));
        let inside = inner.local_addr().unwrap();
        let telephone = Arc::new(Mutex::new(None));
        let ends = Arc::new(AtomicBool::new(false));
        let out = {
            let (outer, telephone) = (Arc::clone(&outer), Arc::clone(&telephone));
            hand_over(&inner, &ends, move |octets, from| {
                *telephone.lock() = Some(from);
                let _ = outer.send_to(octets, node);
            })
        };
        let back = hand_over(&outer, &ends, move |octets, _| {
            if let Some(telephone) = *telephone.lock() {
                let _ = inner.send_to(octets, telephone);
            }
        });
        Self { inside, outer, ends, threads: vec![out, back] }
    }

    fn outside(&self) -> SocketAddr {
        self.outer.local_addr().unwrap()
    }

    /// An OPTIONS as equipment sends it to see whether its registrar is there.
    #[track_caller]
    fn ask(&self, node: SocketAddr) {
        let from = self.outside();
        let options = format!(
            "OPTIONS sip:{node} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK-kept-open;rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:roaming@{node}>;tag=kept\r\nTo: <sip:{node}>\r\n\
             Call-ID: kept-open@{from}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        self.outer.send_to(options.as_bytes(), node).unwrap();
    }
}

impl Drop for Nat {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Hands over what comes, on a thread of its own.
fn hand_over(
    socket: &Arc<UdpSocket>,
    ends: &Arc<AtomicBool>,
    take: impl FnMut(&[u8], SocketAddr) + Send + 'static,
) -> JoinHandle<()> {
    let (socket, ends) = (Arc::clone(socket), Arc::clone(ends));
    thread::spawn(move || each(&socket, &ends, take))
}

/// Takes what comes, until it is to end.
fn each(socket: &UdpSocket, ends: &AtomicBool, mut take: impl FnMut(&[u8], SocketAddr)) {
    let mut room = vec![0; 65_535];
    while !ends.load(Ordering::Relaxed) {
        match socket.recv_from(&mut room) {
            Ok((length, from)) => take(&room[..length], from),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            // Nobody is at the other end: it says so of what was sent before.
            Err(_) => wait::pause(LOOK),
        }
    }
}
