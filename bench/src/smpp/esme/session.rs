//! One session of a simulated customer: connects, binds, comes back after a loss, unbinds at the end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use smpp::pdu::{Bind, BindMode};
use smpp::{CommandId, CommandStatus};
use tokio::sync::watch;

use super::connection::Connection;
use super::{Phase, Shared};
use crate::net;
use crate::pace::Block;
use crate::wire::Wire;

const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
const BIND_TIMEOUT: Duration = Duration::from_secs(10);
const INTERFACE_VERSION: u8 = 0x34;

pub(super) struct Session {
    shared: Arc<Shared>,
    role: BindMode,
    phase: watch::Receiver<Phase>,
    /// Messages taken from the pace; they outlive a connection, so that none is skipped.
    block: Option<Block>,
}

impl Session {
    pub(super) const fn new(shared: Arc<Shared>, role: BindMode, phase: watch::Receiver<Phase>) -> Self {
        Self { shared, role, phase, block: None }
    }

    /// Returns after the end of the run only.
    pub(super) async fn run(mut self) {
        let mut backoff = BACKOFF_FIRST;
        while *self.phase.borrow() != Phase::Ending {
            match tokio::time::timeout(BIND_TIMEOUT, self.bind()).await {
                Ok(Ok(wire)) => {
                    backoff = BACKOFF_FIRST;
                    self.bound(wire).await;
                }
                Ok(Err(error)) => self.shared.counters.failed(error),
                Err(_) => self.shared.counters.failed("no answer to the bind"),
            }
            let jitter = backoff.mul_f64(0.5 + fastrand::f64() / 2.0);
            let ending = self.phase.wait_for(|phase| *phase == Phase::Ending);
            // Over when the run is, or when it is time to try again.
            let _ = tokio::time::timeout(jitter, ending).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    async fn bind(&self) -> io::Result<Wire> {
        let options = &self.shared.options;
        let mut wire = Wire::new(net::connect(options.addr).await?, options.quick_ack)?;
        let bind = Bind {
            mode: self.role,
            system_id: options.system_id.as_bytes(),
            password: options.password.as_bytes(),
            system_type: b"",
            interface_version: INTERFACE_VERSION,
            address: smpp::pdu::Address::default(),
        };
        bind.encode(1, &mut wire.out).map_err(io::Error::other)?;
        loop {
            while let Some(frame) = wire.next_frame().map_err(io::Error::other)? {
                let header = frame.header();
                if header.command_id != self.role.command_id().response() {
                    continue;
                }
                return match header.command_status {
                    CommandStatus::ESME_ROK => Ok(wire),
                    status => Err(io::Error::other(format!("bind refused with {status}"))),
                };
            }
            if !wire.turn(None, std::future::pending()).await? {
                return Err(io::Error::other("closed before the bind was answered"));
            }
        }
    }

    async fn bound(&mut self, wire: Wire) {
        let counters = Arc::clone(&self.shared.counters);
        counters.bound.fetch_add(1, Relaxed);
        counters.binds.fetch_add(1, Relaxed);
        let mut connection = Connection::new(&self.shared, self.role, wire, &mut self.block);
        let ended = connection.run(&mut self.phase).await;
        connection.give_up();
        counters.bound.fetch_sub(1, Relaxed);
        if let Err(error) = ended {
            counters.failed(error);
            counters.lost_connections.fetch_add(1, Relaxed);
        }
    }
}

/// What an ESME answers requests with that it does not serve.
pub(super) const fn refusal(command_id: CommandId) -> (CommandId, CommandStatus) {
    if command_id.is_known() {
        (command_id.response(), CommandStatus::ESME_RINVBNDSTS)
    } else {
        (CommandId::GENERIC_NACK, CommandStatus::ESME_RINVCMDID)
    }
}
