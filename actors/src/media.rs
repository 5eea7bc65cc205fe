//! Media: the RTPEngine nodes that carry the sound of calls, and the way to them.
//!
//! A worker of calls asks the [`pool`] which node a call takes, hands it a command and goes on; the node's actor sends
//! it, sends it again where nothing comes, and gives the answer back to the worker as an input like any other. Nothing
//! here knows SIP.

pub mod discovery;
pub mod exchange;
pub mod health;
pub mod metrics;
pub mod pool;
pub mod release;
pub mod rendezvous;
pub mod rtpengine_node;
