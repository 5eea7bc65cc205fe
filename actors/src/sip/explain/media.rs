//! What carries the sound of a call that would go its way, told of the first hop that would be tried.

use std::time::Instant;

use super::super::number::digits;
use super::super::snapshot::{Snapshot, Trunk, Vendor};
use super::{Explanation, checks};
use crate::media::pool::Pool;

/// Which of equals a node is chosen for makes no difference to whether there is one.
const ANY_CALL: u128 = 0;

impl Explanation {
    /// The same with what media nodes would do. A call that would find none is refused, and not let past them.
    #[must_use]
    pub fn with_media(mut self, snapshot: &Snapshot, media: &Pool, now: Instant) -> Self {
        if self.outcome != super::ROUTE {
            return self;
        }
        let Some((trunk, vendor)) = self.sides(snapshot) else { return self };
        let check = checks::media(trunk, vendor, media, media.choose(ANY_CALL, &[], now).is_some());
        if !check.passed {
            self.outcome = format!("503 Service Unavailable: {}", check.detail);
        }
        self.checks.push(check);
        self
    }

    /// The customer's side and the vendor's of the first hop.
    fn sides<'s>(&self, snapshot: &'s Snapshot) -> Option<(&'s Trunk, &'s Vendor)> {
        let (trunk, vendor) = match self.candidates.iter().find(|one| one.passed_over.is_none()) {
            Some(first) => {
                let name = self.trunk.as_deref()?;
                (snapshot.trunks.iter().find(|trunk| trunk.config.name == name), first.vendor.as_str())
            }
            // An inbound call is for the trunk of its number.
            None => {
                let place = snapshot.did(digits(self.number.as_deref()?));
                (place.and_then(|place| snapshot.trunk(place)), self.vendor.as_deref()?)
            }
        };
        let vendor = snapshot.vendors.iter().find(|one| one.config.name == vendor);
        trunk.zip(vendor)
    }
}
