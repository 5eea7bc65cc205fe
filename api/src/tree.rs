//! The supervised part of the API: one server per surface.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use runtime::config::ApiOptions;
use runtime::net::{Listener, Net};
use runtime::registry::ActorName;
use runtime::supervision::{Intensity, Strategy, SupervisorSpec};
use tokio::sync::Mutex;

use crate::context::Api;
use crate::dispatch::{Dispatch, Limits};
use crate::routes;
use crate::server::{self, Figures, Server};
use crate::socket::{self, Socket};
use crate::table::{Surface, Table};

/// Restarts after which a node whose API keeps failing ends.
const INTENSITY: Intensity = Intensity::new(10, Duration::from_secs(60));

/// The bound sockets of a node's API. Bound before anything else starts, so that a taken port ends the start
/// at once.
pub struct Sockets {
    api: Box<dyn Listener>,
    metrics: Box<dyn Listener>,
    control: Socket,
    control_path: PathBuf,
    /// Where the API port is.
    pub api_address: SocketAddr,
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
    /// Two routes that cannot be told apart.
    #[error("route table: {0}")]
    Routes(#[from] matchit::InsertError),
}

impl Sockets {
    /// Binds the API port, the metrics port and the control socket.
    ///
    /// # Errors
    /// Which one cannot be bound, and why.
    pub async fn bind(net: &dyn Net, options: &ApiOptions, control: &Path) -> Result<Self, Error> {
        let (api, api_address) = listen(net, "api.listen", options.listen).await?;
        let (metrics, metrics_address) = listen(net, "api.metrics_listen", options.metrics_listen).await?;
        let socket =
            socket::control(control).map_err(|source| Error::Control { path: control.to_owned(), source })?;
        let control_path = control.to_owned();
        Ok(Self { api, metrics, control: socket, control_path, api_address, metrics_address })
    }
}

/// The supervisor `api:main`: its servers are independent of each other.
///
/// # Errors
/// A mistake in the route table.
pub fn spec(api: &Arc<Api>, sockets: Sockets, options: &ApiOptions) -> Result<SupervisorSpec, Error> {
    let control_name = ActorName::new("control_server", sockets.control_path.display().to_string());
    let mut spec = SupervisorSpec::new(ActorName::new("api", "main"), Strategy::OneForOne, INTENSITY);
    for (name, surface, socket) in [
        (control_name, Surface::Control, sockets.control),
        (
            ActorName::new("metrics_server", sockets.metrics_address.to_string()),
            Surface::Metrics,
            Socket::Tcp(sockets.metrics),
        ),
        (
            ActorName::new("api_server", sockets.api_address.to_string()),
            Surface::Api,
            Socket::Tcp(sockets.api),
        ),
    ] {
        let dispatch = Dispatch {
            api: Arc::clone(api),
            surface,
            table: Table::new(surface, routes::all())?,
            limits: limits(surface, options),
            requests: 0.into(),
        };
        let server = Server {
            name,
            dispatch: Arc::new(dispatch),
            socket: Mutex::new(socket),
            connections_max: usize::try_from(options.connections_max.max(1)).unwrap_or(usize::MAX),
            header_timeout: options.header_timeout.get(),
            figures: Arc::new(Figures::default()),
        };
        spec = spec.child(server::child_spec(Arc::new(server)));
    }
    Ok(spec)
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
