//! `warp calls` and `warp cdrs`: calls that live, and those that ended.

use std::process::ExitCode;
use std::time::Duration;

use tokio::time::sleep;

use super::signals::Signals;
use crate::cli::{Calls, Cdrs};
use crate::client::{Endpoint, escape};
use crate::failure::Failure;
use crate::terminal;

const REFRESH: Duration = Duration::from_secs(1);

pub(crate) async fn live(arguments: Calls) -> Result<ExitCode, Failure> {
    let endpoint = Endpoint::of(&arguments.reach)?;
    if let Some(id) = &arguments.hang_up {
        endpoint.delete(&format!("/v1/calls/{}", escape(id))).await?;
        terminal::out(&format!("{id} is being ended\n"));
        return Ok(ExitCode::SUCCESS);
    }
    let target = target("/v1/calls", arguments.limit, ("after", arguments.after.as_deref()));
    if !arguments.watch {
        terminal::out(&endpoint.get(&target).await?);
        return Ok(ExitCode::SUCCESS);
    }
    let mut signals = Signals::catch()?;
    loop {
        terminal::screen(&endpoint.get(&target).await?);
        tokio::select! {
            () = sleep(REFRESH) => {}
            _ = signals.next() => return Ok(ExitCode::SUCCESS),
        }
    }
}

pub(crate) async fn ended(arguments: Cdrs) -> Result<ExitCode, Failure> {
    let endpoint = Endpoint::of(&arguments.reach)?;
    let target = target("/v1/cdrs/recent", arguments.limit, ("before", arguments.before.as_deref()));
    terminal::out(&endpoint.get(&target).await?);
    Ok(ExitCode::SUCCESS)
}

/// A page as text, from where the one before ended.
fn target(path: &str, limit: u32, (name, id): (&str, Option<&str>)) -> String {
    let place = id.map(|id| format!("&{name}={}", escape(id))).unwrap_or_default();
    format!("{path}?format=text&limit={limit}{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages() {
        assert_eq!(target("/v1/calls", 10, ("after", None)), "/v1/calls?format=text&limit=10");
        assert_eq!(target("/x", 1, ("before", Some("a b"))), "/x?format=text&limit=1&before=a%20b");
    }
}
