//! An asker against a node that is a table, without sockets, in simulated time.

use std::collections::{BTreeMap, BTreeSet};

use ng::Request;
use ng::command::Name;
use ng::reply::{Call, write};

use super::*;
use crate::sip::endpoint::now;

const DURING: Duration = Duration::from_secs(1);
/// What a command and its reply take together.
const ROUND_TRIP: Duration = Duration::from_millis(1);
/// Simulated time after which nothing may be left.
const LONG: Duration = Duration::from_secs(60);

/// A node that does what it is told once for each cookie.
#[derive(Default)]
struct Node {
    replies: BTreeMap<Vec<u8>, Vec<u8>>,
    calls: BTreeSet<Vec<u8>>,
    did: BTreeMap<&'static str, u64>,
    /// Commands that came again.
    repeats: u64,
    refuses_offers: bool,
}

impl Node {
    fn reply(&mut self, datagram: &[u8]) -> Vec<u8> {
        let (cookie, body) = ng::cookie::split(datagram).unwrap();
        if let Some(reply) = self.replies.get(cookie) {
            self.repeats += 1;
            return reply.clone();
        }
        let request = Request::parse(body).unwrap();
        let mut reply = [cookie, b" "].concat();
        self.obey(&request, &mut reply);
        self.replies.insert(cookie.to_vec(), reply.clone());
        reply
    }

    fn obey(&mut self, request: &Request<'_>, reply: &mut Vec<u8>) {
        let name = request.name.unwrap();
        *self.did.entry(name.word()).or_default() += 1;
        let call_id = request.call_id().unwrap_or_default();
        if name == Name::Ping {
            write::pong(reply);
        } else if name == Name::Offer && self.refuses_offers {
            write::error(reply, "Ran out of ports");
        } else if name == Name::Offer {
            assert!(self.calls.insert(call_id.to_vec()), "a call is offered once");
            assert_eq!(request.to_tag(), None);
            write::sdp(reply, request.sdp().unwrap());
        } else if name == Name::Answer {
            assert!(self.calls.contains(call_id) && request.to_tag() != request.from_tag());
            write::sdp(reply, request.sdp().unwrap());
        } else {
            assert_eq!(name, Name::Delete);
            assert!(self.calls.remove(call_id), "a call is deleted once");
            write::call(reply, &Call::default());
        }
    }
}

struct World {
    asker: Asker,
    node: Node,
    address: SocketAddr,
    now: Instant,
}

impl World {
    fn new(work: Work) -> Self {
        let (start, address) = (now(), SocketAddr::from(([127, 0, 0, 1], 2223)));
        let options =
            AskerOptions { node: address, work, in_flight: 10, start, end: start + DURING, seed: 7 };
        Self { asker: Asker::new(options), node: Node::default(), address, now: start }
    }

    /// Lets time pass until the asker is over; `vanishes` says whether the next datagram does.
    fn run(&mut self, mut vanishes: impl FnMut() -> bool) {
        let (mut out, end) = (Outbox::new(1), self.now + LONG);
        loop {
            self.asker.on_time(self.now, &mut out);
            if self.asker.is_over() {
                return;
            }
            assert!(self.now < end, "{} commands are under way", self.asker.waiting.len());
            assert!(self.asker.waiting.len() <= self.asker.options.in_flight);
            let asked = asked(&mut out);
            self.now += ROUND_TRIP;
            for datagram in asked {
                if vanishes() {
                    continue;
                }
                let reply = self.node.reply(&datagram);
                if !vanishes() {
                    let arrival = Arrival { socket: 0, from: self.address, octets: &reply, at: self.now };
                    self.asker.on_datagram(arrival, &mut out);
                }
            }
        }
    }

    fn did(&self, word: &str) -> u64 {
        self.node.did.get(word).copied().unwrap_or_default()
    }
}

/// Takes out what waits to be sent.
fn asked(out: &mut Outbox) -> Vec<Vec<u8>> {
    let mut asked = Vec::new();
    for queue in out.queues() {
        asked.extend(queue.frames().map(|(_, octets)| octets.to_vec()));
        queue.sent(usize::MAX);
    }
    asked
}

#[test]
fn pings_fill_the_window_until_time_is_up() {
    let mut world = World::new(Work::Pings);
    world.run(|| false);
    let tally = &world.asker.tally;
    // Ten every millisecond of one second.
    assert_eq!((world.did("ping"), tally.round_trips.count()), (10_000, 10_000));
    assert_eq!((tally.errors, tally.silent, tally.again, tally.stray), (0, 0, 0, 0));
    assert_eq!(tally.round_trips.max_us(), Some(1_000));
    assert_eq!(world.asker.elapsed(), DURING);
}

#[test]
fn calls_are_offered_answered_and_deleted() {
    let mut world = World::new(Work::Calls);
    world.run(|| false);
    let calls = world.asker.calls();
    assert!(calls > 3_000, "{calls}");
    assert_eq!([world.did("offer"), world.did("answer"), world.did("delete")], [calls; 3]);
    assert_eq!(world.asker.tally.round_trips.count(), 3 * calls);
    assert_eq!((world.asker.tally.errors, world.asker.tally.silent), (0, 0));
    assert!(world.node.calls.is_empty());
}

#[test]
fn what_is_lost_is_sent_again_and_done_once() {
    let mut world = World::new(Work::Calls);
    let mut random = fastrand::Rng::with_seed(1);
    world.run(|| random.u32(..32) == 0);
    let tally = &world.asker.tally;
    // Commands and replies were lost.
    assert!(world.node.repeats > 0 && tally.again > world.node.repeats);
    assert_eq!((tally.errors, tally.silent), (0, 0));
    assert_eq!(world.did("offer"), world.asker.calls());
    assert!(world.node.calls.is_empty());
}

#[test]
fn a_silent_node_is_given_up() {
    for (work, commands) in [(Work::Pings, 10), (Work::Calls, 20)] {
        let mut world = World::new(work);
        world.run(|| true);
        let tally = &world.asker.tally;
        // The fifth wait ends when nothing new begins any more; of a call a delete is tried.
        assert_eq!((tally.silent, tally.again), (commands, 4 * commands), "{work:?}");
        assert_eq!((tally.round_trips.count(), world.asker.elapsed()), (0, Duration::ZERO));
    }
}

#[test]
fn refused_offers_are_errors_and_leave_nothing_to_delete() {
    let mut world = World::new(Work::Calls);
    world.node.refuses_offers = true;
    world.run(|| false);
    assert_eq!(world.asker.tally.errors, world.asker.calls());
    assert_eq!((world.did("answer"), world.did("delete")), (0, 0));
}

#[test]
fn strangers_are_not_heard() {
    let mut world = World::new(Work::Pings);
    let mut out = Outbox::new(1);
    world.asker.on_time(world.now, &mut out);
    let asked = asked(&mut out);
    let reply = world.node.reply(&asked[0]);
    let stranger = SocketAddr::from(([127, 0, 0, 1], 1));
    let unknown: &[u8] = b"other d6:result4:ponge";
    for (from, octets) in [(stranger, &reply[..]), (world.address, unknown), (world.address, &[])] {
        world.asker.on_datagram(Arrival { socket: 0, from, octets, at: world.now }, &mut out);
    }
    assert_eq!((world.asker.tally.stray, world.asker.waiting.len()), (3, 10));
    let arrival = Arrival { socket: 0, from: world.address, octets: &reply, at: world.now };
    world.asker.on_datagram(arrival, &mut out);
    assert_eq!((world.asker.tally.stray, world.asker.waiting.len()), (3, 9));
}
