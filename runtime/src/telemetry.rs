//! What operators see: log lines, metrics, and what is kept out of both.

pub mod logs;
pub mod metrics;
pub mod redact;
