//! Where trunks that register are reached now: workers look it up without waiting, the registrar alone writes
//! it.
//!
//! Plain data and pure decisions. What stands here was committed before ([`super::registrar`]); a connection
//! stands here and nowhere else, since it goes with the process.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
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
    /// Whether a NAT is between, which forgets it in silence.
    pub behind_nat: bool,
}

/// What is to be written of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// This is bound.
    Put(StoredRegistration),
    /// This is no more.
    Remove(Uuid),
}

/// What the table has of a trunk.
#[derive(Debug, Default)]
pub struct Held {
    /// What lives.
    pub live: Vec<Arc<Binding>>,
    /// Rows of what is no more: what is new takes them, so that a trunk has no more of them than it may bind, and one
    /// request may have.
    pub free: Vec<Uuid>,
}

/// By whom bindings are changed, and when.
#[derive(Clone, Copy)]
pub struct By<'a> {
    /// Number of the node.
    pub node: u16,
    /// When.
    pub now: Now,
    /// What is allowed.
    pub rules: &'a Rules,
    /// For the keys of new ones.
    pub random: &'a Random,
    /// Whether a connection is up.
    pub is_connected: &'a (dyn Fn(u64) -> bool + Send + Sync),
}

impl By<'_> {
    /// Whether the connection is known to be gone that a contact has registered over.
    fn is_cut_off(&self, binding: &Binding) -> bool {
        let StoredRegistration { node, transport, .. } = binding.stored;
        node == self.node && transport != Transport::Udp && !(self.is_connected)(binding.connection)
    }
}

impl Binding {
    /// A binding of which nothing but this is known.
    #[must_use]
    pub fn new(stored: StoredRegistration, connection: u64, now: Now) -> Self {
        let target = Target {
            address: stored.source,
            transport: stored.transport,
            health: Arc::new(Health::new(now.instant)),
            registration: None,
            registration_required: false,
            host_port: String::new(),
        };
        let (again, behind_nat) = (again(&stored), is_behind_nat(&stored));
        Self { stored, connection, target, again, behind_nat }
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

    /// Whether a URI leads to it, by its contact's host and port or by where it registered from.
    #[must_use]
    pub fn is_named(&self, uri: &[u8]) -> bool {
        let place = |uri| Uri::parse(uri).ok().and_then(Uri::sip).map(|uri| (uri.host, uri.port));
        let Some((host, port)) = place(uri) else { return false };
        let StoredRegistration { source, transport, contact, .. } = &self.stored;
        let own = place(contact.as_bytes()).is_some_and(|(own, own_port)| own.is(host) && own_port == port);
        let seen = host.ip().is_some_and(|ip| ip.to_canonical() == source.ip().to_canonical());
        own || (seen && port.unwrap_or_else(|| default_port(*transport)) == source.port())
    }
}

/// Where a contact waits for connections, if it is the peer that registered it.
fn again(stored: &StoredRegistration) -> Option<SocketAddr> {
    let own = !is_hidden(stored)?;
    let uri = Uri::parse(stored.contact.as_bytes()).ok().and_then(Uri::sip)?;
    let port = uri.port.unwrap_or_else(|| default_port(stored.transport));
    (own && port != 0).then(|| SocketAddr::new(stored.source.ip(), port))
}

/// Whether a contact is reached by UDP, nobody of a Path being between, where its URI does not say: what is between has
/// given it another address, or another port.
fn is_behind_nat(stored: &StoredRegistration) -> bool {
    let StoredRegistration { source, transport, contact, path, .. } = stored;
    let place = Uri::parse(contact.as_bytes()).ok().and_then(Uri::sip).and_then(|uri| {
        let port = uri.port.unwrap_or_else(|| default_port(*transport));
        Some(SocketAddr::new(uri.host.ip()?, port))
    });
    *transport == Transport::Udp && path.is_empty() && place.map(canonical) != Some(canonical(*source))
}

/// One writing of an address: a socket for both families has those of IPv4 within those of IPv6.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Whether a contact names another address than it registered from; `None` where it names no address.
fn is_hidden(stored: &StoredRegistration) -> Option<bool> {
    let uri = Uri::parse(stored.contact.as_bytes()).ok().and_then(Uri::sip)?;
    Some(uri.host.ip()?.to_canonical() != stored.source.ip().to_canonical())
}

/// Does what a REGISTER asks for to the bindings of its trunk that live; what is to be written of it. Where there are too
/// many, those give way whose connection is gone, then those that registered first.
///
/// # Errors
/// As [`Registration::decide`]; then what there was is there.
pub fn apply(ask: &Ask, held: &mut Held, by: &By<'_>) -> Result<Vec<Row>, register::Error> {
    let Held { live, free } = held;
    live.sort_by_key(|binding| (!by.is_cut_off(binding), binding.stored.registered_at));
    let bound: Vec<Bound<'_>> = live.iter().map(|binding| bound(binding, ask)).collect();
    let changes = ask.registration.decide(&bound, by.rules)?;
    let (mut rows, mut gone, mut new) = (Vec::with_capacity(changes.len()), Vec::new(), Vec::new());
    let mut removed = Vec::new();
    for change in changes {
        match change {
            Change::Remove(place) => {
                gone.push(place);
                removed.extend(live.get(place).map(|binding| binding.stored.id));
            }
            Change::Bind { contact, over, expires } => {
                let over = over.and_then(|place| Some((place, live.get(place)?.stored.id)));
                let (place, id) = over.unzip();
                let id = id.or_else(|| free.pop()).unwrap_or_else(|| new_id(by.random));
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
    rows.extend(removed.iter().copied().map(Row::Remove));
    free.append(&mut removed);
    Ok(rows)
}

/// A binding as a request sees it. A private address that another one registered from another site is another one.
fn bound<'a>(binding: &'a Binding, ask: &Ask) -> Bound<'a> {
    let StoredRegistration { contact, call_id, cseq, source, .. } = &binding.stored;
    let elsewhere = is_hidden(&binding.stored) == Some(true)
        && source.ip().to_canonical() != ask.flow.peer.ip().to_canonical()
        && *call_id != ask.registration.call_id;
    Bound { uri: contact, call_id, cseq: *cseq, elsewhere }
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

/// Bindings by the trunk's key.
type Shard = HashMap<Uuid, Arc<[Arc<Binding>]>>;

/// The bindings of all trunks that register. Many locks: who looks a trunk up waits for nobody who walks over all.
#[derive(Debug)]
pub struct Bindings {
    shards: [RwLock<Shard>; SHARDS],
    /// Where they registered from. It is locked behind a shard, never before one.
    sources: RwLock<Sources>,
}

/// Parts of all bindings, of about one size.
pub const SHARDS: usize = 64;

impl Default for Bindings {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| RwLock::default()), sources: RwLock::default() }
    }
}

/// What registered from each address: a proxy has many.
#[derive(Debug, Default)]
struct Sources(HashMap<(SocketAddr, Transport), Seen>);

#[derive(Debug, Default)]
struct Seen {
    bindings: usize,
    /// The latest end of any of them.
    until: Timestamp,
}

impl Sources {
    fn enter(&mut self, bindings: &[Arc<Binding>]) {
        for binding in bindings {
            let seen = self.0.entry(source_of(binding)).or_default();
            seen.bindings += 1;
            seen.until = seen.until.max(binding.stored.expires_at);
        }
    }

    fn leave(&mut self, bindings: &[Arc<Binding>]) {
        for binding in bindings {
            let Entry::Occupied(mut seen) = self.0.entry(source_of(binding)) else { continue };
            let left = seen.get().bindings.saturating_sub(1);
            if left == 0 {
                seen.remove();
            } else {
                seen.get_mut().bindings = left;
            }
        }
    }
}

fn source_of(binding: &Binding) -> (SocketAddr, Transport) {
    (canonical(binding.stored.source), binding.stored.transport)
}

impl Bindings {
    /// Keys are random: any octet of them tells shards apart.
    fn shard(&self, trunk: Uuid) -> &RwLock<Shard> {
        let [first, ..] = &self.shards;
        let place = trunk.as_bytes().last().map_or(0, |octet| usize::from(*octet) % SHARDS);
        self.shards.get(place).unwrap_or(first)
    }

    /// Those of a trunk that live, in the order in which they are called: by preference, of equal ones the
    /// one that registered last.
    #[must_use]
    pub fn of(&self, trunk: Uuid, now: Timestamp) -> Vec<Arc<Binding>> {
        let all = self.shard(trunk).read().get(&trunk).cloned();
        let live = all.iter().flat_map(|all| all.iter()).filter(|binding| binding.stored.lives(now));
        live.cloned().collect()
    }

    /// These are those of a trunk from now on.
    pub fn put(&self, trunk: Uuid, mut bindings: Vec<Arc<Binding>>) {
        bindings.sort_by_key(|binding| {
            let StoredRegistration { q, registered_at, id, .. } = binding.stored;
            (std::cmp::Reverse((q, registered_at)), id)
        });
        let bindings: Arc<[Arc<Binding>]> = bindings.into();
        let mut all = self.shard(trunk).write();
        let before =
            if bindings.is_empty() { all.remove(&trunk) } else { all.insert(trunk, Arc::clone(&bindings)) };
        let mut sources = self.sources.write();
        sources.enter(&bindings);
        sources.leave(before.as_deref().unwrap_or_default());
    }

    /// Whether something registered from an address that lives.
    #[must_use]
    pub fn has_source(&self, source: SocketAddr, transport: Transport, now: Timestamp) -> bool {
        let sources = self.sources.read();
        sources.0.get(&(canonical(source), transport)).is_some_and(|seen| seen.until > now)
    }

    /// Those of one part of all, below [`SHARDS`], that live, that registered at this node, and that are behind a NAT.
    #[must_use]
    pub fn behind_nat(&self, part: usize, node: u16, now: Timestamp) -> Vec<Arc<Binding>> {
        let Some(shard) = self.shards.get(part) else { return Vec::new() };
        let shard = shard.read();
        let all = shard.values().flat_map(|all| all.iter());
        let kept = |binding: &&Arc<Binding>| {
            binding.behind_nat && binding.stored.node == node && binding.stored.lives(now)
        };
        all.filter(kept).cloned().collect()
    }

    /// Forgets trunks of which nothing lives.
    pub fn purge(&self, now: Timestamp) {
        for shard in &self.shards {
            shard.write().retain(|_, bindings| {
                let lives = bindings.iter().any(|binding| binding.stored.lives(now));
                if !lives {
                    self.sources.write().leave(bindings);
                }
                lives
            });
        }
    }

    /// How many live, by transport.
    #[must_use]
    pub fn count(&self, now: Timestamp) -> [(Transport, usize); 3] {
        let mut counts = [Transport::Udp, Transport::Tcp, Transport::Tls].map(|transport| (transport, 0));
        for shard in &self.shards {
            let all = shard.read();
            let live = all.values().flat_map(|all| all.iter()).filter(|binding| binding.stored.lives(now));
            for binding in live {
                let own = counts.iter_mut().find(|(transport, _)| *transport == binding.stored.transport);
                if let Some((_, count)) = own {
                    *count += 1;
                }
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests;
