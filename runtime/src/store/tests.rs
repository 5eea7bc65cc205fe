use sqlx::{Executor, SqlStr};

use super::testing::{Engine, each_engine};
use super::*;

/// Every statement of the program, on the database that it is written for.
#[tokio::test]
async fn every_statement_prepares_on_both_engines() {
    each_engine(async |engine: Engine| {
        for statements in
            [messaging::ALL, voice::ALL, cookie_key::ALL].into_iter().chain(provisioning::statements())
        {
            prepare(&engine.store, statements).await;
        }
        for bulk in provisioning::bulk_statements() {
            bulk.prepare(&engine.store).await;
        }
        for statements in crate::log::statements() {
            prepare(&engine.log, statements).await;
        }
        crate::log::prepare_bulk(&engine.log).await;
    })
    .await;
}

async fn prepare(db: &Db, statements: &[(&str, &Sql)]) {
    for (name, sql) in statements {
        let prepared = match db {
            Db::Pg(pool) => {
                let statement = pool.acquire().await.unwrap().prepare(SqlStr::from_static(sql.pg())).await;
                statement.map(|_| ())
            }
            Db::Lite(lite) => {
                let statement =
                    lite.write.acquire().await.unwrap().prepare(SqlStr::from_static(sql.lite())).await;
                statement.map(|_| ())
            }
        };
        prepared.unwrap_or_else(|error| panic!("{name} on {}: {error}", db.engine()));
    }
}

#[tokio::test]
async fn migrations_run_once_and_are_known_as_done() {
    each_engine(async |engine: Engine| {
        for (db, part) in [(&engine.store, Part::Store), (&engine.log, Part::Log)] {
            migrate(db, part).await.unwrap();
            assert_eq!(pending_migrations(db, part).await.unwrap(), Vec::<String>::new());
        }
    })
    .await;
}

/// A database that cannot say what ran must not seem empty: every migration would seem to be missing.
#[tokio::test]
async fn only_an_absent_table_of_migrations_means_that_none_ran() {
    let dir = tempfile::tempdir().unwrap();
    let fresh = Db::open_store(&Location { url: "", data_dir: dir.path() }).await.unwrap();
    assert_eq!(
        pending_migrations(&fresh, Part::Store).await.unwrap(),
        ["0001 customers", "0002 messaging", "0003 voice", "0004 cookie_keys", "0005 session_expires"]
    );
    each_engine(async |engine: Engine| {
        for statement in ["DROP TABLE _sqlx_migrations", "CREATE TABLE _sqlx_migrations (version TEXT)"] {
            match &engine.store {
                Db::Pg(pool) => _ = sqlx::query(statement).execute(pool).await.unwrap(),
                Db::Lite(lite) => _ = sqlx::query(statement).execute(&lite.write).await.unwrap(),
            }
        }
        let refused = pending_migrations(&engine.store, Part::Store).await.unwrap_err().to_string();
        assert!(refused.starts_with("migration: "), "{refused}");
    })
    .await;
}

/// What was acknowledged must be there after a power failure, and so must the ids that it refers to.
#[tokio::test]
async fn both_sqlite_files_are_synchronous_at_every_commit() {
    let engine = Engine::lite().await;
    for db in [&engine.store, &engine.log] {
        let Db::Lite(lite) = db else { panic!("{db:?} is not SQLite") };
        let (synchronous,): (i64,) =
            sqlx::query_as("PRAGMA synchronous").fetch_one(&lite.write).await.unwrap();
        assert_eq!(synchronous, 2, "2 is FULL");
    }
}

/// The operator is told why, at once, and never the password.
#[tokio::test]
async fn a_postgresql_that_cannot_be_used_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut cases =
        vec![(format!("postgres://u:hidden@{closed}/d"), closed.to_string(), "Connection refused")];
    if let Some(server) = testing::postgres() {
        use sqlx::ConnectOptions as _;
        let options = PgConnectOptions::from_str(&server).unwrap();
        let place = format!("{}:{}", options.get_host(), options.get_port());
        let absent = options.clone().database("warp_test_absent").to_url_lossy().to_string();
        cases.push((absent, place.clone(), "database \"warp_test_absent\" does not exist"));
        let stranger = options.username("warp_test_nobody").password("hidden").to_url_lossy().to_string();
        cases.push((stranger, place, "warp_test_nobody"));
    }
    for (url, place, reason) in cases {
        let refused = Db::open_store(&Location { url: &url, data_dir: dir.path() }).await.unwrap_err();
        let refused = refused.to_string();
        assert!(refused.starts_with(&place) && refused.contains(reason), "{refused}");
        assert!(!refused.contains("hidden") && !refused.contains('\n'), "{refused}");
    }
}

#[test]
fn schemas_become_prefixes_on_sqlite() {
    static SQL: Sql = Sql::both("SELECT v.id FROM messaging.vendors v JOIN voice.vendors w ON w.id = v.id");
    assert_eq!(SQL.lite(), "SELECT v.id FROM messaging_vendors v JOIN voice_vendors w ON w.id = v.id");
}
