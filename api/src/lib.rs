//! The REST interface: operators and programs see and change a node through it.
//!
//! A request goes [`server`] (accept loop) -> [`dispatch`] (route table, token, permission, body) -> one file per
//! resource under [`routes`] -> the actors' handles or the store, which is written by [`write`]. Three kinds of sockets
//! carry it: the API ports (with a token), the metrics port (`/metrics` alone), and `control.sock` in the data directory,
//! which only the node's own user can open and which therefore asks for no token.
//!
//! This crate knows no SMPP, no SQL text and nothing of the command line.

mod auth;
mod batch;
mod check;
mod context;
mod cors;
mod customers;
mod dispatch;
mod follower;
mod last_hour;
mod limits;
mod mail;
mod mailer;
mod metrics;
pub mod openapi;
mod permission;
mod problem;
pub mod provision;
mod query;
mod records;
mod removal;
mod reply;
mod request;
pub mod rotation;
mod routes;
mod sending;
mod server;
mod socket;
mod table;
pub mod token;
pub mod tree;
mod write;

#[cfg(test)]
mod testing;

pub use self::context::{Api, Parts};
