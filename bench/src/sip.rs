//! SIP load: a simulated customer (UAC) and vendor (UAS), and the measurements that are made with them.

pub mod carriers;
pub mod load;
pub mod overload;
pub mod run;
pub mod search;
pub mod sipp;
pub mod subject;

mod counters;
mod datagrams;
mod dialog;
mod endpoint;
mod numbered;
mod outbox;
mod provision;
mod schedule;
mod socket;
mod tally;
mod templates;
mod uac;
mod uas;
