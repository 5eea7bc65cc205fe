//! `warp rotate cookie-key` and `warp rotate root-key`: another key seals cookies, or everything that is sealed, made
//! through the running node or, when none runs, in the database itself.

use std::process::ExitCode;

use api::rotation;

use super::apply::{target, through_node};
use crate::cli::{RotateCookieKey, RotateRootKey};
use crate::client::escape;
use crate::data_dir::{Busy, DataDir};
use crate::failure::Failure;
use crate::terminal;

pub(crate) async fn cookie_key(arguments: RotateCookieKey) -> Result<ExitCode, Failure> {
    let config = arguments.place.load()?;
    let data_dir = DataDir::new(&config.node.data_dir);
    let report = match data_dir.lock() {
        Ok(_lock) => {
            let target = target(&config).await?;
            let store = target.store.clone();
            let rotated = rotation::cookie_key(target, arguments.force).await;
            store.close().await;
            rotated.map(|outcome| outcome.to_string()).map_err(Failure::run)
        }
        Err(Busy::Held(_)) => {
            let path = format!("/v1/control/rotate/cookie-key?format=text&force={}", arguments.force);
            through_node(&data_dir, &path, String::new()).await
        }
        Err(Busy::Failed(failure)) => Err(failure),
    };
    terminal::out(&report?);
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn root_key(arguments: RotateRootKey) -> Result<ExitCode, Failure> {
    let config = arguments.place.load()?;
    let data_dir = DataDir::new(&config.node.data_dir);
    let report = match data_dir.lock() {
        Ok(_lock) => {
            let target = target(&config).await?;
            let store = target.store.clone();
            let rotated = rotation::root_key(target, arguments.new_key_env).await;
            store.close().await;
            rotated.map(|outcome| outcome.to_string()).map_err(Failure::run)
        }
        Err(Busy::Held(_)) => {
            let new = arguments.new_key_env.map(|name| format!("&new_key_env={}", escape(&name)));
            let path = format!("/v1/control/rotate/root-key?format=text{}", new.unwrap_or_default());
            through_node(&data_dir, &path, String::new()).await
        }
        Err(Busy::Failed(failure)) => Err(failure),
    };
    terminal::out(&report?);
    Ok(ExitCode::SUCCESS)
}
