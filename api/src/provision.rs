//! A provisioning document made true, by a running node or by a command that stands in for one.

use std::fmt;
use std::sync::Arc;

use runtime::clock::SharedClock;
use runtime::seal::RootKey;
use runtime::store::Db;
use runtime::store::announce::Announcements;
use runtime::store::provisioning::{self, Change, Current, Document, Error};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

/// Changes that are printed, or kept in the audit, one by one; a rate deck has a hundred thousand.
const PRINTED_MAX: usize = 1000;

/// Where a document is applied.
#[derive(Clone)]
pub struct Target {
    /// The configuration database, its migrations run.
    pub store: Db,
    /// Seals vendor passwords.
    pub root_key: Arc<RootKey>,
    /// Dates the changes.
    pub clock: SharedClock,
    /// Whose turn it is: calls wait for each other, so that each plans against what the one before has written.
    pub turn: Arc<Mutex<()>>,
    /// Hear of what was written.
    pub announcements: Announcements,
}

/// What applying did, or would do.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// True: nothing was written.
    pub dry_run: bool,
    /// The differences between document and database, in the order of the document.
    pub changes: Vec<Change>,
}

impl Outcome {
    /// What the audit keeps: what is new or another way now, and nothing of the document, which has passwords.
    pub(crate) fn noted(&self) -> Value {
        let one = |change: &Change| {
            let action = if change.new { "create" } else { "update" };
            json!({"kind": change.kind, "key": change.key, "action": action})
        };
        let changes: Vec<Value> = self.changes.iter().take(PRINTED_MAX).map(one).collect();
        json!({"count": self.changes.len(), "changes": changes})
    }
}

impl fmt::Display for Outcome {
    /// One line per change, `+` for new and `~` for changed, then the count.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in self.changes.iter().take(PRINTED_MAX) {
            writeln!(f, "{change}")?;
        }
        if let Some(more @ 1..) = self.changes.len().checked_sub(PRINTED_MAX) {
            writeln!(f, "and {more} more")?;
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
/// transaction. It runs to its end even when the caller goes away meanwhile.
///
/// # Errors
/// When the document is refused, the database does not answer, or another process changed the configuration in
/// between; then nothing was written.
pub async fn apply(target: Target, document: String, dry_run: bool) -> Result<Outcome, Error> {
    let runtime = tokio::runtime::Handle::current();
    // Passwords are hashed on the way, tens of milliseconds each: no place for a worker of the runtime.
    let applied = tokio::task::spawn_blocking(move || {
        runtime.block_on(async move {
            let document = Document::parse(&document)?;
            // Held here and not by the caller, whose future a closed connection drops while this goes on.
            let _turn = target.turn.lock().await;
            let current = Current::load(&target.store, &target.root_key).await?;
            let changes = provisioning::plan(&document, &current)?;
            if !dry_run {
                let now = target.clock.now();
                let both = (&document, changes.as_slice());
                provisioning::apply(&target.store, &target.root_key, both, &current, now).await?;
                if !changes.is_empty() {
                    target.announcements.announce();
                }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use runtime::clock::SystemClock;
    use runtime::store::{Location, Part, messaging, migrate};
    use tokio::time::timeout;

    use super::*;

    #[test]
    fn of_very_many_changes_the_first_are_told_and_all_are_counted() {
        let change = Change { kind: "voice_rate", key: "a/1/b".to_owned(), new: true, fields: Vec::new() };
        let changes = vec![change; PRINTED_MAX + 2];
        let outcome = Outcome { dry_run: false, changes };
        let (printed, noted) = (outcome.to_string(), outcome.noted());
        assert!(printed.ends_with("+ voice_rate a/1/b\nand 2 more\n1002 changes applied\n"), "{printed}");
        assert_eq!(printed.lines().count(), PRINTED_MAX + 2);
        assert_eq!(noted["count"], PRINTED_MAX + 2);
        assert_eq!(noted["changes"].as_array().unwrap().len(), PRINTED_MAX);
    }

    const CUSTOMER: &str = "[[customers]]\nban = \"TB-1\"\ncompany_name = \"Acme\"\n";

    /// A node whose client goes away must not plan the next document before the first is written.
    #[tokio::test(flavor = "multi_thread")]
    async fn an_apply_whose_caller_went_away_ends_before_the_next_begins() {
        let directory = tempfile::tempdir().unwrap();
        let location = Location { url: "", data_dir: directory.path() };
        let store = Db::open_store(&location).await.unwrap();
        migrate(&store, Part::Store).await.unwrap();
        let turn: Arc<Mutex<()>> = Arc::default();
        let target = Target {
            store,
            root_key: Arc::new(RootKey::load_or_create(&directory.path().join("root.key")).unwrap()),
            clock: Arc::new(SystemClock),
            turn: Arc::clone(&turn),
            announcements: Announcements::default(),
        };
        let held = turn.lock().await;
        let abandoned = apply(target.clone(), CUSTOMER.to_owned(), false);
        assert!(timeout(Duration::ZERO, abandoned).await.is_err(), "it did not wait for its turn");
        drop(held);
        while messaging::load(&target.store, &target.root_key).await.unwrap().version == 0 {
            tokio::task::yield_now().await;
        }
        let again = apply(target, CUSTOMER.to_owned(), false).await.unwrap();
        assert!(again.changes.is_empty(), "{again}");
    }
}
