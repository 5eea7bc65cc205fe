//! OPTIONS to vendors, to see whether they answer (11).

use sip::{Method, StatusCode};

use super::{Turn, Worker};
use crate::sip::flow::Flow;
use crate::sip::transactions::{Owner, Probe};

impl Worker {
    /// Sends an OPTIONS to one address of a vendor.
    pub(super) fn probe(&mut self, probe: Probe, turn: &mut Turn<'_>) {
        let snapshot = self.snapshot.load_full();
        let Some(target) = probe.target(&snapshot) else { return };
        let nowhere = Flow { listener: 0, transport: target.transport, peer: target.address, connection: 0 };
        let Some(flow) = self.flow_out(target, nowhere) else { return };
        let uri = format!("sip:{}", target.host_port);
        let Some((octets, branch)) = self.options(&uri, flow, 0) else { return };
        let key = self.keys.client(&branch, Method::Options);
        self.begin_client(key, (flow, octets), Owner::Probe(probe), turn);
    }

    /// Any answer shows that somebody is there; a 503 and silence show that calls are not welcome.
    pub(super) fn probed(&self, probe: Probe, status: StatusCode, received: bool, turn: &Turn<'_>) {
        let snapshot = self.snapshot.load();
        let Some(target) = probe.target(&snapshot) else { return };
        if received && status != StatusCode::SERVICE_UNAVAILABLE {
            target.health.answered();
        } else {
            target.health.silent(turn.now.instant);
        }
    }
}
