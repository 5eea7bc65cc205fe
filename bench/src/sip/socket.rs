//! One UDP socket that receives and sends many datagrams with one system call.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, setsockopt, sockopt};
use rustix::io::Errno;
use rustix::net::addr::SocketAddrArg as _;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sendmmsg};

use super::outbox::Queue;

/// Datagrams that one call moves.
const BATCH: usize = 64;
/// Octets of the largest datagram that is read whole.
const DATAGRAM_MAX: usize = 8_192;
/// The generator must not be the one that drops.
const BUFFER: usize = 16 << 20;

/// A bound socket that a thread may be given.
#[derive(Debug)]
pub(crate) struct Bound {
    /// Where it is bound.
    pub(crate) addr: SocketAddr,
    socket: UdpSocket,
}

/// A non-blocking UDP socket and its batches, in the thread that uses it.
#[derive(Debug)]
pub(crate) struct Socket {
    socket: UdpSocket,
    inbound: MultiHeaders<SockaddrStorage>,
    buffer: Vec<u8>,
}

impl Bound {
    /// Binds `addr`; port 0 picks one.
    pub(crate) fn bind(addr: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(addr)?;
        socket.set_nonblocking(true)?;
        // Beyond the system's limit only root may go; with less, drops are counted and shown.
        if setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &BUFFER)?;
        }
        if setsockopt(&socket, sockopt::SndBufForce, &BUFFER).is_err() {
            setsockopt(&socket, sockopt::SndBuf, &BUFFER)?;
        }
        Ok(Self { addr: socket.local_addr()?, socket })
    }
}

impl Socket {
    pub(crate) fn new(bound: Bound) -> Self {
        Self {
            socket: bound.socket,
            inbound: MultiHeaders::preallocate(BATCH, None),
            buffer: vec![0; BATCH * DATAGRAM_MAX],
        }
    }

    /// Hands over what has arrived, at most a batch; how many there were.
    pub(crate) fn receive(&mut self, mut each: impl FnMut(SocketAddr, &[u8])) -> usize {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            self.buffer.chunks_mut(DATAGRAM_MAX).map(|chunk| [IoSliceMut::new(chunk)]).collect();
        let fd = self.socket.as_raw_fd();
        let Ok(arrived) = recvmmsg(fd, &mut self.inbound, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)
        else {
            // Nothing there, or an error of a datagram sent earlier, which its missing answer shows.
            return 0;
        };
        let mut count = 0;
        for datagram in arrived {
            count += 1;
            if let Some(from) = datagram.address.as_ref().and_then(address) {
                each(from, datagram.iovs().next().unwrap_or_default());
            }
        }
        count
    }

    /// Sends what is queued until the kernel takes no more; datagrams that it refused.
    pub(crate) fn flush(&self, queue: &mut Queue) -> u64 {
        let mut refused = 0;
        while !queue.is_empty() {
            match send_batch(&self.socket, queue.frames().take(BATCH)) {
                Ok(sent) => queue.sent(sent.max(1)),
                Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS) => break,
                Err(_) => {
                    refused += 1;
                    queue.sent(1);
                }
            }
        }
        refused
    }
}

fn send_batch<'a>(
    socket: &UdpSocket,
    batch: impl Iterator<Item = (SocketAddr, &'a [u8])>,
) -> Result<usize, Errno> {
    let (to, octets): (Vec<_>, Vec<_>) =
        batch.map(|(to, octets)| (to.as_any(), [IoSlice::new(octets)])).unzip();
    let mut controls: Vec<_> = to.iter().map(|_| SendAncillaryBuffer::default()).collect();
    let mut messages: Vec<_> = to
        .iter()
        .zip(&octets)
        .zip(&mut controls)
        .map(|((to, octets), control)| MMsgHdr::new_with_addr(to, octets, control))
        .collect();
    sendmmsg(socket, &mut messages, SendFlags::DONTWAIT)
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|addr| SocketAddr::V4(SocketAddrV4::from(*addr)));
    v4.or_else(|| storage.as_sockaddr_in6().map(|addr| SocketAddr::V6(SocketAddrV6::from(*addr))))
}
