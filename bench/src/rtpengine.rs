//! An RTPEngine as the node meets it: answers offers, answers and deletes on the ng protocol with its own
//! ports in every SDP, keeps calls until they are deleted, misbehaves on request. It passes on media when it
//! is told to. What it leaves out stands at the head of `rtpengine/state.rs`.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::wall;

pub use self::client::{list, statistics};

mod client;
mod ports;
mod relay;
mod replies;
mod sdp;
mod state;

use self::relay::Relay;
use self::state::{Setup, State};

/// The largest datagram there is.
const DATAGRAM_MAX: usize = 65_535;
/// Replies that wait because of [`RtpengineOptions::answer_delay`]; more are lost.
const OWED_MAX: usize = 65_536;

/// How a simulated RTPEngine behaves. The default is one at its best that passes on no media.
#[derive(Clone, Debug)]
pub struct RtpengineOptions {
    /// Where it takes commands; port 0 picks one.
    pub listen: SocketAddr,
    /// Stands in every SDP in place of the sender's.
    pub media_address: IpAddr,
    /// Ports that it hands out: an even one for RTP with the odd one above it, four for a call of one media.
    pub ports: RangeInclusive<u16>,
    /// Calls at once, beyond which it says so; `None` is as many as there are ports.
    pub sessions_max: Option<usize>,
    /// Opens the ports and passes on what comes to them.
    pub relay: bool,
    /// From a command to its reply.
    pub answer_delay: Duration,
    /// See [`Faults::set_silent`].
    pub silent: bool,
    /// See [`Faults::set_drop_every`].
    pub drop_every: u64,
    /// See [`Faults::set_full`].
    pub full: bool,
}

impl Default for RtpengineOptions {
    fn default() -> Self {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            listen: SocketAddr::new(loopback, 0),
            media_address: loopback,
            ports: 30_000..=39_999,
            sessions_max: None,
            relay: false,
            answer_delay: Duration::ZERO,
            silent: false,
            drop_every: 0,
            full: false,
        }
    }
}

/// A running RTPEngine; dropping it closes its sockets.
#[derive(Debug)]
pub struct Rtpengine {
    /// How it misbehaves, from now on.
    pub faults: Arc<Faults>,
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

/// What an RTPEngine did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Offers that got an SDP.
    pub offers: u64,
    /// Answers that got an SDP.
    pub answers: u64,
    /// Deletes that ended a call or a side of one.
    pub deletes: u64,
    /// Deletes of what it did not have.
    pub unknown: u64,
    /// Commands that came again under their cookie and were not done again.
    pub repeats: u64,
    /// Commands that got an error.
    pub errors: u64,
    /// Datagrams without a cookie, which get no reply.
    pub malformed: u64,
    /// Ports that it could not open as others had them: what comes to them is lost.
    pub unopened: u64,
}

/// How an RTPEngine misbehaves; may change while it runs.
#[derive(Debug, Default)]
pub struct Faults {
    answer_delay_us: AtomicU64,
    silent: AtomicBool,
    drop_every: AtomicU64,
    full: AtomicBool,
    changed: Notify,
}

impl Faults {
    /// Replies so much later.
    pub fn set_answer_delay(&self, delay: Duration) {
        self.answer_delay_us.store(u64::try_from(delay.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Reads and says nothing, as a process that was stopped: what comes meanwhile waits in its socket.
    pub fn set_silent(&self, silent: bool) {
        self.silent.store(silent, Relaxed);
        self.changed.notify_one();
    }

    /// Loses every n-th command and every n-th reply; 0 loses none.
    pub fn set_drop_every(&self, n: u64) {
        self.drop_every.store(n, Relaxed);
    }

    /// Has no ports for anything new.
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Relaxed);
    }

    fn is_silent(&self) -> bool {
        self.silent.load(Relaxed)
    }
}

impl Rtpengine {
    /// Listens and serves until dropped; within a Tokio runtime. Errors: the address cannot be bound.
    pub fn start(options: RtpengineOptions) -> io::Result<Self> {
        let RtpengineOptions { listen, media_address, ports, sessions_max, relay, .. } = options;
        let socket = bind(listen)?;
        let address = socket.local_addr()?;
        let faults = Arc::new(Faults::default());
        faults.set_answer_delay(options.answer_delay);
        faults.set_silent(options.silent);
        faults.set_drop_every(options.drop_every);
        faults.set_full(options.full);
        let now = wall::since_epoch();
        let state = State::new(Setup { address: media_address, ports, sessions_max, relays: relay, now });
        let state = Arc::new(Mutex::new(state));
        let server = Server {
            socket,
            faults: Arc::clone(&faults),
            state: Arc::clone(&state),
            relay: relay.then(|| Relay::new(media_address)),
            owed: VecDeque::new(),
            received: 0,
            replied: 0,
        };
        Ok(Self { faults, address, state, serving: tokio::spawn(server.serve()) })
    }

    /// Where it takes commands.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it did so far.
    pub fn counters(&self) -> Counters {
        self.state.lock().counters
    }

    /// Call-ids of the calls that it has.
    pub fn calls(&self) -> Vec<String> {
        let state = self.state.lock();
        state.call_ids().map(|call_id| String::from_utf8_lossy(call_id).into_owned()).collect()
    }
}

impl Drop for Rtpengine {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A reply that is not due yet.
#[derive(Debug)]
struct Owed {
    at: Instant,
    to: SocketAddr,
    reply: Vec<u8>,
}

#[derive(Debug)]
struct Server {
    socket: UdpSocket,
    faults: Arc<Faults>,
    state: Arc<Mutex<State>>,
    relay: Option<Relay>,
    /// In the order of the commands.
    owed: VecDeque<Owed>,
    received: u64,
    replied: u64,
}

impl Server {
    async fn serve(mut self) {
        let mut datagram = vec![0; DATAGRAM_MAX];
        loop {
            let is_silent = self.faults.is_silent();
            let due = self.owed.front().map(|owed| owed.at);
            tokio::select! {
                // What comes after silence began is not read any more.
                biased;
                () = self.faults.changed.notified() => {}
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() && !is_silent => {
                    self.pay().await;
                }
                received = self.socket.recv_from(&mut datagram), if !is_silent => {
                    // A socket that fails is of no use any more.
                    let Ok((length, from)) = received else { return };
                    self.take(datagram.get(..length).unwrap_or_default(), from).await;
                }
            }
        }
    }

    async fn take(&mut self, datagram: &[u8], from: SocketAddr) {
        let every = self.faults.drop_every.load(Relaxed);
        if is_nth(&mut self.received, every) {
            return;
        }
        let Some(reply) = self.obey(datagram).filter(|_| !is_nth(&mut self.replied, every)) else { return };
        let delay = Duration::from_micros(self.faults.answer_delay_us.load(Relaxed));
        if delay.is_zero() {
            // Who asked asks again.
            let _ = self.socket.send_to(&reply, from).await;
        } else if self.owed.len() < OWED_MAX {
            self.owed.push_back(Owed { at: Instant::now() + delay, to: from, reply });
        }
    }

    fn obey(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        let mut state = self.state.lock();
        state.full = self.faults.full.load(Relaxed);
        if let Some(relay) = &self.relay {
            state.heard = relay.heard();
        }
        let reply = state.handle(datagram, wall::since_epoch());
        let changes = std::mem::take(&mut state.changes);
        if let Some(relay) = &mut self.relay {
            // Before the reply: whoever reads it may send at once.
            state.counters.unopened += relay.apply(&changes);
        }
        reply
    }

    /// Sends what is due.
    async fn pay(&mut self) {
        let now = Instant::now();
        while self.owed.front().is_some_and(|owed| owed.at <= now) {
            let Some(owed) = self.owed.pop_front() else { return };
            // As above.
            let _ = self.socket.send_to(&owed.reply, owed.to).await;
        }
    }
}

/// Counts one more, and whether it is an n-th.
fn is_nth(counter: &mut u64, n: u64) -> bool {
    *counter += 1;
    n > 0 && counter.is_multiple_of(n)
}

/// A socket of a simulator, on the system's network whatever the node's own is.
fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

#[cfg(test)]
mod tests;
