//! A provisioning document made true, by a running node or by a command that stands in for one.

use std::fmt;
use std::sync::Arc;

use runtime::clock::SharedClock;
use runtime::seal::RootKey;
use runtime::store::provisioning::{self, Change, Document, Error};
use runtime::store::{Db, messaging};
use serde::Serialize;

/// Where a document is applied.
#[derive(Clone)]
pub struct Target {
    /// The configuration database, its migrations run.
    pub store: Db,
    /// Seals vendor passwords.
    pub root_key: Arc<RootKey>,
    /// Dates the changes.
    pub clock: SharedClock,
}

/// What applying did, or would do.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// True: nothing was written.
    pub dry_run: bool,
    /// The differences between document and database, in the order of the document.
    pub changes: Vec<Change>,
}

impl fmt::Display for Outcome {
    /// One line per change, `+` for new and `~` for changed, then the count.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.changes {
            writeln!(f, "{change}")?;
        }
        let changes = match self.changes.len() {
            0 => return writeln!(f, "nothing to change"),
            1 => "1 change".to_owned(),
            count => format!("{count} changes"),
        };
        writeln!(f, "{changes}{}", if self.dry_run { ", not applied (dry run)" } else { " applied" })
    }
}

/// Compares a TOML document with the database and, unless `dry_run`, writes the difference in one
/// transaction. Two calls for one database must not run at the same time.
///
/// # Errors
/// When the document is refused or the database does not answer; then nothing was written.
pub async fn apply(target: Target, document: String, dry_run: bool) -> Result<Outcome, Error> {
    let runtime = tokio::runtime::Handle::current();
    // Passwords are hashed on the way, tens of milliseconds each: no place for a worker of the runtime.
    let applied = tokio::task::spawn_blocking(move || {
        runtime.block_on(async move {
            let document = Document::parse(&document)?;
            let current = messaging::load(&target.store, &target.root_key).await?;
            let changes = provisioning::plan(&document, &current)?;
            if !dry_run {
                let now = target.clock.now();
                let both = (&document, changes.as_slice());
                provisioning::apply(&target.store, &target.root_key, both, &current, now).await?;
            }
            Ok(Outcome { dry_run, changes })
        })
    });
    match applied.await {
        Ok(outcome) => outcome,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::Form("the node is stopping".to_owned())),
        },
    }
}
