//! Other people's gateways under the same load, each at its best.

pub mod kamailio;
pub mod kannel;
