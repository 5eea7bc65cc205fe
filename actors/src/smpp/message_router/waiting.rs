//! Messages that wait for a vendor that does not come: another vendor of their routes takes them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::smpp::Smpp;
use crate::smpp::accept::{move_to, reroute_or_end, route_to};
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
    smpp.gone.lock().retain(|vendor| Arc::strong_count(vendor) > 1 || !vendor.queue.lock().is_empty());
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
    // Asked before the queue is locked: a vendor's locks are not taken under those of another.
    let others = smpp.vendors.load();
    let others = others.values().filter(|other| other.id != vendor.id && other.is_up() && !other.is_full(1));
    let up: HashSet<Uuid> = others.map(|other| other.id).collect();
    if up.is_empty() {
        return;
    }
    let (mut seen, mut routes) = (0, Vec::new());
    // Parts of one message stay together, and where they are.
    let messages = vendor.extract(|message| {
        seen += 1;
        if message.row.parent.is_some() || seen > SEEN_MAX || routes.len() >= SLICE {
            return false;
        }
        let route = route_to(smpp, message, &up);
        let moves = route.is_some();
        routes.extend(route);
        moves
    });
    let moved = messages.len();
    // Each goes to the head of its new queue, so the last goes first.
    for (message, route) in messages.into_iter().zip(routes).rev() {
        if let Err(message) = move_to(smpp, message, &route) {
            vendor.requeue(vec![message]);
        }
    }
    if moved > 0 {
        tracing::info!(vendor = vendor.name(), moved, "messages moved to vendors that are up");
    }
}

#[cfg(test)]
mod tests {
    use runtime::model::{Messaging, Vendor as Config};

    use super::*;
    use crate::smpp::message_router::install;
    use crate::smpp::routing::tests::{route, vendor};
    use crate::smpp::testing;

    fn queued(vendor: &Vendor) -> usize {
        vendor.queue.lock().len()
    }

    /// Vendors 1 and 2 with a route each, 2 the dearer; three messages wait for 1, one of them in a bind's line.
    fn waiting(vendors: Vec<Config>) -> (Arc<Smpp>, Arc<Vendor>, Arc<Vendor>) {
        let (smpp, _disk) = testing::smpp(testing::config());
        let routes = vec![route("a", "", 1), runtime::model::Route { priority: 9, ..route("b", "", 2) }];
        install(&smpp, Messaging { vendors, routes, ..testing::config() });
        let known = |n| smpp.vendor(Uuid::from_u128(n)).unwrap();
        let (first, second) = (known(1), known(2));
        for id in 1..=2 {
            first.enqueue(vec![testing::message(id)]).unwrap();
        }
        first.slot(0, Instant::now()).inbox.lock().next.push_back(testing::message(3));
        (smpp, first, second)
    }

    #[tokio::test]
    async fn messages_of_a_vendor_that_stays_down_go_to_one_that_is_up() {
        let (smpp, first, second) = waiting(vec![vendor(1), vendor(2)]);
        let now = Instant::now();
        move_on(&smpp, now);
        move_on(&smpp, now + DOWN_FOR);
        assert_eq!((queued(&first), queued(&second)), (2, 0), "nobody is up");
        second.slot(0, now).inbox.lock().open = true;
        move_on(&smpp, now + DOWN_FOR);
        assert_eq!((queued(&first), queued(&second)), (0, 3));
        let order: Vec<i64> = second.extract(|_| true).iter().map(|message| message.row.id).collect();
        assert_eq!(order, [1, 2, 3]);
    }

    #[tokio::test]
    async fn each_message_goes_where_its_own_routes_lead() {
        let (smpp, first, second) = waiting(vec![vendor(1), vendor(2), vendor(3)]);
        let dearer = |route| runtime::model::Route { priority: 9, ..route };
        let routes = vec![route("a", "", 1), dearer(route("b", "1555", 2)), dearer(route("c", "1666", 3))];
        let vendors = vec![vendor(1), vendor(2), vendor(3)];
        install(&smpp, Messaging { vendors, routes, ..testing::config() });
        let third = smpp.vendor(Uuid::from_u128(3)).unwrap();
        for (id, destination) in [(4, "16660001111"), (5, "17770001111"), (6, "16660002222")] {
            let mut message = testing::message(id);
            message.row.destination = destination.into();
            first.enqueue(vec![message]).unwrap();
        }
        let now = Instant::now();
        for vendor in [&second, &third] {
            vendor.slot(0, now).inbox.lock().open = true;
        }
        move_on(&smpp, now);
        move_on(&smpp, now + DOWN_FOR);
        let ids = |vendor: &Vendor| {
            vendor.extract(|_| true).iter().map(|message| message.row.id).collect::<Vec<i64>>()
        };
        assert_eq!((ids(&first), ids(&second), ids(&third)), (vec![5], vec![1, 2, 3], vec![4, 6]));
    }

    #[tokio::test]
    async fn an_inactive_vendor_is_not_waited_for_and_one_that_is_up_keeps_its_own() {
        let (smpp, first, second) = waiting(vec![Config { active: false, ..vendor(1) }, vendor(2)]);
        second.slot(0, Instant::now()).inbox.lock().open = true;
        move_on(&smpp, Instant::now());
        assert_eq!((queued(&first), queued(&second)), (0, 3));
        move_on(&smpp, Instant::now() + DOWN_FOR * 2);
        assert_eq!(queued(&second), 3);
    }

    #[tokio::test]
    async fn a_vendor_that_left_the_configuration_leaves_nothing_behind() {
        let (smpp, first, second) = waiting(vec![vendor(1), vendor(2)]);
        let routes = vec![route("b", "", 2)];
        install(&smpp, Messaging { vendors: vec![vendor(2)], routes, ..testing::config() });
        move_on(&smpp, Instant::now());
        assert_eq!((queued(&first), queued(&second)), (0, 3));
        assert_eq!(smpp.gone.lock().len(), 1, "a bind of it may still put something back");
        drop(first);
        move_on(&smpp, Instant::now());
        assert!(smpp.gone.lock().is_empty());
    }
}
