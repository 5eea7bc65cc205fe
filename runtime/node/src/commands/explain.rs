//! `warp explain`: which way a message or a call would go, and why.

use std::process::ExitCode;

use crate::cli::{ExplainCall, ExplainSms};
use crate::client::{Endpoint, escape};
use crate::failure::Failure;
use crate::terminal;

pub(crate) async fn sms(arguments: ExplainSms) -> Result<ExitCode, Failure> {
    let endpoint = Endpoint::of(&arguments.reach)?;
    let target = format!(
        "/v1/explain/sms?format=text&system_id={}&from={}&to={}",
        escape(&arguments.system_id),
        escape(&arguments.from),
        escape(&arguments.to)
    );
    terminal::out(&endpoint.get(&target).await?);
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn call(arguments: ExplainCall) -> Result<ExitCode, Failure> {
    let endpoint = Endpoint::of(&arguments.reach)?;
    let target = format!(
        "/v1/explain/call?format=text&from={}&to={}&source={}&transport={}",
        escape(&arguments.from),
        escape(&arguments.to),
        escape(&arguments.source),
        escape(&arguments.transport)
    );
    terminal::out(&endpoint.get(&target).await?);
    Ok(ExitCode::SUCCESS)
}
