//! The actor of a SIP vendor: probes its addresses, and shows how it is.
//!
//! Owns: when each address is probed next. Its key is `sip_vendor:NAME:0`, its parent the `vendors` supervisor, its
//! restart policy permanent. A crash loses nothing: what is known of the addresses lives in the snapshot.

use std::sync::Arc;
use std::time::Duration;

use runtime::model::VendorStatus;
use runtime::registry::{ActorName, Observation, Observe};
use runtime::supervision::{BoxError, ChildSpec, Restart, Seat, Start};
use tokio::time::sleep;

use super::calls::Calls;
use super::snapshot::{Snapshot, Vendor};

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

fn find<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a Vendor> {
    snapshot.vendors.iter().find(|vendor| vendor.config.name == name)
}

fn observe(calls: &Arc<Calls>, name: &str) -> Observe {
    let (calls, name) = (Arc::clone(calls), name.to_owned());
    Arc::new(move || {
        let snapshot = calls.snapshot.load();
        let Some(vendor) = find(&snapshot, &name) else { return Observation::default() };
        let up = vendor.targets.iter().filter(|target| target.health.is_up()).count();
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
            ],
            note: None,
        }
    })
}
