//! Databases on the PostgreSQL that `tests/run` started, and where else a node keeps what it knows.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::peer;
use super::output::run;
use super::{READY, environment};

/// A database of one test, dropped with it.
pub(crate) struct Database {
    server: String,
    name: String,
}

impl Database {
    /// `None`, said aloud, when there is no server.
    pub(crate) fn create() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let Some(server) = environment("WARP_TEST_POSTGRES") else {
            peer::absent("PostgreSQL (WARP_TEST_POSTGRES)");
            return None;
        };
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let database = Self { server, name: format!("warp_whole_{}_{n}", std::process::id()) };
        database.statement(&format!("CREATE DATABASE {}", database.name));
        Some(database)
    }

    /// For `[store] url`.
    pub(crate) fn url(&self) -> String {
        let (server, _) = self.server.rsplit_once('/').expect("postgres://host/database");
        format!("{server}/{}", self.name)
    }

    /// The one value that a query gives.
    #[track_caller]
    pub(crate) fn value(&self, sql: &str) -> String {
        let answered = run(Command::new(psql()).args([&self.url(), "-qAtc", sql]), READY);
        answered.assert_success();
        answered.stdout.trim().to_owned()
    }

    fn statement(&self, sql: &str) {
        run(Command::new(psql()).args([&self.server, "-qc", sql]), READY).assert_success();
    }
}

/// Where a node keeps what it knows: SQLite in its own directory, or PostgreSQL.
pub(crate) struct Store(Option<Database>);

impl Store {
    /// SQLite, and PostgreSQL where there is a server.
    #[track_caller]
    pub(crate) fn each() -> impl Iterator<Item = Self> {
        let postgres = Database::create().map(|database| Self(Some(database)));
        [Some(Self(None)), postgres].into_iter().flatten()
    }

    /// `[store]`, where the node needs to be told.
    pub(crate) fn section(&self) -> String {
        self.0.as_ref().map(|database| format!("[store]\nurl = {:?}\n", database.url())).unwrap_or_default()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.statement(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

fn psql() -> &'static str {
    let of_debian = "/usr/lib/postgresql/15/bin/psql";
    if Path::new(of_debian).is_file() { of_debian } else { "psql" }
}
