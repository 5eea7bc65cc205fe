//! The registrar: does what REGISTERs ask for, and has the workers told when it is durable.
//!
//! Owns: the bindings that workers look up ([`Bindings`]), which it alone writes, and what the table of
//! registrations says of them. Its key is `registrar:main:0`, its parent the `sip` supervisor, its restart
//! policy permanent. A crash loses the requests of the open group, which are answered 503: the bindings and
//! the queue stand beside it, and the next incarnation goes on with them.
//!
//! Requests that come together are one transaction, and none is answered before its commit. Each is decided
//! by what the table says behind the version that the transaction has raised, so that the nodes of one
//! database agree; what others changed is read at every poll. Nobody waits for it but who sent a REGISTER.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use runtime::registry::{ActorName, Observation, Observe};
use runtime::store::registration::{self, StoredRegistration};
use runtime::store::{Db, Error};
use runtime::supervision::{Backoff, BoxError, ChildSpec, Restart, Seat, Start};
use sip::register;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::bindings::{self, Ask, Binding, Bindings, By, Row};
use super::calls::Calls;
use super::transactions::Now;

/// Requests that wait; more are answered 503.
const QUEUE: usize = 4_096;
/// Requests of one transaction: what they take together is what the first of them waits.
const BATCH: usize = 64;
/// Rows that are read at once.
const PAGE: u32 = 1_000;
/// How often what is no more is forgotten.
const SWEEP_EVERY: Duration = Duration::from_mins(5);
/// For so long a row says that its registration is no more. It is longer than any lives.
const GONE_FOR: Duration = Duration::from_hours(24);
/// So that a bug of this actor uses up no restarts of the supervisor that calls depend on.
const RESTARTS: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(60));

/// A worker that waits for what becomes of a REGISTER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// Which worker.
    pub worker: u8,
    /// Its incarnation: transactions of an earlier one are other things.
    pub incarnation: u64,
    /// Its transaction.
    pub transaction: u64,
}

/// A REGISTER for the registrar.
#[derive(Debug)]
pub struct ToRegistrar {
    /// Who is told.
    pub asker: Asker,
    /// What is asked for.
    pub ask: Ask,
}

/// What became of a REGISTER.
#[derive(Debug)]
pub struct Told {
    /// Who asked.
    pub asker: Asker,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a REGISTER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is done and durable: what is bound now.
    Bound(Vec<register::Listed>),
    /// It asks for what is not to be.
    Refused(register::Error),
    /// It is not known to be done: there is no room for it, or the database does not answer.
    Failed,
}

/// The registrar as others see it, kept over its incarnations.
pub struct Registrar {
    /// Where trunks are reached.
    pub bindings: Arc<Bindings>,
    queue: mpsc::Sender<ToRegistrar>,
    /// Held by the one incarnation of the actor that serves.
    waiting: tokio::sync::Mutex<mpsc::Receiver<ToRegistrar>>,
    /// Whose requests are being done.
    open: Mutex<Vec<Asker>>,
    /// What was read of the table.
    position: Mutex<Position>,
    /// Somebody else has changed the table.
    changed: Notify,
    figures: Figures,
}

/// The last change that was read, and the last registration of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    version: i64,
    id: Uuid,
}

const START: Position = Position { version: 0, id: Uuid::nil() };

#[derive(Default)]
struct Figures {
    requests: AtomicU64,
    commits: AtomicU64,
    failed: AtomicU64,
    read: AtomicU64,
}

impl Default for Registrar {
    fn default() -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        Self {
            bindings: Arc::default(),
            queue,
            waiting: tokio::sync::Mutex::new(waiting),
            open: Mutex::default(),
            position: Mutex::new(START),
            changed: Notify::new(),
            figures: Figures::default(),
        }
    }
}

/// What came of the requests of a group, and what is bound then.
struct Group {
    outcomes: Vec<Outcome>,
    /// The version that was committed; `None` where nothing changed.
    version: Option<i64>,
    trunks: HashMap<Uuid, Vec<Arc<Binding>>>,
}

impl Registrar {
    /// Hands a REGISTER over. Who asked is told later, by [`Calls::registered`].
    ///
    /// # Errors
    /// What it is told at once, where too many wait.
    pub fn submit(&self, asked: ToRegistrar) -> Result<(), Told> {
        self.queue.try_send(asked).map_err(|refused| {
            let (mpsc::error::TrySendError::Full(asked) | mpsc::error::TrySendError::Closed(asked)) = refused;
            Told { asker: asked.asker, outcome: Outcome::Failed }
        })
    }

    /// The table is looked at now and not at the next poll: somebody has changed it.
    pub fn look(&self) {
        self.changed.notify_one();
    }

    /// Reads what changed in the table since it was read last.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn follow(&self, db: &Db, now: Now) -> Result<(), Error> {
        loop {
            let Position { version, id } = *self.position.lock();
            let rows = registration::since(db, (version, id), PAGE).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            let position = Position { version: last.version, id: last.id };
            let read = rows.len();
            self.take(rows, now);
            *self.position.lock() = position;
            self.figures.read.fetch_add(read as u64, Ordering::Relaxed);
            if u32::try_from(read).is_ok_and(|read| read < PAGE) {
                return Ok(());
            }
        }
    }

    /// Takes in what the table says, in the order of the changes.
    fn take(&self, rows: Vec<StoredRegistration>, now: Now) {
        for row in rows {
            let trunk = row.trunk;
            let known = self.bindings.of(trunk, now.wall);
            let mut bindings: Vec<_> =
                known.iter().filter(|binding| binding.stored.id != row.id).cloned().collect();
            if row.lives(now.wall) {
                bindings.push(Arc::new(Binding::read(row, &known, now)));
            }
            self.bindings.put(trunk, bindings);
        }
    }

    /// Does the requests of a group in one transaction.
    async fn commit(&self, db: &Db, by: &By<'_>, group: &[ToRegistrar]) -> Result<Group, Error> {
        let mut tx = db.begin().await?;
        let version = registration::raise(&mut tx).await?;
        let mut trunks: HashMap<Uuid, Vec<Arc<Binding>>> = HashMap::new();
        let mut outcomes = Vec::with_capacity(group.len());
        let mut changed = false;
        for ToRegistrar { ask, .. } in group {
            let live = match trunks.entry(ask.trunk) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    let rows = registration::of_trunk(&mut tx, ask.trunk, by.now.wall).await?;
                    place.insert(self.known(ask.trunk, rows, by.now))
                }
            };
            let (outcome, rows) = decide(ask, live, by);
            for row in &rows {
                match row {
                    Row::Put(stored) => registration::put(&mut tx, stored, version).await?,
                    Row::Remove(id) => registration::remove(&mut tx, *id, by.now.wall, version).await?,
                }
            }
            changed |= !rows.is_empty();
            outcomes.push(outcome);
        }
        if !changed {
            // What was only read leaves no version behind.
            return Ok(Group { outcomes, version: None, trunks: HashMap::new() });
        }
        tx.commit().await?;
        Ok(Group { outcomes, version: Some(version), trunks })
    }

    /// The rows of a trunk, with what is known of them.
    fn known(&self, trunk: Uuid, rows: Vec<StoredRegistration>, now: Now) -> Vec<Arc<Binding>> {
        let known = self.bindings.of(trunk, now.wall);
        rows.into_iter().map(|row| Arc::new(Binding::read(row, &known, now))).collect()
    }

    /// What was committed is what workers find from now on.
    fn committed(&self, version: i64, trunks: HashMap<Uuid, Vec<Arc<Binding>>>) {
        for (trunk, bindings) in trunks {
            self.bindings.put(trunk, bindings);
        }
        let mut position = self.position.lock();
        if version == position.version + 1 {
            // All that was before it was read; of itself there is nothing to read.
            *position = Position { version, id: Uuid::max() };
        } else if version <= position.version {
            // The database is another one, or an older copy of it.
            *position = START;
        }
    }
}

/// Does what one REGISTER asks for; what is said of it, and what is to be written.
pub fn decide(ask: &Ask, live: &mut Vec<Arc<Binding>>, by: &By<'_>) -> (Outcome, Vec<Row>) {
    match bindings::apply(ask, live, by) {
        Ok(rows) => (Outcome::Bound(bindings::listed(live, by.now.wall)), rows),
        Err(refused) => (Outcome::Refused(refused), Vec::new()),
    }
}

/// The registrar as a child of the `sip` supervisor. `poll` is how often it looks for what other nodes
/// changed.
pub fn child_spec(calls: Arc<Calls>, db: Db, poll: Duration) -> ChildSpec {
    let start = Start::task(move |seat: Seat| {
        let (calls, db) = (Arc::clone(&calls), db.clone());
        async move {
            let _registration = seat.register(observe(&calls));
            let mut actor = Actor { calls: &calls, db, poll, works: true };
            tokio::select! {
                never = actor.run() => match never {},
                () = seat.shutdown.requested() => Ok::<(), BoxError>(()),
            }
        }
    });
    ChildSpec::new(ActorName::new("registrar", "main"), Restart::Permanent, start).backoff(RESTARTS)
}

struct Actor<'a> {
    calls: &'a Calls,
    db: Db,
    poll: Duration,
    /// Whether the database did what it was asked last.
    works: bool,
}

impl Actor<'_> {
    async fn run(&mut self) -> Infallible {
        let calls = self.calls;
        let registrar = &calls.registrar;
        let mut waiting = registrar.waiting.lock().await;
        self.give_up();
        let mut group = Vec::with_capacity(BATCH);
        let (mut follow_at, mut sweep_at) = (Instant::now(), Instant::now() + SWEEP_EVERY);
        loop {
            let mut is_told = false;
            tokio::select! {
                // The sender lives as long as this does.
                _ = waiting.recv_many(&mut group, BATCH) => {}
                () = registrar.changed.notified() => is_told = true,
                () = sleep_until(follow_at.min(sweep_at)) => {}
            }
            if !group.is_empty() {
                self.serve(&mut group).await;
            }
            if is_told || Instant::now() >= follow_at {
                let followed = registrar.follow(&self.db, calls.now()).await;
                self.note(followed.as_ref().err());
                follow_at = Instant::now() + self.poll;
            }
            if Instant::now() >= sweep_at {
                self.sweep().await;
                sweep_at = Instant::now() + SWEEP_EVERY;
            }
        }
    }

    /// Those whose requests the last incarnation did not come to the end of are told so.
    fn give_up(&self) {
        for asker in std::mem::take(&mut *self.calls.registrar.open.lock()) {
            self.calls.registered(Told { asker, outcome: Outcome::Failed });
        }
    }

    /// Does the requests of a group and has their senders told.
    async fn serve(&mut self, group: &mut Vec<ToRegistrar>) {
        let calls = self.calls;
        let registrar = &calls.registrar;
        let figures = &registrar.figures;
        figures.requests.fetch_add(group.len() as u64, Ordering::Relaxed);
        *registrar.open.lock() = group.iter().map(|asked| asked.asker).collect();
        let settings = &calls.settings;
        let by = By {
            node: settings.node,
            now: calls.now(),
            rules: &settings.registrations,
            random: &calls.random,
        };
        let done = registrar.commit(&self.db, &by, group).await;
        self.note(done.as_ref().err());
        let outcomes = match done {
            Ok(Group { outcomes, version, trunks }) => {
                if let Some(version) = version {
                    figures.commits.fetch_add(1, Ordering::Relaxed);
                    registrar.committed(version, trunks);
                }
                outcomes
            }
            Err(_) => {
                figures.failed.fetch_add(group.len() as u64, Ordering::Relaxed);
                vec![Outcome::Failed; group.len()]
            }
        };
        for (ToRegistrar { asker, .. }, outcome) in group.drain(..).zip(outcomes) {
            calls.registered(Told { asker, outcome });
        }
        registrar.open.lock().clear();
    }

    /// Forgets what is no more, here and, a day later, in the table.
    async fn sweep(&mut self) {
        let now = self.calls.now().wall;
        self.calls.registrar.bindings.purge(now);
        let swept = registration::sweep(&self.db, now.minus(GONE_FOR)).await;
        self.note(swept.as_ref().err());
    }

    /// Says once that the database does not do what it is asked, and once that it does again.
    fn note(&mut self, error: Option<&Error>) {
        let worked = std::mem::replace(&mut self.works, error.is_none());
        match error {
            Some(error) if worked => {
                tracing::error!(%error, "registrations cannot be read or written, REGISTER is answered 503");
            }
            None if !worked => tracing::info!("registrations can be read and written again"),
            Some(_) | None => {}
        }
    }
}

fn observe(calls: &Arc<Calls>) -> Observe {
    let calls = Arc::clone(calls);
    Arc::new(move || {
        let Registrar { queue, figures, .. } = &calls.registrar;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Observation {
            state: "serving".into(),
            queue_depth: QUEUE.saturating_sub(queue.capacity()) as u64,
            counters: vec![
                ("requests", count(&figures.requests)),
                ("commits", count(&figures.commits)),
                ("failed", count(&figures.failed)),
                ("read", count(&figures.read)),
            ],
            note: None,
        }
    })
}

#[cfg(test)]
mod tests;
