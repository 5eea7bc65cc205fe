//! Statements and the few macros that run one expression on either engine.

use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use sqlx::{Postgres, Sqlite, Transaction};
use tokio::time::timeout;

use super::Error;

/// Our schemas; on SQLite they are the first half of the table name.
pub(super) const SCHEMAS: [&str; 4] = ["accounts", "auth", "messaging", "voice"];

/// One statement of the program.
#[derive(Debug)]
pub struct Sql {
    pg: &'static str,
    lite: OnceLock<&'static str>,
}

impl Sql {
    /// One text for both engines.
    #[must_use]
    pub const fn both(text: &'static str) -> Self {
        Self { pg: text, lite: OnceLock::new() }
    }

    /// The text for PostgreSQL.
    #[must_use]
    pub const fn pg(&self) -> &'static str {
        self.pg
    }

    /// The text for SQLite, made once in the life of the process.
    #[must_use]
    pub fn lite(&self) -> &'static str {
        self.lite.get_or_init(|| Box::leak(without_schemas(self.pg).into_boxed_str()))
    }
}

/// `messaging.vendors` becomes `messaging_vendors`.
pub(crate) fn without_schemas(text: &str) -> String {
    SCHEMAS
        .iter()
        .fold(text.to_owned(), |text, schema| text.replace(&format!("{schema}."), &format!("{schema}_")))
}

/// A write transaction on either engine; rolled back when dropped.
#[derive(Debug)]
pub enum Tx {
    /// PostgreSQL.
    Pg(Transaction<'static, Postgres>),
    /// SQLite, begun immediate.
    Lite(Transaction<'static, Sqlite>),
}

impl Tx {
    /// Makes the transaction durable.
    ///
    /// # Errors
    /// When the database refuses; nothing of the transaction is then visible.
    pub async fn commit(self) -> Result<(), Error> {
        match self {
            Self::Pg(tx) => tx.commit().await?,
            Self::Lite(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

/// Declares statements and the list `ALL` by which a test prepares each on both engines.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* pub(crate) static $name: $crate::store::Sql = $sql;)*
        /// Every statement of this module, by name.
        #[cfg(test)]
        pub(crate) static ALL: &[(&str, &$crate::store::Sql)] = &[$((stringify!($name), &$name)),*];
    };
}

/// Rows of a query on the reading side of a `Db`.
macro_rules! fetch_all {
    ($db:expr, $row:ty, $sql:expr $(, $arg:expr)* $(,)?) => {{
        use $crate::store::sql::{of_lite, of_pg};
        match $db {
            $crate::store::Db::Pg(pool) =>
                of_pg::all::<$row>(of_pg::read(pool, sqlx::query($sql.pg())$(.bind($arg))*).await),
            $crate::store::Db::Lite(lite) =>
                of_lite::all::<$row>(of_lite::read(&lite.read, sqlx::query($sql.lite())$(.bind($arg))*).await),
        }
    }};
}

/// One row or none on the reading side of a `Db`.
macro_rules! fetch_optional {
    ($db:expr, $row:ty, $sql:expr $(, $arg:expr)* $(,)?) => {{
        use $crate::store::sql::{of_lite, of_pg};
        match $db {
            $crate::store::Db::Pg(pool) =>
                of_pg::one::<$row>(of_pg::read_one(pool, sqlx::query($sql.pg())$(.bind($arg))*).await),
            $crate::store::Db::Lite(lite) =>
                of_lite::one::<$row>(of_lite::read_one(&lite.read, sqlx::query($sql.lite())$(.bind($arg))*).await),
        }
    }};
}

/// A statement inside a `Tx`; gives the number of rows it touched.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $arg:expr)* $(,)?) => {{
        use $crate::store::sql::{of_lite, of_pg};
        match $tx {
            $crate::store::Tx::Pg(tx) => of_pg::execute(tx, sqlx::query($sql.pg())$(.bind($arg))*).await,
            $crate::store::Tx::Lite(tx) => of_lite::execute(tx, sqlx::query($sql.lite())$(.bind($arg))*).await,
        }
    }};
}

/// One row or none inside a `Tx`.
macro_rules! tx_optional {
    ($tx:expr, $row:ty, $sql:expr $(, $arg:expr)* $(,)?) => {{
        use $crate::store::sql::{of_lite, of_pg};
        match $tx {
            $crate::store::Tx::Pg(tx) =>
                of_pg::one::<$row>(of_pg::within_one(tx, sqlx::query($sql.pg())$(.bind($arg))*).await),
            $crate::store::Tx::Lite(tx) =>
                of_lite::one::<$row>(of_lite::within_one(tx, sqlx::query($sql.lite())$(.bind($arg))*).await),
        }
    }};
}

/// Rows inside a `Tx`.
macro_rules! tx_all {
    ($tx:expr, $row:ty, $sql:expr $(, $arg:expr)* $(,)?) => {{
        use $crate::store::sql::{of_lite, of_pg};
        match $tx {
            $crate::store::Tx::Pg(tx) =>
                of_pg::all::<$row>(of_pg::within(tx, sqlx::query($sql.pg())$(.bind($arg))*).await),
            $crate::store::Tx::Lite(tx) =>
                of_lite::all::<$row>(of_lite::within(tx, sqlx::query($sql.lite())$(.bind($arg))*).await),
        }
    }};
}

/// What the driver does for a query, compiled once for each engine and not once for each query: only what makes values
/// of rows is generic.
macro_rules! engine {
    ($name:ident, $db:ty, $pool:ty, $arguments:ty, $row:ty, $limit:path) => {
        pub(crate) mod $name {
            use futures_util::future::BoxFuture;
            use sqlx::query::Query;
            use sqlx::{Executor, FromRow, Transaction};

            use crate::store::Error;

            type Statement = Query<'static, $db, $arguments>;

            pub(crate) fn read(
                pool: &$pool,
                query: Statement,
            ) -> BoxFuture<'_, Result<Vec<$row>, sqlx::Error>> {
                Box::pin($limit(query.fetch_all(pool)))
            }

            pub(crate) fn read_one(
                pool: &$pool,
                query: Statement,
            ) -> BoxFuture<'_, Result<Option<$row>, sqlx::Error>> {
                Box::pin($limit(query.fetch_optional(pool)))
            }

            pub(crate) fn within<'t>(
                tx: &'t mut Transaction<'static, $db>,
                query: Statement,
            ) -> BoxFuture<'t, Result<Vec<$row>, sqlx::Error>> {
                Box::pin($limit(query.fetch_all(&mut **tx)))
            }

            pub(crate) fn within_one<'t>(
                tx: &'t mut Transaction<'static, $db>,
                query: Statement,
            ) -> BoxFuture<'t, Result<Option<$row>, sqlx::Error>> {
                Box::pin($limit(query.fetch_optional(&mut **tx)))
            }

            pub(crate) fn execute<'t>(
                tx: &'t mut Transaction<'static, $db>,
                query: Statement,
            ) -> BoxFuture<'t, Result<u64, Error>> {
                Box::pin(async move { Ok($limit((&mut **tx).execute(query)).await?.rows_affected()) })
            }

            pub(crate) fn all<T>(rows: Result<Vec<$row>, sqlx::Error>) -> Result<Vec<T>, Error>
            where
                T: for<'r> FromRow<'r, $row>,
            {
                let values: Result<Vec<T>, sqlx::Error> = rows?.iter().map(T::from_row).collect();
                values.map_err(Error::from)
            }

            pub(crate) fn one<T>(row: Result<Option<$row>, sqlx::Error>) -> Result<Option<T>, Error>
            where
                T: for<'r> FromRow<'r, $row>,
            {
                row?.as_ref().map(T::from_row).transpose().map_err(Error::from)
            }
        }
    };
}

engine!(
    of_pg,
    sqlx::Postgres,
    sqlx::PgPool,
    sqlx::postgres::PgArguments,
    sqlx::postgres::PgRow,
    super::within_limit
);
engine!(
    of_lite,
    sqlx::Sqlite,
    sqlx::SqlitePool,
    sqlx::sqlite::SqliteArguments,
    sqlx::sqlite::SqliteRow,
    super::unlimited
);

/// Time for one statement of PostgreSQL. The server has a limit of its own (`store.statement_timeout`); this is for one
/// that is gone without a word, which would keep those who follow the configuration waiting for as long as TCP does.
const STATEMENT_MAX: Duration = Duration::from_secs(120);

async fn within_limit<T>(statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    let late = |_| Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into()));
    timeout(STATEMENT_MAX, statement).await.unwrap_or_else(late)
}

async fn unlimited<T>(statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    statement.await
}

pub(crate) use {execute, fetch_all, fetch_optional, statements, tx_all, tx_optional};

/// The pattern of what has this text in it, for `lower(…) LIKE … ESCAPE '!'`; of everything for none.
pub(crate) fn containing(text: Option<&str>) -> String {
    let mut pattern = "%".to_owned();
    for character in text.unwrap_or_default().chars().flat_map(char::to_lowercase) {
        if matches!(character, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}
