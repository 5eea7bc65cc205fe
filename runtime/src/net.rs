//! TCP, injected: the operating system's in production, a simulated network in tests.
//!
//! Deadlines are the caller's: no call here gives up by itself.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::BoxFuture;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};

#[cfg(any(test, feature = "simulation"))]
pub mod sim;

/// Connections the kernel completes before we accept them.
pub const LISTEN_BACKLOG: u32 = 4096;
/// Sent bytes unacknowledged for this long end the connection (`TCP_USER_TIMEOUT`).
pub const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);
/// An idle connection is probed after this long.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// Then every so often, until [`UNACKNOWLEDGED_MAX`].
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// A byte stream in both directions.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

/// A connection: TCP, TLS or simulated.
pub type Stream = Box<dyn Io>;

/// Makes listeners and connections.
pub trait Net: Send + Sync + 'static {
    /// Binds and listens; port 0 lets the system choose.
    fn listen(&self, addr: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Listener>>>;

    /// Connects to `host` (name or IP literal), trying its addresses in the resolver's order.
    /// The error is the last address's.
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Stream>>;
}

/// A bound, listening socket.
pub trait Listener: Send {
    /// The next connection and its peer. Dropping the future loses no connection.
    /// Errors like `EMFILE` pass: wait a little and accept again.
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Stream, SocketAddr)>>;

    /// Where it is bound, with the chosen port.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// The operating system's network. TCP_NODELAY, keepalive and TCP_USER_TIMEOUT are set on every connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsNet;

impl Net for OsNet {
    fn listen(&self, addr: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let socket = socket_for(addr)?;
            socket.set_reuseaddr(true)?;
            socket.bind(addr)?;
            Ok(Box::new(OsListener(socket.listen(LISTEN_BACKLOG)?)) as Box<dyn Listener>)
        })
    }

    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Stream>> {
        Box::pin(async move {
            let mut failure = None;
            for addr in lookup_host((host, port)).await? {
                match connect_one(addr).await {
                    Ok(stream) => return Ok(Box::new(stream) as Stream),
                    Err(error) => failure = Some(error),
                }
            }
            Err(failure.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address")))
        })
    }
}

struct OsListener(TcpListener);

impl Listener for OsListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Stream, SocketAddr)>> {
        Box::pin(async move {
            let (stream, peer) = self.0.accept().await?;
            tune(&stream)?;
            Ok((Box::new(stream) as Stream, peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

async fn connect_one(addr: SocketAddr) -> io::Result<TcpStream> {
    let stream = socket_for(addr)?.connect(addr).await?;
    tune(&stream)?;
    Ok(stream)
}

fn socket_for(addr: SocketAddr) -> io::Result<TcpSocket> {
    if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }
}

/// Peers without TCP_NODELAY fall to a tenth of their speed behind delayed acknowledgements.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))
}

#[cfg(test)]
mod tests;
