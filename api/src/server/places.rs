//! How many connections there may be: all together, and from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use runtime::model::Cidr;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// The places of a surface; its listeners share them.
pub(crate) struct Places {
    all: Arc<Semaphore>,
    per_address_max: u32,
    /// Proxies, behind which many are.
    unlimited: Vec<Cidr>,
    taken: Mutex<HashMap<IpAddr, u32>>,
}

/// One of an address's places, until dropped.
pub(super) struct AddressPlace(Option<(Arc<Places>, IpAddr)>);

impl Places {
    /// So many in all, and so many of one address unless it lies in one of the networks.
    pub(crate) fn new(connections_max: u32, per_address_max: u32, unlimited: &[Cidr]) -> Arc<Self> {
        let all = usize::try_from(connections_max.max(1)).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            all: Arc::new(Semaphore::new(all)),
            per_address_max,
            unlimited: unlimited.to_vec(),
            taken: Mutex::default(),
        })
    }

    /// A place among all, as soon as there is one.
    pub(super) async fn any(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        Arc::clone(&self.all).acquire_owned().await
    }

    /// A place among those of an address; none when all of these are taken. Who has no address has no limit.
    pub(super) fn of(self: &Arc<Self>, peer: Option<SocketAddr>) -> Option<AddressPlace> {
        let limited = |address: &IpAddr| !self.unlimited.iter().any(|network| network.contains(*address));
        let Some(address) = peer.map(|peer| peer.ip().to_canonical()).filter(limited) else {
            return Some(AddressPlace(None));
        };
        let key = subscriber(address);
        let mut taken = self.taken.lock();
        let count = taken.get(&key).copied().unwrap_or(0);
        if count >= self.per_address_max {
            return None;
        }
        taken.insert(key, count + 1);
        Some(AddressPlace(Some((Arc::clone(self), key))))
    }
}

/// In IPv6 whoever has one address has the 2^64 of its network.
fn subscriber(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let Some((places, key)) = self.0.take() else { return };
        let mut taken = places.taken.lock();
        match taken.get_mut(&key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => _ = taken.remove(&key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_an_address() {
        let places = Places::new(10, 2, &["192.0.2.0/24".parse().unwrap()]);
        let of = |address: &str| places.of(Some(SocketAddr::new(address.parse().unwrap(), 1)));
        let held = [of("198.51.100.1"), of("198.51.100.1")];
        assert!(held.iter().all(Option::is_some));
        for (address, free) in [
            ("198.51.100.1", false),
            ("::ffff:198.51.100.1", false),
            ("198.51.100.2", true),
            // A proxy.
            ("192.0.2.7", true),
        ] {
            assert_eq!(of(address).is_some(), free, "{address}");
        }
        let _net = [of("2001:db8::1"), of("2001:db8::2")];
        assert!(of("2001:db8::3").is_none());
        assert!(of("2001:db8:0:1::3").is_some());
        let _many: Vec<_> = (0..5).map(|_| of("192.0.2.7").unwrap()).collect();
        assert!(places.of(None).is_some());
        drop(held);
        assert!(of("198.51.100.1").is_some());
    }

    #[test]
    fn nothing_is_kept_of_those_who_went() {
        let places = Places::new(10, 2, &[]);
        let peer = Some(SocketAddr::from(([192, 0, 2, 1], 1)));
        let both = [places.of(peer), places.of(peer)];
        assert_eq!(places.taken.lock().len(), 1);
        drop(both);
        assert!(places.taken.lock().is_empty());
    }
}
