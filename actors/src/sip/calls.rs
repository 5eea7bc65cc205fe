//! What the actors of calls share: configuration, the log, and the ways to workers and dialogs.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use bytes::Bytes;
use parking_lot::Mutex;
use runtime::clock::SharedClock;
use runtime::log::{MessageLog, Reason};
use runtime::random::Random;
use runtime::registry::Registry;
use sip::{HeaderId, Message, NotSip, Via};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use uuid::Uuid;

use super::branch;
use super::call_metrics::CallMetrics;
use super::counters::Counters;
use super::dialog::Dialog;
use super::dialog_actor;
use super::event::{CallEvent, What};
use super::flow::{Flow, Inbound, Undelivered};
use super::live_call::LiveCall;
use super::live_list::LiveList;
use super::settings::Settings;
use super::snapshot::Snapshot;
use super::transactions::{Now, Probe};
use super::transport::hep::{Captured, Mirror};
use super::transport::stream::Streams;
use super::worker::{Input, worker_of_sender};

/// Batches that wait for a worker. What finds no room is dropped, as a network drops it: it comes again.
const RING: usize = 1024;

/// Everything that the actors of calls share.
pub struct Calls {
    /// What workers are told at their start.
    pub settings: Arc<Settings>,
    /// The configuration in force.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// What workers count.
    pub counters: Arc<Counters>,
    /// What the actors of dialogs count.
    pub metrics: CallMetrics,
    /// Calls as operators see them.
    pub list: LiveList,
    /// Where records of calls go.
    pub log: MessageLog,
    /// Names and the live tree.
    pub registry: Registry,
    /// Wall time.
    pub clock: SharedClock,
    /// Randomness.
    pub random: Random,
    /// New calls are refused: the node is stopping.
    pub draining: AtomicBool,
    /// Messages that found a worker's ring full.
    pub ring_full: AtomicU64,
    workers: Vec<Lane>,
    /// Calls whose actors are to be started, of an earlier process or begun before a worker panicked.
    unborn: Mutex<Vec<Birth>>,
    /// Somebody has to be told something.
    news: Notify,
    streams: OnceLock<Streams>,
    mirror: OnceLock<Mirror>,
}

/// What belongs to one worker and outlives its incarnations.
struct Lane {
    ring: mpsc::Sender<Vec<Input>>,
    receiver: Arc<tokio::sync::Mutex<mpsc::Receiver<Vec<Input>>>>,
    dialogs: Mutex<HashMap<Uuid, mpsc::UnboundedSender<ToDialog>>>,
    /// Calls that are up, as the next incarnation of the worker needs them.
    up: Mutex<HashMap<Uuid, Arc<Dialog>>>,
    /// What must not be lost, and found no room in the ring.
    control: Mutex<Vec<Input>>,
    /// What the dialogs are to be told soon. It is here for a worker that panics.
    untold: Mutex<Vec<CallEvent>>,
    /// What they are being told, by one at a time.
    telling: Mutex<VecDeque<CallEvent>>,
}

/// What a dialog's actor is told.
#[derive(Debug)]
pub enum ToDialog {
    /// What the worker saw.
    Events(Vec<CallEvent>),
    /// The worker has begun anew, and the call was not up.
    WorkerRestarted,
}

/// A dialog whose actor is to be started.
#[derive(Debug)]
pub struct Birth {
    /// The call.
    pub call: LiveCall,
    /// Which worker serves it.
    pub worker: usize,
    /// What it is told.
    pub receiver: mpsc::UnboundedReceiver<ToDialog>,
}

/// What [`Calls`] is made of.
pub struct Parts {
    /// What workers are told at their start.
    pub settings: Settings,
    /// The configuration at the start.
    pub snapshot: Snapshot,
    /// What the actors of dialogs count.
    pub metrics: CallMetrics,
    /// Where records of calls go.
    pub log: MessageLog,
    /// Names and the live tree.
    pub registry: Registry,
    /// Wall time.
    pub clock: SharedClock,
    /// Randomness.
    pub random: Random,
}

impl Calls {
    /// The shared part of a node's calls.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        let workers = parts.settings.workers.max(1);
        let lane = |_| {
            let (ring, receiver) = mpsc::channel(RING);
            let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
            Lane {
                ring,
                receiver,
                dialogs: Mutex::default(),
                up: Mutex::default(),
                control: Mutex::default(),
                untold: Mutex::default(),
                telling: Mutex::default(),
            }
        };
        Arc::new(Self {
            settings: Arc::new(parts.settings),
            snapshot: Arc::new(ArcSwap::from_pointee(parts.snapshot)),
            counters: Arc::default(),
            metrics: parts.metrics,
            list: LiveList::default(),
            log: parts.log,
            registry: parts.registry,
            clock: parts.clock,
            random: parts.random,
            draining: AtomicBool::new(false),
            ring_full: AtomicU64::new(0),
            workers: (0..workers).map(lane).collect(),
            unborn: Mutex::default(),
            news: Notify::new(),
            streams: OnceLock::new(),
            mirror: OnceLock::new(),
        })
    }

    /// Says which streams carry what goes by TCP and TLS.
    pub fn carry_streams(&self, streams: Streams) {
        // Once, at the start.
        let _ = self.streams.set(streams);
    }

    /// Says who gets a copy of every message.
    pub fn mirror_to(&self, mirror: Mirror) {
        // Once, at the start.
        let _ = self.mirror.set(mirror);
    }

    /// Copies a message that came in for the collector, where there is one.
    pub fn mirror_received(&self, flow: &Flow, message: &Message) {
        self.capture(flow, message.bytes(), (true, || message.value(HeaderId::CallId)));
    }

    /// Copies a message that goes out.
    pub fn mirror_sent(&self, flow: &Flow, octets: &Bytes) {
        let read = || Message::parse_datagram(octets.clone(), &self.settings.limits).ok();
        if self.mirror.get().is_some()
            && let Some(message) = read()
        {
            self.capture(flow, octets, (false, || message.value(HeaderId::CallId)));
        }
    }

    fn capture<'m>(
        &self,
        flow: &Flow,
        octets: &Bytes,
        (received, call_id): (bool, impl FnOnce() -> Option<&'m [u8]>),
    ) {
        let Some(mirror) = self.mirror.get() else { return };
        let Some(listener) = self.settings.listeners.get(usize::from(flow.listener)) else { return };
        let (source, destination) =
            if received { (flow.peer, listener.address) } else { (listener.address, flow.peer) };
        mirror.capture(Captured {
            source,
            destination,
            transport: flow.transport,
            time: self.clock.now(),
            call_id: Bytes::copy_from_slice(call_id().unwrap_or_default()),
            octets: octets.clone(),
        });
    }

    /// What carries messages over TCP and TLS.
    pub fn streams(&self) -> Option<&Streams> {
        self.streams.get()
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        Now { instant: Instant::now().into_std(), wall: self.clock.now() }
    }

    /// Asks an address of a vendor whether it is there.
    pub fn probe(&self, vendor: u32, target: usize) {
        self.hand_over(0, vec![Input::Probe(Probe { vendor, target })]);
    }

    /// Which worker a message is for: a request goes by its Call-ID, always; a response to where its branch was made.
    pub fn worker_of(&self, message: &Message) -> usize {
        if !message.is_request() {
            let via = message.list(HeaderId::Via).next().and_then(|value| Via::parse(value).ok());
            let ours = via.and_then(|via| branch::read(self.settings.seed, via.branch?));
            return ours.map_or(0, |ours| usize::from(ours.worker)) % self.workers.len();
        }
        self.worker_of_call(message.value(HeaderId::CallId).unwrap_or_default())
    }

    fn worker_of_call(&self, call_id: &[u8]) -> usize {
        self.settings.worker_of_call(call_id)
    }

    /// Gives a batch to a worker; what finds no room is lost and counted.
    pub fn hand_over(&self, worker: usize, batch: Vec<Input>) {
        let Some(lane) = self.workers.get(worker) else { return };
        if let Err(refused) = lane.ring.try_send(batch) {
            let lost = refused.into_inner().len();
            self.ring_full.fetch_add(u64::try_from(lost).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    /// A message of a worker could not be sent.
    pub fn undelivered(&self, undelivered: Undelivered) {
        if let Some(sender) = undelivered.sender {
            self.hand_over(worker_of_sender(sender), vec![Input::Undelivered(undelivered)]);
        }
    }

    /// What came over a stream goes to its worker; false when that has no room.
    pub fn deliver(&self, inbound: Inbound) -> bool {
        let Some(message) = self.read(inbound.octets) else { return true };
        self.mirror_received(&inbound.flow, &message);
        let worker = self.worker_of(&message);
        let Some(lane) = self.workers.get(worker) else { return false };
        lane.ring.try_send(vec![Input::Message(inbound.flow, message)]).is_ok()
    }

    /// A message, unless it is none.
    pub fn read(&self, octets: Bytes) -> Option<Message> {
        match Message::parse_datagram(octets, &self.settings.limits) {
            Ok(message) => Some(message),
            Err(NotSip::KeepAlive) => None,
            Err(_) => {
                self.counters.not_sip.add(1);
                None
            }
        }
    }

    /// What waits for a worker, to be held by its one incarnation.
    pub fn receiver(&self, worker: usize) -> Option<Arc<tokio::sync::Mutex<mpsc::Receiver<Vec<Input>>>>> {
        self.workers.get(worker).map(|lane| Arc::clone(&lane.receiver))
    }

    /// Calls that live, early ones too.
    pub fn live(&self) -> usize {
        self.workers.iter().map(|lane| lane.dialogs.lock().len()).sum()
    }

    /// Whether new calls may begin: the node is not stopping, and the log can hold their records.
    pub fn is_taking_calls(&self) -> bool {
        !self.draining.load(Ordering::Acquire) && self.log.is_accepting()
    }

    /// Ends a call; false when there is none of this number.
    pub fn hang_up(&self, dialog: Uuid, reason: Reason) -> bool {
        let holds = |lane: &Lane| lane.dialogs.lock().contains_key(&dialog);
        let worker = self.workers.iter().position(holds);
        worker.inspect(|worker| self.command(*worker, Input::HangUp(dialog, reason))).is_some()
    }

    /// Keeps what a worker saw until the dialogs are told; returns how much there is.
    pub fn note(&self, worker: usize, events: &mut Vec<CallEvent>) -> usize {
        let Some(lane) = self.workers.get(worker) else { return 0 };
        let mut untold = lane.untold.lock();
        untold.append(events);
        untold.len()
    }

    /// Has the dialogs told what was noted. It wakes one task, which wakes the others: that is cheaper than if the
    /// worker's thread did.
    pub fn announce(&self) {
        self.news.notify_one();
    }

    /// Waits until there is something to tell.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// Gives what was noted to the dialogs that it is of; the calls whose actors are to be started.
    pub fn tell(&self) -> Vec<Birth> {
        for worker in 0..self.workers.len() {
            self.tell_of(worker);
        }
        std::mem::take(&mut *self.unborn.lock())
    }

    /// What is told of one call is taken out before it is told: a panic loses nothing of others.
    fn tell_of(&self, worker: usize) {
        let Some(lane) = self.workers.get(worker) else { return };
        let mut telling = lane.telling.lock();
        telling.extend(lane.untold.lock().drain(..));
        while let Some(first) = telling.pop_front() {
            let id = first.dialog;
            let mut of_one = vec![first];
            while telling.front().is_some_and(|next| next.dialog == id) {
                of_one.extend(telling.pop_front());
            }
            if let Some(birth) = self.tell_one(lane, worker, id, of_one) {
                self.unborn.lock().push(birth);
            }
        }
    }

    fn tell_one(&self, lane: &Lane, worker: usize, id: Uuid, mut events: Vec<CallEvent>) -> Option<Birth> {
        for event in &events {
            match &event.what {
                What::Answered(answered) => {
                    lane.up.lock().insert(id, Arc::clone(&answered.dialog));
                }
                What::Refreshed(dialog) => {
                    lane.up.lock().insert(id, Arc::clone(dialog));
                }
                What::Ended(_) => {
                    lane.up.lock().remove(&id);
                }
                What::Started(_) | What::Attempted(_) => {}
            }
        }
        let mut dialogs = lane.dialogs.lock();
        if let Some(dialog) = dialogs.get(&id) {
            // A dialog that is gone has written its record.
            let _ = dialog.send(ToDialog::Events(events));
            return None;
        }
        let CallEvent { what: What::Started(_), .. } = events.first()? else { return None };
        let first = events.remove(0);
        let What::Started(started) = first.what else { return None };
        let call = LiveCall::begin(id, (self.settings.node, self.settings.call_max), first.at, *started)?;
        if matches!(events.last(), Some(CallEvent { what: What::Ended(_), .. })) {
            drop(dialogs);
            dialog_actor::at_once(self, call, events);
            return None;
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        if !events.is_empty() {
            let _ = sender.send(ToDialog::Events(events));
        }
        dialogs.insert(id, sender);
        Some(Birth { call, worker, receiver })
    }

    /// A call of an earlier process goes on. Before the workers begin: what they find here they serve.
    pub fn adopt(&self, call: LiveCall, dialog: Arc<Dialog>) {
        let worker = self.worker_of_call(&dialog.call_id);
        let Some(lane) = self.workers.get(worker) else { return };
        let (sender, receiver) = mpsc::unbounded_channel();
        lane.dialogs.lock().insert(call.id(), sender);
        lane.up.lock().insert(call.id(), dialog);
        self.unborn.lock().push(Birth { call, worker, receiver });
        self.announce();
    }

    /// A dialog has written its record.
    pub fn forget(&self, worker: usize, dialog: Uuid) {
        self.list.leave(dialog);
        if let Some(lane) = self.workers.get(worker) {
            lane.dialogs.lock().remove(&dialog);
            lane.up.lock().remove(&dialog);
        }
    }

    /// A worker begins, perhaps anew: the calls that are up, which it serves from now on. Those that were not up are
    /// over with the worker that held their transactions, and are told so.
    pub fn worker_begins(&self, worker: usize) -> Vec<Arc<Dialog>> {
        let Some(lane) = self.workers.get(worker) else { return Vec::new() };
        self.tell_of(worker);
        self.announce();
        let up = lane.up.lock();
        for (id, dialog) in &*lane.dialogs.lock() {
            if !up.contains_key(id) {
                let _ = dialog.send(ToDialog::WorkerRestarted);
            }
        }
        up.values().map(Arc::clone).collect()
    }

    /// What must reach a worker however much it has to do.
    fn command(&self, worker: usize, input: Input) {
        let Some(lane) = self.workers.get(worker) else { return };
        if let Err(refused) = lane.ring.try_send(vec![input]) {
            lane.control.lock().extend(refused.into_inner());
        }
    }

    /// Asks both sides of a call whether it is up.
    pub fn check(&self, worker: usize, dialog: Uuid) {
        self.hand_over(worker, vec![Input::Check(dialog)]);
    }

    /// What found no room in a worker's ring and must not be lost.
    pub fn commands(&self, worker: usize) -> Vec<Input> {
        self.workers.get(worker).map(|lane| std::mem::take(&mut *lane.control.lock())).unwrap_or_default()
    }
}
