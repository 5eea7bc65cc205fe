//! The registrar: does what REGISTERs ask for, and has the workers told when it is durable.
//!
//! Owns: the bindings that workers look up ([`Bindings`]), which it alone writes, and what the table of
//! registrations says of them. Its key is `registrar:main:0`, its parent the `sip` supervisor, its restart
//! policy permanent. A crash loses the requests of the open group, which are answered 503: the bindings and
//! the queue stand beside it, and the next incarnation goes on with them.
//!
//! Requests that come together are one transaction, and none is answered before its commit. Each is decided
//! by what the table says behind the version that the transaction has raised, so that the nodes of one
//! database agree; what others changed is read at every poll. Nobody waits for it but who sent a REGISTER, and
//! that not for long: who has given up is not to be bound.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use runtime::registry::{ActorName, Observation, Observe};
use runtime::store::registration::{self, StoredRegistration};
use runtime::store::{Db, Error, ErrorKind};
use runtime::supervision::{Backoff, BoxError, ChildSpec, Restart, Seat, Start};
use sip::register;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

use super::bindings::{self, Ask, Binding, Bindings, By, Held, Row};
use super::calls::Calls;
use super::transactions::Now;

/// Requests that wait; more are answered 503.
const QUEUE: usize = 4_096;
/// Requests of one transaction: what they take together is what the first of them waits.
const BATCH: usize = 64;
/// Rows that are read at once.
const PAGE: u32 = 1_000;
/// A request that has waited for so long is not done: its sender may have registered elsewhere meanwhile.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// So long a transaction takes at most, and what reads what others changed.
const TRANSACTION_MAX: Duration = Duration::from_secs(5);
/// How often what is no more is forgotten.
const SWEEP_EVERY: Duration = Duration::from_mins(5);
/// For so long a row says that its registration is no more. It is longer than any lives.
const GONE_FOR: Duration = Duration::from_hours(24);
/// For so long it may be written anew: nobody writes what another node is about to delete.
const FREE_FOR: Duration = Duration::from_hours(23);
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
    /// When it came.
    pub came: std::time::Instant,
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
    /// Whether all of that change was read.
    whole: bool,
}

const START: Position = Position { version: 0, id: Uuid::nil(), whole: true };

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
    trunks: HashMap<Uuid, Held>,
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

    /// Reads what lives, for the start: what is no more is nobody's concern then.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn read(&self, db: &Db, now: Now) -> Result<(), Error> {
        // Before the rows: what changes meanwhile is read again.
        let version = registration::version(db).await?;
        let mut after = Uuid::nil();
        loop {
            let rows = registration::living(db, now.wall, (after, PAGE)).await?;
            after = rows.last().map_or(after, |last| last.id);
            if self.take(rows, now) {
                break;
            }
        }
        *self.position.lock() = Position { version, id: Uuid::max(), whole: true };
        Ok(())
    }

    /// Reads what changed in the table since it was read last.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn follow(&self, db: &Db, now: Now) -> Result<(), Error> {
        loop {
            let Position { version, id, .. } = *self.position.lock();
            let rows = registration::since(db, (version, id), PAGE).await?;
            let last = rows.last().map(|last| (last.version, last.id));
            let whole = self.take(rows, now);
            let (version, id) = last.unwrap_or((version, id));
            *self.position.lock() = Position { version, id, whole };
            if whole {
                return Ok(());
            }
        }
    }

    /// Takes in what the table says, in the order of the changes; whether it says no more.
    fn take(&self, rows: Vec<StoredRegistration>, now: Now) -> bool {
        let read = rows.len();
        self.figures.read.fetch_add(read as u64, Ordering::Relaxed);
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
        u32::try_from(read).is_ok_and(|read| read < PAGE)
    }

    /// The rows of a trunk, with what is known of them.
    fn held(&self, trunk: Uuid, rows: Vec<StoredRegistration>, now: Now) -> Held {
        let known = self.bindings.of(trunk, now.wall);
        let mut held = Held::default();
        for row in rows {
            if row.lives(now.wall) {
                held.live.push(Arc::new(Binding::read(row, &known, now)));
            } else if now.wall.since(row.expires_at) < FREE_FOR {
                held.free.push(row.id);
            }
        }
        held
    }

    /// What was committed is what workers find from now on.
    fn committed(&self, version: i64, trunks: HashMap<Uuid, Held>) {
        for (trunk, held) in trunks {
            self.bindings.put(trunk, held.live);
        }
        let mut position = self.position.lock();
        if version == position.version + 1 && position.whole {
            // All that was before it was read; of itself there is nothing to read.
            *position = Position { version, id: Uuid::max(), whole: true };
        } else if version <= position.version {
            // The database is another one, or an older copy of it.
            *position = START;
        }
    }
}

/// Does what one REGISTER asks for; what is said of it, and what is to be written.
pub fn decide(ask: &Ask, held: &mut Held, by: &By<'_>) -> (Outcome, Vec<Row>) {
    match bindings::apply(ask, held, by) {
        Ok(rows) => (Outcome::Bound(bindings::listed(&held.live, by.now.wall)), rows),
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
                let followed = timeout(TRANSACTION_MAX, registrar.follow(&self.db, calls.now())).await;
                let followed = followed.unwrap_or_else(|_| Err(late()));
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
        let now = calls.now().instant;
        group.retain(|ToRegistrar { asker, came, .. }| {
            let is_late = now.saturating_duration_since(*came) > WAIT_MAX;
            if is_late {
                figures.failed.fetch_add(1, Ordering::Relaxed);
                calls.registered(Told { asker: *asker, outcome: Outcome::Failed });
            }
            !is_late
        });
        if group.is_empty() {
            registrar.open.lock().clear();
            return;
        }
        let done = timeout(TRANSACTION_MAX, self.commit(group)).await.unwrap_or_else(|_| Err(late()));
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

    /// Does the requests of a group in one transaction.
    async fn commit(&self, group: &[ToRegistrar]) -> Result<Group, Error> {
        let calls = self.calls;
        let mut tx = self.db.begin().await?;
        let version = registration::raise(&mut tx).await?;
        let is_connected = |connection| calls.streams().is_some_and(|streams| streams.has(connection));
        let settings = &calls.settings;
        let by = By {
            node: settings.node,
            // Others were waited for: what is granted counts from now on.
            now: calls.now(),
            rules: &settings.registrations,
            random: &calls.random,
            is_connected: &is_connected,
        };
        let mut trunks: HashMap<Uuid, Held> = HashMap::new();
        let mut outcomes = Vec::with_capacity(group.len());
        let mut changed = false;
        for ToRegistrar { ask, .. } in group {
            let held = match trunks.entry(ask.trunk) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    let rows = registration::of_trunk(&mut tx, ask.trunk).await?;
                    place.insert(calls.registrar.held(ask.trunk, rows, by.now))
                }
            };
            let (outcome, rows) = decide(ask, held, &by);
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

fn late() -> Error {
    Error::new(ErrorKind::Unavailable, format!("no end of it within {TRANSACTION_MAX:?}"))
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
