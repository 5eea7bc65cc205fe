//! The thread of a worker: its sockets, its ring, and the turns of the worker between them.
//!
//! A turn takes what came, so much of it, lets the worker work, and sends. New calls are refused in a turn in which
//! something was taken that had waited too long, in a socket or in the ring.
//!
//! Owns: one UDP socket for each address, one for each media node that its calls ask, and one [`Worker`]. Its key is
//! `sip_worker:N:0`, its parent the `workers` supervisor, its restart policy permanent. A crash loses the transactions of
//! its calls and what they wait for at media nodes, never the sockets of addresses, which its parent keeps; the dialogs
//! tell the next incarnation of themselves.

mod age;
mod lines;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::select_all;
use runtime::model::Transport;
use runtime::random::Random;
use runtime::registry::{ActorName, Observation, Observe};
use runtime::supervision::{BoxError, ChildSpec, Restart, Seat, Start};
use tokio::time::{Instant, sleep_until};

use self::age::Ages;
use self::lines::Lines;
use super::calls::Calls;
use super::dialog::Dialog;
use super::finder::{Found, Outcome, ToFinder};
use super::flood::Flood;
use super::flow::{Flow, Outbound, Undelivered};
use super::ring::{Arrived, Ring};
use super::transport::metrics::Metrics;
use super::transport::udp::{BATCH, Bound, Datagram, UdpSocket};
use super::worker::{Connected, Input, Output, Parts, Worker};
use crate::media;
use crate::media::exchange::WAITING_MAX;
use crate::media::pool::News;

/// Datagrams that may wait for room in a socket.
const QUEUE: usize = 16_384;

/// What dialogs are told of may wait so long: the waking of an actor costs more than all that it does with one event.
const TELL_WITHIN: Duration = Duration::from_millis(8);
/// Events that wait for that.
const TELL_MAX: usize = 256;

/// Timers of transactions may come so late: under load they come with the next message then, and cost no waking. RFC
/// 3261 counts them in halves of seconds.
const TIMER_SLACK: Duration = Duration::from_millis(5);

/// Inputs that one turn takes off the ring: what they make is sent before the next.
const TAKE: usize = 4 * BATCH;

/// What networks say of addresses that cannot be reached, in one turn: anybody can say it, and each costs a search.
const UNREACHABLE_MAX: usize = 4;

/// What a worker's thread is made of.
#[derive(Clone)]
pub struct Options {
    /// What the actors of calls share.
    pub calls: Arc<Calls>,
    /// Which worker.
    pub worker: u8,
    /// Its sockets, and the listeners that they are of.
    pub sockets: Vec<(u16, Arc<Bound>)>,
    /// Counters of the transports.
    pub metrics: Metrics,
    /// Counters of media nodes.
    pub media_metrics: media::metrics::Metrics,
}

/// What operators see of a worker.
#[derive(Default)]
struct Face {
    turns: AtomicU64,
    dialogs: AtomicU64,
    transactions: AtomicU64,
}

/// A worker as a child of the `workers` supervisor.
pub fn child_spec(options: Options) -> ChildSpec {
    let name = ActorName::new("sip_worker", options.worker.to_string());
    let start = Start::thread(move |seat: Seat| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(serve(&seat, &options))
    });
    ChildSpec::new(name, Restart::Permanent, start)
}

/// A socket of the worker.
struct Listening {
    /// Which listener it is of.
    listener: u16,
    socket: UdpSocket,
    ages: Ages,
}

/// The worker and all around it.
struct Shell<'a> {
    options: &'a Options,
    sockets: Vec<Listening>,
    /// The ways to media nodes, and what came over them.
    lines: Lines,
    news: Vec<News>,
    worker: Worker,
    inputs: Vec<Input>,
    out: Output,
    datagrams: Vec<Datagram>,
    undelivered: Vec<Undelivered>,
    /// What came for other workers.
    others: Vec<Vec<Arrived>>,
    /// New calls that others had for us, and for which the ring had no room.
    refused: Vec<Input>,
    flood: Flood,
    /// How long the oldest message of this turn had waited.
    queue_age: Duration,
    /// Since when more waited after every turn than one takes, where the system's buffer is too short to tell by age.
    behind_since: Option<std::time::Instant>,
    is_short: bool,
    /// When the dialogs are told what happened.
    tell_at: Option<std::time::Instant>,
}

async fn serve(seat: &Seat, options: &Options) -> Result<(), BoxError> {
    let calls = &options.calls;
    let face = Arc::new(Face::default());
    let _registration = seat.register(observe(&face));
    let mut shell = Shell::new(options)?;
    let place = usize::from(options.worker);
    let ring = calls.ring(place).ok_or("no such worker")?;
    let _end = ring.serve().await;
    for dialog in calls.worker_begins(place) {
        shell.worker.recover(Dialog::clone(&dialog));
    }
    loop {
        tokio::select! {
            biased;
            () = seat.shutdown.requested() => {
                calls.announce();
                return Ok(());
            }
            () = wait(&shell, ring) => {}
        }
        shell.turn(ring)?;
        face.turns.fetch_add(1, Ordering::Relaxed);
        face.dialogs.store(shell.worker.dialogs() as u64, Ordering::Relaxed);
        face.transactions.store(shell.worker.transactions() as u64, Ordering::Relaxed);
    }
}

/// Waits until there is something to do.
async fn wait(shell: &Shell<'_>, ring: &Ring) {
    if !shell.inputs.is_empty() {
        return;
    }
    let timer = shell.worker.next_deadline().map(|deadline| deadline + TIMER_SLACK);
    let deadline = [timer, shell.tell_at, shell.lines.next_deadline()].into_iter().flatten().min();
    let deadline = deadline.map(Instant::from_std);
    let timer = async {
        match deadline {
            Some(deadline) => sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    let sockets = async {
        if shell.sockets.is_empty() {
            std::future::pending::<()>().await;
        }
        let ready = shell.sockets.iter().map(|listening| Box::pin(listening.socket.ready()));
        // An error of a socket shows again when it is read.
        let _ = select_all(ready).await;
    };
    tokio::select! {
        biased;
        () = ring.ready() => {}
        () = sockets => {}
        () = shell.lines.ready() => {}
        () = timer => {}
    }
}

impl<'a> Shell<'a> {
    fn new(options: &'a Options) -> Result<Self, BoxError> {
        let calls = &options.calls;
        let attach = |(listener, bound): &(u16, Arc<Bound>)| {
            let socket = UdpSocket::attach(bound, QUEUE, options.metrics.clone())?;
            let ages = Ages::new(bound.opened_at());
            Ok(Listening { listener: *listener, socket, ages })
        };
        let sockets: Result<Vec<_>, std::io::Error> = options.sockets.iter().map(attach).collect();
        let parts = Parts {
            settings: Arc::clone(&calls.settings),
            snapshot: Arc::clone(&calls.snapshot),
            worker: options.worker,
            random: Random::seeded(calls.random.u64()),
            counters: Arc::clone(&calls.counters),
            media: Arc::clone(&calls.media),
            bindings: Arc::clone(&calls.registrar.bindings),
            is_connected: Connected(Arc::new({
                let calls = Arc::clone(calls);
                move |connection| calls.streams().is_some_and(|streams| streams.has(connection))
            })),
        };
        Ok(Self {
            options,
            sockets: sockets?,
            lines: Lines::new(lines::Options {
                pool: Arc::clone(&calls.media),
                metrics: options.media_metrics.clone(),
                random: calls.random.clone(),
                // All workers together have as much under way as one socket would.
                most: WAITING_MAX.div_ceil(calls.workers().max(1)),
            }),
            news: Vec::new(),
            worker: Worker::new(parts, calls.now()),
            inputs: Vec::new(),
            out: Output::default(),
            datagrams: Vec::with_capacity(BATCH),
            undelivered: Vec::new(),
            others: (0..calls.workers()).map(|_| Vec::new()).collect(),
            refused: Vec::new(),
            flood: Flood::new(calls.settings.flood_per_source, calls.now().instant),
            queue_age: Duration::ZERO,
            behind_since: None,
            is_short: options.sockets.iter().any(|(_, bound)| bound.is_short()),
            tell_at: None,
        })
    }

    /// Takes what came, lets the worker work, sends what it made.
    fn turn(&mut self, ring: &Ring) -> Result<(), BoxError> {
        self.queue_age = Duration::ZERO;
        self.take(ring);
        self.receive()?;
        self.hand_over();
        self.hear_media();
        let calls = &self.options.calls;
        let now = calls.now();
        let behind = self.behind_since.map(|since| now.instant.saturating_duration_since(since));
        let late = self.queue_age.max(behind.unwrap_or_default()) > calls.settings.queue_age_max;
        self.worker.take_calls(!late && calls.is_taking_calls());
        self.worker.handle(&mut self.inputs, now, &mut self.out);
        // After the others: among them may be the first INVITE of a call, of which one of these is a repetition.
        if !self.refused.is_empty() {
            self.worker.take_calls(false);
            self.worker.handle(&mut self.refused, now, &mut self.out);
        }
        self.ask_media();
        self.ask_registrar();
        self.ask_finder();
        // First: a send that fails for good ends the worker, and what happened has happened.
        self.note(now.instant);
        self.give();
        self.send()?;
        self.tell(now.instant);
        Ok(())
    }

    /// Sends commands to media nodes.
    fn ask_media(&mut self) {
        if self.out.media.is_empty() {
            return;
        }
        let now = self.options.calls.now().instant;
        for asked in self.out.media.drain(..) {
            self.lines.submit(asked, now, &mut self.news);
        }
        self.take_news();
    }

    /// Takes what media nodes said.
    fn hear_media(&mut self) {
        self.lines.read(self.options.calls.now().instant, &mut self.news);
        self.take_news();
    }

    fn take_news(&mut self) {
        for news in self.news.drain(..) {
            match news {
                News::Answer(answer) => self.inputs.push(Input::Media(answer)),
                news @ (News::Deleted { .. }
                | News::Calls { .. }
                | News::Gone { .. }
                | News::Queried { .. }
                | News::Lost { .. }) => self.options.calls.media_news(news),
            }
        }
    }

    /// Hands REGISTERs to the registrar. Where it has no room, the worker is told so.
    fn ask_registrar(&mut self) {
        let registrar = &self.options.calls.registrar;
        let refused = self.out.registers.drain(..).filter_map(|asked| registrar.submit(asked).err());
        self.inputs.extend(refused.map(Input::Registered));
    }

    /// Asks the finder for calls. Where it has no room, the worker is told so.
    fn ask_finder(&mut self) {
        for asked in self.out.looks.drain(..) {
            if let ToFinder::Serve { dialog, .. } = asked
                && !self.options.calls.finder.submit(asked)
            {
                self.inputs.push(Input::Found(Found { dialog, outcome: Outcome::Failed }));
            }
        }
    }

    /// Calls go that another node has, after all that has happened to them here.
    fn give(&mut self) {
        for dialog in self.out.given.drain(..) {
            self.options.calls.given(usize::from(self.options.worker), dialog);
        }
    }

    /// Keeps what the dialogs are to be told.
    fn note(&mut self, now: std::time::Instant) {
        if !self.out.events.is_empty() {
            let place = usize::from(self.options.worker);
            let noted = self.options.calls.note(place, &mut self.out.events);
            let at = self.tell_at.unwrap_or(now + TELL_WITHIN);
            self.tell_at = Some(if noted < TELL_MAX { at } else { now });
        }
    }

    /// Tells the dialogs what happened, some of it at one time.
    fn tell(&mut self, now: std::time::Instant) {
        if self.tell_at.is_some_and(|at| at <= now) {
            self.tell_at = None;
            self.options.calls.announce();
        }
    }

    /// Takes what others handed over.
    fn take(&mut self, ring: &Ring) {
        if let Some(first) = ring.take(TAKE, &mut self.inputs, &mut self.refused) {
            let now = self.options.calls.now().instant;
            self.aged(now.saturating_duration_since(first));
        }
    }

    fn aged(&mut self, age: Duration) {
        self.queue_age = self.queue_age.max(age);
        self.options.metrics.queue_age.observe(age.as_secs_f64());
    }

    fn receive(&mut self) -> Result<(), BoxError> {
        let calls = &self.options.calls;
        let now = calls.now();
        let mut behind = false;
        for at in 0..self.sockets.len() {
            let Some(Listening { listener, socket, ages }) = self.sockets.get_mut(at) else { break };
            let listener = *listener;
            let more = socket.recv_batch(&mut self.datagrams)?;
            behind |= more && self.is_short;
            // Nothing in the batch has come after this.
            let read = calls.now();
            let age = socket.first_at().map(|first| ages.of(first, read.wall, read.instant));
            if !more {
                ages.emptied(now.instant);
            }
            socket.errors(&mut self.undelivered);
            if !self.datagrams.is_empty() {
                let age = age.unwrap_or_default();
                self.aged(age);
                self.sort(listener, read.instant.checked_sub(age).unwrap_or(read.instant), read.instant);
            }
        }
        self.behind_since = behind.then(|| self.behind_since.unwrap_or(now.instant));
        self.spread_undelivered(now.instant);
        Ok(())
    }

    /// Reads a batch of datagrams, the first of which came then, and puts each where it belongs.
    fn sort(&mut self, listener: u16, came: std::time::Instant, now: std::time::Instant) {
        let calls = &self.options.calls;
        for datagram in self.datagrams.drain(..) {
            if !self.flood.admits(datagram.peer.ip(), now) {
                calls.counters.flooded.add(1);
                continue;
            }
            let flow = Flow { listener, transport: Transport::Udp, peer: datagram.peer, connection: 0 };
            let Some(message) = calls.read(datagram.octets) else { continue };
            calls.mirror_received(&flow, &message);
            let worker = calls.worker_of(&message);
            let input = Input::Message(flow, message);
            if worker == usize::from(self.options.worker) {
                self.inputs.push(input);
            } else if let Some(other) = self.others.get_mut(worker) {
                other.push(Arrived { at: came, input });
            }
        }
    }

    /// Of the sockets of one address the system tells any what became of a datagram that another one sent.
    fn spread_undelivered(&mut self, now: std::time::Instant) {
        self.undelivered.dedup();
        self.undelivered.truncate(UNREACHABLE_MAX);
        for (worker, batch) in self.others.iter_mut().enumerate() {
            if worker != usize::from(self.options.worker) {
                let told = self.undelivered.iter().map(|undelivered| Input::Undelivered(*undelivered));
                batch.extend(told.map(|input| Arrived { at: now, input }));
            }
        }
        // What cannot be sent is an input of the next turn, never a call back.
        self.inputs.extend(self.undelivered.drain(..).map(Input::Undelivered));
    }

    fn hand_over(&mut self) {
        for (worker, batch) in self.others.iter_mut().enumerate().filter(|(_, batch)| !batch.is_empty()) {
            let dropped = self.options.calls.hand_over(worker, batch);
            if dropped > 0 {
                self.options.metrics.dropped.with_label_values(&["worker"]).inc_by(dropped as u64);
            }
        }
    }

    fn send(&mut self) -> Result<(), BoxError> {
        let streams = self.options.calls.streams();
        let Self { out, sockets, undelivered, .. } = self;
        for outbound in out.messages.drain(..) {
            self.options.calls.mirror_sent(&outbound.flow, &outbound.octets);
            let socket = sockets.iter_mut().find(|listening| listening.listener == outbound.flow.listener);
            let (sender, peer) = (outbound.sender, outbound.flow.peer);
            let queued = match socket {
                Some(Listening { socket, .. }) if outbound.flow.transport == Transport::Udp => {
                    socket.queue(outbound, None).is_ok()
                }
                _ => streams.is_some_and(|streams| streams.send(outbound).is_ok()),
            };
            if !queued && sender != Outbound::NOBODY {
                undelivered.push(Undelivered { sender: Some(sender), peer });
            }
        }
        for listening in sockets.iter_mut() {
            listening.socket.flush(undelivered)?;
        }
        self.inputs.extend(self.undelivered.drain(..).map(Input::Undelivered));
        Ok(())
    }
}

fn observe(face: &Arc<Face>) -> Observe {
    let face = Arc::clone(face);
    Arc::new(move || Observation {
        state: "serving".into(),
        queue_depth: 0,
        counters: vec![
            ("turns", face.turns.load(Ordering::Relaxed)),
            ("dialogs", face.dialogs.load(Ordering::Relaxed)),
            ("transactions", face.transactions.load(Ordering::Relaxed)),
        ],
        note: None,
    })
}

#[cfg(test)]
mod tests;
