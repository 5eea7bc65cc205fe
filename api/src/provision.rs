//! A provisioning document made true, by a running node or by a command that stands in for one.

use std::fmt;
use std::sync::Arc;

use runtime::clock::SharedClock;
use runtime::seal::RootKey;
use runtime::store::Db;
use runtime::store::announce::Announcements;
use runtime::store::provisioning::{self, Change, Current, Document, Error, Stir};
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
    /// Whether SIP is spoken there.
    pub speaks_sip: bool,
    /// What calls are signed and checked with there.
    pub stir: Stir,
}

/// What applying did, or would do.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// True: nothing was written.
    pub dry_run: bool,
    /// The differences between document and database, in the order of the document.
    pub changes: Vec<Change>,
    /// What of the document does nothing as it stands.
    pub notes: Vec<String>,
}

/// Said where voice is applied to a node without it.
const NO_SIP: &str = "this node speaks no SIP: [sip] listen is empty in its configuration";

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
    /// One line per change, `+` for new and `~` for changed, then the count, and the notes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in self.changes.iter().take(PRINTED_MAX) {
            writeln!(f, "{change}")?;
        }
        if let Some(more @ 1..) = self.changes.len().checked_sub(PRINTED_MAX) {
            writeln!(f, "and {more} more")?;
        }
        let done = if self.dry_run { ", not applied (dry run)" } else { " applied" };
        match self.changes.len() {
            0 => writeln!(f, "nothing to change")?,
            1 => writeln!(f, "1 change{done}")?,
            count => writeln!(f, "{count} changes{done}")?,
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))
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
            let stir = target.speaks_sip.then_some(target.stir);
            let mut notes = provisioning::notes(&document, &current, stir);
            let has_voice = !document.trunks.is_empty() || !document.sip_vendors.is_empty();
            if has_voice && !target.speaks_sip {
                notes.push(NO_SIP.to_owned());
            }
            if !dry_run {
                let now = target.clock.now();
                let both = (&document, changes.as_slice());
                provisioning::apply(&target.store, &target.root_key, both, &current, now).await?;
                if !changes.is_empty() {
                    target.announcements.announce();
                }
            }
            Ok(Outcome { dry_run, changes, notes })
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
        let outcome = Outcome { dry_run: false, changes, notes: Vec::new() };
        let (printed, noted) = (outcome.to_string(), outcome.noted());
        assert!(printed.ends_with("+ voice_rate a/1/b\nand 2 more\n1002 changes applied\n"), "{printed}");
        assert_eq!(printed.lines().count(), PRINTED_MAX + 2);
        assert_eq!(noted["count"], PRINTED_MAX + 2);
        assert_eq!(noted["changes"].as_array().unwrap().len(), PRINTED_MAX);
    }

    /// A node without voice, its migrations run.
    async fn target(directory: &std::path::Path) -> Target {
        let location = Location { url: "", data_dir: directory };
        let store = Db::open_store(&location).await.unwrap();
        migrate(&store, Part::Store).await.unwrap();
        Target {
            store,
            root_key: Arc::new(RootKey::load_or_create(&directory.join("root.key")).unwrap()),
            clock: Arc::new(SystemClock),
            turn: Arc::default(),
            announcements: Announcements::default(),
            speaks_sip: false,
            stir: Stir::default(),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn voice_on_a_node_that_speaks_no_sip_is_applied_and_said() {
        let directory = tempfile::tempdir().unwrap();
        let mute = target(directory.path()).await;
        let trunk = "[[trunks]]\nname = \"acme\"\ncustomer = \"TB-1\"\nauth_type = \"DIGEST\"\n";
        let document = format!("{CUSTOMER}{trunk}");
        let told = apply(mute.clone(), CUSTOMER.to_owned(), true).await.unwrap();
        assert_eq!(
            told.to_string(),
            "+ customer TB-1\n1 change, not applied (dry run)\n",
            "nothing of voice"
        );
        let told = apply(mute.clone(), document.clone(), false).await.unwrap().to_string();
        let unable = "note: trunk acme: it can never call: auth_type is DIGEST without a digest\n";
        let no_sip = format!("note: {NO_SIP}\n");
        assert_eq!(told, format!("+ customer TB-1\n+ trunk acme\n2 changes applied\n{unable}{no_sip}"));
        let told = apply(mute.clone(), document.clone(), false).await.unwrap().to_string();
        assert_eq!(told, format!("nothing to change\n{unable}{no_sip}"));
        let told = apply(Target { speaks_sip: true, ..mute }, document, true).await.unwrap().to_string();
        assert_eq!(told, format!("nothing to change\n{unable}"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn calls_that_a_node_without_a_key_cannot_sign_are_said() {
        let directory = tempfile::tempdir().unwrap();
        let mute = target(directory.path()).await;
        let document = "[[sip_vendors]]\nname = \"v\"\nsign_calls = true\n".to_owned();
        let unsigned = "sip_vendor v: sign_calls signs no call to it: this node has no stir.key_file";
        let with_key = Stir { signs: true, believes: false };
        for (target, expected) in [
            (mute.clone(), vec![NO_SIP]),
            (Target { speaks_sip: true, ..mute.clone() }, vec![unsigned]),
            (Target { speaks_sip: true, stir: with_key, ..mute.clone() }, vec![]),
        ] {
            let told = apply(target, document.clone(), true).await.unwrap();
            assert_eq!(told.notes, expected);
        }
    }

    const CUSTOMER: &str = "[[customers]]\nban = \"TB-1\"\ncompany_name = \"Acme\"\n";

    /// A node whose client goes away must not plan the next document before the first is written.
    #[tokio::test(flavor = "multi_thread")]
    async fn an_apply_whose_caller_went_away_ends_before_the_next_begins() {
        let directory = tempfile::tempdir().unwrap();
        let target = target(directory.path()).await;
        let turn = Arc::clone(&target.turn);
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
