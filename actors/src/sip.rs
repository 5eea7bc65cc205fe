//! Calls: who may send them and where they go.

pub mod acl;
pub mod cookie;
pub mod flow;
pub mod lcr;
