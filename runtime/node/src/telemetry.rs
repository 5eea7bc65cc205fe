//! Logs as the configuration wants them.

use runtime::config::{LogFormat, TelemetryOptions};
use runtime::telemetry::logs;

use crate::failure::Failure;

/// Logs to standard error from now on.
pub(crate) fn start(options: &TelemetryOptions) -> Result<(), Failure> {
    let format = match options.format {
        LogFormat::Human => logs::LogFormat::Human,
        LogFormat::Json => logs::LogFormat::Json,
    };
    logs::init(format, &options.filter).map_err(|error| Failure::usage(format!("telemetry.filter: {error}")))
}
