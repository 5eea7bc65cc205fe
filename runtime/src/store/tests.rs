use sqlx::{Executor, SqlStr};

use super::testing::{Engine, each_engine};
use super::*;

/// Every statement of the program, on the database that it is written for.
#[tokio::test]
async fn every_statement_prepares_on_both_engines() {
    each_engine(async |engine: Engine| {
        for statements in [
            audit::ALL,
            cookie_key::ALL,
            customer::ALL,
            dashboard::ALL,
            dedicated_ip::ALL,
            did::ALL,
            esme_account::ALL,
            group::ALL,
            high_cost::ALL,
            media_node::ALL,
            messaging::ALL,
            messaging_config::ALL,
            partition::ALL,
            registration::ALL,
            root_key::ALL,
            sms_route::ALL,
            sms_vendor::ALL,
            trunk::ALL,
            trunk_credential::ALL,
            trunk_ip::ALL,
            vendor_account::ALL,
            version::ALL,
            voice::ALL,
            voice_rate::ALL,
            voice_vendor::ALL,
            webhook::ALL,
        ]
        .into_iter()
        .chain(auth::statements())
        .chain(provisioning::statements())
        {
            prepare(&engine.store, statements).await;
        }
        for bulk in provisioning::bulk_statements().into_iter().chain([&trunk_ip::AROUND]) {
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
            migrate(engine.owner.as_ref().unwrap_or(db), part).await.unwrap();
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
        [
            "0001 customers",
            "0002 messaging",
            "0003 voice",
            "0004 cookie_keys",
            "0005 session_expires",
            "0006 interface",
            "0007 media",
            "0008 trunk_credentials",
            "0009 identity",
            "0010 registrations",
            "0011 vendor_credentials",
            "0012 stir",
            "0013 topology_hiding",
            "0014 fork"
        ]
    );
    each_engine(async |engine: Engine| {
        for statement in ["DROP TABLE _sqlx_migrations", "CREATE TABLE _sqlx_migrations (version TEXT)"] {
            match engine.owner() {
                Db::Pg(pool) => _ = sqlx::query(statement).execute(pool).await.unwrap(),
                Db::Lite(lite) => _ = sqlx::query(statement).execute(&lite.write).await.unwrap(),
            }
        }
        let refused = pending_migrations(engine.owner(), Part::Store).await.unwrap_err().to_string();
        assert!(refused.starts_with("migration: "), "{refused}");
    })
    .await;
}

/// A rotation of the root key that misses a column leaves its values behind, under a key that goes.
#[tokio::test]
async fn every_column_of_sealed_values_is_rotated() {
    let engine = Engine::lite().await;
    let Db::Lite(lite) = &engine.store else { panic!("{:?} is not SQLite", engine.store) };
    let mut found: Vec<(String,)> = sqlx::query_as(
        "SELECT t.name || '.' || c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c \
         WHERE t.type = 'table' AND c.name LIKE '%\\_sealed' ESCAPE '\\'",
    )
    .fetch_all(&lite.read)
    .await
    .unwrap();
    found.sort();
    let mut listed: Vec<(String,)> =
        root_key::SEALED.iter().map(|sealed| (without_schemas(sealed.column),)).collect();
    listed.sort();
    assert_eq!(found, listed);
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
fn the_budget_of_connections_is_shared() {
    for (connections_max, store, log) in [(8, 4, 4), (9, 4, 5), (2, 1, 1), (1, 1, 1)] {
        let limits = PgLimits { connections_max, ..PgLimits::default() };
        assert_eq!((limits.share(Part::Store), limits.share(Part::Log)), (store, log), "{connections_max}");
    }
}

/// The node's own patience is not the server's: a statement that nobody waits for must not hold its locks.
#[tokio::test]
async fn the_server_gives_up_a_statement_that_takes_too_long() {
    let Some(server) = testing::postgres() else { return };
    let dir = tempfile::tempdir().unwrap();
    let limits = PgLimits { statement_timeout: Duration::from_millis(50), ..PgLimits::default() };
    let location = Location { url: &server, data_dir: dir.path() };
    let Ok(Db::Pg(pool)) = Db::open(&location, Part::Store, &limits).await else { panic!("not PostgreSQL") };
    let refused = sqlx::query("SELECT pg_sleep(10)").execute(&pool).await.unwrap_err();
    assert_eq!(Error::from(refused).kind(), ErrorKind::Unavailable);
}

#[test]
fn schemas_become_prefixes_on_sqlite() {
    static SQL: Sql = Sql::both("SELECT v.id FROM messaging.vendors v JOIN voice.vendors w ON w.id = v.id");
    assert_eq!(SQL.lite(), "SELECT v.id FROM messaging_vendors v JOIN voice_vendors w ON w.id = v.id");
}
