//! OPTIONS to vendors, to see whether they answer (11).

use sip::{Method, Request, StatusCode};

use super::{Turn, Worker};
use crate::sip::branch;
use crate::sip::flow::Flow;
use crate::sip::transactions::{Owner, Probe};

impl Worker {
    /// Sends an OPTIONS to one address of a vendor.
    pub(super) fn probe(&mut self, probe: Probe, turn: &mut Turn<'_>) {
        let snapshot = self.snapshot.load_full();
        let Some(target) = probe.target(&snapshot) else { return };
        let nowhere = Flow { listener: 0, transport: target.transport, peer: target.address, connection: 0 };
        let Some(flow) = self.flow_out(target, nowhere) else { return };
        let Some(listener) = self.settings.listeners.get(usize::from(flow.listener)) else { return };
        let branch = self.branches.make(0);
        let (mut tag, mut id) = ([0; 16], [0; 16]);
        branch::hex(self.random.u64(), &mut tag);
        branch::hex(self.random.u64(), &mut id);
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let uri = format!("sip:{}", target.host_port);
        let via =
            format!("SIP/2.0/{} {};branch={}", listener.via_transport(), listener.sent_by, text(&branch));
        let from = format!("<sip:{}>;tag={}", listener.sent_by, text(&tag));
        let to = format!("<{uri}>");
        let call_id = text(&id);
        let request = Request {
            method: Method::Options,
            uri: uri.as_bytes(),
            via: via.as_bytes(),
            from: from.as_bytes(),
            to: to.as_bytes(),
            call_id: call_id.as_bytes(),
            cseq: 1,
            routes: &[],
            headers: &[],
            body: None,
        };
        let Some(octets) = self.written(|out| request.write(out).is_ok()) else { return };
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
