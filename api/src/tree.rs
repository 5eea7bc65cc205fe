//! The supervised part of the API: one server per surface.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use runtime::config::ApiOptions;
use runtime::net::{Listener, Net};
use runtime::registry::ActorName;
use runtime::store::group::{self, Announce};
use runtime::supervision::{Intensity, Strategy, SupervisorSpec};
use runtime::tls::ServerTls;
use tokio::sync::Mutex;

use crate::context::Api;
use crate::dispatch::{Dispatch, Limits};
use crate::follower;
use crate::mailer;
use crate::routes;
use crate::server::{self, Figures, Places, Server, Times};
use crate::socket::{self, Socket};
use crate::table::{Surface, Table};

/// Restarts after which a node whose API keeps failing ends.
const INTENSITY: Intensity = Intensity::new(10, Duration::from_secs(60));

/// The bound sockets of a node's API. Bound before anything else starts, so that a taken port ends the start
/// at once.
pub struct Sockets {
    api: Box<dyn Listener>,
    tls: Vec<(Box<dyn Listener>, SocketAddr)>,
    metrics: Box<dyn Listener>,
    control: Socket,
    control_path: PathBuf,
    /// Where the API port is.
    pub api_address: SocketAddr,
    /// Where it is spoken by TLS.
    pub api_tls_addresses: Vec<SocketAddr>,
    /// Where the metrics port is.
    pub metrics_address: SocketAddr,
}

/// Why a socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A TCP address.
    #[error("{key}: cannot listen on {address}: {source}")]
    Listen {
        /// The configuration key.
        key: &'static str,
        /// Its value.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The control socket.
    #[error("control socket {}: {source}", path.display())]
    Control {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A TLS listener without a certificate.
    #[error("api.tls_listen: a TLS listener needs api.tls_certificate and api.tls_key")]
    NoCertificate,
    /// Two routes that cannot be told apart.
    #[error("route table: {0}")]
    Routes(#[from] matchit::InsertError),
}

impl Sockets {
    /// Binds the API ports, the metrics port and the control socket.
    ///
    /// # Errors
    /// Which one cannot be bound, and why.
    pub async fn bind(net: &dyn Net, options: &ApiOptions, control: &Path) -> Result<Self, Error> {
        let (api, api_address) = listen(net, "api.listen", options.listen).await?;
        let mut tls = Vec::new();
        for address in &options.tls_listen {
            tls.push(listen(net, "api.tls_listen", *address).await?);
        }
        let api_tls_addresses = tls.iter().map(|(_, address)| *address).collect();
        let (metrics, metrics_address) = listen(net, "api.metrics_listen", options.metrics_listen).await?;
        let socket =
            socket::control(control).map_err(|source| Error::Control { path: control.to_owned(), source })?;
        let control_path = control.to_owned();
        Ok(Self {
            api,
            tls,
            metrics,
            control: socket,
            control_path,
            api_address,
            api_tls_addresses,
            metrics_address,
        })
    }
}

/// The supervisor `api:main`: its servers are independent of each other.
///
/// # Errors
/// A mistake in the route table; TLS listeners without `tls`.
pub fn spec(
    api: &Arc<Api>,
    sockets: Sockets,
    options: &ApiOptions,
    tls: Option<&ServerTls>,
) -> Result<SupervisorSpec, Error> {
    let mut spec = SupervisorSpec::new(ActorName::new("api", "main"), Strategy::OneForOne, INTENSITY);
    // What requests need starts before who takes them, and stops after.
    if let Some(queue) = api.queue.lock().take() {
        let announced = Arc::downgrade(api);
        let announce: Announce = Arc::new(move |touched| {
            if let Some(api) = announced.upgrade() {
                api.announce(touched);
            }
        });
        spec = spec.child(group::child_spec(api.store.clone(), queue, announce));
    }
    spec = spec.child(follower::child_spec(Arc::clone(api))).child(mailer::child_spec(Arc::clone(api)));
    for door in doors(sockets, options, tls)? {
        let dispatch = Dispatch {
            api: Arc::clone(api),
            surface: door.surface,
            table: Table::new(door.surface, routes::all())?,
            limits: limits(door.surface, options),
            requests: 0.into(),
        };
        let server = Server {
            name: door.name,
            dispatch: Arc::new(dispatch),
            socket: Mutex::new(door.socket),
            tls: door.tls,
            places: door.places,
            times: Times { header: options.header_timeout.get(), idle: options.idle_timeout.get() },
            figures: Arc::new(Figures::default()),
        };
        spec = spec.child(server::child_spec(Arc::new(server)));
    }
    Ok(spec)
}

/// A way in.
struct Door {
    name: ActorName,
    surface: Surface,
    socket: Socket,
    tls: Option<ServerTls>,
    places: Arc<Places>,
}

/// Each surface has places of its own, so that the API's callers leave room for the operator.
fn doors(sockets: Sockets, options: &ApiOptions, tls: Option<&ServerTls>) -> Result<Vec<Door>, Error> {
    let places = || {
        Places::new(options.connections_max, options.connections_per_address_max, &options.trusted_proxies)
    };
    let named = |kind, address: SocketAddr| ActorName::new(kind, address.to_string());
    let door = |name, surface, socket| Door { name, surface, socket, tls: None, places: places() };
    let control = ActorName::new("control_server", sockets.control_path.display().to_string());
    let metrics = named("metrics_server", sockets.metrics_address);
    let api = named("api_server", sockets.api_address);
    let api = door(api, Surface::Api, Socket::Tcp(sockets.api));
    let shared = Arc::clone(&api.places);
    let mut doors = vec![
        door(control, Surface::Control, sockets.control),
        door(metrics, Surface::Metrics, Socket::Tcp(sockets.metrics)),
        api,
    ];
    for (listener, address) in sockets.tls {
        doors.push(Door {
            name: named("api_server", address),
            surface: Surface::Api,
            socket: Socket::Tcp(listener),
            tls: Some(tls.ok_or(Error::NoCertificate)?.clone()),
            places: Arc::clone(&shared),
        });
    }
    Ok(doors)
}

/// Octets of a provisioning document: some hundred thousand numbers. The control socket is the node's own
/// user's, who needs no protection from himself.
const CONTROL_BODY_OCTETS_MAX: usize = 64 << 20;

fn limits(surface: Surface, options: &ApiOptions) -> Limits {
    let body_octets_max = match surface {
        Surface::Control => CONTROL_BODY_OCTETS_MAX,
        Surface::Api | Surface::Metrics => usize::try_from(options.body_octets_max).unwrap_or(usize::MAX),
    };
    Limits { body_octets_max, body_timeout: options.header_timeout.get() }
}

async fn listen(
    net: &dyn Net,
    key: &'static str,
    address: SocketAddr,
) -> Result<(Box<dyn Listener>, SocketAddr), Error> {
    let failed = |source| Error::Listen { key, address, source };
    let listener = net.listen(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provisioning_document_may_be_larger_than_a_request_to_the_api() {
        let options = ApiOptions::default();
        for (surface, octets) in
            [(Surface::Api, 1 << 20), (Surface::Metrics, 1 << 20), (Surface::Control, 64 << 20)]
        {
            assert_eq!(limits(surface, &options).body_octets_max, octets, "{surface:?}");
        }
    }
}
