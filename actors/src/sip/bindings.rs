//! Where trunks that register are reached now: workers look it up without waiting, the registrar alone writes
//! it.
//!
//! Plain data and pure decisions. What stands here was committed before ([`super::registrar`]); a connection
//! stands here and nowhere else, since it goes with the process.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use runtime::clock::Timestamp;
use runtime::model::Transport;
use runtime::random::Random;
use runtime::store::registration::StoredRegistration;
use sip::Uri;
use sip::register::{self, Bound, Change, Listed, Registration, Rules};
use uuid::{Builder, Uuid};

use super::flow::Flow;
use super::health::Health;
use super::settings::default_port;
use super::snapshot::Target;
use super::transactions::Now;

/// What a trunk's REGISTER asks for.
#[derive(Debug)]
pub struct Ask {
    /// The trunk, by its key.
    pub trunk: Uuid,
    /// What it asks for.
    pub registration: Registration,
    /// Where it came from.
    pub flow: Flow,
    /// What its sender calls itself.
    pub user_agent: String,
}

/// A contact that is bound.
#[derive(Debug)]
pub struct Binding {
    /// As all nodes know it.
    pub stored: StoredRegistration,
    /// The connection that it registered over; 0 for UDP, and where that was another process's.
    pub connection: u64,
    /// Where requests to it go: to where it registered from, since that is what a NAT lets in, and since it
    /// would aim us at others if its contact decided.
    pub target: Target,
    /// Where a new connection to it may be made: at its contact, if that has the address that it registered
    /// from.
    pub again: Option<SocketAddr>,
}

/// What is to be written of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// This is bound.
    Put(StoredRegistration),
    /// This is no more.
    Remove(Uuid),
}

/// By whom bindings are changed, and when.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// Number of the node.
    pub node: u16,
    /// When.
    pub now: Now,
    /// What is allowed.
    pub rules: &'a Rules,
    /// For the keys of new ones.
    pub random: &'a Random,
}

impl Binding {
    /// A binding of which nothing but this is known.
    #[must_use]
    pub fn new(stored: StoredRegistration, connection: u64, now: Now) -> Self {
        let target = Target {
            address: stored.source,
            transport: stored.transport,
            health: Arc::new(Health::new(now.instant)),
            host_port: String::new(),
        };
        let again = again(&stored);
        Self { stored, connection, target, again }
    }

    /// A binding as it was read, with what is known of it already, where it is the same.
    #[must_use]
    pub fn read(stored: StoredRegistration, known: &[Arc<Self>], now: Now) -> Self {
        let same = |one: &&Arc<Self>| one.stored.is_same(&stored);
        let (connection, health) = match known.iter().find(same) {
            Some(known) => (known.connection, Some(Arc::clone(&known.target.health))),
            None => (0, None),
        };
        let mut binding = Self::new(stored, connection, now);
        if let Some(health) = health {
            binding.target.health = health;
        }
        binding
    }
}

/// Where a contact waits for connections, if it is the peer that registered it.
fn again(stored: &StoredRegistration) -> Option<SocketAddr> {
    let uri = Uri::parse(stored.contact.as_bytes()).ok().and_then(Uri::sip)?;
    let own = uri.host.ip()?.to_canonical() == stored.source.ip().to_canonical();
    let port = uri.port.unwrap_or_else(|| default_port(stored.transport));
    (own && port != 0).then(|| SocketAddr::new(stored.source.ip(), port))
}

/// Does what a REGISTER asks for to the bindings of its trunk that live; what is to be written of it.
///
/// # Errors
/// As [`Registration::decide`]; then all stays as it was.
pub fn apply(ask: &Ask, live: &mut Vec<Arc<Binding>>, by: &By<'_>) -> Result<Vec<Row>, register::Error> {
    let bound: Vec<Bound<'_>> = live.iter().map(|binding| bound(binding)).collect();
    let changes = ask.registration.decide(&bound, by.rules)?;
    let (mut rows, mut gone, mut new) = (Vec::with_capacity(changes.len()), Vec::new(), Vec::new());
    for change in changes {
        match change {
            Change::Remove(place) => {
                gone.push(place);
                rows.extend(live.get(place).map(|binding| Row::Remove(binding.stored.id)));
            }
            Change::Bind { contact, over, expires } => {
                let over = over.and_then(|place| Some((place, live.get(place)?.stored.id)));
                let (place, id) = over.unzip();
                let id = id.unwrap_or_else(|| new_id(by.random));
                let Some(stored) = stored(ask, (contact, expires), id, by) else { continue };
                gone.extend(place);
                rows.push(Row::Put(stored.clone()));
                new.push(Arc::new(Binding::new(stored, ask.flow.connection, by.now)));
            }
        }
    }
    let mut places = 0..;
    live.retain(|_| places.next().is_none_or(|place: usize| !gone.contains(&place)));
    live.append(&mut new);
    Ok(rows)
}

fn bound(binding: &Binding) -> Bound<'_> {
    let StoredRegistration { contact, call_id, cseq, .. } = &binding.stored;
    Bound { uri: contact, call_id, cseq: *cseq }
}

fn stored(ask: &Ask, (contact, expires): (usize, u32), id: Uuid, by: &By<'_>) -> Option<StoredRegistration> {
    let Ask { trunk, registration, flow, user_agent } = ask;
    let contact = registration.contacts().get(contact)?;
    Some(StoredRegistration {
        id,
        trunk: *trunk,
        contact: contact.uri.clone(),
        source: flow.peer,
        transport: flow.transport,
        path: registration.path.clone(),
        q: contact.q,
        node: by.node,
        listener: flow.listener,
        call_id: registration.call_id.clone(),
        cseq: registration.cseq,
        user_agent: user_agent.clone(),
        registered_at: by.now.wall,
        expires_at: by.now.wall.plus(Duration::from_secs(expires.into())),
        version: 0,
    })
}

fn new_id(random: &Random) -> Uuid {
    let mut octets = [0; 16];
    random.fill(&mut octets);
    Builder::from_random_bytes(octets).into_uuid()
}

/// What the answer to a REGISTER says is bound.
#[must_use]
pub fn listed(live: &[Arc<Binding>], now: Timestamp) -> Vec<Listed> {
    let listed = |binding: &Arc<Binding>| {
        let StoredRegistration { contact, q, expires_at, .. } = &binding.stored;
        // What is left of a second is one yet: 0 would say that it is gone.
        let expires = expires_at.since(now).as_secs().max(1);
        Listed { uri: contact.clone(), q: *q, expires: u32::try_from(expires).unwrap_or(u32::MAX) }
    };
    live.iter().map(listed).collect()
}

/// The bindings of all trunks that register, by the trunk's key.
#[derive(Debug, Default)]
pub struct Bindings(RwLock<HashMap<Uuid, Arc<[Arc<Binding>]>>>);

impl Bindings {
    /// Those of a trunk that live, in the order in which they are called: by preference, of equal ones the
    /// one that registered last.
    #[must_use]
    pub fn of(&self, trunk: Uuid, now: Timestamp) -> Vec<Arc<Binding>> {
        let all = self.0.read().get(&trunk).cloned();
        let live = all.iter().flat_map(|all| all.iter()).filter(|binding| binding.stored.lives(now));
        live.cloned().collect()
    }

    /// These are those of a trunk from now on.
    pub fn put(&self, trunk: Uuid, mut bindings: Vec<Arc<Binding>>) {
        bindings.sort_by_key(|binding| {
            let StoredRegistration { q, registered_at, id, .. } = binding.stored;
            (std::cmp::Reverse((q, registered_at)), id)
        });
        let mut all = self.0.write();
        if bindings.is_empty() {
            all.remove(&trunk);
        } else {
            all.insert(trunk, bindings.into());
        }
    }

    /// Forgets trunks of which nothing lives.
    pub fn purge(&self, now: Timestamp) {
        self.0.write().retain(|_, bindings| bindings.iter().any(|binding| binding.stored.lives(now)));
    }

    /// How many live, by transport.
    #[must_use]
    pub fn count(&self, now: Timestamp) -> [(Transport, usize); 3] {
        let mut counts = [Transport::Udp, Transport::Tcp, Transport::Tls].map(|transport| (transport, 0));
        let all = self.0.read();
        let live = all.values().flat_map(|all| all.iter()).filter(|binding| binding.stored.lives(now));
        for binding in live {
            let own = counts.iter_mut().find(|(transport, _)| *transport == binding.stored.transport);
            if let Some((_, count)) = own {
                *count += 1;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests;
