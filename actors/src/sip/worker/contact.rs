//! Calls to trunks that register: the ways to their contacts, one after the other or at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use runtime::model::Transport;
use sip::StatusCode;
use sip::proxy::{self, FailoverOptions};
use uuid::Uuid;

use super::Worker;
use crate::sip::bindings::Binding;
use crate::sip::dialog::{Dialog, End};
use crate::sip::flow::Flow;
use crate::sip::routing::{Direction, Plan};
use crate::sip::snapshot::Target;
use crate::sip::transactions::Now;

/// A contact that gives no sign of ringing for so long is given up, where something is left to try: a NAT may
/// have forgotten it.
const SILENT_MAX: Duration = Duration::from_secs(8);

impl Worker {
    /// The way to the target of an attempt; `None` where there is none now.
    pub(super) fn flow_to_hop(&self, plan: &Plan, hop: usize, source: Flow) -> Option<Flow> {
        match plan.contact(hop) {
            Some(binding) => self.flow_to_contact(binding, source),
            None => plan.hop(hop).and_then(|(_, _, target)| self.flow_out(target, source)),
        }
    }

    /// By the listener that the contact registered at, and over its connection while that is up: a NAT lets
    /// nothing else in.
    pub(super) fn flow_to_contact(&self, binding: &Binding, source: Flow) -> Option<Flow> {
        let Target { address, transport, .. } = binding.target;
        let own = Flow { listener: binding.stored.listener, ..source };
        if transport == Transport::Udp {
            return self.flow_by(transport, address, own);
        }
        let connection = binding.connection;
        if connection != 0 && (self.is_connected.0)(connection) {
            return self.flow_by(transport, address, own).map(|flow| Flow { connection, ..flow });
        }
        self.flow_by(transport, binding.again?, own)
    }

    /// What the trunk with this number has registered.
    pub(super) fn bound(&self, trunk: u32, now: Now) -> Vec<Arc<Binding>> {
        let snapshot = self.snapshot.load();
        let trunk = snapshot.trunks.iter().find(|known| known.config.number == trunk);
        let trunk = trunk.filter(|trunk| trunk.config.active && trunk.registers());
        trunk.map(|trunk| self.bindings.of(trunk.config.id, now.wall)).unwrap_or_default()
    }

    /// Whether somebody of the trunk with this number who is at this address is known by what it has said, and not by
    /// where it is: nobody of a trunk that is known by its sources, and no gateway.
    pub(super) fn is_pinned(&self, trunk: u32, source: SocketAddr) -> bool {
        let snapshot = self.snapshot.load();
        let trunk = snapshot.trunks.iter().find(|known| known.config.number == trunk);
        trunk.is_some_and(|trunk| {
            let ip = source.ip().to_canonical();
            let gateway = trunk.targets.iter().any(|target| target.address.ip().to_canonical() == ip);
            trunk.registers() && !gateway
        })
    }

    /// Says of a call that began in another process whether its trunk is known by what it has said.
    pub(super) fn pin(&self, dialog: &mut Dialog) {
        let end = match dialog.direction {
            Direction::Outbound => End::Caller,
            Direction::Inbound => End::Callee,
        };
        let (trunk, source) = (dialog.trunk, dialog.side(end).source);
        dialog.side_mut(end).pinned = self.is_pinned(trunk, source);
    }

    /// Whether requests to this side of a call go to where its messages come from.
    pub(super) fn is_side_pinned(&self, dialog: Uuid, end: End) -> bool {
        self.dialogs.get(&dialog).is_some_and(|dialog| dialog.side(end).pinned)
    }

    /// When a call to a trunk goes on to the next of its contacts or gateways. A contact that refuses speaks
    /// for itself: the next one may be free. Behind the last of them only what is no answer leads to a
    /// gateway.
    pub(super) fn options_of_hop(&self, plan: &Plan, hop: usize) -> proxy::Options {
        let own = self.own_options();
        if plan.contacts.is_empty() {
            return own;
        }
        let attempts_max = u8::try_from(plan.hops.len()).unwrap_or(u8::MAX);
        let mut failover = FailoverOptions { attempts_max, ..own.failover };
        if !plan.is_forked(hop) && plan.contact(hop + 1).is_some() {
            (400..500).filter_map(StatusCode::new).for_each(|status| failover.codes.insert(status));
            // It is about the request, and for who sent it (RFC 4028 8.2).
            failover.codes.remove(StatusCode::SESSION_INTERVAL_TOO_SMALL);
        }
        proxy::Options { failover, ..own }
    }
}

/// How long the contact of an attempt may be silent.
pub(super) fn patience(plan: &Plan, hop: usize) -> Option<Duration> {
    // Those that are called at once wait for what comes behind all of them.
    let is_last = (hop + 1).max(plan.wave.into()) >= plan.hops.len();
    (plan.contact(hop).is_some() && !is_last).then_some(SILENT_MAX)
}
