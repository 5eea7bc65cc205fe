use runtime::clock::{SharedClock, SystemClock};
use runtime::log::{Disk, Limits, MessageLog, SimLog};
use runtime::model::Transport;
use runtime::random::Random;
use runtime::registry::Registry;
use runtime::store::{Location, Part, migrate};
use runtime::telemetry::metrics::Metrics;
use sip::register::{CONTACTS_MAX, Contact, Registration, Wanted};
use tempfile::TempDir;

use super::super::call_metrics::CallMetrics;
use super::super::calls;
use super::super::flow::Flow;
use super::super::settings::Settings;
use super::super::snapshot::Snapshot;
use super::super::testing::settings;
use super::super::worker::Input;
use super::*;

const TRUNK: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);

async fn database(directory: &TempDir) -> Db {
    let db = Db::open_store(&Location { url: "", data_dir: directory.path() }).await.unwrap();
    migrate(&db, Part::Store).await.unwrap();
    db
}

/// A node with this number, without workers.
fn node(number: u16) -> Arc<Calls> {
    let clock: SharedClock = Arc::new(SystemClock);
    let now = Now { instant: Instant::now().into_std(), wall: clock.now() };
    let settings = Settings { node: number, ..settings(now, Vec::new()) };
    Calls::new(calls::Parts {
        settings,
        snapshot: Snapshot::default(),
        metrics: CallMetrics::new(&Metrics::new()),
        log: MessageLog::new(Arc::new(SimLog::new(Disk::default(), Random::seeded(3))), Limits::default()),
        registry: Registry::new(Arc::clone(&clock), Random::seeded(1)),
        clock,
        random: Random::seeded(number.into()),
    })
}

/// The request of a worker's transaction for one contact, for so many seconds.
fn register(transaction: u64, trunk: Uuid, (contact, expires): (&str, u32)) -> ToRegistrar {
    let contact = Contact { uri: contact.to_owned(), q: 1000, expires: Some(expires) };
    let registration = Registration {
        call_id: format!("call-{transaction}"),
        cseq: 1,
        wanted: Wanted::Contacts(vec![contact]),
        expires: None,
        path: String::new(),
    };
    let peer = "203.0.113.9:40112".parse().unwrap();
    let flow = Flow { listener: 1, transport: Transport::Tcp, peer, connection: 77 };
    let ask = Ask { trunk, registration, flow, user_agent: String::new() };
    let asker = Asker { worker: 1, incarnation: 5, transaction };
    ToRegistrar { asker, ask, came: Instant::now().into_std() }
}

fn actor<'a>(calls: &'a Calls, db: &Db) -> Actor<'a> {
    Actor { calls, db: db.clone(), poll: Duration::from_secs(1), works: true }
}

/// Serves what was handed over, in one group.
async fn serve(calls: &Calls, db: &Db, mut group: Vec<ToRegistrar>) {
    actor(calls, db).serve(&mut group).await;
    assert!(group.is_empty() && calls.registrar.open.lock().is_empty());
}

/// What workers were told since they were asked last: transaction, and what is bound or why nothing was done.
fn told(calls: &Calls) -> Vec<(u64, String)> {
    let (mut inputs, mut refused) = (Vec::new(), Vec::new());
    calls.ring(1).unwrap().take(1000, &mut inputs, &mut refused);
    let one = |input: Input| {
        let Input::Registered(Told { asker, outcome }) = input else { panic!("nothing of a REGISTER") };
        assert_eq!((asker.worker, asker.incarnation), (1, 5));
        let outcome = match outcome {
            Outcome::Bound(bound) => bound.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            Outcome::Refused(error) => error.to_string(),
            Outcome::Failed => "failed".to_owned(),
        };
        (asker.transaction, outcome)
    };
    inputs.into_iter().map(one).collect()
}

fn is(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
    expected.iter().map(|(transaction, outcome)| (*transaction, (*outcome).to_owned())).collect()
}

fn contacts(calls: &Calls, trunk: Uuid) -> Vec<String> {
    let found = calls.registrar.bindings.of(trunk, calls.now().wall);
    let mut found: Vec<_> = found.iter().map(|binding| binding.stored.contact.clone()).collect();
    found.sort();
    found
}

/// In one transaction, each after the other: those of one trunk see what those before them did.
#[tokio::test]
async fn a_group_is_one_transaction() {
    let directory = tempfile::tempdir().unwrap();
    let (db, calls) = (database(&directory).await, node(1));
    let mut group = vec![
        register(1, TRUNK, ("sip:a@b", 600)),
        register(2, OTHER, ("sip:c@d", 600)),
        register(3, TRUNK, ("sip:e@f", 10)),
        register(4, TRUNK, ("sip:a@b", 0)),
        register(5, TRUNK, ("sip:g@h", 90)),
    ];
    let mut question = register(6, OTHER, ("sip:c@d", 0));
    question.ask.registration.wanted = Wanted::List;
    group.push(question);
    serve(&calls, &db, group).await;
    let expected = [
        (1, "<sip:a@b>;expires=600"),
        (2, "<sip:c@d>;expires=600"),
        (3, "Interval Too Brief"),
        (4, ""),
        (5, "<sip:g@h>;expires=90"),
        (6, "<sip:c@d>;expires=600"),
    ];
    assert_eq!(told(&calls), is(&expected));
    assert_eq!(
        (contacts(&calls, TRUNK), contacts(&calls, OTHER)),
        (vec!["sip:g@h".into()], vec!["sip:c@d".into()])
    );
    let mut tx = db.begin().await.unwrap();
    assert_eq!(registration::raise(&mut tx).await.unwrap(), 2, "one change for all");
    assert_eq!(calls.registrar.bindings.of(OTHER, calls.now().wall)[0].connection, 77);
    let figures = &calls.registrar.figures;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    assert_eq!((count(&figures.requests), count(&figures.commits), count(&figures.failed)), (6, 1, 0));
}

/// What only asks, or is refused, leaves no change behind.
#[tokio::test]
async fn nothing_is_written_for_a_question() {
    let directory = tempfile::tempdir().unwrap();
    let (db, calls) = (database(&directory).await, node(1));
    serve(&calls, &db, vec![register(1, TRUNK, ("sip:a@b", 10)), register(2, TRUNK, ("sip:a@b", 0))]).await;
    assert_eq!(told(&calls), is(&[(1, "Interval Too Brief"), (2, "")]));
    let mut tx = db.begin().await.unwrap();
    assert_eq!(registration::raise(&mut tx).await.unwrap(), 1);
}

/// Another node, and the next process of this one, find what was committed, without the connection.
#[tokio::test]
async fn other_nodes_and_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (db, first, second) = (database(&directory).await, node(1), node(2));
    serve(&first, &db, vec![register(1, TRUNK, ("sip:a@b", 600))]).await;
    assert_eq!(contacts(&second, TRUNK), Vec::<String>::new());
    second.registrar.follow(&db, second.now()).await.unwrap();
    assert_eq!(contacts(&second, TRUNK), ["sip:a@b"]);
    let known = second.registrar.bindings.of(TRUNK, second.now().wall).remove(0);
    assert_eq!((known.connection, known.stored.node, known.stored.listener), (0, 1, 1));

    // The second one knows of no more than it has read, and agrees with the first all the same.
    serve(&first, &db, vec![register(2, TRUNK, ("sip:c@d", 600))]).await;
    serve(&second, &db, vec![register(3, TRUNK, ("sip:e@f", 600)), register(4, TRUNK, ("sip:a@b", 0))]).await;
    assert_eq!(contacts(&second, TRUNK), ["sip:c@d", "sip:e@f"]);
    first.registrar.follow(&db, first.now()).await.unwrap();
    assert_eq!(contacts(&first, TRUNK), ["sip:c@d", "sip:e@f"]);
    let connection = |contact: &str| {
        let all = first.registrar.bindings.of(TRUNK, first.now().wall);
        all.iter().find(|binding| binding.stored.contact == contact).unwrap().connection
    };
    assert_eq!((connection("sip:c@d"), connection("sip:e@f")), (77, 0), "its own connection stays");

    let next = node(1);
    next.registrar.follow(&db, next.now()).await.unwrap();
    assert_eq!(contacts(&next, TRUNK), ["sip:c@d", "sip:e@f"]);
}

/// A node that starts reads what lives, and from then on what changes.
#[tokio::test]
async fn what_a_start_reads() {
    let directory = tempfile::tempdir().unwrap();
    let (db, first) = (database(&directory).await, node(1));
    serve(&first, &db, vec![register(1, TRUNK, ("sip:a@b", 600)), register(2, OTHER, ("sip:c@d", 600))])
        .await;
    serve(&first, &db, vec![register(3, TRUNK, ("sip:a@b", 0))]).await;
    let next = node(1);
    next.registrar.read(&db, next.now()).await.unwrap();
    assert_eq!((contacts(&next, TRUNK).len(), contacts(&next, OTHER)), (0, vec!["sip:c@d".to_owned()]));
    let read = || next.registrar.figures.read.load(Ordering::Relaxed);
    assert_eq!(read(), 1, "what is no more is nobody's concern");
    serve(&first, &db, vec![register(4, TRUNK, ("sip:e@f", 600))]).await;
    next.registrar.follow(&db, next.now()).await.unwrap();
    assert_eq!((read(), contacts(&next, TRUNK)), (2, vec!["sip:e@f".to_owned()]));
}

/// A change of which only a part was read is read to its end, although the next one is this node's own.
#[tokio::test]
async fn what_was_read_in_part() {
    let directory = tempfile::tempdir().unwrap();
    let (db, first, second) = (database(&directory).await, node(1), node(2));
    let group = (1..=4).map(|at| register(at, TRUNK, (&format!("sip:{at}@b"), 600))).collect();
    serve(&first, &db, group).await;
    // The database blinked behind the first row.
    let rows = registration::since(&db, (0, Uuid::nil()), 1).await.unwrap();
    let (version, id) = (rows[0].version, rows[0].id);
    second.registrar.take(rows, second.now());
    *second.registrar.position.lock() = Position { version, id, whole: false };
    serve(&second, &db, vec![register(9, OTHER, ("sip:c@d", 600))]).await;
    second.registrar.follow(&db, second.now()).await.unwrap();
    assert_eq!((contacts(&second, TRUNK).len(), contacts(&second, OTHER).len()), (4, 1));
    let Position { version: last, whole, .. } = *second.registrar.position.lock();
    assert_eq!((last, whole), (version + 1, true));
}

/// Who has waited for too long has given up, and may have registered elsewhere since.
#[tokio::test]
async fn what_comes_too_late_is_not_done() {
    let directory = tempfile::tempdir().unwrap();
    let (db, calls) = (database(&directory).await, node(1));
    let late = |transaction| {
        let came = calls.now().instant.checked_sub(WAIT_MAX + Duration::from_secs(1)).unwrap();
        ToRegistrar { came, ..register(transaction, TRUNK, ("sip:late@b", 600)) }
    };
    serve(&calls, &db, vec![late(1), register(2, TRUNK, ("sip:a@b", 600)), late(3)]).await;
    assert_eq!(told(&calls), is(&[(1, "failed"), (3, "failed"), (2, "<sip:a@b>;expires=600")]));
    serve(&calls, &db, vec![late(4)]).await;
    assert_eq!((told(&calls), contacts(&calls, TRUNK)), (is(&[(4, "failed")]), vec!["sip:a@b".to_owned()]));
    let figures = &calls.registrar.figures;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    assert_eq!((count(&figures.commits), count(&figures.failed)), (1, 3));
}

/// Of a trunk that has a new contact each time the table keeps as many rows as it may bind, and a few.
#[tokio::test]
async fn what_is_new_takes_the_rows_of_what_is_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let (db, calls) = (database(&directory).await, node(1));
    for turn in 0..4 {
        let group = (0..10).map(|at| register(10 * turn + at, TRUNK, (&format!("sip:{turn}-{at}@b"), 600)));
        serve(&calls, &db, group.collect()).await;
    }
    assert_eq!(contacts(&calls, TRUNK).len(), 10);
    let rows = registration::since(&db, (0, Uuid::nil()), PAGE).await.unwrap();
    assert!(rows.len() <= 10 + CONTACTS_MAX, "{}", rows.len());
}

/// Of its own changes a node reads nothing, of those of others all, also where they came between.
#[tokio::test]
async fn what_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let (db, first, second) = (database(&directory).await, node(1), node(2));
    let read = |calls: &Calls| calls.registrar.figures.read.load(Ordering::Relaxed);
    for transaction in 1..=3 {
        let contact = format!("sip:{transaction}@b");
        serve(&first, &db, vec![register(transaction, TRUNK, (&contact, 600))]).await;
    }
    first.registrar.follow(&db, first.now()).await.unwrap();
    assert_eq!(read(&first), 0);
    serve(&second, &db, vec![register(4, OTHER, ("sip:4@b", 600))]).await;
    serve(&first, &db, vec![register(5, TRUNK, ("sip:5@b", 600))]).await;
    first.registrar.follow(&db, first.now()).await.unwrap();
    assert_eq!((read(&first), contacts(&first, OTHER)), (2, vec!["sip:4@b".to_owned()]));
    second.registrar.follow(&db, second.now()).await.unwrap();
    assert_eq!((read(&second), contacts(&second, TRUNK).len()), (5, 4));
}

/// As the interface takes a registration back.
#[tokio::test]
async fn what_somebody_else_takes_back() {
    let directory = tempfile::tempdir().unwrap();
    let (db, calls) = (database(&directory).await, node(1));
    serve(&calls, &db, vec![register(1, TRUNK, ("sip:a@b", 600)), register(2, TRUNK, ("sip:c@d", 600))])
        .await;
    let found = registration::page(&db, TRUNK, calls.now().wall, (None, 9)).await.unwrap();
    let gone = found.iter().find(|found| found.contact == "sip:a@b").unwrap();
    let mut tx = db.begin().await.unwrap();
    let version = registration::raise(&mut tx).await.unwrap();
    registration::remove(&mut tx, gone.id, calls.now().wall, version).await.unwrap();
    tx.commit().await.unwrap();
    calls.registrar.follow(&db, calls.now()).await.unwrap();
    assert_eq!(contacts(&calls, TRUNK), ["sip:c@d"]);
}

#[tokio::test]
async fn without_the_database_nothing_is_promised() {
    let directory = tempfile::tempdir().unwrap();
    let (db, calls) = (database(&directory).await, node(1));
    serve(&calls, &db, vec![register(1, TRUNK, ("sip:a@b", 600))]).await;
    told(&calls);
    let mut actor = actor(&calls, &db);
    db.close().await;
    let mut group = vec![register(2, TRUNK, ("sip:c@d", 600)), register(3, TRUNK, ("sip:a@b", 0))];
    actor.serve(&mut group).await;
    assert_eq!(told(&calls), is(&[(2, "failed"), (3, "failed")]));
    assert!(!actor.works && group.is_empty());
    assert_eq!(contacts(&calls, TRUNK), ["sip:a@b"], "calls go on to what is known");
    assert!(calls.registrar.follow(&db, calls.now()).await.is_err());
}

/// Whoever waited for an incarnation that is no more is told that nothing is known.
#[tokio::test]
async fn a_crash_leaves_nobody_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let (db, calls) = (database(&directory).await, node(1));
    let left = [register(8, TRUNK, ("sip:a@b", 600)), register(9, TRUNK, ("sip:a@b", 600))];
    *calls.registrar.open.lock() = left.iter().map(|asked| asked.asker).collect();
    actor(&calls, &db).give_up();
    assert_eq!(told(&calls), is(&[(8, "failed"), (9, "failed")]));
    actor(&calls, &db).give_up();
    assert_eq!(told(&calls), is(&[]));
}

#[tokio::test]
async fn a_full_queue_says_so_at_once() {
    let calls = node(1);
    let request = |transaction| register(transaction, TRUNK, ("sip:a@b", 600));
    for transaction in 0..QUEUE {
        assert!(calls.registrar.submit(request(transaction as u64)).is_ok());
    }
    let refused = calls.registrar.submit(request(9999)).unwrap_err();
    assert_eq!((refused.asker.transaction, refused.outcome), (9999, Outcome::Failed));
}

/// The actor itself: what is handed over is done, and another node's change is read when somebody says so.
#[tokio::test]
async fn the_actor_serves_and_follows() {
    let directory = tempfile::tempdir().unwrap();
    let (db, calls, other) = (database(&directory).await, node(1), node(2));
    let mut actor = actor(&calls, &db);
    actor.poll = Duration::from_secs(3600);
    let script = async {
        assert!(calls.registrar.submit(register(1, TRUNK, ("sip:a@b", 600))).is_ok());
        calls.ring(1).unwrap().ready().await;
        assert_eq!(told(&calls), is(&[(1, "<sip:a@b>;expires=600")]));
        serve(&other, &db, vec![register(2, OTHER, ("sip:c@d", 600))]).await;
        calls.registrar.look();
        while contacts(&calls, OTHER).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        never = actor.run() => match never {},
        () = script => {}
    }
}
