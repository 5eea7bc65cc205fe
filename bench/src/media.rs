//! Media nodes under load: what one carries on the ng protocol, and what calls cost that are anchored on some.
//!
//! The node's own ng client is not known here. What it costs shows in calls: with and without media nodes.

pub mod calls;
pub mod ng;
pub mod nodes;

mod client;
