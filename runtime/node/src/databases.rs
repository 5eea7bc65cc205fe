//! The databases of a node, at the schema of this program.

use std::time::Duration;

use runtime::config::Config;
use runtime::store::{Db, Location, Part, PgLimits, migrate, pending_migrations, privileges};

use crate::failure::Failure;

/// Both databases; on PostgreSQL they are two pools of one.
pub(crate) struct Databases {
    /// Customers, accounts, vendors, routes.
    pub(crate) store: Db,
    /// Messages.
    pub(crate) log: Db,
}

impl Databases {
    /// Opens both for work. SQLite is brought to the newest schema at once: it is this node's alone.
    /// PostgreSQL may be others' too, so there an older schema is refused.
    pub(crate) async fn open(config: &Config) -> Result<Self, Failure> {
        let store = open_store(config).await?;
        let log = open(config, Part::Log, &config.store.limits()).await?;
        prepare(&log, Part::Log).await?;
        Ok(Self { store, log })
    }

    /// Opens both as they are, for migrations, whose statements may take long.
    pub(crate) async fn open_unprepared(config: &Config) -> Result<Self, Failure> {
        let limits = PgLimits { statement_timeout: Duration::ZERO, ..config.store.limits() };
        let (store, log) = (open(config, Part::Store, &limits), open(config, Part::Log, &limits));
        Ok(Self { store: store.await?, log: log.await? })
    }

    /// Brings a part to the newest schema; gives the names of the migrations that ran.
    pub(crate) async fn migrate(&self, part: Part) -> Result<Vec<String>, Failure> {
        let db = self.of(part);
        let names = pending_migrations(db, part).await.map_err(Failure::run)?;
        migrate(db, part).await.map_err(Failure::run)?;
        Ok(names)
    }

    /// Lets the nodes' role use the tables, where one is configured; gives its name.
    pub(crate) async fn grant<'a>(&self, config: &'a Config) -> Result<Option<&'a str>, Failure> {
        let role = config.store.runtime_role.as_str();
        if role.is_empty() || matches!(self.store, Db::Lite(_)) {
            return Ok(None);
        }
        let granted = privileges::grant(&self.store, role).await;
        granted.map_err(|error| Failure::run(format!("store.runtime_role {role:?}: {error}")))?;
        Ok(Some(role))
    }

    pub(crate) async fn close(&self) {
        self.store.close().await;
        self.log.close().await;
    }

    const fn of(&self, part: Part) -> &Db {
        match part {
            Part::Store => &self.store,
            Part::Log => &self.log,
        }
    }
}

/// The configuration database alone, ready for work.
pub(crate) async fn open_store(config: &Config) -> Result<Db, Failure> {
    let store = open(config, Part::Store, &config.store.limits()).await?;
    permitted(&store, &config.store.runtime_role).await?;
    prepare(&store, Part::Store).await?;
    Ok(store)
}

/// Refuses a role that may not use the tables, before a statement fails for it in the middle of work.
async fn permitted(store: &Db, runtime_role: &str) -> Result<(), Failure> {
    let (role, tables) = privileges::missing(store).await.map_err(Failure::run)?;
    if !tables.is_empty() {
        return Err(Failure::run(format!(
            "the PostgreSQL role {role:?} may not read and write {}: set store.runtime_role to it, and run `warp \
             migrate` as the role that owns the schema",
            tables.join(", ")
        )));
    }
    if !role.is_empty() && !runtime_role.is_empty() && role != runtime_role {
        tracing::warn!(role, runtime_role, "the node does not run in the role of store.runtime_role");
    }
    Ok(())
}

async fn open(config: &Config, part: Part, limits: &PgLimits) -> Result<Db, Failure> {
    let location = Location { url: config.store.url.expose(), data_dir: &config.node.data_dir };
    Db::open(&location, part, limits).await.map_err(|error| {
        if location.url.is_empty() {
            Failure::run(format!("database in {}: {error}", location.data_dir.display()))
        } else {
            Failure::run(format!("store.url: the PostgreSQL database cannot be reached: {error}"))
        }
    })
}

async fn prepare(db: &Db, part: Part) -> Result<(), Failure> {
    match db {
        Db::Lite(lite) => {
            migrate(db, part).await.map_err(Failure::run)?;
            if part == Part::Log
                && let Err(error) = lite.reserve_wal()
            {
                tracing::warn!(%error, "no room is reserved for the write-ahead log of the messages, commits take longer");
            }
            Ok(())
        }
        Db::Pg(_) => {
            let pending = pending_migrations(db, part).await.map_err(Failure::run)?;
            if pending.is_empty() {
                return Ok(());
            }
            let names = pending.join(", ");
            Err(Failure::run(format!(
                "the PostgreSQL database lacks migrations ({names}): run `warp migrate` with the same configuration"
            )))
        }
    }
}
