//! Calls that are admitted or refused, and reach a gateway that takes none of them.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use super::super::super::process::Node;
use super::super::super::sip::{Message, request, response};
use super::super::super::wait;
use super::{EFFECT, NUMBER};

/// The answer of the gateway; the node has none like it of its own.
pub(super) const BUSY: u16 = 486;
/// Time for an answer that must come.
const ANSWER: Duration = Duration::from_secs(10);
/// Time for a datagram that is under way.
const LOOK: Duration = Duration::from_millis(5);

/// Somebody who calls, and the gateway that the calls are to reach, which is busy whoever calls.
pub(super) struct Line {
    caller: UdpSocket,
    gateway: UdpSocket,
    calls: u32,
}

impl Line {
    /// Calls come from `source`; port 0 of the gateway is any that is free.
    #[track_caller]
    pub(super) fn new(source: IpAddr, gateway: SocketAddr) -> Self {
        let [caller, gateway] = [SocketAddr::new(source, 0), gateway].map(|at| {
            let socket = UdpSocket::bind(at).unwrap();
            socket.set_read_timeout(Some(LOOK)).unwrap();
            socket
        });
        Self { caller, gateway, calls: 0 }
    }

    /// Where calls are to go.
    #[track_caller]
    pub(super) fn gateway(&self) -> SocketAddr {
        self.gateway.local_addr().unwrap()
    }

    /// The final status of one call: [`BUSY`] where it has reached the gateway.
    #[track_caller]
    pub(super) fn call(&mut self, node: &Node) -> u16 {
        self.calls += 1;
        let (local, at) = (self.caller.local_addr().unwrap(), node.ports().sip[0]);
        let id = format!("line{}-{}", local.port(), self.calls);
        let invite = request("INVITE", NUMBER, &format!("UDP {local}"), &id);
        self.caller.send_to(invite.as_bytes(), at).unwrap();
        wait::until("a call is answered", ANSWER, || {
            let ours = |answer: &Message| answer.header("Call-ID") == Some(id.as_str());
            if let Some(answer) = heard(&self.caller).filter(|answer| ours(answer) && answer.status() >= 200)
            {
                self.caller.send_to(ack(&invite, &answer).as_bytes(), at).unwrap();
                return Some(answer.status());
            }
            if let Some(asked) = heard(&self.gateway).filter(|asked| asked.text.starts_with("INVITE ")) {
                let busy = response(&asked, "486 Busy Here", "", "");
                self.gateway.send_to(busy.as_bytes(), at).unwrap();
            }
            None
        })
    }

    /// Calls again and again until a call ends so, for as long as a change may take.
    #[track_caller]
    pub(super) fn wait(&mut self, node: &Node, status: u16, what: &str) {
        let mut last = 0;
        let found = wait::within_time(EFFECT, || {
            last = self.call(node);
            (last == status).then_some(())
        });
        assert!(found.is_some(), "{what}: not {status} but {last} within {EFFECT:?}");
    }
}

/// The ACK of a refusal has the branch of the INVITE (RFC 3261 17.1.1.3).
#[track_caller]
fn ack(invite: &str, refusal: &Message) -> String {
    let to = refusal.header("To").unwrap();
    let line = |line: &str| {
        if line.starts_with("To:") { format!("To: {to}") } else { line.replace("INVITE", "ACK") }
    };
    invite.split("\r\n").map(line).collect::<Vec<_>>().join("\r\n")
}

/// What has come, if anything has.
fn heard(socket: &UdpSocket) -> Option<Message> {
    let mut buffer = vec![0; 65_536];
    let read = socket.recv(&mut buffer).ok()?;
    Some(Message { text: String::from_utf8_lossy(&buffer[..read]).into_owned() })
}
