//! TLS over any stream: rustls with ring, 1.2 at least, certificates reloaded without a restart.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::time::{MissedTickBehavior, interval_at};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::net::Stream;

/// Why certificates or keys cannot be used. One line each, for the operator.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No `CERTIFICATE` block.
    #[error("{} holds no PEM certificate", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// No private key block.
    #[error("{} holds no PEM private key", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// A PEM block is damaged.
    #[error("{} is not valid PEM: {reason}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Certificate and key do not fit together, or the key's kind is not supported.
    #[error("cannot use certificate {} with key {}: {reason}", cert.display(), key.display())]
    Unusable {
        /// The certificate chain's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What rustls said.
        reason: String,
    },
    /// A certificate authority is not acceptable as a trust anchor.
    #[error("{} is not a usable certificate authority: {reason}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What rustls said.
        reason: String,
    },
}

/// A certificate and key for accepting connections. Clones share the newest.
#[derive(Clone)]
pub struct ServerTls(Arc<Server>);

struct Server {
    cert: PathBuf,
    key: PathBuf,
    config: ArcSwap<ServerConfig>,
    /// The bytes the running configuration was made of.
    loaded: Mutex<Pair>,
}

/// Content of both files.
#[derive(Clone, PartialEq, Eq)]
struct Pair {
    cert: Vec<u8>,
    key: Vec<u8>,
}

impl ServerTls {
    /// Reads a PEM certificate chain (leaf first) and its PEM private key.
    pub fn load(cert_pem: &Path, key_pem: &Path) -> Result<Self, Error> {
        let pair = Pair::read(cert_pem, key_pem)?;
        let config = pair.config(cert_pem, key_pem)?;
        Ok(Self(Arc::new(Server {
            cert: cert_pem.to_owned(),
            key: key_pem.to_owned(),
            config: ArcSwap::from_pointee(config),
            loaded: Mutex::new(pair),
        })))
    }

    /// An acceptor with the newest certificate. Take one per connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.config.load_full())
    }

    /// Reads both files again; true when they had changed. On an error the old certificate stays.
    pub fn reload(&self) -> Result<bool, Error> {
        let server = &self.0;
        let pair = Pair::read(&server.cert, &server.key)?;
        if *server.loaded.lock() == pair {
            return Ok(false);
        }
        let config = pair.config(&server.cert, &server.key)?;
        *server.loaded.lock() = pair;
        server.config.store(Arc::new(config));
        Ok(true)
    }

    /// Reloads whenever the files' content changes, looking every `interval`; never ends.
    ///
    /// Content is compared, not times: a mounted Kubernetes secret is swapped by a symbolic link.
    pub async fn watch(self, interval: Duration) {
        let mut ticks = interval_at(tokio::time::Instant::now() + interval, interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut complaint = None;
        loop {
            ticks.tick().await;
            let tls = self.clone();
            let Ok(outcome) = tokio::task::spawn_blocking(move || tls.reload()).await else { continue };
            match outcome {
                Ok(changed) => {
                    complaint = None;
                    if changed {
                        tracing::info!(cert = %self.0.cert.display(), "tls certificate reloaded");
                    }
                }
                Err(error) => {
                    let text = error.to_string();
                    // Once per distinct fault, not once per look.
                    if complaint.as_ref() != Some(&text) {
                        tracing::error!(%error, "tls certificate not reloaded, the old one stays");
                        complaint = Some(text);
                    }
                }
            }
        }
    }
}

/// Trust for outgoing connections: the public roots and, if given, a private authority.
#[derive(Clone)]
pub struct ClientTls(TlsConnector);

impl ClientTls {
    /// Trusts webpki's public roots plus the PEM certificates in `ca_pem`.
    pub fn new(ca_pem: Option<&Path>) -> Result<Self, Error> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = ca_pem {
            for certificate in certificates(path, &read(path)?)? {
                roots
                    .add(certificate)
                    .map_err(|error| Error::Authority { path: path.to_owned(), reason: error.to_string() })?;
            }
        }
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Authority {
                path: ca_pem.map(Path::to_owned).unwrap_or_default(),
                reason: error.to_string(),
            })?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Handshakes over `stream` and checks that the peer's certificate is for `server_name` (a DNS name or
    /// an IP address). The deadline is the caller's.
    pub async fn connect(&self, stream: Stream, server_name: &str) -> io::Result<Stream> {
        let name = ServerName::try_from(server_name.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        Ok(Box::new(self.0.connect(name, stream).await?))
    }
}

impl Pair {
    fn read(cert: &Path, key: &Path) -> Result<Self, Error> {
        Ok(Self { cert: read(cert)?, key: read(key)? })
    }

    fn config(&self, cert: &Path, key: &Path) -> Result<ServerConfig, Error> {
        let chain = certificates(cert, &self.cert)?;
        let private = private_key(key, &self.key)?;
        let unusable = |error: rustls::Error| Error::Unusable {
            cert: cert.to_owned(),
            key: key.to_owned(),
            reason: error.to_string(),
        };
        ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(unusable)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let chain = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Error::Pem { path: path.to_owned(), reason: error.to_string() })?;
    if chain.is_empty() { Err(Error::NoCertificate { path: path.to_owned() }) } else { Ok(chain) }
}

fn private_key(path: &Path, content: &[u8]) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(content).map_err(|error| {
        if matches!(error, pem::Error::NoItemsFound) {
            Error::NoKey { path: path.to_owned() }
        } else {
            Error::Pem { path: path.to_owned(), reason: error.to_string() }
        }
    })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

#[cfg(test)]
mod tests;
