//! What the network says of datagrams that were sent: the error queue of a socket (IP_RECVERR).

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::RawFd;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc::{
    SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6, in6_pktinfo, sock_extended_err, sockaddr_in6, sockaddr_storage,
};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, RecvMsg, SockaddrStorage, recvmsg};

use super::receive::address;
use crate::sip::flow::Undelivered;

/// Errors taken at once; what is left waits for the next turn.
const ERRORS_MAX: usize = 256;
/// Of the datagram that failed, nothing is read: it need not be ours, and who sent it knows it.
const QUOTED: usize = 1;

const ICMP_UNREACHABLE: u8 = 3;
const ICMP_FRAGMENTATION_NEEDED: u8 = 4;
const ICMP_PARAMETER_PROBLEM: u8 = 12;
const ICMP6_UNREACHABLE: u8 = 1;
const ICMP6_PARAMETER_PROBLEM: u8 = 4;

/// Appends where the datagrams were sent to that did not arrive; ends with "would block" when that was all.
pub(super) fn drain(socket: RawFd, undelivered: &mut Vec<Undelivered>) -> io::Result<()> {
    let mut control = cmsg_space!(sock_extended_err, sockaddr_in6, sockaddr_storage, in6_pktinfo);
    for _ in 0..ERRORS_MAX {
        let mut quoted = [0; QUOTED];
        let mut slices = [IoSliceMut::new(&mut quoted)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        match recvmsg::<SockaddrStorage>(socket, &mut slices, Some(&mut control), flags) {
            Ok(message) => undelivered.extend(read(&message)),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn read(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<Undelivered> {
    let peer: SocketAddr = address(message.address.as_ref()?)?;
    let failed = message.cmsgs().ok()?.any(|control| {
        let (ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _)) =
            control
        else {
            return false;
        };
        is_failure(error.ee_origin, error.ee_type, error.ee_code)
    });
    failed.then_some(Undelivered { sender: None, peer })
}

/// RFC 3261, 18.4: unreachable and parameter problem are failures; quench, time exceeded and too big are not,
/// a retransmission may pass.
const fn is_failure(origin: u8, kind: u8, code: u8) -> bool {
    match origin {
        SO_EE_ORIGIN_ICMP => {
            (kind == ICMP_UNREACHABLE && code != ICMP_FRAGMENTATION_NEEDED) || kind == ICMP_PARAMETER_PROBLEM
        }
        SO_EE_ORIGIN_ICMP6 => matches!(kind, ICMP6_UNREACHABLE | ICMP6_PARAMETER_PROBLEM),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn icmp_messages_are_failures_or_not() {
        let table = [
            (SO_EE_ORIGIN_ICMP, 3, 0, true),
            (SO_EE_ORIGIN_ICMP, 3, 1, true),
            (SO_EE_ORIGIN_ICMP, 3, 3, true),
            (SO_EE_ORIGIN_ICMP, 3, 4, false),
            (SO_EE_ORIGIN_ICMP, 4, 0, false),
            (SO_EE_ORIGIN_ICMP, 11, 0, false),
            (SO_EE_ORIGIN_ICMP, 12, 0, true),
            (SO_EE_ORIGIN_ICMP6, 1, 4, true),
            (SO_EE_ORIGIN_ICMP6, 2, 0, false),
            (SO_EE_ORIGIN_ICMP6, 3, 0, false),
            (SO_EE_ORIGIN_ICMP6, 4, 1, true),
            (1, 0, 0, false),
        ];
        for (origin, kind, code, expected) in table {
            assert_eq!(is_failure(origin, kind, code), expected, "{origin} {kind} {code}");
        }
    }
}
