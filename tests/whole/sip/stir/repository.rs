//! A web server with certificates, as carriers publish theirs.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::super::super::certificate::Certificate;
use super::super::super::wait;
use super::super::{HERE, SOON};

/// Time between two looks for a connection.
const LOOK: Duration = Duration::from_millis(10);
/// Time in which who was answered closes its end.
const LINGER: Duration = Duration::from_secs(1);

/// It serves until it is dropped, one connection after the other.
pub(super) struct Repository {
    address: SocketAddr,
    shelf: Arc<Shelf>,
    serving: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shelf {
    /// By path.
    documents: Mutex<HashMap<String, String>>,
    /// The paths that somebody asked for.
    asked: Mutex<Vec<String>>,
    closed: AtomicBool,
}

impl Repository {
    /// One that has nothing yet.
    #[track_caller]
    pub(super) fn start(certificate: &Certificate) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let chain = vec![CertificateDer::from_pem_file(&certificate.chain).unwrap()];
        let key = PrivateKeyDer::from_pem_file(&certificate.key).unwrap();
        let config = versions.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
        let listener = TcpListener::bind((HERE, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let (address, shelf) = (listener.local_addr().unwrap(), Arc::new(Shelf::default()));
        let (config, shared) = (Arc::new(config), Arc::clone(&shelf));
        let serving = thread::spawn(move || {
            while !shared.closed.load(Ordering::Relaxed) {
                match listener.accept() {
                    // Who does not believe the server goes away.
                    Ok((stream, _)) => drop(answer(stream, &config, &shared)),
                    Err(_) => wait::pause(LOOK),
                }
            }
        });
        Self { address, shelf, serving: Some(serving) }
    }

    /// Where a certificate of this name is, or would be.
    pub(super) fn url(&self, name: &str) -> String {
        format!("https://{}/{name}.pem", self.address)
    }

    /// Puts a certificate there.
    pub(super) fn publish(&self, name: &str, pem: &str) -> String {
        self.shelf.documents.lock().insert(format!("/{name}.pem"), pem.to_owned());
        self.url(name)
    }

    /// The paths that were asked for.
    pub(super) fn asked(&self) -> Vec<String> {
        self.shelf.asked.lock().clone()
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        self.shelf.closed.store(true, Ordering::Relaxed);
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}

/// One request of HTTP over TLS.
fn answer(stream: TcpStream, config: &Arc<ServerConfig>, shelf: &Shelf) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(SOON))?;
    let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let (mut head, mut buffer) = (Vec::<u8>::new(), [0_u8; 1024]);
    while !head.windows(4).any(|octets| octets == b"\r\n\r\n") {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        head.extend(&buffer[..read]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    shelf.asked.lock().push(path.to_owned());
    let found = shelf.documents.lock().get(path).cloned();
    let status = if found.is_some() { "200 OK" } else { "404 Not Found" };
    let body = found.unwrap_or_default();
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/pem-certificate-chain\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()?;
    // To close while something of the other side is unread could take the answer from it.
    stream.sock.set_read_timeout(Some(LINGER))?;
    while stream.read(&mut buffer)? > 0 {}
    Ok(())
}
