//! The loop of a generator's thread: sockets and clock around an endpoint that knows neither.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::prctl;
use nix::sys::time::TimeSpec;

use super::outbox::Outbox;
use super::socket::{Bound, Socket};

/// The longest sleep: how late a request to stop is seen.
const SLEEP_MAX: Duration = Duration::from_millis(50);

/// A datagram that came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival<'a> {
    /// Which of the endpoint's sockets received it.
    pub(crate) socket: usize,
    pub(crate) from: SocketAddr,
    pub(crate) octets: &'a [u8],
    /// When it was read.
    pub(crate) at: Instant,
}

/// A simulated party. It is told what arrives and what time it is, and queues what it wants to send.
pub(crate) trait Endpoint {
    fn on_datagram(&mut self, arrival: Arrival<'_>, out: &mut Outbox);
    /// Does what is due by now.
    fn on_time(&mut self, now: Instant, out: &mut Outbox);
    /// When there is something to do again without a datagram.
    fn next_deadline(&self) -> Option<Instant>;
    /// Whether nothing more will happen.
    fn is_over(&self) -> bool;
}

/// Runs `endpoint` on `sockets` until it is over or `stop` is set, and rests for `coalesce` after each round so that
/// datagrams gather; also returns the datagrams that the kernel refused or that found no room.
pub(crate) fn drive<E: Endpoint>(
    mut endpoint: E,
    sockets: Vec<Bound>,
    coalesce: Duration,
    stop: &AtomicBool,
) -> (E, u64) {
    let mut sockets: Vec<Socket> = sockets.into_iter().map(Socket::new).collect();
    // The default lets the kernel wake us 50 us late. Where it is refused, lateness is measured and shown.
    let _ = prctl::set_timerslack(1);
    let mut out = Outbox::new(sockets.len());
    let mut readable: Vec<bool> = vec![true; sockets.len()];
    let mut refused = 0;
    while !endpoint.is_over() && !stop.load(Relaxed) {
        for (place, socket) in sockets.iter_mut().enumerate() {
            if !readable.get(place).copied().unwrap_or_default() {
                continue;
            }
            let mut at = None;
            socket.receive(|from, octets| {
                let at = *at.get_or_insert_with(now);
                endpoint.on_datagram(Arrival { socket: place, from, octets, at }, &mut out);
            });
        }
        endpoint.on_time(now(), &mut out);
        for (socket, queue) in sockets.iter().zip(out.queues()) {
            refused += socket.flush(queue);
        }
        if !coalesce.is_zero() {
            rest(coalesce);
        }
        wait(&sockets, endpoint.next_deadline(), &mut readable);
    }
    let dropped: u64 = out.queues().map(|queue| queue.dropped).sum();
    (endpoint, refused + dropped)
}

/// The clock of the generator.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Sleeps whatever arrives.
fn rest(duration: Duration) {
    let _ = ppoll(&mut [], Some(TimeSpec::from_duration(duration)), None);
}

/// Sleeps until a socket can be read or the deadline; says which can.
fn wait(sockets: &[Socket], deadline: Option<Instant>, readable: &mut [bool]) {
    let left = deadline.map_or(SLEEP_MAX, |at| at.saturating_duration_since(now()).min(SLEEP_MAX));
    let mut polled: Vec<PollFd<'_>> = sockets
        .iter()
        .map(|socket| PollFd::new(std::os::fd::AsFd::as_fd(socket), PollFlags::POLLIN))
        .collect();
    // A signal that interrupts the sleep leaves no flags: the next round looks again.
    let _ = ppoll(&mut polled, Some(TimeSpec::from_duration(left)), None);
    for (flag, polled) in readable.iter_mut().zip(&polled) {
        *flag = polled.any().unwrap_or_default();
    }
}
