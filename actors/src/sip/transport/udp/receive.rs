//! Batches of datagrams off a socket.

use std::array;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::RawFd;

use bytes::Bytes;
use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc::{in_pktinfo, in6_pktinfo, timespec};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrStorage, recvmmsg};

use runtime::clock::Timestamp;

use super::{BATCH, Datagram};

/// No datagram is larger: its length has 16 bits.
const SLOT: usize = 64 * 1024;
/// Errors of earlier sends that one receive may report before it says that nothing is there.
const ERRORS_MAX: usize = 16;

/// Where datagrams land. Only the pages that datagrams reached are ever resident: for messages of a usual size
/// that is one or two pages of each slot.
pub(super) struct Receiver {
    headers: MultiHeaders<SockaddrStorage>,
    slots: Box<[u8]>,
    bound: IpAddr,
    /// When the first datagram of the last batch reached the machine.
    first_at: Option<Timestamp>,
}

impl Receiver {
    pub(super) fn new(bound: SocketAddr) -> Self {
        let control = if bound.is_ipv6() {
            cmsg_space!(in6_pktinfo, timespec)
        } else {
            cmsg_space!(in_pktinfo, timespec)
        };
        Self {
            headers: MultiHeaders::preallocate(BATCH, Some(control)),
            slots: vec![0; BATCH * SLOT].into_boxed_slice(),
            bound: bound.ip(),
            first_at: None,
        }
    }

    pub(super) const fn first_at(&self) -> Option<Timestamp> {
        self.first_at
    }

    /// Appends what waits, a batch at most; tells whether more may wait. Errors that belong to datagrams sent earlier
    /// are passed over: they stand in the error queue too.
    pub(super) fn receive(&mut self, socket: RawFd, into: &mut Vec<Datagram>) -> io::Result<bool> {
        self.first_at = None;
        for _ in 0..ERRORS_MAX {
            match self.receive_once(socket, into) {
                Ok(received) => return Ok(received == BATCH),
                Err(Errno::EAGAIN) => return Err(io::ErrorKind::WouldBlock.into()),
                Err(error @ (Errno::EBADF | Errno::ENOTSOCK | Errno::EFAULT | Errno::EINVAL)) => {
                    return Err(error.into());
                }
                Err(_) => {}
            }
        }
        Ok(true)
    }

    /// Returns how many were taken off the socket, those among them that are no datagrams of ours too.
    fn receive_once(&mut self, socket: RawFd, into: &mut Vec<Datagram>) -> Result<usize, Errno> {
        let Self { headers, slots, bound, first_at } = self;
        let mut free = slots.chunks_exact_mut(SLOT);
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
            array::from_fn(|_| [IoSliceMut::new(free.next().unwrap_or_default())]);
        let received = recvmmsg(socket, headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)?;
        let mut taken = 0;
        let received = received.inspect(|message| {
            if taken == 0 {
                *first_at = arrival(message);
            }
            taken += 1;
        });
        into.extend(received.filter_map(|message| read(&message, *bound)));
        Ok(taken)
    }
}

/// `None` for what is no datagram of ours: an empty one, or one without a sender.
fn read(message: &RecvMsg<'_, '_, SockaddrStorage>, bound: IpAddr) -> Option<Datagram> {
    let peer = address(message.address.as_ref()?)?;
    let octets = message.iovs().next().filter(|octets| !octets.is_empty())?;
    let local = if bound.is_unspecified() { destination(message).unwrap_or(bound) } else { bound };
    Some(Datagram { peer, local, octets: Bytes::copy_from_slice(octets) })
}

fn arrival(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<Timestamp> {
    message.cmsgs().ok()?.find_map(|control| {
        let ControlMessageOwned::ScmTimestampns(at) = control else { return None };
        Some(Timestamp::from_micros(at.tv_sec() * 1_000_000 + at.tv_nsec() / 1000))
    })
}

/// A socket address as the standard library has it.
pub(super) fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some(SocketAddr::V4((*v4).into()));
    }
    storage.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into()))
}

fn destination(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<IpAddr> {
    message.cmsgs().ok()?.find_map(|control| {
        if let ControlMessageOwned::Ipv4PacketInfo(info) = control {
            // The address is in network order in memory.
            return Some(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into());
        }
        if let ControlMessageOwned::Ipv6PacketInfo(info) = control {
            return Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
        }
        None
    })
}
