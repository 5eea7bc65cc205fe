//! What the actors of calls share: configuration, the log, and the ways to workers and dialogs.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use parking_lot::Mutex;
use runtime::clock::SharedClock;
use runtime::log::MessageLog;
use runtime::random::Random;
use runtime::registry::Registry;
use sip::{HeaderId, Message, NotSip, Via};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::acl_publisher;
use super::bindings::Binding;
use super::branch;
use super::call_metrics::CallMetrics;
use super::counters::Counters;
use super::dialog::Dialog;
use super::dialog_actor::Kept;
use super::event::{CallEvent, What};
use super::finder::{Finder, Found};
use super::flood::Flood;
use super::flow::{Flow, Inbound, Undelivered};
use super::hiding;
use super::live_list::LiveList;
use super::registrar::{Registrar, Told};
use super::registration::Due;
use super::ring::{Arrived, Bounds, Given, NoRoom, Ring};
use super::settings::Settings;
use super::snapshot::{Snapshot, Target};
use super::transactions::{Now, Probe, Register};
use super::transport::hep::{Captured, Mirror};
use super::transport::stream::{Delivered, Streams};
use super::worker::{Input, worker_of_sender};
use crate::media::pool::Pool;
use late::Late;
use media::OfNode;
use telling::Known;

pub use late::Awaited;
pub use telling::ToDialog;

mod late;
mod media;
mod telling;

/// Messages that a source which no trunk or vendor has may send over streams in a second, all its connections together.
/// Those beyond wait.
const STRANGERS_PER_SOURCE: u32 = 1000;

/// Where other nodes have the same database, each call is looked at so often, whose it is.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Everything that the actors of calls share.
pub struct Calls {
    /// What workers are told at their start.
    pub settings: Arc<Settings>,
    /// The configuration in force.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// What workers count.
    pub counters: Arc<Counters>,
    /// Media nodes.
    pub media: Arc<Pool>,
    /// Does what REGISTERs ask for, and knows where trunks are reached that register.
    pub registrar: Registrar,
    /// Looks for the records of calls that other nodes have served.
    pub finder: Finder,
    /// What media nodes have told of their calls, by node.
    media_seen: Mutex<HashMap<u8, OfNode>>,
    /// Calls whose records wait no more for what their media nodes have counted.
    late: Mutex<Late>,
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
    workers: Vec<Lane>,
    /// Calls whose actors are to be started.
    unborn: Mutex<VecDeque<Arc<Kept>>>,
    /// Calls whose actors went with their supervisor.
    lost: Mutex<Vec<Arc<Kept>>>,
    /// Somebody has to be told something.
    news: Notify,
    /// What each source sends over streams, and what each stranger does.
    flood: Mutex<Flood>,
    strangers: Mutex<Flood>,
    streams: OnceLock<Streams>,
    mirror: OnceLock<Mirror>,
    publisher: OnceLock<acl_publisher::Handle>,
}

/// What belongs to one worker and outlives its incarnations.
struct Lane {
    ring: Arc<Ring>,
    dialogs: Mutex<HashMap<Uuid, Known>>,
    /// Calls that are up, as the next incarnation of the worker needs them.
    up: Mutex<HashMap<Uuid, Arc<Dialog>>>,
    /// What the dialogs are to be told soon. It is here for a worker that panics.
    untold: Mutex<Vec<CallEvent>>,
    /// What they are being told, by one at a time.
    telling: Mutex<VecDeque<CallEvent>>,
}

impl Lane {
    /// Exact: nobody is told meanwhile.
    fn live(&self) -> usize {
        let begins = |event: &&CallEvent| matches!(event.what, What::Started(_));
        let telling = self.telling.lock();
        let untold = self.untold.lock().iter().filter(begins).count();
        untold + telling.iter().filter(begins).count() + self.dialogs.lock().len()
    }
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
        let flood = |most| Mutex::new(Flood::new(most, Instant::now().into_std()));
        let flood_per_source = parts.settings.flood_per_source;
        let lane = |_| Lane {
            ring: Arc::new(Ring::new(Bounds::default())),
            dialogs: Mutex::default(),
            up: Mutex::default(),
            untold: Mutex::default(),
            telling: Mutex::default(),
        };
        Arc::new(Self {
            settings: Arc::new(parts.settings),
            snapshot: Arc::new(ArcSwap::from_pointee(parts.snapshot)),
            counters: Arc::default(),
            media: Arc::default(),
            registrar: Registrar::default(),
            finder: Finder::default(),
            media_seen: Mutex::default(),
            late: Mutex::default(),
            metrics: parts.metrics,
            list: LiveList::default(),
            log: parts.log,
            registry: parts.registry,
            clock: parts.clock,
            random: parts.random,
            draining: AtomicBool::new(false),
            workers: (0..workers).map(lane).collect(),
            unborn: Mutex::default(),
            lost: Mutex::default(),
            news: Notify::new(),
            flood: flood(flood_per_source),
            strangers: flood(STRANGERS_PER_SOURCE),
            streams: OnceLock::new(),
            mirror: OnceLock::new(),
            publisher: OnceLock::new(),
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

    /// Says who publishes the sources that calls are taken from.
    pub fn publish_by(&self, publisher: acl_publisher::Handle) {
        // Once, at the start.
        let _ = self.publisher.set(publisher);
    }

    /// Who publishes the sources that calls are taken from, where somebody is to know them.
    pub fn publisher(&self) -> Option<&acl_publisher::Handle> {
        self.publisher.get()
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
        // Both sides of a call are one there, whatever its Call-ID is on the wire.
        let keys = &self.settings.cookies;
        mirror.capture(Captured {
            source,
            destination,
            transport: flow.transport,
            time: self.clock.now(),
            call_id: Bytes::copy_from_slice(&hiding::call_name(keys, call_id().unwrap_or_default())),
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
        self.hand(0, Input::Probe(Probe { vendor, target }));
    }

    /// Has a worker keep the way open to what has registered; what finds no room is asked the next time.
    pub fn keep_alive(&self, binding: Arc<Binding>) {
        let [.., drawn] = binding.stored.id.into_bytes();
        self.hand(usize::from(drawn) % self.workers.len(), Input::KeepAlive(binding));
    }

    /// Registers at an address of a vendor.
    pub fn register(&self, vendor: u32, target: &Target, due: Due) {
        let Target { address, transport, .. } = *target;
        self.hand(0, Input::Register(Register { vendor, address, transport, due }));
    }

    /// Ends every registration at vendors; how many are left, or may still come of what was asked.
    pub fn unregister(&self) -> usize {
        let snapshot = self.snapshot.load();
        let now = self.now().instant;
        let mut left = 0;
        for vendor in &snapshot.vendors {
            for target in &vendor.targets {
                let Some(registration) = &target.registration else { continue };
                if let Some(due) = registration.end(now) {
                    self.register(vendor.config.number, target, due);
                }
                left += usize::from(registration.is_there(now) || registration.is_under_way(now));
            }
        }
        left
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

    /// Gives a batch to a worker. It refuses new calls that find no room; returns how much else was dropped, as a
    /// network drops it: it comes again.
    pub fn hand_over(&self, worker: usize, batch: &mut Vec<Arrived>) -> usize {
        let Some(lane) = self.workers.get(worker) else { return 0 };
        let NoRoom { refused, dropped } = lane.ring.extend(batch);
        if refused + dropped > 0 {
            self.counters.ring_full.add((refused + dropped) as u64);
        }
        dropped
    }

    /// Gives one input of the node itself to a worker, unless it has no room.
    fn hand(&self, worker: usize, input: Input) {
        self.hand_over(worker, &mut vec![Arrived { at: self.now().instant, input }]);
    }

    /// A message of a worker could not be sent.
    pub fn undelivered(&self, undelivered: Undelivered) {
        if let Some(sender) = undelivered.sender {
            self.hand(worker_of_sender(sender), Input::Undelivered(undelivered));
        }
    }

    /// What came over a stream goes to its worker. What belongs to a call waits where that has no room now, and the
    /// rest of the stream behind it: a peer on a stream sends nothing again. So does what comes too fast.
    pub fn deliver(self: &Arc<Self>, inbound: Inbound) -> Delivered {
        if let Some(again_at) = self.flooded_until(&inbound) {
            self.counters.flooded.add(1);
            let calls = Arc::clone(self);
            return Delivered::Waits(Box::pin(async move { calls.deliver_later(inbound, again_at).await }));
        }
        self.deliver_now(inbound)
    }

    async fn deliver_later(&self, inbound: Inbound, mut again_at: std::time::Instant) {
        loop {
            sleep_until(again_at.into()).await;
            match self.flooded_until(&inbound) {
                Some(next) => again_at = next,
                None => break,
            }
        }
        if let Delivered::Waits(waits) = self.deliver_now(inbound) {
            waits.await;
        }
    }

    fn deliver_now(&self, inbound: Inbound) -> Delivered {
        let Inbound { flow, octets, .. } = inbound;
        let at = self.now().instant;
        let Some(message) = self.read(octets) else { return Delivered::Done };
        self.mirror_received(&flow, &message);
        let Some(lane) = self.workers.get(self.worker_of(&message)) else { return Delivered::Done };
        let given = lane.ring.try_push(Arrived { at, input: Input::Message(flow, message) });
        if !matches!(given, Given::Taken) {
            self.counters.ring_full.add(1);
        }
        match given {
            Given::Taken | Given::Refused => Delivered::Done,
            Given::Dropped => Delivered::Dropped,
            Given::Back(back) => {
                self.counters.ring_waits.add(1);
                let ring = Arc::clone(&lane.ring);
                Delivered::Waits(Box::pin(async move { ring.push(*back).await }))
            }
        }
    }

    /// Until when a source has sent all that it may over streams. Workers count what comes to their own sockets. What a
    /// stranger says of its calls is not looked at here: he could fill the room of all calls with it.
    fn flooded_until(&self, inbound: &Inbound) -> Option<std::time::Instant> {
        let Inbound { flow, accepted, .. } = *inbound;
        let (source, now) = (flow.peer.ip(), self.now().instant);
        let next = |flood: &Mutex<Flood>| {
            let mut flood = flood.lock();
            (!flood.admits(source, now)).then(|| flood.next_second())
        };
        let is_stranger = || accepted && self.settings.peer(&self.snapshot.load(), flow).is_stranger();
        let all = (self.settings.flood_per_source != 0).then(|| next(&self.flood)).flatten();
        all.or_else(|| is_stranger().then(|| next(&self.strangers)).flatten())
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

    /// What waits for a worker.
    pub fn ring(&self, worker: usize) -> Option<&Ring> {
        self.workers.get(worker).map(|lane| &*lane.ring)
    }

    /// Calls that live, early ones too, and those that were seen to begin and have no actor yet.
    pub fn live(&self) -> usize {
        self.workers.iter().map(Lane::live).sum()
    }

    /// Whether new calls may begin: the node is not stopping, and the log can hold their records.
    pub fn is_taking_calls(&self) -> bool {
        !self.draining.load(Ordering::Acquire) && self.log.is_accepting()
    }

    /// What must reach a worker however much it has to do.
    fn command(&self, worker: usize, input: Input) {
        let Some(lane) = self.workers.get(worker) else { return };
        lane.ring.push_always(Arrived { at: self.now().instant, input });
    }

    /// A worker is told what became of its REGISTER. There is no more of this than workers have asked for.
    pub fn registered(&self, told: Told) {
        self.command(usize::from(told.asker.worker), Input::Registered(told));
    }

    /// How often the actor of a call looks whether the call is still this node's; zero is never.
    pub fn look_every(&self) -> Duration {
        if self.settings.shared { LOOK_EVERY } else { Duration::ZERO }
    }

    /// A worker is told what became of a call that it asked for. There is no more of this than workers have asked for.
    pub fn found(&self, worker: usize, found: Found) {
        self.command(worker, Input::Found(found));
    }

    /// Has a worker let go of a call that another node has taken over, unless a side was heard here since then.
    pub fn give(&self, worker: usize, dialog: Uuid, since: std::time::Instant) {
        self.hand(worker, Input::Give(dialog, since));
    }

    /// Asks both sides of a call whether it is up.
    pub fn check(&self, worker: usize, dialog: Uuid) {
        self.hand(worker, Input::Check(dialog));
    }
}
