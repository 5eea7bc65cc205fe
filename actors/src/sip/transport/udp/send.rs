//! What waits to be sent, and its way to the system in batches.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};
use rustix::net::addr::SocketAddrArg;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sendmmsg, sendto};

use super::{BATCH, Full};
use crate::sip::flow::{Outbound, Undelivered};

/// Datagrams in the order in which they leave.
pub(super) struct SendQueue {
    waiting: VecDeque<Queued>,
    max: usize,
    /// The first one was refused once.
    retried: bool,
}

/// A datagram that waits.
pub(super) struct Queued {
    outbound: Outbound,
    source: Option<IpAddr>,
}

impl Queued {
    /// Who is to be told.
    pub(super) fn undelivered(&self) -> Option<Undelivered> {
        let Outbound { flow, sender, .. } = &self.outbound;
        (*sender != Outbound::NOBODY).then_some(Undelivered { sender: Some(*sender), peer: flow.peer })
    }

    const fn peer(&self) -> SocketAddr {
        self.outbound.flow.peer
    }
}

impl SendQueue {
    pub(super) const fn new(max: usize) -> Self {
        Self { waiting: VecDeque::new(), max, retried: false }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn push(&mut self, outbound: Outbound, source: Option<IpAddr>) -> Result<(), Full> {
        if self.waiting.len() >= self.max {
            return Err(Full);
        }
        self.waiting.push_back(Queued { outbound, source });
        Ok(())
    }

    /// Whether an error of the first one may be another's; from now on it is its own.
    pub(super) const fn is_first_try(&mut self) -> bool {
        let first = !self.retried;
        self.retried = true;
        first
    }

    /// Takes the first one out, which cannot be sent.
    pub(super) fn give_up(&mut self) -> Option<Queued> {
        self.retried = false;
        self.waiting.pop_front()
    }

    /// Sends some of what waits, in one system call. An error is that of the first one; it stays.
    pub(super) fn send_some(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let plain = self.waiting.iter().take(BATCH).take_while(|queued| queued.source.is_none()).count();
        let sent = match (self.waiting.front(), plain) {
            (None, _) => return Ok(()),
            (Some(first), 0) => send_from(socket, first)?,
            (Some(first), 1) => {
                sendto(socket, &first.outbound.octets, SendFlags::DONTWAIT, &first.peer())?;
                1
            }
            (Some(_), plain) => send_batch(socket, self.waiting.iter().take(plain))?,
        };
        self.waiting.drain(..sent.min(self.waiting.len()));
        self.retried = false;
        Ok(())
    }
}

fn send_batch<'a>(socket: BorrowedFd<'_>, batch: impl Iterator<Item = &'a Queued>) -> io::Result<usize> {
    let (peers, octets): (Vec<_>, Vec<_>) =
        batch.map(|queued| (queued.peer().as_any(), [IoSlice::new(&queued.outbound.octets)])).unzip();
    let mut controls: Vec<_> = peers.iter().map(|_| SendAncillaryBuffer::default()).collect();
    let mut messages: Vec<_> = peers
        .iter()
        .zip(&octets)
        .zip(&mut controls)
        .map(|((peer, octets), control)| MMsgHdr::new_with_addr(peer, octets, control))
        .collect();
    Ok(sendmmsg(socket, &mut messages, SendFlags::DONTWAIT)?)
}

/// Sends one datagram from an address of ours, as a socket must that is bound to all of them.
fn send_from(socket: BorrowedFd<'_>, queued: &Queued) -> io::Result<usize> {
    let octets = [IoSlice::new(&queued.outbound.octets)];
    let peer = SockaddrStorage::from(queued.peer());
    let send = |control: &[ControlMessage<'_>]| {
        sendmsg(socket.as_raw_fd(), &octets, control, MsgFlags::MSG_DONTWAIT, Some(&peer))
    };
    match queued.source {
        Some(IpAddr::V4(source)) => {
            let from = in_addr { s_addr: u32::from_ne_bytes(source.octets()) };
            let info = in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: from, ipi_addr: in_addr { s_addr: 0 } };
            send(&[ControlMessage::Ipv4PacketInfo(&info)])?
        }
        Some(IpAddr::V6(source)) => {
            let from = in6_addr { s6_addr: source.octets() };
            send(&[ControlMessage::Ipv6PacketInfo(&in6_pktinfo { ipi6_addr: from, ipi6_ifindex: 0 })])?
        }
        None => send(&[])?,
    };
    Ok(1)
}
