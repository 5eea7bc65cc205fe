//! Calls: who may send them and where they go.

pub mod acl;
pub mod branch;
pub mod cookie;
pub mod counters;
pub mod dialog;
pub mod event;
pub mod flow;
pub mod lcr;
pub mod number;
pub mod prefixes;
pub mod routing;
pub mod settings;
pub mod snapshot;
#[cfg(test)]
pub(crate) mod testing;
pub mod transactions;
pub mod usage;
pub mod worker;
