//! The store: PostgreSQL, or SQLite embedded, behind one SQL text.
//!
//! Statements are written once, for PostgreSQL, with the schema before the table name. SQLite has no
//! schemas: there `messaging.vendors` is the table `messaging_vendors`, and [`Sql::lite`] makes the change.
//! Times are made by the program, never by the database, and are rounded to microseconds.
//!
//! SQLite has one writer connection; readers have their own pool. Every write transaction of
//! several statements begins with `BEGIN IMMEDIATE`: a deferred one fails on the lock upgrade whatever the busy timeout.

pub mod announce;
pub mod audit;
pub mod auth;
mod bulk;
pub mod cookie_key;
pub mod customer;
pub mod dashboard;
pub mod dedicated_ip;
pub mod did;
mod error;
pub mod esme_account;
pub mod group;
pub mod high_cost;
pub mod media_node;
pub mod messaging;
pub mod messaging_config;
mod migrate;
pub mod partition;
pub mod privileges;
pub mod provisioning;
pub mod registration;
pub mod root_key;
pub mod sms_route;
pub mod sms_vendor;
pub(crate) mod sql;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod trunk;
pub mod trunk_credential;
pub mod trunk_ip;
pub mod vendor_account;
pub mod version;
pub mod voice;
pub mod voice_rate;
pub mod voice_vendor;
pub mod webhook;

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Connection, Executor};
use tokio::time::timeout;

pub(crate) use self::bulk::{Bulk, execute_rows};
pub use self::error::{Error, Kind as ErrorKind};
pub use self::migrate::{Part, pending as pending_migrations, run as migrate};
pub use self::sql::{Sql, Tx};
pub(crate) use self::sql::{
    containing, execute, fetch_all, fetch_optional, statements, tx_all, tx_optional, without_schemas,
};

const LITE_READERS_MAX: u32 = 4;
const LITE_BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Pages (4 KiB) of write-ahead log after which the writer itself copies them into the file, within a commit.
/// SQLite's 1,000 are reached several times a second by the message log, which has them copied beside its
/// commits long before this. The write-ahead log starts again from its beginning after it: this is its bound.
const LITE_CHECKPOINT_PAGES: &str = "16384";
/// Octets that the write-ahead log keeps on the disk when it starts again.
const LITE_WAL_KEPT: u64 = 64 << 20;
/// KiB of pages that the writer may hold (negative: KiB, not pages).
const LITE_WRITER_CACHE: &str = "-65536";

/// One database, either engine.
#[derive(Debug, Clone)]
pub enum Db {
    /// PostgreSQL 15 or newer.
    Pg(PgPool),
    /// One SQLite file.
    Lite(Lite),
}

/// The pools of one SQLite file.
#[derive(Debug, Clone)]
pub struct Lite {
    /// The only connection that writes.
    pub write: SqlitePool,
    /// Connections that only read.
    pub read: SqlitePool,
    /// One connection, opened when it is first used, that copies the write-ahead log into the file.
    pub checkpoint: SqlitePool,
    /// The write-ahead log.
    wal: PathBuf,
}

/// Where a node keeps its data.
#[derive(Debug, Clone)]
pub struct Location<'a> {
    /// `postgres://…`, or empty for SQLite in `data_dir`.
    pub url: &'a str,
    /// Directory of the SQLite files; must exist.
    pub data_dir: &'a Path,
}

/// What a node may take of PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PgLimits {
    /// Connections, all pools together; small databases allow few.
    pub connections_max: u32,
    /// Time for the first connection, and for one of the pool to become free.
    pub acquire_timeout: Duration,
    /// Time for one statement, after which the server gives it up; zero is no limit.
    pub statement_timeout: Duration,
}

impl Default for PgLimits {
    fn default() -> Self {
        Self {
            connections_max: 8,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(60),
        }
    }
}

impl PgLimits {
    /// A part's share of the connections: the log writes all the time and has the odd one.
    fn share(&self, part: Part) -> u32 {
        let store = self.connections_max / 2;
        match part {
            Part::Store => store.max(1),
            Part::Log => self.connections_max.saturating_sub(store).max(1),
        }
    }
}

impl Db {
    /// Opens the configuration database (customers, accounts, trunks, vendors, routes, rates). Like the log it is synchronous
    /// at every commit on SQLite: acknowledged messages refer to its ids.
    ///
    /// # Errors
    /// When the server cannot be reached, or the file cannot be opened.
    pub async fn open_store(location: &Location<'_>) -> Result<Self, Error> {
        Self::open(location, Part::Store, &PgLimits::default()).await
    }

    /// Opens the database of the message log. On SQLite it is a file of its own.
    ///
    /// # Errors
    /// As [`Db::open_store`].
    pub async fn open_log(location: &Location<'_>) -> Result<Self, Error> {
        Self::open(location, Part::Log, &PgLimits::default()).await
    }

    /// Opens the database of one part, with these limits where it is PostgreSQL.
    ///
    /// # Errors
    /// As [`Db::open_store`].
    pub async fn open(location: &Location<'_>, part: Part, limits: &PgLimits) -> Result<Self, Error> {
        if location.url.is_empty() {
            let file = match part {
                Part::Store => "warp.db",
                Part::Log => "log.db",
            };
            Ok(Self::Lite(Lite::open(&location.data_dir.join(file)).await?))
        } else {
            let options = PgConnectOptions::from_str(location.url).map_err(Error::from)?;
            let options = options.application_name("warp");
            reach(&options, limits.acquire_timeout).await?;
            // By a statement: poolers between refuse it among the parameters of a connection's start.
            let timeout = format!("SET statement_timeout = {}", limits.statement_timeout.as_millis());
            let timeout: Arc<str> = timeout.into();
            let pool = PgPoolOptions::new()
                .max_connections(limits.share(part))
                .acquire_timeout(limits.acquire_timeout)
                .after_connect(move |connection, _| {
                    let timeout = Arc::clone(&timeout);
                    Box::pin(async move {
                        connection.execute(sqlx::raw_sql(AssertSqlSafe(timeout))).await.map(drop)
                    })
                })
                .connect_with(options)
                .await?;
            Ok(Self::Pg(pool))
        }
    }

    /// Begins a write transaction.
    ///
    /// # Errors
    /// When no connection is to be had in time.
    pub async fn begin(&self) -> Result<Tx, Error> {
        Ok(match self {
            Self::Pg(pool) => Tx::Pg(pool.begin().await?),
            Self::Lite(lite) => Tx::Lite(lite.write.begin_with("BEGIN IMMEDIATE").await?),
        })
    }

    /// Name for people: `PostgreSQL` or `SQLite`.
    #[must_use]
    pub const fn engine(&self) -> &'static str {
        match self {
            Self::Pg(_) => "PostgreSQL",
            Self::Lite(_) => "SQLite",
        }
    }

    /// Closes every connection; SQLite folds its write-ahead log back into the file.
    pub async fn close(&self) {
        match self {
            Self::Pg(pool) => pool.close().await,
            Self::Lite(lite) => {
                lite.read.close().await;
                lite.checkpoint.close().await;
                lite.write.close().await;
            }
        }
    }
}

/// Connects once outside the pool, which would keep trying and then say no more than that it took too long.
async fn reach(options: &PgConnectOptions, patience: Duration) -> Result<(), Error> {
    let place = format!("{}:{}", options.get_host(), options.get_port());
    match timeout(patience, PgConnection::connect_with(options)).await {
        Ok(Ok(connection)) => Ok(connection.close().await?),
        Ok(Err(error)) => {
            let error = Error::from(error);
            Err(Error::new(error.kind(), format!("{place}: {error}")))
        }
        Err(_) => {
            let text = format!("{place}: no answer within {patience:?}");
            Err(Error::new(ErrorKind::Unavailable, text))
        }
    }
}

impl Lite {
    /// Fills the write-ahead log up with zeros to the length that it keeps. A sync of octets that have their place
    /// on the disk changes no length of a file and takes half the time (ext4: 0.23 instead of 0.40 ms). SQLite reads
    /// the log up to the first frame whose salt and checksum are not the log's; zeros are no frame. For a start, when
    /// nothing is written yet.
    ///
    /// # Errors
    /// A full disk, as a rule; the log works without, only slower.
    pub fn reserve_wal(&self) -> io::Result<()> {
        let mut wal = OpenOptions::new().append(true).open(&self.wal)?;
        let length = wal.metadata()?.len();
        let zeros = io::repeat(0).take(LITE_WAL_KEPT.saturating_sub(length));
        let reserved = io::copy(&mut { zeros }, &mut wal).and_then(|_| wal.sync_data());
        if reserved.is_err() {
            // What there is of room is for messages.
            wal.set_len(length)?;
        }
        reserved
    }

    async fn open(path: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(LITE_BUSY_TIMEOUT)
            .statement_cache_capacity(200)
            .pragma("temp_store", "memory")
            .pragma("journal_size_limit", LITE_WAL_KEPT.to_string());
        let writer = options
            .clone()
            .pragma("wal_autocheckpoint", LITE_CHECKPOINT_PAGES)
            .pragma("cache_size", LITE_WRITER_CACHE);
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            // SQLite rolls back by itself when the disk is full; the driver then believes for ever that the
            // transaction goes on, and begins no other. Such a connection is closed and another opened.
            .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
            .connect_with(writer)
            .await?;
        let checkpoint = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(0)
            .connect_lazy_with(options.clone().create_if_missing(false));
        let read = SqlitePoolOptions::new()
            .max_connections(LITE_READERS_MAX)
            .min_connections(0)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await?;
        let mut wal = path.as_os_str().to_owned();
        wal.push("-wal");
        Ok(Self { write, read, checkpoint, wal: wal.into() })
    }
}
