//! Where requests within dialogs go: to the address that was seen, to one of the configuration, or to where a trunk has
//! registered. Nobody is sent to by what a request says alone.

use std::net::SocketAddr;

use runtime::model::Transport;
use sip::Uri;

use crate::sip::cookie::Cookie;
use crate::sip::dialog::{End, Side, transport_of};
use crate::sip::flow::Flow;
use crate::sip::settings::default_port;
use crate::sip::transactions::Now;
use crate::sip::worker::Worker;

impl Worker {
    /// The way to one party of a call that is known by its cookie alone: to what its trunk has registered by this URI,
    /// to the address that the URI names, where that is one of its own, else to where the configuration has it, or to
    /// the one place where it has registered.
    pub(in crate::sip::worker) fn flow_to_party(
        &self,
        uri: &[u8],
        (cookie, end): (&Cookie, End),
        (source, now): (Flow, Now),
    ) -> Option<Flow> {
        let vendor = (end == End::Caller) == cookie.inbound;
        let bound = if vendor { Vec::new() } else { self.bound(cookie.trunk, now) };
        let named = bound.iter().find(|binding| binding.is_named(uri));
        if let Some(flow) = named.and_then(|binding| self.flow_to_contact(binding, source)) {
            return Some(flow);
        }
        let named = Uri::parse(uri).ok().and_then(Uri::sip).and_then(|uri| {
            let transport = transport_of(&uri).unwrap_or(Transport::Udp);
            let port = uri.port.unwrap_or_else(|| default_port(transport));
            self.flow_by(transport, SocketAddr::new(uri.host.ip()?, port), source)
        });
        let named = named.filter(|flow| self.is_party(*flow, cookie, end));
        let configured = || {
            let snapshot = self.snapshot.load();
            let targets = if vendor {
                let found = snapshot.vendors.iter().find(|vendor| vendor.config.number == cookie.vendor);
                found.map(|vendor| &vendor.targets)
            } else {
                let found = snapshot.trunks.iter().find(|trunk| trunk.config.number == cookie.trunk);
                found.map(|trunk| &trunk.targets)
            };
            targets?.iter().find_map(|target| self.flow_out(target, source))
        };
        let only = || match bound.as_slice() {
            [only] => self.flow_to_contact(only, source),
            _ => None,
        };
        named.or_else(configured).or_else(only)
    }

    /// The way to one side of a dialog of the trunk with this number: where the connection that it had is gone, by the
    /// one that it has registered over since, or by a new one.
    pub(in crate::sip::worker) fn flow_to_side(&self, side: &Side, (trunk, now): (u32, Now)) -> Flow {
        let gone = side.flow.transport != Transport::Udp && !(self.is_connected.0)(side.flow.connection);
        if !gone {
            return side.flow;
        }
        let since = if side.pinned { self.flow_since(side, (trunk, now)) } else { None };
        since.unwrap_or_else(|| side.reconnected())
    }

    /// The way to who has registered from the same address since its connection went: by the same Contact, if there is
    /// one, else the last.
    fn flow_since(&self, side: &Side, (trunk, now): (u32, Now)) -> Option<Flow> {
        let ip = side.flow.peer.ip().to_canonical();
        let mut bound = self.bound(trunk, now);
        bound.retain(|binding| {
            let target = &binding.target;
            let same = target.address.ip().to_canonical() == ip && target.transport == side.flow.transport;
            same && (self.is_connected.0)(binding.connection)
        });
        let named = bound.iter().find(|binding| binding.is_named(&side.target));
        let last = || bound.iter().max_by_key(|binding| binding.stored.registered_at);
        self.flow_to_contact(named.or_else(last)?, side.flow)
    }
}
