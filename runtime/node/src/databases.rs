//! The databases of a node, at the schema of this program.

use runtime::config::Config;
use runtime::store::{Db, Location, Part, migrate, pending_migrations};

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
        let log = open(config, Part::Log).await?;
        prepare(&log, Part::Log).await?;
        Ok(Self { store, log })
    }

    /// Opens both as they are.
    pub(crate) async fn open_unprepared(config: &Config) -> Result<Self, Failure> {
        Ok(Self { store: open(config, Part::Store).await?, log: open(config, Part::Log).await? })
    }

    /// Brings a part to the newest schema; gives the names of the migrations that ran.
    pub(crate) async fn migrate(&self, part: Part) -> Result<Vec<String>, Failure> {
        let db = self.of(part);
        let names = pending_migrations(db, part).await.map_err(Failure::run)?;
        migrate(db, part).await.map_err(Failure::run)?;
        Ok(names)
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
    let store = open(config, Part::Store).await?;
    prepare(&store, Part::Store).await?;
    Ok(store)
}

async fn open(config: &Config, part: Part) -> Result<Db, Failure> {
    let location = Location { url: config.store.url.expose(), data_dir: &config.node.data_dir };
    let opened = match part {
        Part::Store => Db::open_store(&location).await,
        Part::Log => Db::open_log(&location).await,
    };
    opened.map_err(|error| {
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
