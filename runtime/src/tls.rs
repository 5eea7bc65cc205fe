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
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
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
    files: Files,
    config: ArcSwap<ServerConfig>,
    /// The bytes the running configuration was made of.
    loaded: Mutex<Content>,
}

struct Files {
    cert: PathBuf,
    key: PathBuf,
    clients: Option<ClientAuthority>,
    /// Protocols offered by ALPN.
    protocols: &'static [&'static [u8]],
}

/// What HTTP servers offer by ALPN (RFC 7301), the best first.
const HTTP_PROTOCOLS: &[&[u8]] = &[b"h2", b"http/1.1"];

/// Content of the files.
#[derive(Clone, PartialEq, Eq)]
struct Content {
    cert: Vec<u8>,
    key: Vec<u8>,
    clients: Option<Vec<u8>>,
}

/// Whose certificates clients may show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAuthority {
    /// PEM certificates of the authorities.
    pub ca_pem: PathBuf,
    /// Whether a client without a certificate is refused; one with a wrong certificate always is.
    pub required: bool,
}

impl ServerTls {
    /// Reads a PEM certificate chain (leaf first) and its PEM private key.
    pub fn load(cert_pem: &Path, key_pem: &Path) -> Result<Self, Error> {
        Self::load_with_clients(cert_pem, key_pem, None)
    }

    /// As [`ServerTls::load`], and asks clients for a certificate of an authority.
    pub fn load_with_clients(
        cert_pem: &Path,
        key_pem: &Path,
        clients: Option<ClientAuthority>,
    ) -> Result<Self, Error> {
        let (cert, key) = (cert_pem.to_owned(), key_pem.to_owned());
        Self::load_files(Files { cert, key, clients, protocols: &[] })
    }

    /// As [`ServerTls::load`], and offers h2 and HTTP/1.1.
    pub fn load_http(cert_pem: &Path, key_pem: &Path) -> Result<Self, Error> {
        let (cert, key) = (cert_pem.to_owned(), key_pem.to_owned());
        Self::load_files(Files { cert, key, clients: None, protocols: HTTP_PROTOCOLS })
    }

    fn load_files(files: Files) -> Result<Self, Error> {
        let content = files.read()?;
        let config = content.config(&files)?;
        Ok(Self(Arc::new(Server {
            files,
            config: ArcSwap::from_pointee(config),
            loaded: Mutex::new(content),
        })))
    }

    /// An acceptor with the newest certificate. Take one per connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.config.load_full())
    }

    /// Reads the files again; true when they had changed. On an error the old certificate stays.
    pub fn reload(&self) -> Result<bool, Error> {
        let server = &self.0;
        let content = server.files.read()?;
        if *server.loaded.lock() == content {
            return Ok(false);
        }
        let config = content.config(&server.files)?;
        *server.loaded.lock() = content;
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
                        tracing::info!(cert = %self.0.files.cert.display(), "tls certificate reloaded");
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
            add_authorities(&mut roots, path, &read(path)?)?;
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

impl Files {
    fn read(&self) -> Result<Content, Error> {
        let clients = self.clients.as_ref().map(|clients| read(&clients.ca_pem)).transpose()?;
        Ok(Content { cert: read(&self.cert)?, key: read(&self.key)?, clients })
    }
}

impl Content {
    fn config(&self, files: &Files) -> Result<ServerConfig, Error> {
        let chain = certificates(&files.cert, &self.cert)?;
        let private = private_key(&files.key, &self.key)?;
        let unusable = |error: rustls::Error| Error::Unusable {
            cert: files.cert.clone(),
            key: files.key.clone(),
            reason: error.to_string(),
        };
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let builder = match (&files.clients, &self.clients) {
            (Some(authority), Some(pem)) => {
                builder.with_client_cert_verifier(client_verifier(authority, pem)?)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, private).map_err(unusable)?;
        config.alpn_protocols = files.protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(config)
    }
}

fn client_verifier(authority: &ClientAuthority, pem: &[u8]) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let path = &authority.ca_pem;
    let mut roots = RootCertStore::empty();
    add_authorities(&mut roots, path, pem)?;
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    let builder = if authority.required { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| Error::Authority { path: path.clone(), reason: error.to_string() })
}

fn add_authorities(roots: &mut RootCertStore, path: &Path, pem: &[u8]) -> Result<(), Error> {
    for certificate in certificates(path, pem)? {
        roots
            .add(certificate)
            .map_err(|error| Error::Authority { path: path.to_owned(), reason: error.to_string() })?;
    }
    Ok(())
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
