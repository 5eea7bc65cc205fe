//! Both engines for tests: SQLite always, PostgreSQL where `WARP_TEST_POSTGRES` names a server on which
//! databases may be created. `tests/run` starts one and sets it; in CI its absence is a failure.

use std::path::Path;
use std::str::FromStr;

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tempfile::TempDir;
use uuid::Uuid;

use super::{Db, Location, Part, PgLimits, migrate, privileges};

/// A fresh pair of databases.
#[derive(Debug)]
pub(crate) struct Engine {
    /// Configuration.
    pub(crate) store: Db,
    /// Message log.
    pub(crate) log: Db,
    /// The same database as the role that owns the schema; PostgreSQL alone has one.
    pub(crate) owner: Option<Db>,
    /// Directory of the test.
    pub(crate) dir: TempDir,
}

/// Roles as in production: one owns the schema and is no superuser, the other is the node's.
const ROLES: [&str; 2] = ["warp_test_owner", "warp_test_node"];

/// Runs a test on every engine that is there; on PostgreSQL in the node's role.
pub(crate) async fn each_engine(test: impl AsyncFn(Engine)) {
    test(Engine::lite().await).await;
    if let Some(server) = postgres() {
        let name = format!("warp_test_{}", Uuid::new_v4().simple());
        let admin = PgPoolOptions::new().max_connections(1).connect(&server).await.unwrap();
        let [owner, node] = ROLES;
        for role in ROLES {
            // Two tests may do it at one time.
            let create = format!(
                "DO $$ BEGIN CREATE ROLE {role} LOGIN NOSUPERUSER PASSWORD 'warp_test'; \
                 EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
            );
            sqlx::query(AssertSqlSafe(create)).execute(&admin).await.unwrap();
        }
        let create = format!("CREATE DATABASE {name} OWNER {owner}");
        sqlx::query(AssertSqlSafe(create)).execute(&admin).await.unwrap();
        let url = |role: &str| {
            use sqlx::ConnectOptions;
            let options = PgConnectOptions::from_str(&server).unwrap().database(&name);
            options.username(role).password("warp_test").to_url_lossy().to_string()
        };
        test(Engine::postgres(&url(owner), &url(node)).await).await;
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
        let dir = tempfile::tempdir().unwrap();
        let (store, log) = open("", dir.path()).await;
        migrate(&store, Part::Store).await.unwrap();
        migrate(&log, Part::Log).await.unwrap();
        Self { store, log, owner: None, dir }
    }

    async fn postgres(owner: &str, node: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let limits = PgLimits { connections_max: 2, ..PgLimits::default() };
        let owner =
            Db::open(&Location { url: owner, data_dir: dir.path() }, Part::Store, &limits).await.unwrap();
        for part in [Part::Store, Part::Log] {
            migrate(&owner, part).await.unwrap();
        }
        privileges::grant(&owner, ROLES[1]).await.unwrap();
        let (store, log) = open(node, dir.path()).await;
        Self { store, log, owner: Some(owner), dir }
    }

    /// Who may change the schema of the store.
    pub(crate) fn owner(&self) -> &Db {
        self.owner.as_ref().unwrap_or(&self.store)
    }
}

async fn open(url: &str, data_dir: &Path) -> (Db, Db) {
    let location = Location { url, data_dir };
    (Db::open_store(&location).await.unwrap(), Db::open_log(&location).await.unwrap())
}
