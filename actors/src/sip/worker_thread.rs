//! The thread of a worker: its sockets, its ring, and the turns of the worker between them.
//!
//! Owns: one UDP socket for each address, and one [`Worker`]. Its key is `sip_worker:N:0`, its parent the `workers`
//! supervisor, its restart policy permanent. A crash loses the transactions of its calls, never the sockets, which its
//! parent keeps; the dialogs tell the next incarnation of themselves.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::future::select_all;
use runtime::model::Transport;
use runtime::random::Random;
use runtime::registry::{ActorName, Observation, Observe};
use runtime::supervision::{BoxError, ChildSpec, Restart, Seat, Start};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::calls::Calls;
use super::dialog::Dialog;
use super::flood::Flood;
use super::flow::{Flow, Outbound, Undelivered};
use super::transactions::Now;
use super::transport::metrics::Metrics;
use super::transport::udp::{BATCH, Bound, Datagram, UdpSocket};
use super::worker::{Connected, Input, Output, Parts, Worker};

/// Datagrams that may wait for room in a socket.
const QUEUE: usize = 16_384;

/// What dialogs are told of may wait so long: the waking of an actor costs more than all that it does with one event.
const TELL_WITHIN: Duration = Duration::from_millis(5);
/// Events that wait for that.
const TELL_MAX: usize = 256;

/// Timers of transactions may come so late: under load they come with the next message then, and cost no waking. RFC
/// 3261 counts them in halves of seconds.
const TIMER_SLACK: Duration = Duration::from_millis(5);

/// No socket holds what is older.
const AGE_MAX: Duration = Duration::from_secs(10);

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

/// The worker and all around it.
struct Shell<'a> {
    options: &'a Options,
    sockets: Vec<(u16, UdpSocket)>,
    worker: Worker,
    inputs: Vec<Input>,
    out: Output,
    datagrams: Vec<Datagram>,
    undelivered: Vec<Undelivered>,
    /// What came for other workers.
    others: Vec<Vec<Input>>,
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
    let ring = calls.receiver(place).ok_or("no such worker")?;
    let mut ring = ring.lock().await;
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
            more = wait(&shell, &mut ring) => shell.inputs.extend(more.into_iter().flatten()),
        }
        // What is in the ring now, and not what comes meanwhile.
        for _ in 0..ring.len() {
            shell.inputs.extend(ring.try_recv().into_iter().flatten());
        }
        shell.inputs.extend(calls.commands(place));
        shell.turn()?;
        face.turns.fetch_add(1, Ordering::Relaxed);
        face.dialogs.store(shell.worker.dialogs() as u64, Ordering::Relaxed);
        face.transactions.store(shell.worker.transactions() as u64, Ordering::Relaxed);
    }
}

/// Waits until there is something to do.
async fn wait(shell: &Shell<'_>, ring: &mut mpsc::Receiver<Vec<Input>>) -> Option<Vec<Input>> {
    if !shell.inputs.is_empty() {
        return None;
    }
    let timer = shell.worker.next_deadline().map(|deadline| deadline + TIMER_SLACK);
    let deadline = [timer, shell.tell_at].into_iter().flatten().min();
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
        let ready = shell.sockets.iter().map(|(_, socket)| Box::pin(socket.ready()));
        // An error of a socket shows again when it is read.
        let _ = select_all(ready).await;
    };
    let (mut timer, mut sockets) = (pin!(timer), pin!(sockets));
    poll_fn(|context| {
        if let Poll::Ready(more) = ring.poll_recv(context) {
            return Poll::Ready(more);
        }
        if sockets.as_mut().poll(context).is_ready() || timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        Poll::Pending
    })
    .await
}

impl<'a> Shell<'a> {
    fn new(options: &'a Options) -> Result<Self, BoxError> {
        let calls = &options.calls;
        let attach = |(listener, bound): &(u16, Arc<Bound>)| {
            Ok((*listener, UdpSocket::attach(bound, QUEUE, options.metrics.clone())?))
        };
        let sockets: Result<Vec<_>, std::io::Error> = options.sockets.iter().map(attach).collect();
        let parts = Parts {
            settings: Arc::clone(&calls.settings),
            snapshot: Arc::clone(&calls.snapshot),
            worker: options.worker,
            random: Random::seeded(calls.random.u64()),
            counters: Arc::clone(&calls.counters),
            is_connected: Connected(Arc::new({
                let calls = Arc::clone(calls);
                move |connection| calls.streams().is_some_and(|streams| streams.has(connection))
            })),
        };
        Ok(Self {
            options,
            sockets: sockets?,
            worker: Worker::new(parts, calls.now()),
            inputs: Vec::new(),
            out: Output::default(),
            datagrams: Vec::with_capacity(BATCH),
            undelivered: Vec::new(),
            others: (0..calls.workers()).map(|_| Vec::new()).collect(),
            flood: Flood::new(calls.settings.flood_per_source, calls.now().instant),
            queue_age: Duration::ZERO,
            behind_since: None,
            is_short: options.sockets.iter().any(|(_, bound)| bound.is_short()),
            tell_at: None,
        })
    }

    /// Takes what came, lets the worker work, sends what it made.
    fn turn(&mut self) -> Result<(), BoxError> {
        self.receive()?;
        self.hand_over();
        let calls = &self.options.calls;
        let now = calls.now();
        let behind = self.behind_since.map(|since| now.instant.saturating_duration_since(since));
        let late = self.queue_age.max(behind.unwrap_or_default()) > calls.settings.queue_age_max;
        self.worker.take_calls(!late && calls.is_taking_calls());
        self.worker.handle(&mut self.inputs, now, &mut self.out);
        self.send()?;
        self.tell(now.instant);
        Ok(())
    }

    /// Tells the dialogs what happened, some of it at one time.
    fn tell(&mut self, now: std::time::Instant) {
        let (calls, place) = (&self.options.calls, usize::from(self.options.worker));
        if !self.out.events.is_empty() {
            let noted = calls.note(place, &mut self.out.events);
            let at = self.tell_at.unwrap_or(now + TELL_WITHIN);
            self.tell_at = Some(if noted < TELL_MAX { at } else { now });
        }
        if self.tell_at.is_some_and(|at| at <= now) {
            self.tell_at = None;
            calls.announce();
        }
    }

    fn receive(&mut self) -> Result<(), BoxError> {
        let calls = &self.options.calls;
        let Now { instant: now, wall } = calls.now();
        self.queue_age = Duration::ZERO;
        let mut behind = false;
        for (listener, socket) in &mut self.sockets {
            behind |= socket.recv_batch(&mut self.datagrams)? && self.is_short;
            let age = socket.first_at().map(|at| wall.since(at));
            // More is a clock that was set.
            let age = age.filter(|age| *age < AGE_MAX).unwrap_or_default();
            self.queue_age = self.queue_age.max(age);
            if !self.datagrams.is_empty() {
                self.options.metrics.queue_age.observe(age.as_secs_f64());
            }
            socket.errors(&mut self.undelivered);
            for datagram in self.datagrams.drain(..) {
                if !self.flood.admits(datagram.peer.ip(), now) {
                    calls.counters.flooded.add(1);
                    continue;
                }
                let flow = Flow {
                    listener: *listener,
                    transport: Transport::Udp,
                    peer: datagram.peer,
                    connection: 0,
                };
                let Some(message) = calls.read(datagram.octets) else { continue };
                calls.mirror_received(&flow, &message);
                let worker = calls.worker_of(&message);
                let input = Input::Message(flow, message);
                if worker == usize::from(self.options.worker) {
                    self.inputs.push(input);
                } else if let Some(other) = self.others.get_mut(worker) {
                    other.push(input);
                }
            }
        }
        self.behind_since = behind.then(|| self.behind_since.unwrap_or(now));
        // Of the sockets of one address the system tells any what became of a datagram that another one sent.
        self.undelivered.dedup();
        self.undelivered.truncate(UNREACHABLE_MAX);
        for (worker, batch) in self.others.iter_mut().enumerate() {
            if worker != usize::from(self.options.worker) {
                batch.extend(self.undelivered.iter().map(|undelivered| Input::Undelivered(*undelivered)));
            }
        }
        // What cannot be sent is an input of the next turn, never a call back.
        self.inputs.extend(self.undelivered.drain(..).map(Input::Undelivered));
        Ok(())
    }

    fn hand_over(&mut self) {
        for (worker, batch) in self.others.iter_mut().enumerate() {
            if !batch.is_empty() {
                self.options.calls.hand_over(worker, std::mem::take(batch));
            }
        }
    }

    fn send(&mut self) -> Result<(), BoxError> {
        let streams = self.options.calls.streams();
        let Self { out, sockets, undelivered, .. } = self;
        for outbound in out.messages.drain(..) {
            self.options.calls.mirror_sent(&outbound.flow, &outbound.octets);
            let socket = sockets.iter_mut().find(|(listener, _)| *listener == outbound.flow.listener);
            let (sender, peer) = (outbound.sender, outbound.flow.peer);
            let queued = match socket {
                Some((_, socket)) if outbound.flow.transport == Transport::Udp => {
                    socket.queue(outbound, None).is_ok()
                }
                _ => streams.is_some_and(|streams| streams.send(outbound).is_ok()),
            };
            if !queued && sender != Outbound::NOBODY {
                undelivered.push(Undelivered { sender: Some(sender), peer });
            }
        }
        for (_, socket) in sockets.iter_mut() {
            socket.flush(undelivered)?;
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
