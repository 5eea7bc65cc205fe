//! Both engines for tests: SQLite always, PostgreSQL where `WARP_TEST_POSTGRES` names a server on which
//! databases may be created. `tests/run` starts one and sets it; in CI its absence is a failure.

use std::path::Path;
use std::str::FromStr;

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tempfile::TempDir;
use uuid::Uuid;

use super::{Db, Location, Part, migrate};

/// A fresh pair of databases.
#[derive(Debug)]
pub(crate) struct Engine {
    /// Configuration.
    pub(crate) store: Db,
    /// Message log.
    pub(crate) log: Db,
    /// Directory of the test.
    pub(crate) dir: TempDir,
}

/// Runs a test on every engine that is there.
pub(crate) async fn each_engine(test: impl AsyncFn(Engine)) {
    test(Engine::lite().await).await;
    if let Some(server) = postgres() {
        let name = format!("warp_test_{}", Uuid::new_v4().simple());
        let admin = PgPoolOptions::new().max_connections(1).connect(&server).await.unwrap();
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&admin).await.unwrap();
        let options = PgConnectOptions::from_str(&server).unwrap().database(&name);
        use sqlx::ConnectOptions;
        test(Engine::create(options.to_url_lossy().as_str()).await).await;
        sqlx::query(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)")))
            .execute(&admin)
            .await
            .unwrap();
    }
}

#[expect(clippy::disallowed_methods, reason = "tests learn from the environment what the machine has")]
pub(crate) fn postgres() -> Option<String> {
    let url = std::env::var("WARP_TEST_POSTGRES").ok();
    let required = std::env::var("WARP_TEST_REQUIRE").is_ok();
    assert!(url.is_some() || !required, "WARP_TEST_POSTGRES is not set: start the tests through tests/run");
    url
}

impl Engine {
    /// The engine that is always there.
    pub(crate) async fn lite() -> Self {
        Self::create("").await
    }

    async fn create(url: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (store, log) = open(url, dir.path()).await;
        Self { store, log, dir }
    }
}

async fn open(url: &str, data_dir: &Path) -> (Db, Db) {
    let location = Location { url, data_dir };
    let store = Db::open_store(&location).await.unwrap();
    migrate(&store, Part::Store).await.unwrap();
    let log = Db::open_log(&location).await.unwrap();
    migrate(&log, Part::Log).await.unwrap();
    (store, log)
}
