//! Messages that wait for a vendor that does not come: another vendor of their routes takes them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use crate::smpp::Smpp;
use crate::smpp::accept::{live_route, move_to_live, reroute_or_end};
use crate::smpp::vendor::Vendor;

/// A vendor is down for this long before its messages go elsewhere: binds break and come back.
const DOWN_FOR: Duration = Duration::from_secs(5);
/// Messages moved at one time, so that others are not held up.
const SLICE: usize = 500;
/// Messages of one queue that are looked at.
const SEEN_MAX: usize = 20_000;

/// Looks at every queue once. What cannot move stays and waits for its vendor or its deadline; only messages of
/// a vendor that left the configuration end here when no route is left.
pub(super) fn move_on(smpp: &Smpp, now: Instant) {
    let gone: Vec<Arc<Vendor>> = smpp.gone.lock().clone();
    for message in gone.iter().flat_map(|vendor| vendor.extract(|_| true)) {
        reroute_or_end(smpp, message);
    }
    drop(gone);
    // The last of its binds may put messages back while it ends.
    smpp.gone.lock().retain(|vendor| Arc::strong_count(vendor) > 1);
    for vendor in smpp.vendors.load().values() {
        if is_down(vendor, now) && !vendor.queue.lock().is_empty() {
            move_from(smpp, vendor);
        }
    }
}

/// True when the vendor takes nothing, and has not for a while or is not to.
fn is_down(vendor: &Vendor, now: Instant) -> bool {
    let mut down_since = vendor.down_since.lock();
    if vendor.is_up() {
        *down_since = None;
        return false;
    }
    let since = *down_since.get_or_insert(now);
    let away = !vendor.config.load().active || vendor.held_off.load(Ordering::Acquire);
    away || now.duration_since(since) >= DOWN_FOR
}

fn move_from(smpp: &Smpp, vendor: &Vendor) {
    let (mut seen, mut wanted) = (0, 0);
    // Parts of one message stay together, and where they are.
    let messages = vendor.extract(|message| {
        seen += 1;
        let moves = message.row.parent.is_none()
            && seen <= SEEN_MAX
            && wanted < SLICE
            && live_route(smpp, message).is_some();
        wanted += usize::from(moves);
        moves
    });
    let moved = messages.len();
    for message in messages {
        if let Err(message) = move_to_live(smpp, message) {
            vendor.requeue(vec![message]);
        }
    }
    if moved > 0 {
        tracing::info!(vendor = vendor.name(), moved, "messages moved to vendors that are up");
    }
}
