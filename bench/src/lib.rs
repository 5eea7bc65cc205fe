//! The load harness: simulated customers and vendors over real sockets, what they measured, and the same load
//! through other people's gateways.
//!
//! It stands outside the node: it knows protocols only, counts lost and duplicate messages from ids in its own
//! payloads at both ends, and never takes the node's word. `warp demo` drives the same simulators.
//!
//! The usual way in: a [`ledger::Ledger`], an [`smpp::smsc::Smsc`] and an [`smpp::esme::Esme`] that share it.

pub mod api;
pub mod cli;
pub mod histogram;
pub mod ledger;
pub mod marker;
pub mod media;
pub mod payload;
pub mod peer;
pub mod print;
pub mod process;
pub mod progress;
pub mod report;
pub mod rtpengine;
pub mod sip;
pub mod smpp;
pub mod subject;

mod hash;
mod http;
mod metrics_page;
mod net;
mod pace;
mod sampler;
mod wall;
mod wire;
