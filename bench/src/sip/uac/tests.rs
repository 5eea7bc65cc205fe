//! Both parties against each other without sockets, in simulated time.

use bytes::BytesMut;
use proptest::prelude::*;

use super::super::counters::UasCounters;
use super::super::endpoint::now;
use super::super::load::Stage;
use super::super::tally::{SAW_ACK, SAW_BYE, SAW_INVITE, Tally};
use super::super::uas::{Conduct, Uas, UasOptions};
use super::*;

const ALL: u8 = SAW_INVITE | SAW_ACK | SAW_BYE;
/// Simulated time after which nothing may be left.
const LONG: Duration = Duration::from_secs(300);

/// Two parties and what flies between them.
struct World {
    uac: Uac,
    uas: Uas,
    uac_counters: Arc<UacCounters>,
    uas_counters: Arc<UasCounters>,
    now: Instant,
    end: Instant,
    /// Datagrams so far.
    flown: usize,
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

impl World {
    fn new(calls: f64, ring: Duration, work: Work) -> Self {
        let (run, start) = (RunMark::new(), now());
        let (uac_counters, uas_counters) = (Arc::<UacCounters>::default(), Arc::<UasCounters>::default());
        let schedule = Schedule::new(&[Stage { rate: calls, duration: Duration::from_secs(1) }]);
        let uac = UacOptions {
            run: run.clone(),
            index: 0,
            of: 1,
            schedule: Arc::new(schedule),
            start,
            work,
            sockets: vec![address(1)],
            targets: vec![address(2)],
            hold: Duration::from_secs(1),
            patience: Duration::from_secs(32),
        };
        let uas = UasOptions {
            run,
            start,
            sockets: vec![address(2)],
            ring,
            trying: true,
            conduct: Conduct::Answers,
        };
        Self {
            uac: Uac::new(uac, Arc::clone(&uac_counters)),
            uas: Uas::new(uas, Arc::clone(&uas_counters)),
            uac_counters,
            uas_counters,
            now: start,
            end: start + LONG,
            flown: 0,
        }
    }

    /// Lets time pass until nothing is left to do; `lost` says which datagrams vanish.
    fn run(&mut self, lost: impl Fn(usize) -> bool) {
        let (mut from_uac, mut from_uas) = (Outbox::new(1), Outbox::new(1));
        while self.now < self.end {
            self.uac.on_time(self.now, &mut from_uac);
            self.uas.on_time(self.now, &mut from_uas);
            loop {
                let there = carry(&mut from_uac, &mut self.flown, &lost);
                let back = carry(&mut from_uas, &mut self.flown, &lost);
                if there.is_empty() && back.is_empty() {
                    break;
                }
                let at = self.now;
                for octets in &there {
                    let arrival = Arrival { socket: 0, from: address(1), octets, at };
                    self.uas.on_datagram(arrival, &mut from_uas);
                }
                for octets in &back {
                    let arrival = Arrival { socket: 0, from: address(2), octets, at };
                    self.uac.on_datagram(arrival, &mut from_uac);
                }
            }
            let next = [self.uac.next_deadline(), self.uas.next_deadline()].into_iter().flatten().min();
            let Some(next) = next else { return };
            self.now = next.max(self.now + Duration::from_micros(1));
        }
    }

    fn ends(&self) -> Vec<End> {
        self.uac.ends().map(|(_, end)| end).collect()
    }
}

fn carry(out: &mut Outbox, flown: &mut usize, lost: &impl Fn(usize) -> bool) -> Vec<Vec<u8>> {
    let mut arrived = Vec::new();
    for queue in out.queues() {
        for (_, octets) in queue.frames() {
            *flown += 1;
            if !lost(*flown - 1) {
                arrived.push(octets.to_vec());
            }
        }
        queue.sent(usize::MAX);
    }
    arrived
}

fn read(counter: &std::sync::atomic::AtomicU64) -> u64 {
    counter.load(Relaxed)
}

#[test]
fn calls_without_loss() {
    for ring in [Duration::ZERO, Duration::from_millis(100)] {
        let mut world = World::new(20.0, ring, Work::Calls);
        world.run(|_| false);
        assert_eq!(world.ends(), vec![End::Completed; 20]);
        assert_eq!(world.uas.seen, vec![ALL; 20]);
        // INVITE 100 180 200 ACK BYE 200.
        assert_eq!(world.flown, 20 * 7);
        assert!(world.uac.is_over() && world.uas.is_empty());
        assert_eq!(world.uac_counters.answer.count(), 20);
        assert_eq!((read(&world.uac_counters.live), read(&world.uac_counters.live_max) > 0), (0, true));
        assert_eq!(read(&world.uas_counters.calls), 20);
    }
}

#[test]
fn options_without_loss() {
    let mut world = World::new(20.0, Duration::ZERO, Work::Options);
    world.run(|_| false);
    assert_eq!(world.ends(), vec![End::Completed; 20]);
    assert_eq!(world.flown, 40);
}

#[test]
fn nobody_answers() {
    let mut world = World::new(1.0, Duration::ZERO, Work::Calls);
    let start = world.now;
    world.run(|_| true);
    assert_eq!(world.ends(), vec![End::NoFinal]);
    // At 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s; timer B at 32 s.
    assert_eq!((world.flown, read(&world.uac_counters.again_sent)), (7, 6));
    assert!(world.now.duration_since(start) < Duration::from_secs(40) && world.uac.is_over());
}

#[test]
fn an_answer_that_is_never_acknowledged_ends() {
    let mut world = World::new(1.0, Duration::ZERO, Work::Calls);
    // INVITE arrives, nothing else ever does.
    world.run(|place| place > 0);
    assert_eq!(world.ends(), vec![End::NoFinal]);
    assert_eq!(read(&world.uas_counters.unacknowledged), 1);
    assert!(world.uas.is_empty());
}

proptest! {
    #[test]
    fn every_call_survives_a_loss_that_ends(
        // Fewer than a transaction has retransmissions, wherever they fall.
        lost in proptest::collection::btree_set(0_usize..80, 0..=5),
        ring in prop_oneof![Just(0_u64), Just(100), Just(700)],
    ) {
        let mut world = World::new(5.0, Duration::from_millis(ring), Work::Calls);
        world.run(|place| lost.contains(&place));
        prop_assert_eq!(world.ends(), vec![End::Completed; 5]);
        prop_assert!(world.uac.is_over() && world.uas.is_empty());
        let tally = Tally::new(world.uac.ends(), Some(&[world.uas.seen.clone()]));
        prop_assert_eq!((tally.completed, tally.lost(), tally.failed()), (5, 0, 0));
        prop_assert_eq!(read(&world.uac_counters.duplicates) + read(&world.uas_counters.duplicates), 0);
    }
}

/// Sends `status` with `tag` in answer to the first INVITE of a customer; what it sends in return.
fn answered(answers: &[(StatusCode, &[u8])]) -> (World, Vec<Vec<u8>>) {
    let mut world = World::new(1.0, Duration::ZERO, Work::Calls);
    let mut out = Outbox::new(1);
    world.uac.on_time(world.now, &mut out);
    let invite = carry(&mut out, &mut 0, &|_| false).remove(0);
    let invite = Message::parse_datagram(Bytes::from(invite), &Limits::default()).unwrap();
    for (status, tag) in answers {
        let mut octets = BytesMut::new();
        let contact: &[(&str, &[u8])] = &[("Contact", b"<sip:v@127.0.0.1:2>")];
        let response = Response { to_tag: Some(tag), headers: contact, ..Response::new(*status) };
        response.write(&invite, &mut octets).unwrap();
        let arrival = Arrival { socket: 0, from: address(2), octets: &octets, at: world.now };
        world.uac.on_datagram(arrival, &mut out);
    }
    let sent = carry(&mut out, &mut 0, &|_| false);
    (world, sent)
}

fn first_line(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).split(" sip").next().unwrap_or_default().to_owned()
}

#[test]
fn a_refusal_is_acknowledged_each_time() {
    let refusal = (StatusCode::SERVICE_UNAVAILABLE, &b"a"[..]);
    let (world, sent) = answered(&[refusal, refusal]);
    assert_eq!(world.ends(), vec![End::Unavailable]);
    assert_eq!(sent.iter().map(|octets| first_line(octets)).collect::<Vec<_>>(), ["ACK", "ACK"]);
    assert_eq!(world.uac_counters.refusals.lock().get(&503), Some(&1));
    assert_eq!(read(&world.uac_counters.again_received), 1);
    let branch = "branch=z9hG4bKi";
    assert!(String::from_utf8_lossy(&sent[0]).contains(branch), "the INVITE's own branch");
}

#[test]
fn a_second_answer_is_counted_and_ended() {
    let (world, sent) = answered(&[(StatusCode::OK, b"a"), (StatusCode::OK, b"a"), (StatusCode::OK, b"b")]);
    let lines: Vec<String> = sent.iter().map(|octets| first_line(octets)).collect();
    assert_eq!(lines, ["ACK", "ACK", "ACK", "BYE"]);
    assert_eq!((read(&world.uac_counters.duplicates), read(&world.uac_counters.acks_again)), (1, 1));
}

#[test]
fn a_provisional_behind_the_answer_is_out_of_order() {
    let (world, _) = answered(&[(StatusCode::OK, b"a"), (StatusCode::RINGING, b"a")]);
    assert_eq!(read(&world.uac_counters.reordered), 1);
    let (world, _) = answered(&[(StatusCode::RINGING, b"a"), (StatusCode::TRYING, b"a")]);
    assert_eq!(read(&world.uac_counters.reordered), 1);
}
