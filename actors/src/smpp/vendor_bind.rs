//! One session towards a vendor: we are the ESME.
//!
//! Owns: bind `n` of a vendor account, its socket and the window of requests that the vendor has not answered.
//! Its key is instance name and number (`vendor_bind:atlanta:0`), its parent the supervisor of the vendor's
//! binds, its restart policy permanent. A vendor that cannot be reached is a state of this actor, not a
//! crash. A crash loses nothing: what was not written goes back to the vendor's queue, what was written
//! without an answer becomes uncertain, as after a lost connection.

mod connect;
mod receive;
mod serve;
mod submit;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::registry::{ActorName, Observation, Observe, Registration};
use runtime::supervision::{ChildSpec, Restart, Seat, Shutdown, Start};
use tokio::time::{Instant, sleep};

use self::connect::{Bound, connect};
pub(crate) use self::receive::ending;
use self::serve::Serve;
use super::Smpp;
use super::vendor::{Slot, Vendor};

/// Kind of a bind's name.
pub const KIND: &str = "vendor_bind";

/// What a bind is told.
#[derive(Clone)]
pub struct Options {
    /// The SMPP side of the node.
    pub smpp: Arc<Smpp>,
    /// The vendor account.
    pub vendor: Arc<Vendor>,
    /// Number of the bind, from 0.
    pub n: u32,
}

/// The actor.
pub struct VendorBind;

/// What a running bind holds; the data path is [`Serve`].
pub struct State {
    _registration: Registration,
}

/// Nothing is said to a bind: its supervisor asks it to end, its slot and its socket wake it.
#[derive(Debug)]
pub enum Message {}

const _: () = assert!(size_of::<Message>() == 0);

/// What operators see of a bind.
#[derive(Debug)]
struct Face {
    state: Mutex<&'static str>,
    note: Mutex<String>,
    unanswered: AtomicUsize,
    sent: AtomicU64,
    receipts: AtomicU64,
    throttled: AtomicU64,
}

impl Actor for VendorBind {
    type Msg = Message;
    type State = State;
    type Arguments = (Seat, Options);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        (seat, options): (Seat, Options),
    ) -> Result<State, ActorProcessingErr> {
        let face = Arc::new(Face {
            state: Mutex::new("starting"),
            note: Mutex::new(String::new()),
            unanswered: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            receipts: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
        });
        let registration = seat.register(observe(&face));
        let life = Life { slot: options.vendor.slot(options.n, Instant::now()), options, face };
        seat.attach(myself.get_cell(), life.run(seat.shutdown.clone()));
        Ok(State { _registration: registration })
    }
}

fn observe(face: &Arc<Face>) -> Observe {
    let face = Arc::clone(face);
    Arc::new(move || {
        let note = face.note.lock().clone();
        Observation {
            state: Cow::Borrowed(*face.state.lock()),
            queue_depth: face.unanswered.load(Ordering::Relaxed) as u64,
            counters: vec![
                ("sent", face.sent.load(Ordering::Relaxed)),
                ("receipts", face.receipts.load(Ordering::Relaxed)),
                ("throttled", face.throttled.load(Ordering::Relaxed)),
            ],
            note: (!note.is_empty()).then_some(note),
        }
    })
}

/// The life of a bind: connect, serve, wait, again.
struct Life {
    options: Options,
    slot: Arc<Slot>,
    face: Arc<Face>,
}

impl Life {
    async fn run(self, shutdown: Shutdown) -> Result<(), std::convert::Infallible> {
        let mut failures = 0_u32;
        while !shutdown.is_requested() {
            if self.must_stay_away() {
                self.show("held_off", "");
                tokio::select! {
                    () = self.slot.wake.notified() => {}
                    () = shutdown.requested() => {}
                }
                continue;
            }
            let begun = Instant::now();
            failures = match self.serve_once(&shutdown).await {
                // One that accepts and closes at once is not to be asked at once.
                Ok(()) if begun.elapsed() >= self.options.smpp.options.reconnect_max.get() => 0,
                Ok(()) => failures.saturating_add(1),
                Err(error) => {
                    let vendor = self.options.vendor.name();
                    tracing::warn!(vendor, bind = self.slot.n, %error, failures, "vendor bind failed");
                    self.show("down", &error.to_string());
                    failures.saturating_add(1)
                }
            };
            self.wait(failures, &shutdown).await;
        }
        Ok(())
    }

    /// A bind, from connection to its end. An error means that it never came to be.
    async fn serve_once(&self, shutdown: &Shutdown) -> Result<(), connect::Error> {
        self.show("binding", "");
        let bound = tokio::select! {
            bound = connect(&self.options) => bound?,
            () = shutdown.requested() => return Ok(()),
        };
        let vendor = &self.options.vendor;
        tracing::info!(vendor = vendor.name(), bind = self.slot.n, "vendor bound");
        vendor.counters.connected_at.store(self.options.smpp.now().micros(), Ordering::Relaxed);
        self.show(bound_state(&bound), "");
        let serve = Serve::new(&self.options, (Arc::clone(&self.slot), Arc::clone(&self.face)), bound);
        let reason = serve.run(shutdown).await;
        if !shutdown.is_requested() {
            tracing::warn!(vendor = vendor.name(), bind = self.slot.n, reason, "vendor bind lost");
        }
        self.show("down", reason);
        Ok(())
    }

    fn must_stay_away(&self) -> bool {
        let vendor = &self.options.vendor;
        !*self.options.smpp.recovered.borrow()
            || vendor.held_off.load(Ordering::Acquire)
            || self.slot.held_off.load(Ordering::Acquire)
            || !vendor.config.load().active
    }

    /// Waits before the next try: doubled with every failure, with full jitter above half.
    async fn wait(&self, failures: u32, shutdown: &Shutdown) {
        let options = &self.options.smpp.options;
        let (first, longest) = (options.reconnect_first.get(), options.reconnect_max.get());
        let ceiling = first.saturating_mul(1 << failures.min(16)).min(longest);
        let wait = ceiling / 2 + self.options.smpp.random.jitter(ceiling / 2);
        tokio::select! {
            () = sleep(wait) => {}
            () = self.options.vendor.reconnect.notified() => {}
            () = shutdown.requested() => {}
        }
    }

    fn show(&self, state: &'static str, note: &str) {
        *self.face.state.lock() = state;
        let config = self.options.vendor.config.load();
        *self.face.note.lock() = format!("{}:{} {note}", config.host, config.port).trim_end().to_owned();
    }
}

fn bound_state(bound: &Bound) -> &'static str {
    match bound.mode {
        smpp::pdu::BindMode::Transmitter => "bound_tx",
        smpp::pdu::BindMode::Receiver => "bound_rx",
        smpp::pdu::BindMode::Transceiver => "bound_trx",
    }
}

/// Name of a vendor's bind.
#[must_use]
pub fn name(instance: &str, n: u32) -> ActorName {
    ActorName::nth(KIND, instance.to_owned(), n)
}

/// The bind as a child of its vendor's supervisor.
#[must_use]
pub fn child_spec(options: Options) -> ChildSpec {
    let name = name(&options.vendor.name(), options.n);
    // To await answers, and then to unbind.
    let shutdown = options.smpp.options.unbind.get() * 2 + Duration::from_secs(1);
    let start = Start::actor(move |seat: Seat| {
        let options = options.clone();
        async move { Ok(seat.spawn(VendorBind, (seat.clone(), options)).await?.get_cell()) }
    });
    ChildSpec::new(name, Restart::Permanent, start).shutdown(shutdown)
}
