//! A vendor on TCP whose connections do not last as long as the call.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use super::super::{peer, wait};
use super::ua::{Callee, Caller, Datagrams, Link};
use super::wire::{Message, Messages, connect, prompt};
use super::{CUSTOMER, Route, SOON, Transport, customer_address, place, provision, records, vendor_address};

/// What the vendor does with a call.
type Play = fn(&mut Callee<Connections>);

#[test]
fn the_connection_ends_before_the_caller_hangs_up() {
    call("caller", 0.0, |vendor| {
        vendor.rings();
        vendor.answers();
        vendor.link.close();
        vendor.is_hung_up_on();
    });
}

#[test]
fn the_connection_ends_before_the_callee_hangs_up() {
    call("callee", 0.0, |vendor| {
        vendor.rings();
        vendor.answers();
        vendor.link.close();
        vendor.hangs_up();
    });
}

/// The answer then comes by a connection to the address in the Via (RFC 3261 18.2.2).
#[test]
fn the_connection_ends_while_it_rings() {
    call("caller", 1.0, |vendor| {
        vendor.rings();
        vendor.link.close();
        vendor.answers();
        vendor.is_hung_up_on();
    });
}

/// `open` connections are left when the caller hangs up.
fn call(ended_by: &'static str, open: f64, play: Play) {
    let Some(sqlite) = peer::program("sqlite3") else { return };
    let gateway = vendor_address();
    let routes = [Route { prefix: "44".to_owned(), gateways: vec![(gateway, Transport::Tcp)] }];
    let node = place(&[Transport::Udp, Transport::Tcp], "", provision(CUSTOMER, &routes)).start();
    let (udp, tcp) = (node.ports().sip[0], node.ports().sip[1]);
    let connections = Connections::listen(gateway, tcp);
    let vendor = thread::spawn(move || play(&mut Callee::new(connections, Transport::Tcp, gateway)));

    let local = customer_address();
    let mut customer = Caller::new(Datagrams::bind(local, udp), Transport::Udp, local, "streams");
    customer.call("+4420");
    if ended_by == "caller" {
        // What is written before the end is seen is lost with the connection, as it would be anywhere.
        wait::until("the node has seen the end of what ended", SOON, || {
            (node.metric("warp_sip_connections") < open + 0.5).then_some(())
        });
        customer.hang_up();
    } else {
        customer.is_hung_up_on();
    }
    vendor.join().unwrap();
    let attempt = (gateway, Some(200), "answered");
    records::expect_one(&sqlite, &node, "44", (200, "answered", ended_by, &[attempt]));
}

/// All connections between a vendor and the node.
struct Connections {
    listener: TcpListener,
    node: SocketAddr,
    /// The one that was used last is the last.
    open: Vec<Messages<TcpStream>>,
}

impl Connections {
    #[track_caller]
    fn listen(local: SocketAddr, node: SocketAddr) -> Self {
        let listener = TcpListener::bind(local).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { listener, node, open: Vec::new() }
    }

    fn close(&mut self) {
        self.open.clear();
    }
}

impl Link for Connections {
    fn send(&mut self, message: &str) {
        if self.open.is_empty() {
            self.open.push(Messages::new(connect(self.node)));
        }
        self.open.last_mut().expect("a connection").send(message);
    }

    fn receive(&mut self, within: Duration) -> Option<Message> {
        let deadline = Instant::now() + within;
        loop {
            if let Ok((stream, _)) = self.listener.accept() {
                self.open.push(Messages::new(prompt(stream)));
            }
            for at in 0..self.open.len() {
                if let Poll::Ready(Some(message)) = self.open[at].poll() {
                    let used = self.open.remove(at);
                    self.open.push(used);
                    return Some(message);
                }
            }
            assert!(Instant::now() < deadline, "not within {within:?}: a message on any connection");
            wait::pause(Duration::from_millis(5));
        }
    }
}
