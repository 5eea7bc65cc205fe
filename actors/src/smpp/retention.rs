//! Has old rows deleted, a few with each commit: deletion costs no sync of its own, and no commit waits for long.
//!
//! Owns: the choice of what is deleted from the message log; it is found by a reader that no commit waits for. Its
//! key is `retention:main:0`, its parent the `log` supervisor, its restart policy permanent. A crash loses nothing: the next slice is found by age.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::config::LogOptions;
use runtime::log::{Horizon, Outdated};
use runtime::model::MessageId;
use runtime::registry::{ActorName, Observation, Registration};
use runtime::supervision::{ChildSpec, Restart, Seat, Start};
use tokio::time::{Instant, sleep};

use super::Smpp;

/// Wait after a slice that was not full, and when nothing was there. After a full one the commit was the wait.
const BUSY: Duration = Duration::from_millis(100);
const IDLE: Duration = Duration::from_secs(60);

/// The actor.
pub struct Retention;

/// What it is told.
#[derive(Clone)]
pub struct Options {
    /// The SMPP side of the node.
    pub smpp: Arc<Smpp>,
    /// How long and how much.
    pub log: LogOptions,
}

/// What the running actor holds.
pub struct State {
    _registration: Registration,
}

/// Nothing is said to it.
#[derive(Debug)]
pub enum Message {}

const _: () = assert!(size_of::<Message>() == 0);

impl Actor for Retention {
    type Msg = Message;
    type State = State;
    type Arguments = (Seat, Options);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        (seat, options): (Seat, Options),
    ) -> Result<State, ActorProcessingErr> {
        let deleted = Arc::new(AtomicU64::new(0));
        let shown = Arc::clone(&deleted);
        let registration = seat.register(Arc::new(move || Observation {
            state: "working".into(),
            queue_depth: 0,
            counters: vec![("deleted", shown.load(Ordering::Relaxed))],
            note: None,
        }));
        seat.attach(myself.get_cell(), delete(options, deleted));
        Ok(State { _registration: registration })
    }
}

/// Goes through the log from its oldest message on, pass after pass. Old messages that live on (a receipt may
/// still come) are looked at once in a pass.
async fn delete(options: Options, deleted: Arc<AtomicU64>) -> Result<(), std::convert::Infallible> {
    let LogOptions { retention, call_retention, retention_slice: slice, .. } = options.log;
    let smpp = &options.smpp;
    let pass = IDLE.min(retention.min(call_retention).get() / 4).max(BUSY);
    let (mut after, mut begun) = (0, Instant::now());
    loop {
        if begun.elapsed() >= pass {
            (after, begun) = (0, Instant::now());
        }
        let now = smpp.now();
        let before = MessageId::first_at(now.minus(retention.get())).0;
        let calls_before = now.minus(call_retention.get());
        let horizon = Horizon { after, before, now: now.micros(), calls_before };
        let wait = match smpp.log.store().outdated(horizon, slice).await {
            Ok(outdated) => {
                let is_full = |rows: usize| rows >= slice as usize;
                after = match outdated.messages.last() {
                    Some(last) if is_full(outdated.messages.len()) => *last,
                    _ => before.saturating_sub(1).max(after),
                };
                let Outdated { messages, orphans, outbox, calls } = &outdated;
                let more = [messages.len(), orphans.len(), outbox.len(), calls.len()].map(is_full);
                let rows = commit(smpp, outdated).await;
                deleted.fetch_add(rows, Ordering::Relaxed);
                match rows {
                    _ if more.contains(&true) => continue,
                    0 => pass,
                    _ => BUSY,
                }
            }
            Err(error) => {
                tracing::warn!(%error, "old rows could not be found, they are deleted later");
                pass
            }
        };
        sleep(wait).await;
    }
}

/// Deletes with the next commit; gives the number of rows when they are gone.
async fn commit(smpp: &Smpp, outdated: Outdated) -> u64 {
    let Outdated { mut messages, mut orphans, mut outbox, mut calls } = outdated;
    let rows = messages.len() + orphans.len() + outbox.len() + calls.len();
    if rows > 0 {
        let ticket = smpp.log.append(|batch| {
            batch.purged.append(&mut messages);
            batch.unparked.append(&mut orphans);
            batch.outbox_done.append(&mut outbox);
            batch.calls.purged.append(&mut calls);
        });
        ticket.durable().await;
    }
    rows as u64
}

/// The actor as a child of the `log` supervisor.
#[must_use]
pub fn child_spec(options: Options) -> ChildSpec {
    let start = Start::actor(move |seat: Seat| {
        let options = options.clone();
        async move { Ok(seat.spawn(Retention, (seat.clone(), options)).await?.get_cell()) }
    });
    ChildSpec::new(ActorName::new("retention", "main"), Restart::Permanent, start)
}

#[cfg(test)]
mod tests {
    use runtime::clock::Timestamp;
    use runtime::config::HumanDuration;
    use runtime::log::{CallDirection, Cdr, EndedBy, MessageRow, Reason, State as Progressed};
    use runtime::model::Money;
    use uuid::Uuid;

    use super::*;
    use crate::smpp::testing;

    #[tokio::test(start_paused = true)]
    async fn what_is_old_and_final_goes_and_the_rest_stays() {
        let (smpp, disk) = testing::smpp(testing::config());
        testing::commit(&smpp);
        let hour = Duration::from_secs(3600);
        let (old, young) =
            (MessageId::first_at(smpp.now().minus(2 * hour)).0, MessageId::first_at(smpp.now()).0);
        let row = |id: i64, state: Progressed| {
            let mut row: MessageRow = testing::row(id);
            row.progress.state = state;
            row
        };
        let live = row(old + 4, Progressed::Enroute);
        let ticket = smpp.log.append(|batch| {
            for id in (old..old + 10).chain([young]).filter(|id| *id != live.id) {
                batch.accept(row(id, Progressed::Delivered));
            }
            batch.accept(live.clone());
        });
        ticket.durable().await;
        let log =
            LogOptions { retention: HumanDuration::from(hour), retention_slice: 3, ..LogOptions::default() };
        let deleted = Arc::new(AtomicU64::new(0));
        let options = Options { smpp: Arc::clone(&smpp), log };
        let task = tokio::spawn(delete(options, Arc::clone(&deleted)));
        sleep(Duration::from_secs(1)).await;
        let left = || disk.messages().iter().map(|row| row.id).collect::<Vec<_>>();
        assert_eq!((left(), deleted.load(Ordering::Relaxed)), (vec![live.id, young], 9));
        // The next pass begins with the oldest again.
        let done = row(live.id, Progressed::Delivered).progress;
        smpp.log.append(|batch| batch.change(live.id, done)).durable().await;
        sleep(2 * IDLE).await;
        assert_eq!((left(), deleted.load(Ordering::Relaxed)), (vec![young], 10));
        task.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn calls_go_by_an_age_of_their_own() {
        let (smpp, disk) = testing::smpp(testing::config());
        testing::commit(&smpp);
        let hour = Duration::from_secs(3600);
        let (old, young) = (call(smpp.now().minus(2 * hour)), call(smpp.now()));
        smpp.log.put_cdr(old, []);
        smpp.log.put_cdr(young.clone(), []).durable().await;
        let log = LogOptions { call_retention: HumanDuration::from(hour), ..LogOptions::default() };
        let task = tokio::spawn(delete(Options { smpp: Arc::clone(&smpp), log }, Arc::default()));
        sleep(Duration::from_secs(1)).await;
        assert_eq!(disk.cdrs(), [young]);
        task.abort();
    }

    fn call(began: Timestamp) -> Cdr {
        let ms = u64::try_from(began.micros() / 1000).unwrap();
        Cdr {
            id: uuid::Builder::from_unix_timestamp_millis(ms, &[0; 10]).into_uuid(),
            node: 0,
            customer: Uuid::nil(),
            trunk: Uuid::nil(),
            vendor: None,
            direction: CallDirection::Outbound,
            source: "192.0.2.1:5060".parse().unwrap(),
            call_id: "".into(),
            caller: "".into(),
            callee: "".into(),
            callee_sent: "".into(),
            started_at: began,
            ringing_at: None,
            answered_at: None,
            ended_at: began,
            pdd_us: None,
            duration_ms: 0,
            billed_seconds: 0,
            status: 404,
            reason: Reason::NoRoute,
            ended_by: EndedBy::System,
            prefix: "".into(),
            rate: Money::default(),
            retransmissions: None,
            q850_cause: None,
            recovered: false,
            attempts: 0,
            media: None,
            identity: runtime::log::CallIdentity::default(),
        }
    }
}
