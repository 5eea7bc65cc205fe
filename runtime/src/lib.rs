//! What every actor of the carrier stands on: supervision, names, configuration, telemetry, time, network,
//! store and message log.
//!
//! This crate knows no protocol, no actor of the carrier and no web framework.

pub mod clock;
pub mod config;
pub mod http_client;
pub mod log;
pub mod model;
pub mod net;
pub mod password;
pub mod random;
pub mod registry;
mod schema;
pub mod seal;
pub mod store;
pub mod supervision;
pub mod telemetry;
pub mod tls;
pub mod webhook;
