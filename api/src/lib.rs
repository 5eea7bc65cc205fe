//! The REST interface: operators and programs see and change a node through it.
//!
//! A request goes [`server`] (accept loop) -> [`dispatch`] (route table, token, body) -> one file per resource
//! under [`routes`] -> the actors' handles or the store. Three sockets carry it: the API port (with a token),
//! the metrics port (`/metrics` alone), and `control.sock` in the data directory, which only the node's own
//! user can open and which therefore asks for no token.
//!
//! This crate knows no SMPP, no SQL text and nothing of the command line.

mod context;
mod dispatch;
mod metrics;
mod problem;
pub mod provision;
mod reply;
mod request;
pub mod rotation;
mod routes;
mod server;
mod socket;
mod table;
pub mod token;
pub mod tree;

#[cfg(test)]
mod testing;

pub use self::context::{Api, Parts};
