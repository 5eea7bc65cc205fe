//! SIP load: a simulated customer (UAC) and vendor (UAS), and the measurements that are made with them.

pub mod carriers;
pub mod load;
pub mod overload;
pub mod run;
pub mod search;
pub mod sipp;
pub mod subject;

pub(crate) mod endpoint;
pub(crate) mod outbox;
pub(crate) mod socket;

mod counters;
mod datagrams;
mod dialog;
mod numbered;
mod provision;
mod schedule;
mod tally;
mod templates;
mod uac;
mod uas;
