//! Workers between real sockets, in time that the test moves.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket as StdSocket};

use runtime::clock::{Clock as _, SimClock, SystemClock};

use runtime::log::{Disk, Limits, MessageLog, SimLog};
use runtime::registry::Registry;
use runtime::telemetry::metrics::Metrics as Registered;
use sip::Message;

use super::super::call_metrics::CallMetrics;
use super::super::calls;
use super::super::settings::Listener;
use super::super::snapshot::Snapshot;
use super::super::testing::{invite, settings, voice};
use super::super::transactions::Now;
use super::super::transport::udp;
use super::*;

/// Longer than any new call may wait, and than a busy machine takes for a step of a test.
const LATE: Duration = Duration::from_secs(30);

const TURNS_MAX: usize = 1_000_000;

/// Two workers, of which the first has the only socket; a customer and a vendor.
struct Scene {
    calls: Arc<Calls>,
    workers: [Options; 2],
    node: SocketAddr,
    customer: StdSocket,
    vendor: StdSocket,
}

fn socket() -> StdSocket {
    let socket = StdSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

impl Scene {
    fn new() -> Self {
        let (customer, vendor) = (socket(), socket());
        let bound = Arc::new(Bound::open(&udp::Options::new("127.0.0.1:0".parse().unwrap())).unwrap());
        let node = bound.address();
        let mut voice = voice();
        voice.acl[0].network = "127.0.0.1".parse().unwrap();
        voice.vendors.truncate(1);
        voice.offers.truncate(1);
        voice.vendors[0].gateways = vec![format!("sip:{}", vendor.local_addr().unwrap()).parse().unwrap()];
        let clock: runtime::clock::SharedClock = Arc::new(SimClock::starting_at(SystemClock.now()));
        let now = Now { instant: Instant::now().into_std(), wall: clock.now() };
        let metrics = Registered::new();
        let calls = Calls::new(calls::Parts {
            settings: settings(now, vec![Listener::new(Transport::Udp, node, "").unwrap()]),
            snapshot: Snapshot::new(voice, None, &|_| Vec::new(), now.instant),
            metrics: CallMetrics::new(&metrics),
            log: MessageLog::new(
                Arc::new(SimLog::new(Disk::default(), Random::seeded(3))),
                Limits::default(),
            ),
            registry: Registry::new(Arc::clone(&clock), Random::seeded(1)),
            clock,
            random: Random::seeded(2),
        });
        let metrics = Metrics::new(&metrics);
        let worker = |worker: u8, sockets| Options {
            calls: Arc::clone(&calls),
            worker,
            sockets,
            metrics: metrics.clone(),
        };
        let workers = [worker(0, vec![(0, bound)]), worker(1, Vec::new())];
        Self { workers, node, customer, vendor, calls }
    }

    /// The name of a call that this worker has.
    fn name(&self, worker: usize, number: u32) -> String {
        let of = |name: &String| self.calls.settings.worker_of_call(format!("{name}@192.0.2.10").as_bytes());
        let mut names = (0..).map(|at| format!("call-{number}-{at}"));
        names.find(|name| of(name) == worker).unwrap()
    }

    fn ring(&self, worker: usize) -> &Ring {
        self.calls.ring(worker).unwrap()
    }

    /// Sends to the node, and waits until it is in its socket.
    async fn send(&self, shell: &Shell<'_>, texts: &[String]) {
        for text in texts {
            self.customer.send_to(text.as_bytes(), self.node).unwrap();
        }
        shell.sockets[0].socket.ready().await.unwrap();
    }

    /// Turns of the first worker until somebody has got all of these messages, among others.
    #[track_caller]
    fn turn_until(&self, shell: &mut Shell<'_>, at: &StdSocket, expected: &[String]) {
        let mut heard = Vec::new();
        let mut buffer = vec![0; 65_536];
        for _ in 0..TURNS_MAX {
            shell.turn(self.ring(0)).unwrap();
            match at.recv(&mut buffer) {
                Ok(read) => heard.push(word(&buffer[..read])),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            if expected.iter().all(|word| heard.contains(word)) {
                return;
            }
            std::thread::yield_now();
        }
        panic!("{expected:?} of {heard:?}")
    }
}

/// `100 call-1`, `INVITE call-1`: what a message is, and of what call.
fn word(octets: &[u8]) -> String {
    let message = Message::parse_datagram(octets.to_vec().into(), &sip::Limits::default()).unwrap();
    let call = String::from_utf8(message.value(sip::HeaderId::CallId).unwrap().to_vec()).unwrap();
    let first = match message.status_code() {
        Some(code) => code.to_string(),
        None => message.method().unwrap().as_str().to_owned(),
    };
    format!("{first} {}", call.trim_end_matches("@192.0.2.10"))
}

/// Another request with the same Call-ID.
fn other(method: &str, call: &str) -> String {
    let text = invite(call, "+15551234").replace("INVITE", method);
    if method == "CANCEL" { text } else { text.replace(&format!("{call}-1;"), &format!("{call}-{method};")) }
}

#[tokio::test(start_paused = true)]
async fn new_calls_that_waited_too_long_are_refused_and_nothing_else() {
    let scene = Scene::new();
    let mut shell = Shell::new(&scene.workers[0]).unwrap();
    let [first, late, asks, next] = [1, 2, 3, 4].map(|number| scene.name(0, number));
    scene.send(&shell, &[invite(&first, "+15551234")]).await;
    scene.turn_until(&mut shell, &scene.vendor, &[format!("INVITE {first}")]);
    scene.turn_until(&mut shell, &scene.customer, &[format!("100 {first}")]);

    scene.send(&shell, &[invite(&late, "+15551234"), other("OPTIONS", &asks), other("CANCEL", &first)]).await;
    tokio::time::advance(LATE).await;
    let expected = [format!("503 {late}"), format!("405 {asks}"), format!("200 {first}")];
    scene.turn_until(&mut shell, &scene.customer, &expected);
    assert_eq!(scene.calls.counters.overload.get(), 1);

    scene.send(&shell, &[invite(&next, "+15551234")]).await;
    scene.turn_until(&mut shell, &scene.customer, &[format!("100 {next}")]);
    assert_eq!(scene.calls.counters.overload.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_handed_over_has_its_age_with_it() {
    let scene = Scene::new();
    let mut taker = Shell::new(&scene.workers[0]).unwrap();
    let mut owner = Shell::new(&scene.workers[1]).unwrap();
    for (number, wait, refused) in [(1, Duration::ZERO, 0), (2, LATE, 1), (3, Duration::ZERO, 1)] {
        scene.send(&taker, &[invite(&scene.name(1, number), "+15551234")]).await;
        taker.turn(scene.ring(0)).unwrap();
        assert_eq!(scene.ring(1).len(), 1);
        tokio::time::advance(wait).await;
        owner.turn(scene.ring(1)).unwrap();
        assert!(owner.queue_age >= wait, "{:?}", owner.queue_age);
        // The time that passed is no age of what comes now.
        taker.turn(scene.ring(0)).unwrap();
        assert_eq!(scene.calls.counters.overload.get(), refused);
    }
    assert_eq!(scene.calls.counters.attempts.get(), 2, "those that were not refused");
}

#[tokio::test(start_paused = true)]
async fn a_full_ring_refuses_new_calls_and_has_room_for_the_rest() {
    let scene = Scene::new();
    let mut taker = Shell::new(&scene.workers[0]).unwrap();
    let mut owner = Shell::new(&scene.workers[1]).unwrap();
    let full = super::super::ring::Bounds::default().outside;
    let now = scene.calls.now().instant;
    let asks = other("OPTIONS", &scene.name(1, 0));
    let asked = Message::parse_datagram(asks.into(), &sip::Limits::default()).unwrap();
    let peer = scene.customer.local_addr().unwrap();
    let flow = Flow { listener: 0, transport: Transport::Udp, peer, connection: 0 };
    let arrived = || Arrived { at: now, input: Input::Message(flow, asked.clone()) };
    let mut batch = std::iter::repeat_with(arrived).take(full).collect();
    assert_eq!(scene.calls.hand_over(1, &mut batch, &mut Vec::new()), 0);

    let [call, up] = [1, 2].map(|number| scene.name(1, number));
    scene.send(&taker, &[invite(&call, "+15551234"), other("BYE", &up), other("OPTIONS", &up)]).await;
    scene.turn_until(&mut taker, &scene.customer, &[format!("503 {call}")]);
    assert_eq!(scene.ring(1).len(), full + 1, "the BYE has found room");
    let counters = &scene.calls.counters;
    assert_eq!((counters.ring_full.get(), counters.overload.get()), (2, 1));
    assert_eq!(scene.workers[0].metrics.dropped.with_label_values(&["worker"]).get(), 1, "the OPTIONS");

    owner.turn(scene.ring(1)).unwrap();
    assert_eq!(scene.ring(1).len(), full + 1 - TAKE, "what it makes is sent before it takes more");
    scene.send(&taker, &[invite(&call, "+15551234")]).await;
    taker.turn(scene.ring(0)).unwrap();
    assert_eq!(scene.ring(1).len(), full + 2 - TAKE);
}

#[tokio::test(start_paused = true)]
async fn a_call_lives_before_anybody_is_told_of_it() {
    let scene = Scene::new();
    let mut shell = Shell::new(&scene.workers[0]).unwrap();
    let [call, refused] = [1, 2].map(|number| scene.name(0, number));
    scene.send(&shell, &[invite(&call, "+15551234")]).await;
    scene.turn_until(&mut shell, &scene.customer, &[format!("100 {call}")]);
    assert_eq!(scene.calls.live(), 1, "nothing is told yet");
    scene.send(&shell, &[invite(&refused, "19001234")]).await;
    scene.turn_until(&mut shell, &scene.customer, &[format!("403 {refused}")]);
    scene.calls.tell();
    let kept = scene.calls.next_unborn().unwrap();
    assert!(scene.calls.next_unborn().is_none(), "the other one is over");
    assert_eq!(scene.calls.live(), 1);
    scene.calls.forget(0, kept.id());
    assert_eq!(scene.calls.live(), 0);
}
