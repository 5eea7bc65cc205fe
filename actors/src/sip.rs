//! Calls: who may send them and where they go.

pub mod acl;
pub mod branch;
pub mod call_metrics;
pub mod calls;
pub mod configuration;
pub mod cookie;
pub mod counters;
pub mod dialog;
pub mod dialog_actor;
pub mod dialog_births;
pub mod event;
pub mod explain;
pub mod flood;
pub mod flow;
pub mod health;
pub mod lcr;
pub mod live_call;
pub mod live_list;
pub mod metrics;
pub mod names;
pub mod number;
pub mod prefixes;
pub mod routing;
pub mod session_timer;
pub mod settings;
pub mod snapshot;
#[cfg(test)]
pub(crate) mod testing;
pub mod toll_fraud;
pub mod transactions;
pub mod transport;
pub mod tree;
pub mod usage;
pub mod vendor_actor;
pub mod worker;
pub mod worker_thread;
