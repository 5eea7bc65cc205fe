//! turmoil's simulated network behind [`Net`]: usable inside a turmoil host or client only.

use std::io;
use std::net::SocketAddr;

use futures_util::future::BoxFuture;
use turmoil::net::{TcpListener, TcpStream};

use super::{Listener, Net, Stream};

/// The network of the turmoil host that calls it. Names are turmoil host names.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimNet;

impl Net for SimNet {
    fn listen(&self, addr: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Listener>>> {
        Box::pin(
            async move { Ok(Box::new(SimListener(TcpListener::bind(addr).await?)) as Box<dyn Listener>) },
        )
    }

    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Stream>> {
        Box::pin(async move { Ok(Box::new(TcpStream::connect((host, port)).await?) as Stream) })
    }
}

struct SimListener(TcpListener);

impl Listener for SimListener {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(Stream, SocketAddr)>> {
        Box::pin(async move {
            let (stream, peer) = self.0.accept().await?;
            Ok((Box::new(stream) as Stream, peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}
