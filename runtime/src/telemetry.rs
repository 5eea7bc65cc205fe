//! What operators see: log lines and metrics.

pub mod logs;
pub mod metrics;
pub mod redact;
