//! Media: the RTPEngine nodes that carry the sound of calls, and the way to them.
//!
//! A worker of calls asks the [`pool`] which node a call takes, has its thread send a command there, and goes on; the
//! command is sent again where nothing comes, and the answer is an input of the worker like any other. The node's actor
//! watches over the node, and asks it what no worker asks. Nothing here knows SIP.

pub mod account;
pub mod asking;
pub mod discovery;
pub mod exchange;
pub mod health;
pub mod load;
pub mod metrics;
pub mod pool;
pub mod release;
pub mod rendezvous;
pub mod rtpengine_node;
