//! `warp apply FILE`: what the file says becomes true, through the running node or, when none runs, in the
//! database itself.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use api::provision::{self, Target};
use runtime::clock::SystemClock;
use runtime::config::Config;
use runtime::seal::RootKey;
use runtime::store::announce::Announcements;
use runtime::store::provisioning::{Error, Stir};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::cli::Apply;
use crate::client::Endpoint;
use crate::data_dir::{Busy, DataDir};
use crate::databases;
use crate::failure::Failure;
use crate::terminal;

/// How long a node that holds the data directory may take to open its control socket.
const STARTING_MAX: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(crate) async fn run(arguments: Apply) -> Result<ExitCode, Failure> {
    let file = arguments.file.display().to_string();
    let document = std::fs::read_to_string(&arguments.file)
        .map_err(|error| Failure::usage(format!("{file}: {error}")))?;
    let config = arguments.place.load()?;
    let data_dir = DataDir::new(&config.node.data_dir);
    let report = match data_dir.lock() {
        Ok(_lock) => alone(&config, document, arguments.dry_run).await,
        Err(Busy::Held(_)) => {
            let path = format!("/v1/control/apply?format=text&dry_run={}", arguments.dry_run);
            through_node(&data_dir, &path, document).await
        }
        Err(Busy::Failed(failure)) => Err(failure),
    };
    let report = report.map_err(|failure| match failure {
        Failure::Usage(reason) => Failure::Usage(format!("{file}: {reason}")),
        Failure::Run(reason) => Failure::Run(reason),
    })?;
    terminal::out(&report);
    Ok(ExitCode::SUCCESS)
}

/// Under the lock, so that no node starts meanwhile.
async fn alone(config: &Config, document: String, dry_run: bool) -> Result<String, Failure> {
    let target = target(config).await?;
    let store = target.store.clone();
    let applied = provision::apply(target, document, dry_run).await;
    store.close().await;
    applied.map(|outcome| outcome.to_string()).map_err(|error| match error {
        Error::Store(error) => Failure::run(format!("the database refused: {error}")),
        Error::Changed => Failure::run(Error::Changed),
        refused @ (Error::Form(_)
        | Error::Value { .. }
        | Error::Unknown { .. }
        | Error::Twice { .. }
        | Error::NoPassword { .. }
        | Error::Sealed(_)) => Failure::usage(refused),
    })
}

/// The database of a node that does not run.
pub(super) async fn target(config: &Config) -> Result<Target, Failure> {
    let root_key = RootKey::load(config.node.root_key_source()).map_err(Failure::run)?;
    Ok(Target {
        store: databases::open_store(config).await?,
        root_key: Arc::new(root_key),
        clock: Arc::new(SystemClock),
        turn: Arc::new(Mutex::new(())),
        announcements: Announcements::default(),
        speaks_sip: !config.sip.listen.is_empty(),
        stir: Stir {
            signs: is_given(&config.stir.key_file),
            believes: is_given(&config.stir.authorities_file),
        },
    })
}

fn is_given(path: &Path) -> bool {
    !path.as_os_str().is_empty()
}

/// What the node answers that holds the data directory.
pub(super) async fn through_node(data_dir: &DataDir, path: &str, body: String) -> Result<String, Failure> {
    let socket = data_dir.control_socket();
    let deadline = Instant::now() + STARTING_MAX;
    while !socket.exists() && Instant::now() < deadline {
        sleep(LOOK_EVERY).await;
    }
    Endpoint::Control(socket).post(path, body).await
}
