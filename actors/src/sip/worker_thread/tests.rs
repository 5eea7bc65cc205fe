//! Workers between real sockets, in time that the test moves.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket as StdSocket};

use runtime::clock::{Clock as _, SimClock, SystemClock};

use runtime::log::{Disk, Limits, MessageLog, SimLog};
use runtime::model::{MediaNode, MediaNodeState};
use runtime::registry::Registry;
use runtime::telemetry::metrics::Metrics as Registered;
use sip::Message;

use super::super::call_metrics::CallMetrics;
use super::super::calls;
use super::super::flow::Inbound;
use super::super::settings::{Listener, Settings};
use super::super::snapshot::Snapshot;
use super::super::testing::{invite, settings, voice};
use super::super::transactions::Now;
use super::super::transport::stream::Delivered;
use super::super::transport::udp;
use super::*;

/// Longer than any new call may wait, and than a busy machine takes for a step of a test.
const LATE: Duration = Duration::from_secs(30);

const TURNS_MAX: usize = 1_000_000;

/// What waits in a ring that has no room for new calls.
const FULL: usize = 8_192;

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
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
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
        let mut settings = settings(now, vec![Listener::new(Transport::Udp, node, "").unwrap()]);
        change(&mut settings);
        let calls = Calls::new(calls::Parts {
            settings,
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
        let media_metrics = media::metrics::Metrics::new(&metrics);
        let metrics = Metrics::new(&metrics);
        let worker = |worker: u8, sockets| Options {
            calls: Arc::clone(&calls),
            worker,
            sockets,
            metrics: metrics.clone(),
            media_metrics: media_metrics.clone(),
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

    /// What the customer has sent by UDP, and another socket's worker has for this one.
    fn arrived(&self, text: &str) -> Arrived {
        let peer = self.customer.local_addr().unwrap();
        let flow = Flow { listener: 0, transport: Transport::Udp, peer, connection: 0 };
        let message = Message::parse_datagram(text.to_owned().into(), &sip::Limits::default()).unwrap();
        Arrived { at: self.calls.now().instant, input: Input::Message(flow, message) }
    }

    /// Leaves no room for new calls in a ring. Nobody answers an ACK.
    fn fill(&self, worker: usize) {
        let text = other("ACK", &self.name(worker, 0));
        let mut batch = std::iter::repeat_with(|| self.arrived(&text)).take(FULL).collect();
        assert_eq!(self.calls.hand_over(worker, &mut batch), 0);
        assert_eq!(self.ring(worker).len(), FULL);
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
    scene.fill(1);
    let [call, up] = [1, 2].map(|number| scene.name(1, number));
    scene.send(&taker, &[invite(&call, "+15551234"), other("BYE", &up), other("OPTIONS", &up)]).await;
    let counters = &scene.calls.counters;
    for _ in 0..TURNS_MAX {
        taker.turn(scene.ring(0)).unwrap();
        if counters.ring_full.get() == 2 {
            break;
        }
    }
    assert_eq!(scene.ring(1).len(), FULL + 1, "the BYE has found room");
    assert_eq!((counters.ring_full.get(), counters.overload.get()), (2, 0), "it is the owner who refuses");
    let dropped = scene.workers[0].metrics.dropped.with_label_values(&["worker"]).get();
    assert_eq!(dropped, 0, "the OPTIONS is answered after the others");

    owner.turn(scene.ring(1)).unwrap();
    assert_eq!(scene.ring(1).len(), FULL + 1 - TAKE, "what it makes is sent before it takes more");
    assert_eq!((counters.overload.get(), counters.attempts.get()), (1, 0));
    let mut next = vec![scene.arrived(&invite(&scene.name(1, 3), "+15551234"))];
    assert_eq!(scene.calls.hand_over(1, &mut next), 0);
    assert_eq!((scene.ring(1).len(), counters.ring_full.get()), (FULL + 2 - TAKE, 2));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_lives_is_not_refused_for_want_of_room() {
    let scene = Scene::new();
    let mut shell = Shell::new(&scene.workers[0]).unwrap();
    let [call, refused, next] = [1, 2, 3].map(|number| scene.name(0, number));
    scene.send(&shell, &[invite(&call, "+15551234")]).await;
    scene.turn_until(&mut shell, &scene.vendor, &[format!("INVITE {call}")]);
    scene.turn_until(&mut shell, &scene.customer, &[format!("100 {call}")]);
    scene.fill(0);
    let again = [&call, &refused].into_iter();
    let mut again = again.map(|call| scene.arrived(&invite(call, "+15551234"))).collect();
    assert_eq!(scene.calls.hand_over(0, &mut again), 0);
    // The 100 of the call comes again.
    scene.turn_until(&mut shell, &scene.customer, &[format!("100 {call}"), format!("503 {refused}")]);
    let counters = &scene.calls.counters;
    assert_eq!((counters.overload.get(), counters.retransmissions_received.get()), (1, 1));
    // Only those are refused that found no room.
    scene.send(&shell, &[invite(&next, "+15551234")]).await;
    scene.turn_until(&mut shell, &scene.customer, &[format!("100 {next}")]);
    assert_eq!((counters.overload.get(), counters.ring_full.get()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn on_a_stream_only_what_belongs_to_calls_waits() {
    let scene = Scene::new();
    let peer = scene.customer.local_addr().unwrap();
    let flow = Flow { listener: 0, transport: Transport::Tcp, peer, connection: 1 };
    let deliver = |text: String| scene.calls.deliver(Inbound { flow, octets: text.into(), accepted: true });
    let [call, up] = [1, 2].map(|number| scene.name(1, number));
    scene.fill(1);
    assert!(matches!(deliver(invite(&call, "+15551234")), Delivered::Done));
    assert!(matches!(deliver(other("OPTIONS", &up)), Delivered::Done), "it is answered after the others");
    let counters = &scene.calls.counters;
    assert_eq!((scene.ring(1).len(), counters.ring_full.get()), (FULL, 2));
    while scene.ring(1).len() < 2 * FULL {
        assert!(matches!(deliver(other("BYE", &up)), Delivered::Done));
    }
    let Delivered::Waits(waiting) = deliver(other("BYE", &up)) else { panic!("it waits") };
    assert_eq!((counters.ring_full.get(), counters.ring_waits.get()), (3, 1));
    let mut owner = Shell::new(&scene.workers[1]).unwrap();
    owner.turn(scene.ring(1)).unwrap();
    waiting.await;
    assert_eq!(scene.ring(1).len(), 2 * FULL + 1 - TAKE);
    assert_eq!(counters.overload.get(), 1, "the new call is refused before all that waits");
}

#[tokio::test(start_paused = true)]
async fn floods_on_streams_wait_before_they_are_read() {
    let scene = Scene::with(|settings| settings.flood_per_source = 2);
    let deliver = |last: u8, text: &str| {
        let peer = SocketAddr::from(([192, 0, 2, last], 5060));
        let flow = Flow { listener: 0, transport: Transport::Tcp, peer, connection: u64::from(last) };
        scene.calls.deliver(Inbound { flow, octets: text.to_owned().into(), accepted: true })
    };
    let asks = other("OPTIONS", &scene.name(1, 1));
    let mut waiting = Vec::new();
    for text in [&asks, &asks, "what is no SIP", &asks, &asks, &asks] {
        if let Delivered::Waits(waits) = deliver(1, text) {
            waiting.push(waits);
        }
    }
    assert!(matches!(deliver(2, &asks), Delivered::Done), "another source");
    let counters = &scene.calls.counters;
    assert_eq!((scene.ring(1).len(), counters.flooded.get(), counters.not_sip.get()), (3, 4, 0));
    // Two of them a second, and none is lost.
    let before = Instant::now();
    futures_util::future::join_all(waiting).await;
    assert_eq!(before.elapsed().as_secs(), 2);
    assert_eq!((scene.ring(1).len(), counters.flooded.get(), counters.not_sip.get()), (6, 4, 1));
}

/// Who is nobody's trunk or vendor does not fill the room of calls, whatever he says that his messages are.
#[tokio::test(start_paused = true)]
async fn strangers_on_streams_have_a_limit() {
    let scene = Scene::new();
    let bye = other("BYE", &scene.name(1, 1));
    let delivered = |peer: &str, accepted: bool| {
        let flow =
            Flow { listener: 0, transport: Transport::Tcp, peer: peer.parse().unwrap(), connection: 1 };
        let deliver = || scene.calls.deliver(Inbound { flow, octets: bye.clone().into(), accepted });
        (0..2000).filter(|_| matches!(deliver(), Delivered::Done)).count()
    };
    assert_eq!(delivered("192.0.2.1:5060", true), 1000);
    assert_eq!(delivered("192.0.2.1:5060", false), 2000, "on a connection of ours");
    assert_eq!(delivered(&scene.customer.local_addr().unwrap().to_string(), true), 2000);
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

/// Nobody else is woken for it: the offer leaves in the turn in which the call asks, the answer is taken in another one.
#[tokio::test(start_paused = true)]
async fn a_call_asks_its_media_node_from_the_thread_of_its_worker() {
    let (scene, media) = (Scene::new(), socket());
    let node = MediaNode {
        id: uuid::Uuid::nil(),
        number: 1,
        name: "media-1".to_owned(),
        address: media.local_addr().unwrap(),
        weight: 50,
        state: MediaNodeState::Active,
    };
    let now = Instant::now().into_std();
    scene.calls.media.configure(&[node], now);
    let node = scene.calls.media.node(1).unwrap();
    node.health.heard(Duration::from_millis(1), now);
    let mut shell = Shell::new(&scene.workers[0]).unwrap();
    let call = scene.name(0, 1);
    scene.send(&shell, &[invite(&call, "+15551234")]).await;
    scene.turn_until(&mut shell, &scene.customer, &[format!("100 {call}")]);

    media.set_nonblocking(false).unwrap();
    media.set_read_timeout(Some(LATE)).unwrap();
    let mut buffer = vec![0; 65_536];
    let (length, worker) = media.recv_from(&mut buffer).unwrap();
    let (cookie, body) = ng::cookie::split(&buffer[..length]).unwrap();
    assert_eq!(ng::Request::parse(body).unwrap().name, Some(ng::command::Name::Offer));
    assert!(node.way().receiver.lock().await.try_recv().is_err(), "its actor has nothing to do with it");
    let answer = [cookie, b" d6:result2:ok3:sdp14:v=0\r\ns=media\r\ne"].concat();
    media.send_to(&answer, worker).unwrap();
    shell.lines.ready().await;
    assert!(scene.ring(0).is_empty());
    scene.turn_until(&mut shell, &scene.vendor, &[format!("INVITE {call}")]);
}
