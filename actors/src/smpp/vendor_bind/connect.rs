//! From nothing to a bound session.

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;

use runtime::net::Stream;
use runtime::tls::ClientTls;
use smpp::pdu::{Address, Bind, BindMode};
use smpp::{CommandId, CommandStatus, FrameError};
use tokio::time::timeout;

use super::Options;
use crate::smpp::connection::{Connection, Event};

/// interface_version of our bind requests.
const INTERFACE_VERSION: u8 = 0x34;
/// sequence_number of the bind request; the window goes on from 2.
const BIND_SEQUENCE: u32 = 1;

/// A session that the vendor has accepted.
pub(super) struct Bound {
    pub(super) connection: Connection,
    pub(super) mode: BindMode,
    /// The vendor's generation when the connection was begun.
    pub(super) generation: u64,
}

/// Why there is no bind.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("cannot reach {host}:{port}: {error}")]
    Connect { host: String, port: u16, error: io::Error },
    #[error("TLS with {host}: {error}")]
    Tls { host: String, error: String },
    #[error("vendor refused the bind: {0}")]
    Refused(CommandStatus),
    #[error("no bind response in time")]
    Silent,
    #[error("vendor closed the connection before the bind response")]
    Closed,
    #[error("not SMPP: {0}")]
    NotSmpp(#[from] FrameError),
    #[error("the bind request does not fit: {0}")]
    Encode(#[from] smpp::EncodeError),
}

pub(super) async fn connect(options: &Options) -> Result<Bound, Error> {
    let within = options.smpp.options.session_init.get();
    timeout(within, connect_and_bind(options)).await.unwrap_or(Err(Error::Silent))
}

async fn connect_and_bind(options: &Options) -> Result<Bound, Error> {
    let generation = options.vendor.generation.load(Ordering::Acquire);
    let config = options.vendor.config.load_full();
    let connected = options.smpp.net.connect(&config.host, config.port).await;
    let stream =
        connected.map_err(|error| Error::Connect { host: config.host.clone(), port: config.port, error })?;
    let stream = if config.tls { secure(&config, stream).await? } else { stream };
    let mut connection = Connection::new(stream, options.smpp.options.command_length_max);
    let mode = match config.bind_type {
        runtime::model::BindType::Transceiver => BindMode::Transceiver,
        runtime::model::BindType::Transmitter => BindMode::Transmitter,
        runtime::model::BindType::Receiver => BindMode::Receiver,
    };
    let bind = Bind {
        mode,
        system_id: config.system_id.as_str().as_bytes(),
        password: config.password.expose().as_bytes(),
        system_type: config.system_type.as_bytes(),
        interface_version: INTERFACE_VERSION,
        address: Address::default(),
    };
    bind.encode(BIND_SEQUENCE, &mut connection.output)?;
    let status = bind_response(&mut connection).await?;
    if status == CommandStatus::ESME_ROK {
        Ok(Bound { connection, mode, generation })
    } else {
        Err(Error::Refused(status))
    }
}

async fn secure(config: &runtime::model::Vendor, stream: Stream) -> Result<Stream, Error> {
    let failed = |error: String| Error::Tls { host: config.host.clone(), error };
    let ca = (!config.tls_ca.is_empty()).then(|| Path::new(&config.tls_ca));
    let tls = ClientTls::new(ca).map_err(|error| failed(error.to_string()))?;
    tls.connect(stream, &config.host).await.map_err(|error| failed(error.to_string()))
}

/// Waits for the answer to the bind request; an SMSC may say other things first.
async fn bind_response(connection: &mut Connection) -> Result<CommandStatus, Error> {
    loop {
        while let Some(frame) = connection.next_frame()? {
            let header = frame.header();
            let is_bind_resp = header.command_id.is_response()
                && BindMode::of(CommandId(header.command_id.0 & 0x7fff_ffff)).is_some();
            if is_bind_resp || header.command_id == CommandId::GENERIC_NACK {
                return Ok(nack_is_refusal(header.command_id, header.command_status));
            }
        }
        match connection.ready(true).await {
            Ok(Event::Closed) | Err(_) => return Err(Error::Closed),
            Ok(Event::Read | Event::Written) => {}
        }
    }
}

fn nack_is_refusal(command_id: CommandId, status: CommandStatus) -> CommandStatus {
    if command_id == CommandId::GENERIC_NACK && status == CommandStatus::ESME_ROK {
        CommandStatus::ESME_RBINDFAIL
    } else {
        status
    }
}
