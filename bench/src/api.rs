//! The REST interface under load: customers read and written over keep-alive connections, and how long a change takes
//! to be in force where calls are admitted.

mod client;
pub mod load;
mod messages;
pub mod propagation;
mod provision;
