//! What the configuration of voice asks of media nodes, where none can do it.

use super::snapshot::Snapshot;
use crate::media::pool::Pool;

/// What is asked for in vain, or refused.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unanchored {
    /// Without any node, sides are not to be shown each other: descriptions of sessions show them all the same.
    shown: bool,
    /// Without any node, calls are to be recorded.
    unrecorded: bool,
    /// There are nodes, and none that the configuration gives calls to.
    refused: bool,
}

impl Unanchored {
    /// What is so by now.
    pub fn of(snapshot: &Snapshot, media: &Pool) -> Self {
        let (trunks, vendors) = (&snapshot.trunks, &snapshot.vendors);
        let is_past = media.is_empty();
        Self {
            shown: is_past
                && (trunks.iter().any(|trunk| trunk.config.hide_topology)
                    || vendors.iter().any(|vendor| vendor.config.hide_topology)),
            unrecorded: is_past
                && (trunks.iter().any(|trunk| trunk.media.recording)
                    || vendors.iter().any(|vendor| vendor.media.recording)),
            refused: media.is_closed(),
        }
    }

    /// Says what was not so before.
    pub fn say_after(&self, before: &Self) {
        if self.shown && !before.shown {
            tracing::warn!(
                "hide_topology hides no address in SDP as long as there is no media node: configure one"
            );
        }
        if self.unrecorded && !before.unrecorded {
            tracing::warn!("recording records nothing as long as there is no media node: configure one");
        }
        if self.refused && !before.refused {
            tracing::warn!(
                "every media node is DISABLED, DRAINING or of weight 0: calls that are to be anchored are refused"
            );
        }
    }
}

#[cfg(test)]
mod tests;
