//! The sockets that requests come in by.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use runtime::net::{Listener, Stream};
use tokio::net::UnixListener;

/// A listening socket, bound once and kept over restarts of its server.
pub(crate) enum Socket {
    /// TCP, or the simulated network's.
    Tcp(Box<dyn Listener>),
    /// `control.sock`, and the user who may ask there.
    Control(UnixListener, u32),
}

impl Socket {
    /// The next connection. Dropping the future loses none.
    pub(crate) async fn accept(&mut self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((stream, Some(peer)))
            }
            Self::Control(listener, owner) => loop {
                let (stream, _) = listener.accept().await?;
                let peer = stream.peer_cred()?.uid();
                if admits(*owner, peer) {
                    return Ok((Box::new(stream), None));
                }
                tracing::warn!(uid = peer, "another user's connection to the control socket is closed");
            },
        }
    }
}

/// The node's own user and root, who may do everything anyway.
const fn admits(owner: u32, peer: u32) -> bool {
    peer == owner || peer == 0
}

/// Listens on a socket file that only its owner may open; one left behind is removed. The caller holds the
/// data directory's lock, so no living node's socket is taken away. Who connects between bind and chmod, in a
/// directory that lets others in, is sent away by [`Socket::accept`].
///
/// # Errors
/// What the system says.
pub(crate) fn control(path: &Path) -> io::Result<Socket> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // Moved when its mode is right, so that the name never shows another.
    let part = path.with_extension("part");
    match std::fs::remove_file(&part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&part)?;
    std::fs::set_permissions(&part, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&part, path)?;
    let owner = std::fs::metadata(path)?.uid();
    Ok(Socket::Control(listener, owner))
}

#[cfg(test)]
mod tests {
    use super::admits;

    #[test]
    fn the_nodes_own_user_and_root_are_let_in() {
        for (owner, peer, admitted) in
            [(1000, 1000, true), (1000, 0, true), (1000, 1001, false), (0, 1000, false)]
        {
            assert_eq!(admits(owner, peer), admitted, "{owner} {peer}");
        }
    }
}
