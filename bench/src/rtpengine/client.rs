//! The calls of a node, as whoever stands beside it asks for them.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::time::Duration;

use ng::{Command, Cookies, Reply};
use tokio::time::timeout;

/// A datagram holds the names of this many calls.
const LIST_MAX: u32 = 1_000;
/// The same command is sent so often, and each time waited for so long.
const SENDS: u32 = 4;
const WAIT: Duration = Duration::from_millis(500);
const DATAGRAM_MAX: usize = 65_535;

/// The calls that a node lists, a thousand at most. Errors: it does not answer within two seconds, or answers
/// otherwise.
pub async fn list(node: SocketAddr) -> Result<Vec<String>> {
    let any =
        if node.is_ipv4() { SocketAddr::from(([0_u8; 4], 0)) } else { SocketAddr::from(([0_u16; 8], 0)) };
    let socket = super::bind(any)?;
    socket.connect(node).await?;
    let (mut body, mut datagram) = (Vec::new(), Vec::new());
    Command::List { limit: Some(LIST_MAX) }.encode(&mut body);
    let cookie = Cookies::new(fastrand::u64(..)).fresh();
    cookie.frame(&body, &mut datagram);
    let mut buffer = vec![0; DATAGRAM_MAX];
    for _ in 0..SENDS {
        socket.send(&datagram).await?;
        let Ok(received) = timeout(WAIT, socket.recv(&mut buffer)).await else { continue };
        let octets = buffer.get(..received?).unwrap_or_default();
        // What answers something else is passed over.
        if let Ok((answered, reply)) = ng::cookie::split(octets)
            && answered == cookie.as_bytes()
        {
            return calls_of(reply);
        }
    }
    Err(Error::new(ErrorKind::TimedOut, "it does not answer an ng list"))
}

fn calls_of(reply: &[u8]) -> Result<Vec<String>> {
    let calls = Reply::parse(reply).ok().and_then(|reply| reply.done()?.calls());
    let calls = calls
        .ok_or_else(|| Error::new(ErrorKind::InvalidData, "it answers an ng list with something else"))?;
    Ok(calls.into_iter().map(|call| String::from_utf8_lossy(call).into_owned()).collect())
}
