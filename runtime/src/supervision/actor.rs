//! The supervisor as an actor.
//!
//! Owns its children's records and, through links and task handles, their lives. Key: the name in its spec;
//! parent: the supervisor whose child it is, or none. What a crash of it loses: the list of children that
//! were added later; ractor kills its actors, its tasks are aborted with its state. Its parent starts it
//! again with the children of its spec.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::restart::Due;
use super::run::{self, Report, Runner, Running};
use super::{ChildSpec, Error, Exit, Restart, Seat, Shutdown, SupervisorSpec, task};
use crate::registry::{ActorName, Observation, Registration, Registry, Reservation};

pub(super) struct SupervisorActor;

pub(super) struct Arguments {
    pub(super) spec: SupervisorSpec,
    pub(super) registry: Registry,
    /// Requested when the supervisor is to end: lets go of a start that hangs.
    pub(super) shutdown: Shutdown,
    pub(super) holder: Holder,
    pub(super) ended: watch::Sender<Option<Exit>>,
}

/// Who holds the supervisor's own name.
pub(super) enum Holder {
    /// The supervisor above.
    Seat(Seat),
    /// Nobody else: the name goes with the supervisor.
    Root { reservation: Reservation, incarnation: u64 },
}

pub(super) struct State {
    pub(super) myself: ActorRef<Message>,
    pub(super) spec: SupervisorSpec,
    pub(super) registry: Registry,
    pub(super) shutdown: Shutdown,
    /// By start order.
    pub(super) children: BTreeMap<u64, Child>,
    pub(super) by_name: HashMap<ActorName, u64>,
    pub(super) by_actor: HashMap<ActorId, u64>,
    /// Restarts that count towards the intensity, oldest first.
    pub(super) recent: VecDeque<Instant>,
    /// Stops and pauses under way.
    pub(super) background: JoinSet<()>,
    pub(super) last_ticket: u64,
    /// Closed when the last restart of several children has stopped them.
    pub(super) stopping: Option<oneshot::Receiver<()>>,
    pub(super) figures: Arc<Figures>,
    last_seq: u64,
    ended: watch::Sender<Option<Exit>>,
    /// Declared before the reservation: the observation goes before the name.
    _registration: Registration,
    _reservation: Option<Reservation>,
}

/// What operators see of a supervisor.
#[derive(Default)]
pub(super) struct Figures {
    pub(super) children: AtomicU64,
    pub(super) started: AtomicU64,
    pub(super) failed: AtomicU64,
}

pub(super) struct Child {
    pub(super) spec: ChildSpec,
    pub(super) reservation: Reservation,
    /// Added later, independent of its siblings.
    pub(super) dynamic: bool,
    pub(super) running: Option<Running>,
    pub(super) started_at: Instant,
    /// Failures in a row.
    pub(super) streak: u32,
    /// The pending restart that will start it; an older one finds another number and leaves it alone.
    pub(super) ticket: Option<u64>,
}

pub(super) enum Message {
    /// From a handle; without a reply nobody waits.
    Add { child: Box<ChildSpec>, reply: Option<oneshot::Sender<Result<(), Error>>> },
    /// From a handle.
    Remove { child: Box<ActorName>, reply: oneshot::Sender<Result<(), Error>> },
    /// From a handle.
    Restart { child: Box<ActorName>, reply: oneshot::Sender<Result<(), Error>> },
    /// From a handle.
    Children { reply: oneshot::Sender<Vec<ActorName>> },
    /// From a handle.
    Watch { reply: oneshot::Sender<watch::Receiver<Option<Exit>>> },
    /// From the wrapper of a task or thread: it ended.
    Exited { seq: u64, incarnation: u64, exit: Exit },
    /// From itself: stops and pause of a restart are over.
    Due { due: Box<Due>, reply: Option<oneshot::Sender<Result<(), Error>>> },
}

const _: () = assert!(size_of::<Message>() <= 64);

impl Actor for SupervisorActor {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        arguments: Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let mut state = State::new(myself, arguments);
        let outcome = start_initial(&mut state).await;
        if let Err(error) = outcome {
            state.stop_all().await;
            return Err(error.into());
        }
        Ok(state)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let outcome = match message {
            Message::Add { child, reply } => on_add(state, *child, reply).await,
            Message::Remove { child, reply } => on_remove(state, &child, reply),
            Message::Restart { child, reply } => state.restart_by_hand(&child, reply),
            Message::Children { reply } => on_children(state, reply),
            Message::Watch { reply } => on_watch(state, reply),
            Message::Exited { seq, incarnation, exit } => on_exited(state, seq, incarnation, exit),
            Message::Due { due, reply } => state.start_due(*due, reply).await,
        };
        finish(state, outcome).await
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Message>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let (actor, exit) = match event {
            // The actor's state comes with the event and is dropped here, before a restart.
            SupervisionEvent::ActorTerminated(actor, _, reason) => {
                (actor.get_id(), task::exit_of_reason(reason.as_deref()))
            }
            SupervisionEvent::ActorFailed(actor, error) => {
                (actor.get_id(), task::exit_of_error(error.as_ref()))
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => return Ok(()),
        };
        let Some(seq) = state.by_actor.get(&actor).copied() else { return Ok(()) };
        let outcome = state.child_ended(seq, exit);
        finish(state, outcome).await
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<Message>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.stop_all().await;
        state.ended.send_replace(Some(Exit::Normal));
        Ok(())
    }
}

impl State {
    fn new(myself: ActorRef<Message>, arguments: Arguments) -> Self {
        let Arguments { spec, registry, shutdown, holder, ended } = arguments;
        let figures = Arc::new(Figures::default());
        let observed = Arc::clone(&figures);
        let observe = Arc::new(move || observed.observation());
        let (registration, reservation) = match holder {
            Holder::Seat(seat) => (seat.register(observe), None),
            Holder::Root { reservation, incarnation } => {
                (Registration::seated(reservation.entry(), incarnation, observe), Some(reservation))
            }
        };
        Self {
            myself,
            spec,
            registry,
            shutdown,
            children: BTreeMap::new(),
            by_name: HashMap::new(),
            by_actor: HashMap::new(),
            recent: VecDeque::new(),
            background: JoinSet::new(),
            last_ticket: 0,
            stopping: None,
            figures,
            last_seq: 0,
            ended,
            _registration: registration,
            _reservation: reservation,
        }
    }

    /// Takes the child's name and keeps its record; starts nothing.
    fn keep(&mut self, spec: ChildSpec, dynamic: bool) -> Result<u64, Error> {
        let reservation = self.registry.reserve(spec.name.clone(), Some(self.spec.name.clone()))?;
        self.last_seq += 1;
        self.by_name.insert(spec.name.clone(), self.last_seq);
        let child = Child {
            spec,
            reservation,
            dynamic,
            running: None,
            started_at: Instant::now(),
            streak: 0,
            ticket: None,
        };
        self.children.insert(self.last_seq, child);
        self.figures.children.fetch_add(1, Ordering::Relaxed);
        Ok(self.last_seq)
    }

    /// Drops the record: the name is free once the returned child is dropped.
    pub(super) fn forget(&mut self, seq: u64) -> Option<Child> {
        let child = self.children.remove(&seq)?;
        self.by_name.remove(&child.spec.name);
        self.figures.children.fetch_sub(1, Ordering::Relaxed);
        Some(child)
    }

    /// Starts one child that does not run. `Err` is how the start ended.
    pub(super) async fn start(&mut self, seq: u64) -> Result<(), Exit> {
        let Some(child) = self.children.get_mut(&seq) else { return Ok(()) };
        let entry = Arc::clone(child.reservation.entry());
        let incarnation = entry.begin(self.registry.clock().now());
        let shutdown = Shutdown::new();
        entry.seat_shutdown(shutdown.clone());
        child.ticket = None;
        child.started_at = Instant::now();
        let seat = Seat {
            name: child.spec.name.clone(),
            registry: self.registry.clone(),
            supervisor: self.myself.get_cell(),
            shutdown: shutdown.clone(),
            entry: Arc::clone(&entry),
            incarnation,
        };
        let report = Report { supervisor: self.myself.clone(), seq, incarnation };
        let started = tokio::select! {
            started = run::start(&child.spec.start, seat, report) => started,
            () = self.shutdown.wait_unwatched() => {
                Err(Exit::Failed("its start was let go, the supervisor is stopping".to_owned()))
            }
        };
        match started {
            Ok(runner) => {
                if let Runner::Actor(actor) = &runner {
                    self.by_actor.insert(actor.get_id(), seq);
                    entry.seat_actor(actor.clone());
                }
                let (name, limit) = (child.spec.name.clone(), child.spec.shutdown);
                child.running = Some(Running { name, incarnation, shutdown, limit, runner });
                self.figures.started.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(exit) => {
                entry.end(self.registry.clock().now(), "restarting", exit.error());
                Err(exit)
            }
        }
    }

    /// Takes a running incarnation away from its record, to be stopped; its end is no event any more.
    pub(super) fn take_running(&mut self, seq: u64) -> Option<Running> {
        let running = self.children.get_mut(&seq)?.running.take()?;
        if let Runner::Actor(actor) = &running.runner {
            self.by_actor.remove(&actor.get_id());
        }
        Some(running)
    }

    /// Added children together, then those of the spec in reverse.
    async fn stop_all(&mut self) {
        self.shutdown.request();
        let order: Vec<(u64, bool)> =
            self.children.iter().rev().map(|(seq, child)| (*seq, child.dynamic)).collect();
        let (added, listed): (Vec<_>, Vec<_>) = order.into_iter().partition(|(_, dynamic)| *dynamic);
        for (seq, _) in added {
            if let Some(running) = self.take_running(seq) {
                self.background.spawn(run::stop(running));
            }
        }
        while self.background.join_next().await.is_some() {}
        for (seq, _) in listed {
            if let Some(running) = self.take_running(seq) {
                run::stop(running).await;
            }
        }
        while let Some((seq, _)) = self.children.first_key_value() {
            let seq = *seq;
            drop(self.forget(seq));
        }
    }
}

impl Figures {
    fn observation(&self) -> Observation {
        Observation {
            state: "supervising".into(),
            queue_depth: 0,
            counters: vec![
                ("children", self.children.load(Ordering::Relaxed)),
                ("started", self.started.load(Ordering::Relaxed)),
                ("failed", self.failed.load(Ordering::Relaxed)),
            ],
            note: None,
        }
    }
}

/// A supervisor whose restarts are exhausted ends here: children first, then itself, with the error.
async fn finish(state: &mut State, outcome: Result<(), Error>) -> Result<(), ActorProcessingErr> {
    let Err(error) = outcome else { return Ok(()) };
    tracing::error!(supervisor = %state.spec.name, %error, "supervisor gives up");
    state.stop_all().await;
    state.ended.send_replace(Some(Exit::Failed(error.to_string())));
    Err(error.into())
}

async fn start_initial(state: &mut State) -> Result<(), Error> {
    let mut order = Vec::new();
    for spec in std::mem::take(&mut state.spec.children) {
        order.push(state.keep(spec, false)?);
    }
    state.start_in_order(&order).await
}

async fn on_add(
    state: &mut State,
    spec: ChildSpec,
    reply: Option<oneshot::Sender<Result<(), Error>>>,
) -> Result<(), Error> {
    let tell = |answer: Result<(), Error>| match (reply, answer) {
        // The asker may have gone; nothing else to tell.
        (Some(reply), answer) => drop(reply.send(answer)),
        (None, Err(error)) => tracing::error!(%error, "a child was not started"),
        (None, Ok(())) => {}
    };
    let (name, temporary) = (spec.name.clone(), spec.restart == Restart::Temporary);
    let seq = match state.keep(spec, true) {
        Ok(seq) => seq,
        Err(error) => {
            tell(Err(error));
            return Ok(());
        }
    };
    let started = state.start(seq).await;
    let mut outcome = Ok(());
    let answer = match started {
        Ok(()) => Ok(()),
        Err(exit) => {
            outcome = state.settle(seq, exit.clone());
            if temporary { Err(Error::Start { name, exit }) } else { Ok(()) }
        }
    };
    tell(answer);
    outcome
}

fn on_remove(
    state: &mut State,
    name: &ActorName,
    reply: oneshot::Sender<Result<(), Error>>,
) -> Result<(), Error> {
    let Some(seq) = state.by_name.get(name).copied() else {
        let _ = reply.send(Err(state.unknown(name)));
        return Ok(());
    };
    let running = state.take_running(seq);
    let child = state.forget(seq);
    state.spawn_background(async move {
        if let Some(running) = running {
            run::stop(running).await;
        }
        drop(child);
        let _ = reply.send(Ok(()));
    });
    Ok(())
}

fn on_children(state: &State, reply: oneshot::Sender<Vec<ActorName>>) -> Result<(), Error> {
    let _ = reply.send(state.children.values().map(|child| child.spec.name.clone()).collect());
    Ok(())
}

fn on_watch(state: &State, reply: oneshot::Sender<watch::Receiver<Option<Exit>>>) -> Result<(), Error> {
    let _ = reply.send(state.ended.subscribe());
    Ok(())
}

fn on_exited(state: &mut State, seq: u64, incarnation: u64, exit: Exit) -> Result<(), Error> {
    let running = state.children.get(&seq).and_then(|child| child.running.as_ref());
    if running.is_some_and(|running| running.incarnation == incarnation) {
        state.child_ended(seq, exit)
    } else {
        Ok(())
    }
}
