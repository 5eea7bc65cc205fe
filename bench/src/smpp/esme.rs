//! A customer as the node meets it: some sessions with a window each, submitting at a pace or as fast as the
//! window lets, matching answers and receipts by message id. It never submits a message twice.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use smpp::CommandStatus;
use smpp::pdu::BindMode;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::histogram::Histogram;
use crate::ledger::Ledger;
use crate::pace::{Pace, Plan};
use crate::payload::{Mix, Payload};

mod connection;
mod course;
mod inbound;
mod session;

pub use self::course::Report;
pub(crate) use self::course::{Course, Finished};
use self::session::Session;

/// How often the end of a run looks whether everything is settled.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A simulated customer.
#[derive(Clone, Debug)]
pub struct EsmeOptions {
    /// The node's SMPP listener.
    pub addr: SocketAddr,
    /// Its account.
    pub system_id: String,
    /// The account's password.
    pub password: String,
    /// Sessions; with [`Binds::Pair`] each has two connections.
    pub sessions: usize,
    /// Which binds a session has.
    pub binds: Binds,
    /// submit_sm outstanding per session.
    pub window: usize,
    /// submit_sm a second over all sessions; 0 is as fast as the windows let.
    pub rate: f64,
    /// Stop submitting after so many; 0 only binds.
    pub total: Option<u64>,
    /// Stop submitting after so long.
    pub duration: Option<Duration>,
    /// What is submitted.
    pub mix: Mix,
    /// Acknowledges every TCP segment at once.
    pub quick_ack: bool,
    /// How long all sessions may take to bind at the start.
    pub bind_within: Duration,
    /// Give up waiting for the rest when nothing has moved for so long.
    pub quiet: Duration,
    /// Give up waiting for the rest when so long has passed since the last submission.
    pub drain_max: Duration,
    /// What the far end delays on purpose; completions that much after the last submission still belong to
    /// the submitting time.
    pub path_delay: Duration,
    /// Where MO messages of the SMSC are accounted for.
    pub mo_ledger: Option<Arc<Ledger>>,
}

/// The binds of one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Binds {
    /// One bind_transceiver.
    #[default]
    Transceiver,
    /// bind_transmitter and bind_receiver on two connections.
    Pair,
}

impl EsmeOptions {
    /// One session with window 10 that submits nothing until told how much.
    pub fn new(addr: SocketAddr, system_id: &str, password: &str) -> Self {
        Self {
            addr,
            system_id: system_id.to_owned(),
            password: password.to_owned(),
            sessions: 1,
            binds: Binds::Transceiver,
            window: 10,
            rate: 0.0,
            total: Some(0),
            duration: None,
            mix: Mix::Gsm7,
            quick_ack: true,
            bind_within: Duration::from_secs(10),
            quiet: Duration::from_secs(10),
            drain_max: Duration::from_secs(120),
            path_delay: Duration::ZERO,
            mo_ledger: None,
        }
    }
}

/// What a customer did so far, live. How many messages met which fate is in the [`Ledger`].
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections bound now.
    pub bound: AtomicU64,
    /// Binds since the start.
    pub binds: AtomicU64,
    /// Bound connections that were lost.
    pub lost_connections: AtomicU64,
    /// submit_sm written.
    pub submitted: AtomicU64,
    /// submit_sm without an answer so far.
    pub outstanding: AtomicU64,
    /// deliver_sm received.
    pub delivers: AtomicU64,
    /// deliver_sm that are neither a receipt nor a known MO message.
    pub unreadable: AtomicU64,
    /// From submission to submit_sm_resp.
    pub resp: Histogram,
    /// From submission to the final receipt.
    pub dlr: Histogram,
    /// submit_sm_resp by status, other than ESME_ROK.
    pub refusals: Mutex<BTreeMap<u32, u64>>,
    /// Why the last connection or bind failed.
    pub last_error: Mutex<Option<String>>,
}

/// A customer at work.
#[derive(Debug)]
pub struct Esme {
    /// Live counters.
    pub counters: Arc<Counters>,
    shared: Arc<Shared>,
    phase: watch::Sender<Phase>,
    sessions: JoinSet<()>,
    started: Instant,
}

/// All sessions could not be bound in time.
#[derive(Debug)]
pub struct NotBound {
    /// Connections that are bound.
    pub bound: u64,
    /// Connections wanted.
    pub wanted: u64,
    /// The last error that a session met.
    pub last_error: Option<String>,
}

impl std::fmt::Display for NotBound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reason = self.last_error.as_deref().unwrap_or("no answer");
        write!(
            f,
            "{} of {} connections could be bound; the last error was: {reason}",
            self.bound, self.wanted
        )
    }
}

impl std::error::Error for NotBound {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Binding,
    Submitting,
    Ending,
}

/// What all sessions share.
#[derive(Debug)]
struct Shared {
    options: EsmeOptions,
    ledger: Arc<Ledger>,
    payload: Payload,
    counters: Arc<Counters>,
    course: Course,
}

impl Esme {
    /// Binds, submits everything, waits until it is settled, unbinds.
    pub async fn run(options: EsmeOptions, ledger: Arc<Ledger>) -> Result<Report, NotBound> {
        let esme = Self::start(options, ledger).await?;
        let report = esme.finish().await;
        esme.stop().await;
        Ok(report)
    }

    /// Binds all sessions, then lets them submit.
    pub async fn start(options: EsmeOptions, ledger: Arc<Ledger>) -> Result<Self, NotBound> {
        let (phase, receiver) = watch::channel(Phase::Binding);
        let counters = Arc::new(Counters::default());
        let plan = Plan { rate: options.rate, total: options.total, duration: options.duration };
        let course = Course {
            pace: Pace::new(plan, options.mix.period(), Arc::clone(&ledger)),
            ledger: Arc::clone(&ledger),
            counters: Arc::clone(&counters),
            quiet: options.quiet,
            drain_max: options.drain_max,
            path_delay: options.path_delay,
        };
        let payload = Payload::new(options.mix, ledger.run());
        let shared = Arc::new(Shared { payload, course, ledger, counters: Arc::clone(&counters), options });
        let roles: &[BindMode] = match shared.options.binds {
            Binds::Transceiver => &[BindMode::Transceiver],
            Binds::Pair => &[BindMode::Receiver, BindMode::Transmitter],
        };
        let mut sessions = JoinSet::new();
        for _ in 0..shared.options.sessions {
            for role in roles {
                sessions.spawn(Session::new(Arc::clone(&shared), *role, receiver.clone()).run());
            }
        }
        let wanted = sessions.len() as u64;
        let mut esme = Self { counters, shared, phase, sessions, started: Instant::now() };
        esme.all_bound(wanted).await?;
        esme.started = Instant::now();
        esme.shared.course.pace.start(esme.started);
        esme.phase.send_replace(Phase::Submitting);
        Ok(esme)
    }

    /// Waits until everything is submitted, answered and settled, or nothing moves any more. The sessions stay
    /// bound.
    pub async fn finish(&self) -> Report {
        self.finish_course().await.report
    }

    pub(crate) async fn finish_course(&self) -> Finished {
        self.shared.course.finish(self.started).await
    }

    /// Unbinds every session and waits until they are closed.
    pub async fn stop(mut self) {
        self.phase.send_replace(Phase::Ending);
        while self.sessions.join_next().await.is_some() {}
    }

    async fn all_bound(&self, wanted: u64) -> Result<(), NotBound> {
        let deadline = Instant::now() + self.shared.options.bind_within;
        loop {
            let bound = self.counters.bound.load(Ordering::Relaxed);
            if bound >= wanted {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(NotBound { bound, wanted, last_error: self.counters.last_error.lock().clone() });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

impl Counters {
    pub(crate) fn refused(&self, status: CommandStatus) {
        *self.refusals.lock().entry(status.0).or_default() += 1;
    }

    pub(crate) fn failed(&self, error: impl ToString) {
        *self.last_error.lock() = Some(error.to_string());
    }
}

#[cfg(test)]
mod tests;
