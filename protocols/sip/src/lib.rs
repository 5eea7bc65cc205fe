//! SIP (RFC 3261): transactions, their timers and a proxy's decisions, all functions of their arguments.

pub mod method;
pub mod proxy;
pub mod status;
pub mod timer_wheel;
pub mod transaction;

pub use method::Method;
pub use status::StatusCode;
