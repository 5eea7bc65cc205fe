//! Statements over many rows at once: a file of a hundred thousand rates is written in seconds.
//!
//! The message log has its own, which keep every text prepared; these are run seldom and are not kept.

use super::without_schemas;

/// A statement that takes a list of rows: `head`, then `(…)` for each row, then `tail`.
#[derive(Debug)]
pub(crate) struct Bulk {
    head: &'static str,
    columns: usize,
    tail: &'static str,
}

impl Bulk {
    /// Rows of one statement. Times the columns it must stay below SQLite's 32,766 and PostgreSQL's 65,535 values.
    pub(crate) const ROWS_MAX: usize = 500;

    pub(crate) const fn new(head: &'static str, columns: usize, tail: &'static str) -> Self {
        Self { head, columns, tail }
    }

    /// The text for so many rows on PostgreSQL.
    pub(crate) fn pg(&self, rows: usize) -> String {
        let mut next = 0;
        self.text(rows, || {
            next += 1;
            format!("${next}")
        })
    }

    /// The text for so many rows on SQLite, which finds numbered placeholders by a linear search.
    pub(crate) fn lite(&self, rows: usize) -> String {
        without_schemas(&self.text(rows, || "?".to_owned()))
    }

    fn text(&self, rows: usize, mut placeholder: impl FnMut() -> String) -> String {
        let mut row = || {
            let placeholders: Vec<String> = (0..self.columns).map(|_| placeholder()).collect();
            format!("({})", placeholders.join(","))
        };
        let rows: Vec<String> = (0..rows).map(|_| row()).collect();
        format!("{}{}{}", self.head, rows.join(","), self.tail)
    }

    /// Prepares it for two rows.
    #[cfg(test)]
    pub(crate) async fn prepare(&self, db: &super::Db) {
        use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

        let prepared = match db {
            super::Db::Pg(pool) => {
                let sql = AssertSqlSafe(self.pg(2)).into_sql_str();
                pool.acquire().await.unwrap().prepare(sql).await.map(|_| ())
            }
            super::Db::Lite(lite) => {
                let sql = AssertSqlSafe(self.lite(2)).into_sql_str();
                lite.write.acquire().await.unwrap().prepare(sql).await.map(|_| ())
            }
        };
        prepared.unwrap_or_else(|error| panic!("{} on {}: {error}", self.head, db.engine()));
    }
}

/// Runs a [`Bulk`] inside a `Tx` over a slice of any length; the last part says what a row's values are. Leaves the
/// function that it stands in with the first error.
macro_rules! execute_rows {
    ($tx:expr, $bulk:expr, $rows:expr, |$row:pat_param| ($($value:expr),+ $(,)?)) => {
        for part in $rows.chunks($crate::store::Bulk::ROWS_MAX) {
            let done = match $tx {
                $crate::store::Tx::Pg(tx) => {
                    let mut query = sqlx::query(sqlx::AssertSqlSafe($bulk.pg(part.len()))).persistent(false);
                    for $row in part {
                        query = query$(.bind($value))+;
                    }
                    query.execute(&mut **tx).await.map(|_| ())
                }
                $crate::store::Tx::Lite(tx) => {
                    let mut query = sqlx::query(sqlx::AssertSqlSafe($bulk.lite(part.len()))).persistent(false);
                    for $row in part {
                        query = query$(.bind($value))+;
                    }
                    query.execute(&mut **tx).await.map(|_| ())
                }
            };
            done.map_err($crate::store::Error::from)?;
        }
    };
}

pub(crate) use execute_rows;
