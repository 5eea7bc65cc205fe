//! The calls and the figures of a node, as whoever stands beside it asks for them.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::time::Duration;

use ng::reply::Statistics;
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
    calls_of(&ask(node, &Command::List { limit: Some(LIST_MAX) }).await?)
}

/// The figures of a node. Errors: as of [`list`].
pub async fn statistics(node: SocketAddr) -> Result<Statistics> {
    let reply = ask(node, &Command::Statistics).await?;
    let figures = Reply::parse(&reply).ok().and_then(|reply| reply.done()?.statistics());
    figures.ok_or_else(|| Error::new(ErrorKind::InvalidData, "it answers ng statistics with something else"))
}

/// The body of its reply.
async fn ask(node: SocketAddr, command: &Command<'_>) -> Result<Vec<u8>> {
    let any =
        if node.is_ipv4() { SocketAddr::from(([0_u8; 4], 0)) } else { SocketAddr::from(([0_u16; 8], 0)) };
    let socket = super::bind(any)?;
    socket.connect(node).await?;
    let (mut body, mut datagram) = (Vec::new(), Vec::new());
    command.encode(&mut body);
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
            return Ok(reply.to_vec());
        }
    }
    let name = command.name().word();
    Err(Error::new(ErrorKind::TimedOut, format!("it does not answer an ng {name}")))
}

fn calls_of(reply: &[u8]) -> Result<Vec<String>> {
    let calls = Reply::parse(reply).ok().and_then(|reply| reply.done()?.calls());
    let calls = calls
        .ok_or_else(|| Error::new(ErrorKind::InvalidData, "it answers an ng list with something else"))?;
    Ok(calls.into_iter().map(|call| String::from_utf8_lossy(call).into_owned()).collect())
}
