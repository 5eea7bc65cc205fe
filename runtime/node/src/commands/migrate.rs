//! `warp migrate`: the database at the schema of this program.

use std::process::ExitCode;

use runtime::store::Part;

use crate::cli::Place;
use crate::data_dir::DataDir;
use crate::databases::Databases;
use crate::failure::Failure;
use crate::terminal;

pub(crate) async fn run(place: Place) -> Result<ExitCode, Failure> {
    let config = place.load()?;
    // SQLite files are in it; for PostgreSQL, whose nodes may go on, it is not touched.
    let _lock = if config.store.url.expose().is_empty() {
        Some(DataDir::new(&config.node.data_dir).lock_or_refuse()?)
    } else {
        None
    };
    let databases = Databases::open_unprepared(&config).await?;
    let mut ran = Vec::new();
    for part in [Part::Store, Part::Log] {
        ran.extend(databases.migrate(part).await?);
    }
    let granted = databases.grant(&config).await?;
    let engine = databases.store.engine();
    databases.close().await;
    let report = match ran.as_slice() {
        [] => format!("{engine}: nothing to migrate\n"),
        names => format!("{engine}: migrated {}\n", names.join(", ")),
    };
    let granted = granted.map(|role| format!("{engine}: the role {role} may use the tables\n"));
    terminal::out(&(report + &granted.unwrap_or_default()));
    Ok(ExitCode::SUCCESS)
}
