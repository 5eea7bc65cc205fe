//! What carries SIP messages: datagrams, streams, names turned into addresses, and a mirror of it all.
//!
//! Datagrams belong to workers, each with a socket of its own; streams live on the main runtime, one task for
//! each connection. Neither knows what a message means: both give octets with their [`Flow`](super::flow::Flow)
//! to whom they were told, and take octets for a flow.

pub mod hep;
pub mod metrics;
pub mod resolver;
pub mod stream;
pub mod udp;
