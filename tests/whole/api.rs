//! The REST interface as programs use it, on the built program.

mod canary;
mod client;
mod contract;
mod edges;
mod effect;
mod google;
mod outage;
mod root_key;
mod schemathesis;
mod sessions;
mod tls;
mod token_keys;
mod types;
mod walk;
mod webhook;
