//! Round trips that the actor of a media node makes in a second, and their processor time: commands of the size of an
//! offer, 64 of them under way, to a socket that answers at once with a description.
//!
//! The actor and who waits for its answers have this thread; who answers has another, whose time is not counted.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement is of real time, and has nobody to tell but its terminal"
)]

use std::fs;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use actors::media::exchange::{Command, Outcome, Patience};
use actors::media::metrics::Metrics;
use actors::media::pool::{Answer, Deliver, News, Pool, Ticket, Waiter};
use actors::media::rtpengine_node::{Options, child_spec};
use bytes::Bytes;
use runtime::clock::SystemClock;
use runtime::model::{MediaNode, MediaNodeState};
use runtime::random::Random;
use runtime::registry::{ActorName, Registry};
use runtime::supervision::{Intensity, Strategy, Supervisor, SupervisorSpec};
use tokio::runtime::Builder;
use tokio::sync::Notify;
use uuid::Uuid;

/// Commands under way.
const WINDOW: u64 = 64;
/// How long a run takes, and how often it is made.
const RUN: Duration = Duration::from_secs(3);
const RUNS: usize = 3;
/// The number of the only node.
const NODE: u8 = 1;

fn main() {
    let responder = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = responder.local_addr().unwrap();
    // It ends with the process.
    thread::spawn(move || respond(&responder));
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pool = Arc::new(Pool::default());
        let node = MediaNode {
            id: Uuid::nil(),
            number: NODE,
            name: "measured".to_owned(),
            address,
            weight: 1,
            state: MediaNodeState::Active,
        };
        pool.configure(&[node], Instant::now());
        let counted = Arc::new(Counted::default());
        let options = Options {
            node: pool.node(NODE).unwrap(),
            deliver: deliver(&pool, &counted),
            random: Random::system(),
            list_every: Duration::from_secs(30),
            metrics: Metrics::new(&runtime::telemetry::metrics::Metrics::new()),
        };
        let intensity = Intensity::new(1, Duration::from_secs(10));
        let spec = SupervisorSpec::new(ActorName::new("media", "measured"), Strategy::OneForOne, intensity)
            .child(child_spec(options));
        let supervisor =
            Supervisor::spawn(spec, &Registry::new(Arc::new(SystemClock), Random::system())).await.unwrap();
        for _ in 0..RUNS {
            run(&pool, &counted).await;
        }
        supervisor.stop().await;
    });
}

/// One run, told in a line.
async fn run(pool: &Arc<Pool>, counted: &Arc<Counted>) {
    let before = (counted.answered.load(Ordering::Relaxed), counted.silent.load(Ordering::Relaxed));
    counted.open.store(WINDOW, Ordering::Relaxed);
    let (began, spent) = (Instant::now(), processor_time());
    counted.until.store(since_start() + micros(RUN), Ordering::Relaxed);
    for _ in 0..WINDOW {
        pool.submit(NODE, command()).unwrap();
    }
    counted.all_done.notified().await;
    let (took, spent) = (began.elapsed(), processor_time() - spent);
    let answered = counted.answered.load(Ordering::Relaxed) - before.0;
    let silent = counted.silent.load(Ordering::Relaxed) - before.1;
    let round_trips = u32::try_from(answered).unwrap();
    println!(
        "{:.0} round trips a second, {:.1} us of the processor each, {silent} without an answer",
        f64::from(round_trips) / took.as_secs_f64(),
        spent.as_secs_f64() * 1e6 / f64::from(round_trips.max(1)),
    );
}

/// What came of the commands of a run.
#[derive(Default)]
struct Counted {
    answered: AtomicU64,
    silent: AtomicU64,
    /// Commands under way.
    open: AtomicU64,
    /// When no more are given, in microseconds of [`since_start`].
    until: AtomicU64,
    all_done: Notify,
}

/// Gives the next command for each that is done, as a worker does.
fn deliver(pool: &Arc<Pool>, counted: &Arc<Counted>) -> Deliver {
    let (pool, counted) = (Arc::clone(pool), Arc::clone(counted));
    Arc::new(move |news| {
        let News::Answer(Answer { outcome, .. }) = news else { return };
        let count = if matches!(outcome, Outcome::Answered(_)) { &counted.answered } else { &counted.silent };
        count.fetch_add(1, Ordering::Relaxed);
        if since_start() < counted.until.load(Ordering::Relaxed) {
            pool.submit(NODE, command()).unwrap();
        } else if counted.open.fetch_sub(1, Ordering::Relaxed) == 1 {
            counted.all_done.notify_one();
        }
    })
}

/// An offer without its cookie: what it says is not looked at, how long it is counts.
fn command() -> Command<Ticket> {
    const BODY: [u8; 400] = [b'o'; 400];
    let waiter = Waiter { worker: 0, incarnation: 0, id: 0 };
    Command { ticket: Ticket::Worker(waiter), body: Bytes::from_static(&BODY), patience: Patience::PINNED }
}

/// Answers each datagram under its cookie.
fn respond(socket: &UdpSocket) {
    let sdp = "v=0\r\no=- 3724394400 3724394405 IN IP4 203.0.113.10\r\ns=call\r\nc=IN IP4 203.0.113.10\r\nt=0 0\r\n\
        m=audio 30000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=sendrecv\r\n";
    let reply = format!(" d6:result2:ok3:sdp{}:{sdp}e", sdp.len());
    let (mut datagram, mut answer) = ([0; 2_048], Vec::new());
    while let Ok((length, from)) = socket.recv_from(&mut datagram) {
        let said = datagram.get(..length).unwrap_or_default();
        let cookie = said.split(|octet| *octet == b' ').next().unwrap_or_default();
        answer.clear();
        answer.extend_from_slice(cookie);
        answer.extend_from_slice(reply.as_bytes());
        let _ = socket.send_to(&answer, from);
    }
}

/// What this thread has had of the processor.
fn processor_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

fn since_start() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    micros(START.get_or_init(Instant::now).elapsed())
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap()
}
