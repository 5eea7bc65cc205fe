//! What each command does.

pub(crate) mod actors;
pub(crate) mod apply;
pub(crate) mod calls;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod explain;
pub(crate) mod migrate;
pub(crate) mod rotate;
pub(crate) mod serve;
mod signals;
