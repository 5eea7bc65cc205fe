//! The committer on a disk that refuses, hangs, fails.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::*;
use crate::store::ErrorKind;

fn log_on(disk: &Disk) -> MessageLog {
    MessageLog::new(Arc::new(SimLog::new(disk.clone(), Random::seeded(5))), Limits::default())
}

fn run(log: &MessageLog) -> JoinHandle<()> {
    let log = log.clone();
    tokio::spawn(async move { log.run(|_| ()).await })
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_hangs_refuses_new_messages_until_it_returns() {
    let disk = Disk::default();
    let log = log_on(&disk);
    disk.set_fault(Some(Fault::Hangs));
    let ticket = log.append_new(|batch| batch.accept(row(1))).unwrap();
    let committer = run(&log);
    sleep(Duration::from_secs(4)).await;
    assert_eq!(log.health(), Health::Working);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(log.health(), Health::Refusing);
    assert_eq!(log.append_new(|batch| batch.accept(row(2))).unwrap_err(), Full);
    disk.set_fault(None);
    timeout(Duration::from_secs(1), ticket.durable()).await.unwrap();
    assert_eq!(log.health(), Health::Working);
    committer.abort();
}

#[tokio::test(start_paused = true)]
async fn nobody_commits_on_a_disk_that_has_failed() {
    let disk = Disk::default();
    let log = log_on(&disk);
    disk.set_fault(Some(Fault::Refuses(ErrorKind::DiskFailed)));
    let ticket = log.append_new(|batch| batch.accept(row(1))).unwrap();
    let committer = run(&log);
    sleep(Duration::from_secs(1)).await;
    committer.abort();
    disk.set_fault(None);
    let next = run(&log);
    timeout(Duration::from_secs(60), ticket.durable()).await.unwrap_err();
    assert_eq!(log.health(), Health::Failed);
    assert_eq!(disk.messages(), []);
    next.abort();
}

/// Counts what is logged as an error.
#[derive(Clone, Default)]
struct Errors(Arc<AtomicUsize>);

impl<S: tracing::Subscriber> Layer<S> for Errors {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() == tracing::Level::ERROR {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_logged_once_and_again_when_its_kind_changes() {
    let errors = Errors::default();
    let _logged = tracing::subscriber::set_default(tracing_subscriber::registry().with(errors.clone()));
    let disk = Disk::default();
    let log = log_on(&disk);
    let ticket = log.append_new(|batch| batch.accept(row(1))).unwrap();
    let committer = run(&log);
    for (fault, logged) in [
        (Fault::Refuses(ErrorKind::Unavailable), 1),
        (Fault::Refuses(ErrorKind::DiskFull), 2),
        (Fault::Refuses(ErrorKind::Unavailable), 3),
    ] {
        disk.set_fault(Some(fault));
        sleep(Duration::from_secs(10)).await;
        assert_eq!(errors.0.load(Ordering::Relaxed), logged, "{fault:?}");
        assert_eq!(log.health(), Health::Refusing);
    }
    disk.set_fault(None);
    timeout(Duration::from_secs(10), ticket.durable()).await.unwrap();
    assert_eq!(log.health(), Health::Working);
    committer.abort();
}
