//! Statements and the few macros that run one expression on either engine.

use std::sync::OnceLock;

use sqlx::{Postgres, Sqlite, Transaction};

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
    ($db:expr, $row:ty, $sql:expr $(, $arg:expr)* $(,)?) => {
        match $db {
            $crate::store::Db::Pg(pool) =>
                sqlx::query_as::<_, $row>($sql.pg())$(.bind($arg))*.fetch_all(pool).await,
            $crate::store::Db::Lite(lite) =>
                sqlx::query_as::<_, $row>($sql.lite())$(.bind($arg))*.fetch_all(&lite.read).await,
        }.map_err($crate::store::Error::from)
    };
}

/// One row or none on the reading side of a `Db`.
macro_rules! fetch_optional {
    ($db:expr, $row:ty, $sql:expr $(, $arg:expr)* $(,)?) => {
        match $db {
            $crate::store::Db::Pg(pool) =>
                sqlx::query_as::<_, $row>($sql.pg())$(.bind($arg))*.fetch_optional(pool).await,
            $crate::store::Db::Lite(lite) =>
                sqlx::query_as::<_, $row>($sql.lite())$(.bind($arg))*.fetch_optional(&lite.read).await,
        }.map_err($crate::store::Error::from)
    };
}

/// A statement inside a `Tx`; gives the number of rows it touched.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $arg:expr)* $(,)?) => {
        match $tx {
            $crate::store::Tx::Pg(tx) => sqlx::query($sql.pg())$(.bind($arg))*
                .execute(&mut **tx).await.map(|done| done.rows_affected()),
            $crate::store::Tx::Lite(tx) => sqlx::query($sql.lite())$(.bind($arg))*
                .execute(&mut **tx).await.map(|done| done.rows_affected()),
        }.map_err($crate::store::Error::from)
    };
}

/// One row or none inside a `Tx`.
macro_rules! tx_optional {
    ($tx:expr, $row:ty, $sql:expr $(, $arg:expr)* $(,)?) => {
        match $tx {
            $crate::store::Tx::Pg(tx) => sqlx::query_as::<_, $row>($sql.pg())$(.bind($arg))*
                .fetch_optional(&mut **tx).await,
            $crate::store::Tx::Lite(tx) => sqlx::query_as::<_, $row>($sql.lite())$(.bind($arg))*
                .fetch_optional(&mut **tx).await,
        }.map_err($crate::store::Error::from)
    };
}

/// Rows inside a `Tx`.
macro_rules! tx_all {
    ($tx:expr, $row:ty, $sql:expr $(, $arg:expr)* $(,)?) => {
        match $tx {
            $crate::store::Tx::Pg(tx) => sqlx::query_as::<_, $row>($sql.pg())$(.bind($arg))*
                .fetch_all(&mut **tx).await,
            $crate::store::Tx::Lite(tx) => sqlx::query_as::<_, $row>($sql.lite())$(.bind($arg))*
                .fetch_all(&mut **tx).await,
        }.map_err($crate::store::Error::from)
    };
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
