//! `warp rotate cookie-key`, `warp rotate access-token-key` and `warp rotate root-key`: another key seals
//! cookies, signs access tokens, or seals everything that is sealed, made through the running node or, when
//! none runs, in the database itself.

use std::fmt::Display;
use std::process::ExitCode;

use api::provision::Target;
use api::rotation;
use runtime::config::Config;

use super::apply::{target, through_node};
use crate::cli::{RotateAccessTokenKey, RotateCookieKey, RotateRootKey};
use crate::client::escape;
use crate::data_dir::{Busy, DataDir};
use crate::failure::Failure;
use crate::terminal;

pub(crate) async fn cookie_key(arguments: RotateCookieKey) -> Result<ExitCode, Failure> {
    let (config, forced) = (arguments.place.load()?, arguments.force);
    let path = format!("/v1/control/rotate/cookie-key?format=text&force={forced}");
    rotate(&config, path, async |target| rotation::cookie_key(target, forced).await).await
}

pub(crate) async fn access_token_key(arguments: RotateAccessTokenKey) -> Result<ExitCode, Failure> {
    let (config, forced) = (arguments.place.load()?, arguments.force);
    let lifetime = config.auth.access_token.get();
    let path = format!("/v1/control/rotate/access-token-key?format=text&force={forced}");
    rotate(&config, path, async |target| rotation::access_token_key(target, lifetime, forced).await).await
}

pub(crate) async fn root_key(arguments: RotateRootKey) -> Result<ExitCode, Failure> {
    let (config, new_key_env) = (arguments.place.load()?, arguments.new_key_env);
    let new = new_key_env.as_deref().map(|name| format!("&new_key_env={}", escape(name)));
    let path = format!("/v1/control/rotate/root-key?format=text{}", new.unwrap_or_default());
    rotate(&config, path, async |target| rotation::root_key(target, new_key_env).await).await
}

/// By the running node, which is asked at `path`, or by `here` in its place.
async fn rotate<T: Display>(
    config: &Config,
    path: String,
    here: impl AsyncFnOnce(Target) -> Result<T, rotation::Error>,
) -> Result<ExitCode, Failure> {
    let data_dir = DataDir::new(&config.node.data_dir);
    let report = match data_dir.lock() {
        Ok(_lock) => {
            let target = target(config).await?;
            let store = target.store.clone();
            let rotated = here(target).await;
            store.close().await;
            rotated.map(|outcome| outcome.to_string()).map_err(Failure::run)
        }
        Err(Busy::Held(_)) => through_node(&data_dir, &path, String::new()).await,
        Err(Busy::Failed(failure)) => Err(failure),
    };
    terminal::out(&report?);
    Ok(ExitCode::SUCCESS)
}
