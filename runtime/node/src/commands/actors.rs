//! `warp actors`: the live tree.

use std::process::ExitCode;
use std::time::Duration;

use tokio::time::sleep;

use super::signals::Signals;
use crate::cli::Actors;
use crate::client::Endpoint;
use crate::failure::Failure;
use crate::terminal;

const REFRESH: Duration = Duration::from_secs(1);
const TREE: &str = "/v1/actors?format=text";

pub(crate) async fn run(arguments: Actors) -> Result<ExitCode, Failure> {
    let endpoint = Endpoint::of(&arguments.reach)?;
    if !arguments.watch {
        terminal::out(&endpoint.get(TREE).await?);
        return Ok(ExitCode::SUCCESS);
    }
    let mut signals = Signals::catch()?;
    loop {
        terminal::screen(&endpoint.get(TREE).await?);
        tokio::select! {
            () = sleep(REFRESH) => {}
            _ = signals.next() => return Ok(ExitCode::SUCCESS),
        }
    }
}
