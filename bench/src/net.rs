//! The simulators' sockets. They stand outside the node, on real TCP, whatever the node's own network is.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};

/// Connects with TCP_NODELAY set.
#[expect(clippy::disallowed_methods, reason = "the harness measures real sockets, never injected ones")]
pub(crate) async fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Listens; port 0 picks one.
#[expect(clippy::disallowed_methods, reason = "the harness measures real sockets, never injected ones")]
pub(crate) async fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(addr).await
}
