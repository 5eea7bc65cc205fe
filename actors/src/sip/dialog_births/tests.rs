//! Calls outlive the actors that stand beside them.

mod given;
mod media;

use runtime::clock::{SimClock, Timestamp};
use runtime::log::{Cdr, Disk, Dropped, Fault, Limits, MessageLog, SimLog};
use runtime::random::Random;
use runtime::registry::Registry;
use runtime::supervision::{Intensity, Strategy, Supervisor, SupervisorHandle, SupervisorSpec};
use runtime::telemetry::metrics::Metrics;
use tokio::time::sleep;
use uuid::Uuid;

use super::*;
use crate::sip::call_metrics::CallMetrics;
use crate::sip::calls;
use crate::sip::live_call::LiveCall;
use crate::sip::settings::Settings;
use crate::sip::snapshot::Snapshot;
use crate::sip::testing::{CUSTOMER, Node, Sent, VENDORS, Within, invite, response, settings, voice};

const MOMENT: Duration = Duration::from_millis(500);
const SHARDS: u32 = 2;
const INTENSITY: Intensity = Intensity { restarts: 100, within: Duration::from_secs(10) };

/// A worker without a thread, and the actors of its dialogs.
struct Lab {
    node: Node,
    calls: Arc<Calls>,
    registry: Registry,
    disk: Disk,
    supervisor: SupervisorHandle,
}

impl Lab {
    async fn new() -> Self {
        Self::sharing(false).await
    }

    /// One whose database is other nodes' too, or its own.
    async fn sharing(shared: bool) -> Self {
        let node = Node::new();
        let registry = Registry::new(
            Arc::new(SimClock::starting_at(Timestamp::from_micros(1_700_000_000_000_000))),
            Random::seeded(1),
        );
        let disk = Disk::default();
        let log = MessageLog::new(Arc::new(SimLog::new(disk.clone(), Random::seeded(1))), Limits::default());
        let committer = log.clone();
        tokio::spawn(async move { committer.run(|_| {}).await });
        let snapshot = Snapshot::new(voice(), None, &|_| Vec::new(), node.now.instant);
        let calls = Calls::new(calls::Parts {
            settings: Settings { shared, ..settings(node.now, Vec::new()) },
            snapshot,
            metrics: CallMetrics::new(&Metrics::new()),
            log,
            registry: registry.clone(),
            clock: Arc::clone(registry.clock()),
            random: Random::seeded(1),
        });
        let name = ActorName::new("dialogs", "sip");
        let dialogs = ShardedSupervisor::spec(name.clone(), SHARDS, INTENSITY, Duration::from_secs(1));
        let handle = ShardedSupervisor::handle(&registry, name, SHARDS);
        let root = SupervisorSpec::new(ActorName::new("sip", "main"), Strategy::RestForOne, INTENSITY)
            .child(dialogs.into_child(Restart::Permanent, Duration::from_secs(2)))
            .child(child_spec(Arc::clone(&calls), handle));
        let supervisor = Supervisor::spawn(root, &registry).await.unwrap();
        Self { node, calls, registry, disk, supervisor }
    }

    /// A call comes up; its answer, as the caller has it. Nobody is told yet.
    fn answered(&mut self, name: &str) -> Sent {
        let sent = self.node.receive(CUSTOMER, invite(name, "+15551234"));
        self.node.receive(VENDORS[0], response(&sent[1], 200, "callee")).remove(0)
    }

    fn hang_up(&mut self, ok: &Sent, name: &str) {
        let bye = Within { method: "BYE", cseq: 2, branch: &format!("{name}-bye") }.caller(ok);
        let bye = self.node.receive(CUSTOMER, bye).remove(0);
        self.node.receive(VENDORS[0], response(&bye, 200, "callee"));
    }

    fn note(&mut self) {
        self.calls.note(1, &mut self.node.events);
        self.calls.announce();
    }

    async fn tell(&mut self) {
        self.note();
        sleep(MOMENT).await;
    }

    fn actors(&self) -> usize {
        self.registry.list().iter().filter(|actor| actor.name.kind == "dialog").count()
    }

    async fn cdrs(&self) -> Vec<Cdr> {
        sleep(MOMENT).await;
        self.disk.cdrs()
    }
}

#[tokio::test(start_paused = true)]
async fn calls_outlive_their_supervisors() {
    let mut lab = Lab::new().await;
    let oks: Vec<_> = (0..8).map(|call| lab.answered(&format!("call-{call}"))).collect();
    lab.tell().await;
    assert_eq!((lab.actors(), lab.calls.live(), lab.disk.dialogs().len()), (8, 8, 8));

    let above = lab.registry.supervisor(ActorName::new("dialogs", "sip"));
    for shard in above.children().await {
        above.restart(&shard).await.unwrap();
    }
    sleep(MOMENT).await;
    assert_eq!((lab.actors(), lab.calls.live()), (8, 8), "each has an actor again");

    for (call, ok) in oks.iter().enumerate() {
        lab.hang_up(ok, &format!("call-{call}"));
    }
    lab.tell().await;
    let cdrs = lab.cdrs().await;
    assert_eq!((cdrs.len(), lab.actors(), lab.calls.live()), (8, 0, 0));
    assert!(cdrs.iter().all(|cdr| cdr.answered_at.is_some() && !cdr.recovered), "{cdrs:#?}");
    assert_eq!(lab.disk.dialogs().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ends_while_it_has_no_actor_has_its_record() {
    let mut lab = Lab::new().await;
    let ok = lab.answered("a");
    lab.tell().await;
    let above = lab.registry.supervisor(ActorName::new("dialogs", "sip"));
    for shard in above.children().await {
        above.restart(&shard).await.unwrap();
    }
    lab.hang_up(&ok, "a");
    lab.tell().await;
    assert_eq!((lab.cdrs().await.len(), lab.actors(), lab.calls.live()), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_was_told_before_the_end_is_written_down() {
    let mut lab = Lab::new().await;
    let up = lab.answered("up");
    let over = lab.answered("over");
    lab.tell().await;
    lab.hang_up(&over, "over");
    let late = lab.answered("late");
    lab.calls.note(1, &mut lab.node.events);
    lab.supervisor.stop().await;
    drop((up, late));
    lab.calls.settle();
    assert_eq!(lab.cdrs().await.len(), 1);
    assert_eq!((lab.disk.dialogs().len(), lab.calls.live()), (2, 2), "the next process serves them");
}

#[tokio::test(start_paused = true)]
async fn whoever_starts_actors_begins_anew_and_goes_on() {
    let mut lab = Lab::new().await;
    let first = lab.answered("first");
    lab.tell().await;
    assert!(lab.registry.poison(&ActorName::new("dialog_births", "main")));
    lab.answered("second");
    lab.hang_up(&first, "first");
    lab.tell().await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!((lab.cdrs().await.len(), lab.actors(), lab.calls.live()), (1, 1, 1));
}

/// A record for which the log has no room is written when it has, and nobody is asked anything meanwhile.
#[tokio::test(start_paused = true)]
async fn a_record_without_room_is_written_later() {
    let mut lab = Lab::new().await;
    lab.disk.set_fault(Some(Fault::Hangs));
    let other = |number: u128| runtime::log::Dialog {
        id: Uuid::from_u128(number),
        node: 8,
        answered_at: Timestamp::from_micros(0),
        updated_at: Timestamp::from_micros(0),
        state: bytes::Bytes::new(),
    };
    let mut others = (1..).map(|number| lab.calls.log.put_dialog(other(number)));
    assert_eq!(others.find(Result::is_err), Some(Err(Dropped::Full)));
    drop(others);
    lab.answered("a");
    lab.tell().await;
    sleep(Duration::from_secs(5)).await;
    assert!(lab.calls.ring(1).unwrap().is_empty(), "its sides are not asked");
    assert!(!lab.disk.dialogs().iter().any(|dialog| dialog.node == 7));
    lab.disk.set_fault(None);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(lab.disk.dialogs().iter().filter(|dialog| dialog.node == 7).count(), 1);
}

/// Of a call that is too long to be written down the next process knows enough to close it.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_too_long_is_written_down_to_be_closed() {
    let mut lab = Lab::new().await;
    let contact = format!("Contact: <sip:{}@192.0.2.10:5060>", "c".repeat(5000));
    let long = invite("a", "+15551234").replace("Contact: <sip:caller@192.0.2.10:5060>", &contact);
    let sent = lab.node.receive(CUSTOMER, long);
    lab.node.receive(VENDORS[0], response(&sent[1], 200, "callee"));
    lab.tell().await;
    let records = lab.disk.dialogs();
    assert_eq!(records.len(), 1);
    let cdr = LiveCall::recover(&records[0], lab.node.now).expect_err("it cannot be served").cdr;
    assert_eq!((&*cdr.caller, &*cdr.callee), ("+15550001", "+15551234"));
}
