//! Kannel: HTTP sendsms in, SMPP to the simulated SMSC, receipts by HTTP callback. Debian carries no SMPP
//! server box for it, so customers speak HTTP; that flatters Kannel, which is spared one SMPP side.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::http::{self, Client};
use crate::ledger::{Final, Ledger, Seen};
use crate::net;
use crate::pace::{Block, Next, Pace, Plan};
use crate::payload::{Mix, Payload};
use crate::process::terminate;
use crate::progress::Progress;
use crate::report::Outcome;
use crate::sampler::Sampler;
use crate::smpp::esme::{Counters, Course};
use crate::smpp::load::Load;
use crate::smpp::run::{Run, vendor_bound};
use crate::smpp::smsc::Smsc;

const TEMPLATE: &str = include_str!("../../peers/kannel.conf");
/// Messages a second that were recorded for Kannel on two cores with quick ACKs; a run beyond a factor of two
/// around them says more about the set-up than about Kannel.
const RECORDED_PER_S: (f64, f64) = (6_900.0, 10_000.0);
/// max-pending-submits at which it was fastest.
const WINDOW_MAX: usize = 100;
/// HTTP connections at which it was fastest.
const CONCURRENCY_MAX: usize = 100;
const STARTED_WITHIN: Duration = Duration::from_secs(20);
const STOPPED_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(50);
const QUIET: Duration = Duration::from_secs(10);
const DRAIN_MAX: Duration = Duration::from_secs(120);
/// dlr-mask: delivered, undeliverable, rejected by the SMSC.
const DLR_MASK: u8 = 1 | 2 | 16;
const DLR_DELIVERED: &str = "1";

/// Runs `load` through a Kannel of this machine: the same sessions, rate and delays, a plain text of the same
/// length, quick ACKs at the SMSC. Errors: Kannel is not installed or does not start.
pub async fn measure(load: &Load) -> anyhow::Result<Outcome> {
    let load = Load { mix: Mix::Plain, quick_ack: true, vendor_binds: 1, ..load.clone() };
    let load = Load { vendor_window: load.vendor_window.min(WINDOW_MAX), ..load };
    let ledger = Arc::new(Ledger::new(fastrand::u16(..), load.receipts > 0.0));
    let smsc = Smsc::start(load.smsc(SocketAddr::from(([127, 0, 0, 1], 0))), Arc::clone(&ledger));
    let smsc = smsc.await.context("cannot start the simulated SMSC")?;
    let kannel = Kannel::start(&load, smsc.addr).await?;
    vendor_bound(&smsc.counters, 1).await?;
    let customer = Customer::start(&load, Arc::clone(&ledger), kannel.sendsms).await?;
    let sampler = Sampler::start(kannel.processes());
    let progress = Progress::start("kannel", Arc::clone(&ledger));
    let started = Instant::now();
    customer.course.pace.start(started);
    let senders = customer.send(concurrency_of(&load));
    let finished = customer.course.finish(started).await;
    drop((progress, senders));
    let samples = sampler.finish();
    let esme = &customer.course.counters;
    let run = Run { load: &load, finished, samples, tally: ledger.tally(), esme, smsc: &smsc.counters };
    let mut outcome = run.outcome("kannel");
    run.judge_generator(&mut outcome, None);
    describe(&mut outcome, &load);
    kannel.stop().await?;
    Ok(outcome)
}

fn describe(outcome: &mut Outcome, load: &Load) {
    outcome.set("durability", "none: queues and receipts in memory");
    outcome.set("customer_side", "HTTP sendsms, receipts by HTTP callback");
    outcome.set("http_connections", concurrency_of(load));
    let (low, high) = RECORDED_PER_S;
    outcome.set("recorded_per_s", serde_json::json!([low, high]));
    let expected = low / 2.0..=high * 2.0;
    if load.rate <= 0.0 && !expected.contains(&outcome.achieved_per_s) {
        outcome.invalidate(format!("not within a factor of two of the recorded {low} to {high} messages/s"));
    }
}

fn concurrency_of(load: &Load) -> usize {
    (load.sessions * load.window).clamp(1, CONCURRENCY_MAX)
}

/// bearerbox and smsbox in a directory of their own.
struct Kannel {
    sendsms: SocketAddr,
    bearerbox: Child,
    smsbox: Child,
    _directory: TempDir,
}

impl Kannel {
    async fn start(load: &Load, smsc: SocketAddr) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("bench-kannel-").tempdir()?;
        let [admin, smsbox_port, sendsms] = free_ports().await.context("no free ports for Kannel")?;
        let text = [
            ("{admin_port}", admin.to_string()),
            ("{smsbox_port}", smsbox_port.to_string()),
            ("{sendsms_port}", sendsms.to_string()),
            ("{smsc_host}", smsc.ip().to_string()),
            ("{smsc_port}", smsc.port().to_string()),
            ("{window}", load.vendor_window.to_string()),
            ("{directory}", directory.path().display().to_string()),
        ]
        .into_iter()
        .fold(TEMPLATE.to_owned(), |text, (word, value)| text.replace(word, &value));
        let config = directory.path().join("kannel.conf");
        std::fs::write(&config, text).context("cannot write kannel.conf")?;
        let bearerbox = spawn("bearerbox", &config)?;
        let sendsms = SocketAddr::from(([127, 0, 0, 1], sendsms));
        // smsbox ends when it finds no bearerbox.
        listening(SocketAddr::from(([127, 0, 0, 1], smsbox_port)))
            .await
            .context("bearerbox did not start")?;
        let smsbox = spawn("smsbox", &config)?;
        listening(sendsms).await.context("smsbox did not start")?;
        Ok(Self { sendsms, bearerbox, smsbox, _directory: directory })
    }

    fn processes(&self) -> Vec<u32> {
        self.bearerbox.id().into_iter().chain(self.smsbox.id()).collect()
    }

    async fn stop(self) -> anyhow::Result<()> {
        terminate(self.smsbox, STOPPED_WITHIN).await?;
        terminate(self.bearerbox, STOPPED_WITHIN).await
    }
}

/// The customer: connections that submit, and a server for the callbacks.
struct Customer {
    course: Arc<Course>,
    payload: Arc<Payload>,
    sendsms: SocketAddr,
    /// The end of the callback address, escaped into a query: what comes before the id.
    callback: String,
    receiving: JoinHandle<()>,
}

impl Customer {
    async fn start(load: &Load, ledger: Arc<Ledger>, sendsms: SocketAddr) -> anyhow::Result<Self> {
        let listener = net::listen(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let callback = http::escape(format!("http://{}/r?s=%d&id=", listener.local_addr()?).as_bytes());
        let plan = Plan { rate: load.rate, total: None, duration: Some(load.duration) };
        let course = Arc::new(Course {
            pace: Pace::new(plan, load.mix.period(), Arc::clone(&ledger)),
            counters: Arc::new(Counters::default()),
            quiet: QUIET,
            drain_max: DRAIN_MAX,
            path_delay: load.receipt_delay + load.answer_delay,
            ledger: Arc::clone(&ledger),
        });
        let into = Arc::clone(&course);
        let receiving = tokio::spawn(http::serve(listener, move |target| on_callback(&into, target)));
        let payload = Arc::new(Payload::new(load.mix, ledger.run()));
        Ok(Self { course, payload, sendsms, callback, receiving })
    }

    fn send(&self, connections: usize) -> JoinSet<()> {
        let mut senders = JoinSet::new();
        for _ in 0..connections {
            let (course, payload) = (Arc::clone(&self.course), Arc::clone(&self.payload));
            senders.spawn(submit(course, payload, self.sendsms, self.callback.clone()));
        }
        senders
    }
}

impl Drop for Customer {
    fn drop(&mut self) {
        self.receiving.abort();
    }
}

async fn submit(course: Arc<Course>, payload: Arc<Payload>, sendsms: SocketAddr, callback: String) {
    let mut client = None;
    let mut block: Option<Block> = None;
    loop {
        let (id, due) = match course.pace.next(&mut block, Instant::now()) {
            Next::Submit { id, due, .. } => (id, due),
            Next::Wait(due) => {
                tokio::time::sleep_until(due).await;
                continue;
            }
            Next::Done => return,
        };
        let text = http::escape(&payload.text(id));
        let want_receipt = if course.ledger.receipts() {
            format!("&dlr-mask={DLR_MASK}&dlr-url={callback}{id}")
        } else {
            String::new()
        };
        let target = format!(
            "/cgi-bin/sendsms?username=bench&password=bench&from=15550001111&to=1555{:07}&text={text}{want_receipt}",
            id % 10_000_000
        );
        course.ledger.submitted(id, due);
        course.counters.submitted.fetch_add(1, Relaxed);
        course.counters.outstanding.fetch_add(1, Relaxed);
        match send(&mut client, sendsms, &target).await {
            // 202 is "accepted for delivery"; nothing else is a promise.
            Ok(202) => {
                course.counters.resp.record(due.elapsed());
                if let Some(latency) = course.ledger.accepted(id, id.to_string().as_bytes()) {
                    course.counters.dlr.record(latency);
                }
            }
            Ok(_) => course.ledger.refused(id),
            Err(error) => {
                client = None;
                course.counters.failed(error);
                course.ledger.unknown(id);
            }
        }
        course.counters.outstanding.fetch_sub(1, Relaxed);
    }
}

async fn send(client: &mut Option<Client>, addr: SocketAddr, target: &str) -> std::io::Result<u16> {
    let client = match client {
        Some(client) => client,
        None => client.insert(Client::connect(addr).await?),
    };
    Ok(client.get(target).await?.status)
}

/// The target is `/r?s=1&id=42`.
fn on_callback(course: &Course, target: &str) {
    course.counters.delivers.fetch_add(1, Relaxed);
    let value = |name: &str| {
        let (_, query) = target.split_once('?')?;
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    };
    let (Some(state), Some(id)) = (value("s"), value("id")) else {
        course.counters.unreadable.fetch_add(1, Relaxed);
        return;
    };
    let state = if state == DLR_DELIVERED { Final::Delivered } else { Final::Failed };
    if let Seen::First(latency) = course.ledger.receipt_seen(id.as_bytes(), state, Instant::now()) {
        course.counters.dlr.record(latency);
    }
}

fn spawn(program: &str, config: &Path) -> anyhow::Result<Child> {
    Command::new(program)
        // Only panics on stderr: its default writes every PDU there, which costs it most of its speed.
        .args(["-v", "4"])
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot run {program}; install it with `apt-get install kannel`"))
}

async fn listening(addr: SocketAddr) -> anyhow::Result<()> {
    let deadline = Instant::now() + STARTED_WITHIN;
    while net::connect(addr).await.is_err() {
        if Instant::now() >= deadline {
            bail!("nothing listens on {addr} after {STARTED_WITHIN:?}");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Three ports that were free a moment ago; Kannel cannot pick its own.
async fn free_ports() -> std::io::Result<[u16; 3]> {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let (a, b, c) = (net::listen(any).await?, net::listen(any).await?, net::listen(any).await?);
    Ok([a.local_addr()?.port(), b.local_addr()?.port(), c.local_addr()?.port()])
}
