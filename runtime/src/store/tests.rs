use sqlx::{Executor, SqlStr};

use super::testing::{Engine, each_engine};
use super::*;

/// Every statement of the program, on the database that it is written for.
#[tokio::test]
async fn every_statement_prepares_on_both_engines() {
    each_engine(async |engine: Engine| {
        for statements in [messaging::ALL, provisioning::statements()] {
            prepare(&engine.store, statements).await;
        }
        prepare(&engine.log, crate::log::statements()).await;
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

#[test]
fn schemas_become_prefixes_on_sqlite() {
    static SQL: Sql = Sql::both("SELECT v.id FROM messaging.vendors v JOIN voice.vendors w ON w.id = v.id");
    assert_eq!(SQL.lite(), "SELECT v.id FROM messaging_vendors v JOIN voice_vendors w ON w.id = v.id");
}
