//! Datagrams: one socket for each worker, all of them on one address (SO_REUSEPORT).
//!
//! [`Bound`] is the socket itself. The worker's parent keeps it, so that a worker that panics loses what it
//! knew and never its socket; each incarnation of the worker attaches to it on its own runtime.
//!
//! A worker's turn: [`UdpSocket::ready`], [`UdpSocket::recv_batch`], [`UdpSocket::errors`], the work,
//! [`UdpSocket::queue`] for what it made, [`UdpSocket::flush`]. Nothing but `ready` waits, and it returns at once
//! until all of the others found nothing to do: a turn that leaves one of them out spins.
//!
//! Room to send is asked for only where there was none. Whoever asks always is woken for every datagram that leaves the
//! send buffer, which on a busy socket is as often as for those that come in.

mod errors;
mod receive;
mod send;

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use bytes::Bytes;
use nix::sys::socket::{setsockopt, sockopt};
use runtime::clock::Timestamp;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep};

use self::receive::Receiver;
use self::send::SendQueue;
use super::metrics::Metrics;
use crate::sip::flow::{Outbound, Undelivered};

/// Datagrams taken or sent in one system call.
pub const BATCH: usize = 64;

/// Wait before a full socket is tried again where the system cannot tell that there is room.
const ROOM_WAIT: Duration = Duration::from_millis(1);

/// What the runtime is to tell of: datagrams, and errors.
pub(in crate::sip) const INCOMING: Interest = Interest::READABLE.add(Interest::ERROR);

/// A socket to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The address; several sockets of this process may share it. An IPv6 address takes no IPv4.
    pub address: SocketAddr,
    /// Octets of the receive buffer to ask for; the system may give less.
    pub receive_buffer: usize,
    /// Octets of the send buffer to ask for.
    pub send_buffer: usize,
}

impl Options {
    /// With buffers for a burst of some thousand messages.
    #[must_use]
    pub const fn new(address: SocketAddr) -> Self {
        Self { address, receive_buffer: 8 * 1024 * 1024, send_buffer: 4 * 1024 * 1024 }
    }
}

/// Why a socket cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open {address} for sip over udp: {error}")]
pub struct Error {
    /// Which address.
    pub address: SocketAddr,
    /// What the system said.
    pub error: io::Error,
}

/// A bound socket, to be attached to.
#[derive(Debug)]
pub struct Bound {
    socket: StdSocket,
    address: SocketAddr,
    opened_at: std::time::Instant,
    /// The system gave less room than was asked for.
    is_short: bool,
}

impl Bound {
    /// Opens and binds; port 0 takes a free one.
    ///
    /// # Errors
    /// The address cannot be bound, or the system lacks an option that is needed.
    pub fn open(options: &Options) -> Result<Self, Error> {
        let failed = |error| Error { address: options.address, error };
        let socket = bind(options).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        // The system tells twice what it was asked for (socket(7)).
        let given = SockRef::from(&socket).recv_buffer_size().map_err(failed)? / 2;
        let is_short = given < options.receive_buffer;
        if is_short {
            let asked = options.receive_buffer;
            tracing::warn!(
                %address, given, asked,
                "the receive buffer of sip over udp is short, bursts will be lost: \
                 raise net.core.rmem_max or grant CAP_NET_ADMIN"
            );
        }
        Ok(Self { socket, address, opened_at: Instant::now().into_std(), is_short })
    }

    /// Whether the receive buffer is too small for datagrams to grow old in it: what is too much is lost there.
    #[must_use]
    pub const fn is_short(&self) -> bool {
        self.is_short
    }

    /// When it was opened: nothing in it has waited longer.
    #[must_use]
    pub const fn opened_at(&self) -> std::time::Instant {
        self.opened_at
    }

    /// Where it is bound, with the chosen port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// One datagram that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram {
    /// Who sent it.
    pub peer: SocketAddr,
    /// The address of ours that it was sent to; an answer should come from there.
    pub local: IpAddr,
    /// What it holds, in a buffer of its own size: who keeps a datagram keeps nothing else with it.
    pub octets: Bytes,
}

/// The send queue is full: the datagram was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the send queue of the socket is full")]
pub struct Full;

/// A worker's side of a socket. It stays on the worker's thread.
pub struct UdpSocket {
    socket: AsyncFd<StdSocket>,
    /// While what is queued finds no room.
    room: Option<Room>,
    receiver: Receiver,
    sending: SendQueue,
    address: SocketAddr,
    metrics: Metrics,
}

impl UdpSocket {
    /// Attaches to a bound socket, on the current runtime. `queue_max` datagrams may wait for room.
    ///
    /// # Errors
    /// What the system said: no file descriptor is left.
    pub fn attach(bound: &Bound, queue_max: usize, metrics: Metrics) -> io::Result<Self> {
        Ok(Self {
            socket: watch(bound.socket.try_clone()?, INCOMING)?,
            room: None,
            receiver: Receiver::new(bound.address),
            sending: SendQueue::new(queue_max),
            address: bound.address,
            metrics,
        })
    }

    /// Where it is bound.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until there is something to receive, an error to take, or room for what is queued.
    ///
    /// # Errors
    /// The runtime is ending.
    pub async fn ready(&self) -> io::Result<()> {
        let incoming = self.socket.ready(INCOMING);
        match &self.room {
            None => incoming.await.map(drop),
            Some(room) => tokio::select! {
                ready = incoming => ready.map(drop),
                told = room.wait() => told,
            },
        }
    }

    /// Takes up to [`BATCH`] datagrams, which it appends; tells whether more may wait.
    ///
    /// # Errors
    /// The socket is of no use any more.
    pub fn recv_batch(&mut self, into: &mut Vec<Datagram>) -> io::Result<bool> {
        let Self { socket, receiver, .. } = self;
        let outcome = attempt(socket, Interest::READABLE, |socket| {
            let more = receiver.receive(socket.as_raw_fd(), into)?;
            // All that there was: the runtime is to wait for the next.
            if more { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
        });
        match outcome {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// When the first datagram of the last batch reached the machine, by its wall clock; `None` of an empty batch.
    #[must_use]
    pub const fn first_at(&self) -> Option<Timestamp> {
        self.receiver.first_at()
    }

    /// Queues a datagram to be sent from `source`, or from the address of the socket.
    ///
    /// # Errors
    /// [`Full`]: as many as may wait do.
    pub fn queue(&mut self, outbound: Outbound, source: Option<IpAddr>) -> Result<(), Full> {
        let source = source.filter(|_| self.address.ip().is_unspecified());
        self.sending.push(outbound, source).inspect_err(|_| {
            self.metrics.dropped.with_label_values(&["send_queue"]).inc();
        })
    }

    /// Sends what is queued, as much as the system takes; the rest stays. Each datagram that it refuses is
    /// appended to `undelivered`, unless nobody is to be told.
    ///
    /// # Errors
    /// The socket is of no use any more.
    pub fn flush(&mut self, undelivered: &mut Vec<Undelivered>) -> io::Result<()> {
        self.room = None;
        while !self.sending.is_empty() {
            match self.sending.send_some(self.socket.get_ref().as_fd()) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.room = Some(Room::of(self.socket.get_ref()));
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.on_send_error(&error, undelivered)?,
            }
        }
        Ok(())
    }

    /// Takes what the network said of datagrams that were sent, when the runtime knows of something: ports, hosts
    /// and networks that cannot be reached. Only where they were sent to is known.
    pub fn errors(&mut self, undelivered: &mut Vec<Undelivered>) {
        // It ends with "would block": all was taken, and the runtime is to wait for the next.
        let before = undelivered.len();
        let drain = |socket: &StdSocket| errors::drain(socket.as_raw_fd(), undelivered);
        let _ = self.socket.try_io(Interest::ERROR, drain);
        self.count_errors(undelivered.len() - before);
    }

    /// The same, whether or not the runtime knows of something.
    fn take_errors(&self, undelivered: &mut Vec<Undelivered>) {
        let before = undelivered.len();
        let _ =
            attempt(&self.socket, Interest::ERROR, |socket| errors::drain(socket.as_raw_fd(), undelivered));
        self.count_errors(undelivered.len() - before);
    }

    fn count_errors(&self, told: usize) {
        if told > 0 {
            self.metrics.undelivered.with_label_values(&["icmp"]).inc_by(told as u64);
        }
    }

    /// A send reports what the network said of an earlier datagram as if it were of this one. Once that is
    /// taken, the datagram is tried again, and an error is its own.
    fn on_send_error(&mut self, error: &io::Error, undelivered: &mut Vec<Undelivered>) -> io::Result<()> {
        if is_fatal(error) {
            return Err(io::Error::new(error.kind(), error.to_string()));
        }
        if self.sending.is_first_try() {
            self.take_errors(undelivered);
            return Ok(());
        }
        let refused = self.sending.give_up();
        if error.raw_os_error() == Some(nix::libc::ENOBUFS) {
            // Lost as on a wire: it is sent again when its timer says so, which may be when there is room.
            self.metrics.dropped.with_label_values(&["system"]).inc();
        } else if let Some(refused) = refused {
            self.metrics.undelivered.with_label_values(&["send"]).inc();
            undelivered.extend(refused.undelivered());
        }
        Ok(())
    }
}

/// How one hears of room in a send buffer.
enum Room {
    /// The system tells of it.
    Told(AsyncFd<OwnedFd>),
    /// There was no descriptor for that: it is looked at again soon.
    Untold,
}

impl Room {
    fn of(socket: &StdSocket) -> Self {
        let again = socket.as_fd().try_clone_to_owned();
        let told = again.and_then(|again| watch(again, Interest::WRITABLE));
        told.map_or(Self::Untold, Self::Told)
    }

    async fn wait(&self) -> io::Result<()> {
        match self {
            Self::Told(socket) => socket.writable().await.map(drop),
            Self::Untold => {
                sleep(ROOM_WAIT).await;
                Ok(())
            }
        }
    }
}

/// Has the runtime tell of a socket.
#[expect(
    deprecated,
    reason = "since tokio 8587 what takes its place is unsafe, for types whose descriptor changes; these own one that does not"
)]
pub(in crate::sip) fn watch<T: AsRawFd + AsFd>(socket: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(socket, interest)
}

/// Does `io` whether or not the runtime knows that the socket is ready. When `io` would block, the runtime forgets that
/// it was ready.
pub(in crate::sip) fn attempt<T>(
    socket: &AsyncFd<StdSocket>,
    interest: Interest,
    mut io: impl FnMut(&StdSocket) -> io::Result<T>,
) -> io::Result<T> {
    let mut tried = false;
    let outcome = socket.try_io(interest, |socket| {
        tried = true;
        io(socket)
    });
    if tried { outcome } else { io(socket.get_ref()) }
}

fn is_fatal(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(nix::libc::EBADF | nix::libc::ENOTSOCK | nix::libc::EFAULT))
}

fn bind(options: &Options) -> io::Result<StdSocket> {
    let address = options.address;
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_port(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
        setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?;
        setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &address.ip().is_unspecified())?;
    } else {
        setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?;
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &address.ip().is_unspecified())?;
    }
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    size_buffers(&socket, options.receive_buffer, options.send_buffer)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Beyond the system's limit where we are privileged to, up to it where not.
pub(in crate::sip) fn size_buffers(socket: &impl AsFd, receive: usize, send: usize) -> io::Result<()> {
    if setsockopt(socket, sockopt::RcvBufForce, &receive).is_err() {
        SockRef::from(socket).set_recv_buffer_size(receive)?;
    }
    if setsockopt(socket, sockopt::SndBufForce, &send).is_err() {
        SockRef::from(socket).set_send_buffer_size(send)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
