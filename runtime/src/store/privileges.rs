//! What the node's own role may do on PostgreSQL, where another role owns the schema.

use sqlx::{AssertSqlSafe, Executor};

use super::sql::SCHEMAS;
use super::{Db, Error};

/// Tables that the role of this connection may not read and write as the program does, and the table of migrations when
/// it may not read it.
const MISSING: &str = "SELECT n.nspname::text || '.' || c.relname::text \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relkind IN ('r', 'p') AND ((n.nspname = ANY ($1) AND NOT (has_schema_privilege(n.oid, 'USAGE') \
     AND has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT') \
     AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))) \
     OR (c.relname = '_sqlx_migrations' AND pg_table_is_visible(c.oid) AND NOT has_table_privilege(c.oid, 'SELECT'))) \
     ORDER BY 1";

/// Lets a role read and write every table of ours, those that later migrations make too, and read which migrations ran.
/// It gets no right to change the schema. For the schema's owner, after its migrations; safe to run again. SQLite has
/// no roles: nothing is done there.
///
/// # Errors
/// When the role does not exist, or this connection's role does not own the tables.
pub async fn grant(db: &Db, role: &str) -> Result<(), Error> {
    let Db::Pg(pool) = db else { return Ok(()) };
    let (role, schemas) = (quoted(role), SCHEMAS.join(", "));
    let statements = format!(
        "GRANT USAGE ON SCHEMA {schemas} TO {role}; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schemas} TO {role}; \
         GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schemas} TO {role}; \
         ALTER DEFAULT PRIVILEGES IN SCHEMA {schemas} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}; \
         ALTER DEFAULT PRIVILEGES IN SCHEMA {schemas} GRANT USAGE, SELECT ON SEQUENCES TO {role}; \
         GRANT SELECT ON _sqlx_migrations TO {role};"
    );
    pool.execute(sqlx::raw_sql(AssertSqlSafe(statements))).await?;
    Ok(())
}

/// The role of this connection, and the tables that it may not use; the role is empty on SQLite.
///
/// # Errors
/// When the database cannot be asked.
pub async fn missing(db: &Db) -> Result<(String, Vec<String>), Error> {
    let Db::Pg(pool) = db else { return Ok(Default::default()) };
    let role: String = sqlx::query_scalar("SELECT current_user::text").fetch_one(pool).await?;
    let schemas: Vec<String> = SCHEMAS.iter().map(|schema| (*schema).to_owned()).collect();
    let tables: Vec<String> = sqlx::query_scalar(MISSING).bind(schemas).fetch_all(pool).await?;
    Ok((role, tables))
}

/// A name as an identifier of SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{Engine, each_engine};

    #[test]
    fn names_of_roles_are_quoted() {
        for (name, expected) in [("warp", "\"warp\""), ("a\"; DROP", "\"a\"\"; DROP\"")] {
            assert_eq!(quoted(name), expected);
        }
    }

    /// Each test of the store and of the log runs in this role.
    #[tokio::test]
    async fn the_nodes_role_has_what_it_needs_and_no_more() {
        each_engine(async |engine: Engine| {
            let (role, tables) = missing(&engine.store).await.unwrap();
            assert_eq!(tables, Vec::<String>::new());
            let Db::Pg(pool) = &engine.store else { return };
            assert_eq!(role, "warp_test_node");
            for statement in [
                "CREATE TABLE voice.more (id BIGINT)",
                "ALTER TABLE accounts.customers ADD COLUMN more TEXT",
                "DROP TABLE messaging.vendors",
                "TRUNCATE messaging.messages",
                "DELETE FROM _sqlx_migrations",
                "CREATE SCHEMA more",
            ] {
                let refused = sqlx::query(statement).execute(pool).await.unwrap_err().to_string();
                assert!(
                    refused.contains("permission denied") || refused.contains("must be owner"),
                    "{refused}"
                );
            }
        })
        .await;
    }

    #[tokio::test]
    async fn what_the_role_lacks_is_named() {
        each_engine(async |engine: Engine| {
            let Some(owner) = &engine.owner else { return };
            let Db::Pg(pool) = owner else { return };
            for statement in [
                "REVOKE DELETE ON voice.cdrs FROM warp_test_node",
                "REVOKE SELECT ON _sqlx_migrations FROM warp_test_node",
                "CREATE TABLE voice.later (id BIGINT)",
            ] {
                sqlx::query(statement).execute(pool).await.unwrap();
            }
            let (_, tables) = missing(&engine.log).await.unwrap();
            assert_eq!(tables, ["public._sqlx_migrations", "voice.cdrs"], "tables made later are granted");
            grant(owner, "warp_test_node").await.unwrap();
            assert_eq!(missing(&engine.log).await.unwrap().1, Vec::<String>::new());
            let refused = grant(owner, "warp_test_absent").await.unwrap_err().to_string();
            assert!(refused.contains("warp_test_absent"), "{refused}");
        })
        .await;
    }
}
