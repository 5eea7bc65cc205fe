//! What operators ask of the SMPP side: vendors, totals, readiness; and what they tell vendors.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use runtime::clock::Timestamp;
use runtime::log::Health;
use serde::Serialize;

use super::Smpp;
use super::queue::LANES;
use super::vendor::Vendor;

/// Body of `GET /v1/smpp/vendors`.
#[derive(Debug, Serialize)]
pub struct VendorsStatus {
    success: bool,
    count: usize,
    vendors: BTreeMap<String, VendorStatus>,
}

/// One vendor.
#[derive(Debug, Serialize)]
pub struct VendorStatus {
    vendor_id: String,
    vendor_name: String,
    /// `connected`, `partial`, `disconnected` or `inactive`.
    status: &'static str,
    connected_at: Option<Timestamp>,
    messages_sent: u64,
    messages_success: u64,
    messages_failed: u64,
    dlrs_received: u64,
    /// Messages that wait for it (ours).
    queued: usize,
    /// Binds up (ours).
    binds_up: usize,
    /// Binds configured (ours).
    binds: usize,
}

/// Body of `GET /v1/smpp/stats`.
#[derive(Debug, Serialize)]
pub struct ServerStatus {
    success: bool,
    data: ServerData,
}

/// Its data.
#[derive(Debug, Serialize)]
pub struct ServerData {
    smpp_server: Server,
    vendors: Totals,
    timestamp: Timestamp,
}

#[derive(Debug, Serialize)]
struct Server {
    active_sessions: u32,
    total_binds: u64,
    total_submit_sm: u64,
    total_deliver_sm: u64,
}

#[derive(Debug, Default, Serialize)]
struct Totals {
    total_sent: u64,
    total_success: u64,
    total_failed: u64,
}

/// Every vendor's state.
#[must_use]
pub fn vendors(smpp: &Smpp) -> VendorsStatus {
    let vendors: BTreeMap<String, VendorStatus> =
        smpp.vendors.load().values().map(|vendor| (vendor.id.to_string(), status(vendor))).collect();
    VendorsStatus { success: true, count: vendors.len(), vendors }
}

fn status(vendor: &Vendor) -> VendorStatus {
    let config = vendor.config.load();
    let (binds_up, binds) = vendor.binds();
    let counters = &vendor.counters;
    let connected_at = counters.connected_at.load(Ordering::Relaxed);
    VendorStatus {
        vendor_id: vendor.id.to_string(),
        vendor_name: config.instance_name.clone(),
        status: match (config.active, binds_up) {
            (false, _) => "inactive",
            (true, 0) => "disconnected",
            (true, up) if up < binds => "partial",
            (true, _) => "connected",
        },
        connected_at: (connected_at > 0).then(|| Timestamp::from_micros(connected_at)),
        messages_sent: counters.sent.load(Ordering::Relaxed),
        messages_success: counters.success.load(Ordering::Relaxed),
        messages_failed: counters.failed.load(Ordering::Relaxed),
        dlrs_received: counters.dlrs.load(Ordering::Relaxed),
        queued: vendor.queue.lock().len(),
        binds_up,
        binds,
    }
}

/// Totals since start.
#[must_use]
pub fn server(smpp: &Smpp) -> ServerStatus {
    let totals = smpp.vendors.load().values().fold(Totals::default(), |sum, vendor| Totals {
        total_sent: sum.total_sent + vendor.counters.sent.load(Ordering::Relaxed),
        total_success: sum.total_success + vendor.counters.success.load(Ordering::Relaxed),
        total_failed: sum.total_failed + vendor.counters.failed.load(Ordering::Relaxed),
    });
    let server = Server {
        active_sessions: smpp.sessions.load(Ordering::Relaxed),
        total_binds: smpp.binds.load(Ordering::Relaxed),
        total_submit_sm: smpp.submitted.load(Ordering::Relaxed),
        total_deliver_sm: smpp.delivered.load(Ordering::Relaxed),
    };
    ServerStatus {
        success: true,
        data: ServerData { smpp_server: server, vendors: totals, timestamp: smpp.now() },
    }
}

fn find(smpp: &Smpp, id: &str) -> Option<Arc<Vendor>> {
    let vendors = smpp.vendors.load();
    let found = vendors.values().find(|vendor| vendor.id.to_string() == id || vendor.name() == id);
    found.cloned()
}

/// Makes a vendor's binds anew: those that are up leave and come back, those that wait try at once. False when there is no such vendor.
pub fn reconnect(smpp: &Smpp, id: &str) -> bool {
    let Some(vendor) = find(smpp, id) else { return false };
    vendor.call_back();
    vendor.generation.fetch_add(1, Ordering::AcqRel);
    vendor.wake();
    vendor.reconnect.notify_waiters();
    true
}

/// Unbinds a vendor and stays away until [`reconnect`]. False when there is no such vendor.
pub fn disconnect(smpp: &Smpp, id: &str) -> bool {
    let Some(vendor) = find(smpp, id) else { return false };
    vendor.held_off.store(true, Ordering::Release);
    vendor.wake();
    true
}

/// Unbinds one bind of a vendor, which stays away until [`reconnect`]. False when there is no such bind.
pub fn disconnect_bind(smpp: &Smpp, id: &str, n: u32) -> bool {
    find(smpp, id).is_some_and(|vendor| vendor.hold_off(n))
}

/// Whether the node may be sent traffic.
///
/// # Errors
/// What is missing, for people.
pub fn ready(smpp: &Smpp) -> Result<(), String> {
    if smpp.draining.load(Ordering::Acquire) {
        return Err("the node is stopping".to_owned());
    }
    if !*smpp.recovered.borrow() {
        return Err("messages of the last run are being recovered".to_owned());
    }
    match smpp.log.health() {
        Health::Working => Ok(()),
        Health::Refusing => Err("the message log cannot commit".to_owned()),
        Health::Failed => Err("the disk of the message log failed".to_owned()),
    }
}

/// Brings the gauges up to date; called before metrics are rendered.
pub fn refresh(smpp: &Smpp) {
    let metrics = &smpp.metrics;
    let gauge = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
    metrics.log_depth.set(gauge(smpp.log.depth()));
    metrics.log_healthy.set(i64::from(smpp.log.health() == Health::Working));
    metrics.receipts_in_memory.set(gauge(smpp.receipts.len()));
    let mut depths = [0; LANES];
    for vendor in smpp.vendors.load().values() {
        let name = vendor.name();
        for (sum, depth) in depths.iter_mut().zip(vendor.queue.lock().depths()) {
            *sum += depth;
        }
        let (up, configured) = vendor.binds();
        metrics.connections.with_label_values(&[name.as_str(), "bound"]).set(gauge(up));
        metrics
            .connections
            .with_label_values(&[name.as_str(), "down"])
            .set(gauge(configured.saturating_sub(up)));
        metrics.throughput.with_label_values(&[&name]).set(vendor.throughput());
    }
    for (priority, depth) in depths.into_iter().enumerate() {
        metrics.queue_depth.with_label_values(&[&priority.to_string()]).set(gauge(depth));
    }
}
