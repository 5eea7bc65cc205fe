//! Children that do what the test orders and write down when they start and stop.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::{
    ActorName, Backoff, ChildSpec, Intensity, Restart, Start, Strategy, Supervisor, SupervisorHandle,
    SupervisorSpec,
};
use crate::clock::{SimClock, Timestamp};
use crate::random::Random;
use crate::registry::{Observation, Registry};
use crate::supervision::{BoxError, Seat};

pub(super) const PLENTY: Intensity = Intensity::new(1000, Duration::from_secs(10));

#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    End,
    Fail,
    Panic,
}

pub(super) struct Lab {
    pub(super) registry: Registry,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    journal: Mutex<Vec<String>>,
    orders: Mutex<HashMap<String, mpsc::UnboundedSender<Order>>>,
    starts: watch::Sender<HashMap<String, usize>>,
}

impl Lab {
    pub(super) fn new() -> Self {
        let clock = SimClock::starting_at(Timestamp::from_micros(1_700_000_000_000_000));
        Self { registry: Registry::new(Arc::new(clock), Random::seeded(7)), shared: Arc::default() }
    }

    pub(super) async fn empty_top(&self) -> SupervisorHandle {
        let spec = SupervisorSpec::new(name("top"), Strategy::OneForOne, PLENTY);
        Supervisor::spawn(spec, &self.registry).await.unwrap()
    }

    /// A task that waits for an order or its shutdown.
    pub(super) fn child(&self, key: &'static str, restart: Restart) -> ChildSpec {
        let shared = Arc::clone(&self.shared);
        let start = Start::task(move |seat| obedient(Arc::clone(&shared), key, seat));
        ChildSpec::new(name(key), restart, start).backoff(Backoff::NONE)
    }

    /// An actor whose first `times` starts fail.
    pub(super) fn fails_to_start(&self, key: &'static str, times: usize) -> ChildSpec {
        let shared = Arc::clone(&self.shared);
        let left = Arc::new(Mutex::new(times));
        let start = Start::actor(move |seat| {
            let (shared, left) = (Arc::clone(&shared), Arc::clone(&left));
            async move {
                if *left.lock() > 0 {
                    *left.lock() -= 1;
                    shared.write(format!("no start {key}"));
                    return Err(std::io::Error::other("not yet").into());
                }
                shared.write(format!("start {key}"));
                Ok(seat.spawn(Idle, ()).await?.get_cell())
            }
        });
        ChildSpec::new(name(key), Restart::Permanent, start).backoff(Backoff::NONE)
    }

    pub(super) fn order(&self, key: &str, order: Order) {
        self.shared.orders.lock().get(key).expect("started once").send(order).expect("runs");
    }

    /// Lets everything that is due happen.
    pub(super) async fn settle(&self) {
        sleep(Duration::from_millis(100)).await;
    }

    /// Waits until a child was started so often.
    pub(super) async fn started(&self, key: &str, times: usize) {
        let mut starts = self.shared.starts.subscribe();
        starts.wait_for(|starts| starts.get(key).is_some_and(|count| *count >= times)).await.unwrap();
    }

    pub(super) fn take_journal(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.journal.lock())
    }
}

impl Shared {
    fn write(&self, line: String) {
        self.journal.lock().push(line);
    }
}

async fn obedient(shared: Arc<Shared>, key: &'static str, seat: Seat) -> Result<(), BoxError> {
    let (sender, mut orders) = mpsc::unbounded_channel();
    shared.orders.lock().insert(key.to_owned(), sender);
    shared.write(format!("start {key}"));
    shared.starts.send_modify(|starts| *starts.entry(key.to_owned()).or_default() += 1);
    let observe =
        || Observation { state: "working".into(), queue_depth: 3, counters: vec![("orders", 7)], note: None };
    let _registration = seat.register(Arc::new(observe));
    tokio::select! {
        order = orders.recv() => match order {
            Some(Order::Fail) => Err(std::io::Error::other("ordered").into()),
            Some(Order::Panic) => panic!("ordered"),
            Some(Order::End) | None => Ok(()),
        },
        () = seat.shutdown.requested() => {
            shared.write(format!("stop {key}"));
            Ok(())
        }
    }
}

/// An actor that does nothing.
pub(super) struct Idle;

impl Actor for Idle {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _myself: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

pub(super) fn name(key: &str) -> ActorName {
    ActorName::new("test", key)
}
