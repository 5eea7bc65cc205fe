//! Migrations: one DDL text for both engines, embedded in the program.

use std::borrow::Cow;

use sqlx::SqlStr;
use sqlx::migrate::{Migrate, Migration, MigrationType, Migrator};

use super::sql::without_schemas;
use super::{Db, Error};

/// Which tables a database holds. PostgreSQL holds both parts, SQLite one per file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Customers, accounts, trunks, vendors, routes, rates.
    Store,
    /// Messages, outbox, parked receipts, dialogs, CDRs.
    Log,
}

struct Step {
    version: i64,
    name: &'static str,
    part: Part,
    ddl: &'static str,
}

const STEPS: [Step; 21] = [
    Step {
        version: 1,
        name: "customers",
        part: Part::Store,
        ddl: include_str!("../../../migrations/0001_customers.sql"),
    },
    Step {
        version: 2,
        name: "messaging",
        part: Part::Store,
        ddl: include_str!("../../../migrations/0002_messaging.sql"),
    },
    Step {
        version: 3,
        name: "voice",
        part: Part::Store,
        ddl: include_str!("../../../migrations/0003_voice.sql"),
    },
    Step {
        version: 4,
        name: "cookie_keys",
        part: Part::Store,
        ddl: include_str!("../../../migrations/0004_cookie_keys.sql"),
    },
    Step {
        version: 5,
        name: "session_expires",
        part: Part::Store,
        ddl: include_str!("../../../migrations/0005_session_expires.sql"),
    },
    Step {
        version: 6,
        name: "interface",
        part: Part::Store,
        ddl: include_str!("../../../migrations/0006_interface.sql"),
    },
    Step {
        version: 7,
        name: "media",
        part: Part::Store,
        ddl: include_str!("../../../migrations/0007_media.sql"),
    },
    Step {
        version: 8,
        name: "trunk_credentials",
        part: Part::Store,
        ddl: include_str!("../../../migrations/0008_trunk_credentials.sql"),
    },
    Step {
        version: 9,
        name: "identity",
        part: Part::Store,
        ddl: include_str!("../../../migrations/0009_identity.sql"),
    },
    Step {
        version: 10,
        name: "registrations",
        part: Part::Store,
        ddl: include_str!("../../../migrations/0010_registrations.sql"),
    },
    Step {
        version: 11,
        name: "vendor_credentials",
        part: Part::Store,
        ddl: include_str!("../../../migrations/0011_vendor_credentials.sql"),
    },
    Step {
        version: 12,
        name: "stir",
        part: Part::Store,
        ddl: include_str!("../../../migrations/0012_stir.sql"),
    },
    Step {
        version: 13,
        name: "topology_hiding",
        part: Part::Store,
        ddl: include_str!("../../../migrations/0013_topology_hiding.sql"),
    },
    Step {
        version: 14,
        name: "fork",
        part: Part::Store,
        ddl: include_str!("../../../migrations/0014_fork.sql"),
    },
    Step {
        version: 1001,
        name: "messages",
        part: Part::Log,
        ddl: include_str!("../../../migrations/log/0001_messages.sql"),
    },
    Step {
        version: 1002,
        name: "calls",
        part: Part::Log,
        ddl: include_str!("../../../migrations/log/0002_calls.sql"),
    },
    Step {
        version: 1003,
        name: "q850_cause",
        part: Part::Log,
        ddl: include_str!("../../../migrations/log/0003_q850_cause.sql"),
    },
    Step {
        version: 1004,
        name: "cdrs_customer",
        part: Part::Log,
        ddl: include_str!("../../../migrations/log/0004_cdrs_customer.sql"),
    },
    Step {
        version: 1005,
        name: "submissions",
        part: Part::Log,
        ddl: include_str!("../../../migrations/log/0005_submissions.sql"),
    },
    Step {
        version: 1006,
        name: "call_media",
        part: Part::Log,
        ddl: include_str!("../../../migrations/log/0006_media.sql"),
    },
    Step {
        version: 1008,
        name: "verstat",
        part: Part::Log,
        ddl: include_str!("../../../migrations/log/0008_verstat.sql"),
    },
];

/// An index of a large table, made while nodes write to it. PostgreSQL wants that outside of a transaction, so such a
/// step is one statement; SQLite has no word for it, and no node beside the migration.
const BESIDE_NODES: &str = "INDEX CONCURRENTLY";

/// Where sqlx keeps which migrations ran; absent before the first.
const TABLE: &str = "_sqlx_migrations";

const PG_SCHEMAS: &str = "CREATE SCHEMA IF NOT EXISTS accounts; CREATE SCHEMA IF NOT EXISTS auth; \
     CREATE SCHEMA IF NOT EXISTS messaging; CREATE SCHEMA IF NOT EXISTS voice;";

/// Brings a database to the newest schema. Safe to run again.
///
/// # Errors
/// When a migration fails, or one that already ran has changed since.
pub async fn run(db: &Db, part: Part) -> Result<(), Error> {
    let migrator = migrator(db, part);
    match db {
        Db::Pg(pool) => migrator.run(pool).await?,
        Db::Lite(lite) => migrator.run(&lite.write).await?,
    }
    Ok(())
}

/// Names of the migrations that this database still lacks, without running any.
///
/// # Errors
/// When the database cannot be asked.
pub async fn pending(db: &Db, part: Part) -> Result<Vec<String>, Error> {
    let applied = match db {
        Db::Pg(pool) => {
            let mut connection = pool.acquire().await?;
            let known = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
            let known: bool = sqlx::query_scalar(known).fetch_one(&mut *connection).await?;
            if known { connection.list_applied_migrations(TABLE).await? } else { Vec::new() }
        }
        Db::Lite(lite) => {
            let mut connection = lite.write.acquire().await?;
            let known = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations')";
            let known: bool = sqlx::query_scalar(known).fetch_one(&mut *connection).await?;
            if known { connection.list_applied_migrations(TABLE).await? } else { Vec::new() }
        }
    };
    let done = |step: &Step| applied.iter().any(|done| done.version == step.version);
    let steps = STEPS.iter().filter(|step| step.part == part && !done(step));
    Ok(steps.map(|step| format!("{:04} {}", step.version, step.name)).collect())
}

fn migrator(db: &Db, part: Part) -> Migrator {
    let steps = STEPS.iter().filter(|step| step.part == part);
    let migrations = steps.map(|step| {
        let beside_nodes = step.ddl.contains(BESIDE_NODES);
        let ddl = match db {
            Db::Pg(_) if beside_nodes => step.ddl.to_owned(),
            Db::Pg(_) => format!("{PG_SCHEMAS}\n{}", step.ddl),
            // Any other type makes SQLite keep a second b-tree for the key, beside that of the rows.
            Db::Lite(_) => without_schemas(step.ddl)
                .replace("BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY")
                .replace(BESIDE_NODES, "INDEX"),
        };
        let sql = SqlStr::from_static(Box::leak(ddl.into_boxed_str()));
        Migration::new(step.version, Cow::Borrowed(step.name), MigrationType::Simple, sql, beside_nodes)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    // On PostgreSQL the two parts share one database and one table of migrations.
    migrator.set_ignore_missing(true);
    migrator
}
