//! Commands under way to one node: sent, sent again where no answer comes, answered or given up.
//!
//! Pure: a state machine without socket or clock. Every command has a cookie of its own. Sent again under the same
//! cookie it is not done again: the node gives the answer that it has stored.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use ng::{Cookie, Cookies};

/// Commands that may be under way to a node; more are refused.
pub const WAITING_MAX: usize = 8_192;

/// How long an answer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// A command is sent again after this time, then after twice the time, and so on.
    pub again_after: Duration,
    /// It is given up after this time.
    pub at_most: Duration,
}

impl Patience {
    /// For what another node can do as well: a new call.
    pub const BRIEF: Self =
        Self { again_after: Duration::from_millis(50), at_most: Duration::from_millis(180) };
    /// For what no other node can do: a call that this one has. Its peers send again after half a second.
    pub const PINNED: Self =
        Self { again_after: Duration::from_millis(80), at_most: Duration::from_millis(1_200) };
    /// For what nobody waits for: the end of a call. Nodes keep answers for longer than this.
    pub const PATIENT: Self =
        Self { again_after: Duration::from_millis(200), at_most: Duration::from_secs(10) };
    /// To ask whether a node is there.
    pub const PING: Self =
        Self { again_after: Duration::from_millis(400), at_most: Duration::from_millis(390) };
}

/// What a node is to do.
#[derive(Debug)]
pub struct Command<T> {
    /// Whose it is.
    pub ticket: T,
    /// The dictionary, without cookie.
    pub body: Bytes,
    /// How long it waits.
    pub patience: Patience,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The node's answer, without cookie.
    Answered(Bytes),
    /// None came in time.
    Silent,
    /// It was not sent: too much is under way, or the node is not there.
    Unsent,
}

/// What is to be done.
#[derive(Debug)]
pub enum Action<T> {
    /// Send a datagram.
    Send(Bytes),
    /// Tell who asked what became of it; when it was sent first.
    Done(T, Outcome, Instant),
}

#[derive(Debug)]
struct Waiting<T> {
    ticket: T,
    body: Bytes,
    datagram: Bytes,
    sent: Instant,
    again_after: Duration,
    give_up: Instant,
}

/// The commands of one node.
#[derive(Debug)]
pub struct Exchange<T> {
    cookies: Cookies,
    waiting: HashMap<Cookie, Waiting<T>>,
    /// When to look at which. What was answered meanwhile is passed over.
    timers: BinaryHeap<Reverse<(Instant, Cookie)>>,
    octets: BytesMut,
    /// So many may be under way.
    most: usize,
    /// How often something was sent once more since that was asked.
    repeats: u64,
}

impl<T> Exchange<T> {
    /// Nothing under way. `seed` is another one in every process and after every start: a node answers a cookie that it
    /// knows with what it answered then.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::bounded(seed, WAITING_MAX)
    }

    /// The same, with another bound: so many commands may be under way.
    #[must_use]
    pub fn bounded(seed: u64, most: usize) -> Self {
        Self {
            cookies: Cookies::new(seed),
            waiting: HashMap::new(),
            timers: BinaryHeap::new(),
            octets: BytesMut::new(),
            most,
            repeats: 0,
        }
    }

    /// Commands under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes a command.
    pub fn submit(&mut self, command: Command<T>, now: Instant, out: &mut Vec<Action<T>>) {
        let Command { ticket, body, patience } = command;
        if self.waiting.len() >= self.most {
            out.push(Action::Done(ticket, Outcome::Unsent, now));
            return;
        }
        let cookie = self.cookies.fresh();
        self.octets.clear();
        self.octets.extend_from_slice(cookie.as_bytes());
        self.octets.put_u8(b' ');
        self.octets.extend_from_slice(&body);
        let datagram = Bytes::copy_from_slice(&self.octets);
        let Patience { again_after, at_most } = patience;
        out.push(Action::Send(datagram.clone()));
        self.timers.push(Reverse((now + again_after.min(at_most), cookie)));
        let give_up = now + at_most;
        self.waiting.insert(cookie, Waiting { ticket, body, datagram, sent: now, again_after, give_up });
    }

    /// Takes a datagram of the node. What answers nothing that is under way is passed over: the second answer to a
    /// command that was sent twice.
    pub fn received(&mut self, datagram: &[u8], out: &mut Vec<Action<T>>) {
        let Ok((cookie, body)) = ng::cookie::split(datagram) else { return };
        let Some(waiting) = Cookie::new(cookie).ok().and_then(|cookie| self.waiting.remove(&cookie)) else {
            return;
        };
        out.push(Action::Done(waiting.ticket, Outcome::Answered(Bytes::copy_from_slice(body)), waiting.sent));
        self.pass_over();
    }

    /// The next clock is that of a command that is under way: nobody is to wake for one that was answered.
    fn pass_over(&mut self) {
        while self.timers.peek().is_some_and(|Reverse((_, cookie))| !self.waiting.contains_key(cookie)) {
            self.timers.pop();
        }
    }

    /// Sends again what is due, and gives up what has waited for long enough.
    pub fn fire(&mut self, now: Instant, out: &mut Vec<Action<T>>) {
        while let Some(Reverse((at, cookie))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            let Some(waiting) = self.waiting.get_mut(&cookie) else { continue };
            if waiting.give_up <= now {
                if let Some(Waiting { ticket, sent, .. }) = self.waiting.remove(&cookie) {
                    out.push(Action::Done(ticket, Outcome::Silent, sent));
                }
                continue;
            }
            out.push(Action::Send(waiting.datagram.clone()));
            self.repeats += 1;
            waiting.again_after = waiting.again_after.saturating_mul(2);
            let next = (now + waiting.again_after).min(waiting.give_up);
            self.timers.push(Reverse((next, cookie)));
        }
        self.pass_over();
    }

    /// How often something was sent once more since this was asked last.
    pub fn take_repeats(&mut self) -> u64 {
        std::mem::take(&mut self.repeats)
    }

    /// When [`Exchange::fire`] is to be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse((at, _))| *at)
    }

    /// Lets go of everything that is under way: whose it is, and what was asked.
    pub fn let_go(&mut self) -> impl Iterator<Item = (T, Bytes)> {
        self.timers.clear();
        self.waiting.drain().map(|(_, waiting)| (waiting.ticket, waiting.body))
    }

    /// Gives up everything that is under way: the node is not there.
    pub fn abandon(&mut self, out: &mut Vec<Action<T>>) {
        self.timers.clear();
        let gone = self.waiting.drain();
        out.extend(gone.map(|(_, waiting)| Action::Done(waiting.ticket, Outcome::Silent, waiting.sent)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    struct Bench {
        exchange: Exchange<u32>,
        start: Instant,
        out: Vec<Action<u32>>,
    }

    impl Bench {
        fn new() -> Self {
            let start = tokio::time::Instant::now().into_std();
            Self { exchange: Exchange::new(7), start, out: Vec::new() }
        }

        fn submit(&mut self, ticket: u32, at: u32) -> Bytes {
            let command =
                Command { ticket, body: Bytes::from_static(b"d7:command4:pinge"), patience: Patience::BRIEF };
            self.exchange.submit(command, self.start + MS * at, &mut self.out);
            match self.out.pop() {
                Some(Action::Send(datagram)) => datagram,
                other => panic!("{other:?}"),
            }
        }

        fn fire(&mut self, at: u32) -> Vec<Action<u32>> {
            self.exchange.fire(self.start + MS * at, &mut self.out);
            std::mem::take(&mut self.out)
        }

        fn answer(&mut self, request: &[u8], body: &[u8]) -> Vec<Action<u32>> {
            let (cookie, _) = ng::cookie::split(request).unwrap();
            self.exchange.received(&[cookie, b" ", body].concat(), &mut self.out);
            std::mem::take(&mut self.out)
        }
    }

    #[test]
    fn answers_find_who_asked_in_any_order() {
        let mut bench = Bench::new();
        let requests: Vec<_> = (0..3).map(|ticket| bench.submit(ticket, 0)).collect();
        for ticket in [2, 0, 1] {
            let done = bench.answer(&requests[ticket as usize], b"d6:result4:ponge");
            let [Action::Done(found, Outcome::Answered(body), _)] = &done[..] else { panic!("{done:?}") };
            assert_eq!((*found, &body[..]), (ticket, &b"d6:result4:ponge"[..]));
        }
        assert!(bench.exchange.is_empty());
        assert!(bench.answer(&requests[0], b"de").is_empty(), "a second answer is nobody's");
        assert!(bench.answer(b"somebody-elses x", b"de").is_empty());
    }

    #[test]
    fn what_is_sent_again_is_the_same_and_is_given_up_in_time() {
        let mut bench = Bench::new();
        let first = bench.submit(1, 0);
        assert!(bench.fire(49).is_empty());
        let mut seen = Vec::new();
        for at in 50..=200 {
            for action in bench.fire(at) {
                match action {
                    Action::Send(again) => {
                        assert_eq!(again, first);
                        seen.push((at, "again"));
                    }
                    Action::Done(1, Outcome::Silent, _) => seen.push((at, "silent")),
                    other @ Action::Done(..) => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(seen, [(50, "again"), (150, "again"), (180, "silent")]);
        assert_eq!(
            [bench.exchange.take_repeats(), bench.exchange.take_repeats()],
            [2, 0],
            "each is told once"
        );
        assert_eq!(bench.exchange.next_deadline(), None);
    }

    #[test]
    fn an_answer_stops_the_clock() {
        let mut bench = Bench::new();
        let request = bench.submit(1, 0);
        bench.answer(&request, b"de");
        assert_eq!(bench.exchange.next_deadline(), None, "nobody wakes for it");
        assert!((0..1_000).all(|at| bench.fire(at).is_empty()));
    }

    /// Whatever was answered in between, in any order.
    #[test]
    fn the_next_clock_is_of_a_command_that_is_under_way() {
        let mut bench = Bench::new();
        let requests: Vec<_> = (0..4).map(|ticket| bench.submit(ticket, ticket)).collect();
        let next = |bench: &Bench| bench.exchange.next_deadline().map(|at| at - bench.start);
        assert_eq!(next(&bench), Some(MS * 50));
        bench.answer(&requests[2], b"de");
        assert_eq!(next(&bench), Some(MS * 50), "the first is not answered");
        bench.answer(&requests[0], b"de");
        assert_eq!(next(&bench), Some(MS * 51));
        // It is sent again, and the one behind it that was answered wakes nobody.
        assert_eq!(bench.fire(51).len(), 1);
        assert_eq!(next(&bench), Some(MS * 53));
        assert_eq!(bench.fire(53).len(), 1);
        assert_eq!(next(&bench), Some(MS * 151));
        bench.answer(&requests[3], b"de");
        bench.answer(&requests[1], b"de");
        assert_eq!(next(&bench), None);
    }

    #[test]
    fn what_is_let_go_of_is_given_back_as_it_was_asked() {
        let mut bench = Bench::new();
        let request = bench.submit(1, 0);
        bench.submit(2, 0);
        bench.answer(&request, b"de");
        let left: Vec<_> = bench.exchange.let_go().collect();
        assert_eq!(left, [(2, Bytes::from_static(b"d7:command4:pinge"))]);
        assert!(bench.exchange.is_empty() && bench.exchange.next_deadline().is_none());
    }

    #[test]
    fn too_much_under_way_is_refused() {
        let mut bench = Bench::new();
        (0..8_192).for_each(|ticket| drop(bench.submit(ticket, 0)));
        let body = Bytes::from_static(b"de");
        let command = Command { ticket: 9_999, body, patience: Patience::PINNED };
        bench.exchange.submit(command, bench.start, &mut bench.out);
        assert!(matches!(bench.out[..], [Action::Done(9_999, Outcome::Unsent, _)]));
    }

    #[test]
    fn who_is_not_there_answers_nothing() {
        let mut bench = Bench::new();
        (0..3).for_each(|ticket| drop(bench.submit(ticket, 0)));
        bench.exchange.abandon(&mut bench.out);
        assert_eq!(bench.out.len(), 3);
        assert!(bench.out.iter().all(|action| matches!(action, Action::Done(_, Outcome::Silent, _))));
        assert!(bench.exchange.is_empty() && bench.exchange.next_deadline().is_none());
    }
}
