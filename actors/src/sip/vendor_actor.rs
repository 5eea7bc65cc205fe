//! The actor of a SIP vendor: probes its addresses, keeps our registrations there, and shows how it is.
//!
//! Owns: when each address is probed next, and that registrations are asked for in time. Its key is
//! `sip_vendor:NAME:0`, its parent the `vendors` supervisor, its restart policy permanent. A crash loses nothing: what is
//! known of the addresses and of the registrations lives in the snapshot.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use runtime::model::{Transport, VendorStatus};
use runtime::registry::{ActorName, Observation, Observe};
use runtime::supervision::{BoxError, ChildSpec, Restart, Seat, Start};
use tokio::time::sleep;
use uuid::Uuid;

use super::calls::Calls;
use super::registration::{Registration, Seen};
use super::snapshot::{Snapshot, Vendor};

/// How often a vendor looks whether it is time to register.
const REGISTER_EVERY: Duration = Duration::from_secs(1);
/// How often a vendor without probes looks whether it has some now.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The part of an interval by which probes are spread, so that nodes and vendors do not march in step.
const SPREAD: u32 = 5;

/// The name of a vendor's actor.
pub fn name(vendor: &str) -> ActorName {
    ActorName::new("sip_vendor", vendor)
}

/// The vendor as a child of the `vendors` supervisor.
pub fn child_spec(calls: Arc<Calls>, vendor: String) -> ChildSpec {
    let actor = name(&vendor);
    let start = Start::task(move |seat: Seat| {
        let (calls, vendor) = (Arc::clone(&calls), vendor.clone());
        async move {
            let _registration = seat.register(observe(&calls, &vendor));
            tokio::select! {
                () = probe(&calls, &vendor) => {}
                () = register(&calls, &vendor) => {}
                () = seat.shutdown.requested() => {}
            }
            Ok::<(), BoxError>(())
        }
    });
    ChildSpec::new(actor, Restart::Permanent, start)
}

async fn probe(calls: &Calls, name: &str) {
    loop {
        let interval = {
            let snapshot = calls.snapshot.load();
            let vendor =
                find(&snapshot, name).filter(|vendor| vendor.config.status != VendorStatus::Disabled);
            let interval = vendor.map(|vendor| vendor.config.probe_interval).unwrap_or_default();
            if let Some(vendor) = vendor.filter(|_| !interval.is_zero()) {
                for target in 0..vendor.targets.len() {
                    calls.probe(vendor.config.number, target);
                }
            }
            interval
        };
        let interval = if interval.is_zero() { LOOK_EVERY } else { interval };
        sleep(interval - interval / SPREAD + calls.random.jitter(interval / SPREAD)).await;
    }
}

/// What is known of a registration says when it is asked for next; a vendor that is not to have one any more is told.
async fn register(calls: &Calls, name: &str) {
    retry(calls, name);
    loop {
        register_now(calls, name);
        sleep(REGISTER_EVERY).await;
    }
}

/// What has failed is not waited for: somebody may have started the actor again because what was wrong is mended.
fn retry(calls: &Calls, name: &str) {
    let snapshot = calls.snapshot.load();
    let targets = find(&snapshot, name).into_iter().flat_map(|vendor| &vendor.targets);
    targets.filter_map(|target| target.registration.as_deref()).for_each(Registration::retry);
}

fn register_now(calls: &Calls, name: &str) {
    let snapshot = calls.snapshot.load();
    let Some(vendor) = find(&snapshot, name) else { return };
    let account = vendor.config.account.as_ref();
    let Some(register) = account.and_then(|account| account.register.as_ref()) else { return };
    let seconds = u32::try_from(register.expires.get().as_secs()).unwrap_or(u32::MAX);
    // Without what its secret holds every request would be refused.
    if vendor.account.is_none() {
        return;
    }
    let (wanted, now) = (is_wanted(calls, vendor), calls.now().instant);
    for target in &vendor.targets {
        let Some(registration) = &target.registration else { continue };
        let due = if wanted { registration.begin(seconds, now) } else { registration.end(now) };
        if let Some(due) = due {
            calls.register(vendor.config.number, target, due);
        }
    }
}

/// Whether a vendor is to have us; one that has and is not to is told.
fn is_wanted(calls: &Calls, vendor: &Vendor) -> bool {
    vendor.config.status != VendorStatus::Disabled && !calls.draining.load(Ordering::Acquire)
}

/// Our registration at a gateway of a vendor, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The address of the gateway.
    pub gateway: SocketAddr,
    /// How it is reached.
    pub transport: Transport,
    /// What requests to it are for.
    pub uri: String,
    /// How it is.
    pub seen: Seen,
}

/// What is known of our registrations at a vendor now: at each address of its gateways, where we are to
/// register there. Gateways with one address have one registration, which is asked for as the first of them.
pub fn registrations(calls: &Calls, vendor: Uuid, now: Instant) -> Vec<Registered> {
    let snapshot = calls.snapshot.load();
    let Some(vendor) = snapshot.vendors.iter().find(|known| known.config.id == vendor) else {
        return Vec::new();
    };
    let wanted = is_wanted(calls, vendor);
    let seen = |registration: &Registration| {
        let seen = registration.seen(wanted, now);
        // Without what its secret holds nothing is sent.
        Seen { next_at: seen.next_at.filter(|_| vendor.account.is_some()), ..seen }
    };
    let mut registered: Vec<Registered> = Vec::new();
    for target in &vendor.targets {
        let Some(registration) = target.registration.as_deref() else { continue };
        let (gateway, transport) = (target.address, target.transport);
        if registered.iter().any(|one| (one.gateway, one.transport) == (gateway, transport)) {
            continue;
        }
        let uri = format!("sip:{}", target.host_port);
        registered.push(Registered { gateway, transport, uri, seen: seen(registration) });
    }
    registered
}

fn find<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a Vendor> {
    snapshot.vendors.iter().find(|vendor| vendor.config.name == name)
}

fn observe(calls: &Arc<Calls>, name: &str) -> Observe {
    let (calls, name) = (Arc::clone(calls), name.to_owned());
    Arc::new(move || {
        let snapshot = calls.snapshot.load();
        let Some(vendor) = find(&snapshot, &name) else { return Observation::default() };
        let up = vendor.targets.iter().filter(|target| target.health.is_up()).count();
        let now = calls.now().instant;
        let registrations = vendor.targets.iter().filter_map(|target| target.registration.as_deref());
        let is_closed = vendor.account.is_none() && registrations.clone().next().is_some();
        let registered = registrations.clone().filter(|registration| registration.is_there(now)).count();
        let mut absent = registrations.filter(|registration| !registration.is_there(now));
        let note = if is_closed {
            Some("registration: none, its secret does not open with the root key".to_owned())
        } else {
            absent.find_map(Registration::last).map(|said| format!("registration: {}", said.text()))
        };
        let notes: Vec<String> = unreachable(vendor).into_iter().chain(note).collect();
        let state = match vendor.config.status {
            VendorStatus::Active if up == 0 => "down",
            VendorStatus::Active if up < vendor.targets.len() => "degraded",
            VendorStatus::Active => "up",
            VendorStatus::Drained => "drained",
            VendorStatus::Disabled => "disabled",
        };
        Observation {
            state: state.into(),
            queue_depth: 0,
            counters: vec![
                ("channels", vendor.usage.channels().into()),
                ("gateways", vendor.targets.len() as u64),
                ("gateways_up", up as u64),
                ("registered", registered as u64),
            ],
            note: (!notes.is_empty()).then(|| notes.join("; ")),
        }
    })
}

/// Which gateway of a vendor no call can go to, whatever it answers.
fn unreachable(vendor: &Vendor) -> Option<String> {
    if vendor.config.gateways.is_empty() {
        return Some("it has no gateways".to_owned());
    }
    let is_known = |host: &str, port: Option<u16>| {
        let at = format!("{host}{}", port.map(|port| format!(":{port}")).unwrap_or_default());
        vendor.targets.iter().any(|target| target.host_port.split(';').next() == Some(at.as_str()))
    };
    let mut names = vendor.config.gateways.iter().filter(|gateway| gateway.address().is_none());
    let unknown = names.find(|gateway| !is_known(&gateway.host, gateway.port))?;
    Some(format!("no address of {} is known", unknown.host))
}

#[cfg(test)]
mod tests;
