//! The sockets that requests come in by.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use runtime::net::{Listener, Stream};
use tokio::net::UnixListener;

/// A listening socket, bound once and kept over restarts of its server.
pub(crate) enum Socket {
    /// TCP, or the simulated network's.
    Tcp(Box<dyn Listener>),
    /// `control.sock`.
    Control(UnixListener),
}

impl Socket {
    /// The next connection. Dropping the future loses none.
    pub(crate) async fn accept(&mut self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((stream, Some(peer)))
            }
            Self::Control(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Box::new(stream), None))
            }
        }
    }
}

/// Listens on a socket file that only its owner may open; one left behind is removed. The caller holds the
/// data directory's lock, so no living node's socket is taken away.
///
/// # Errors
/// What the system says.
pub(crate) fn control(path: &Path) -> io::Result<Socket> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // Made under another name and moved when its mode is right: between bind and chmod anybody could connect.
    let part = path.with_extension("part");
    match std::fs::remove_file(&part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&part)?;
    std::fs::set_permissions(&part, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&part, path)?;
    Ok(Socket::Control(listener))
}
