//! Who asks: so many commands under way, each with a cookie of its own, sent again under the same one where
//! no answer comes. No socket and no clock.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ng::command::{Delete, Dtls, Flag, Ice, Leg, Part, Replace, RtcpMux, Transport, WithSdp};
use ng::{Command, Cookie, Cookies, MediaOptions, Reply};

use super::Work;
use crate::histogram::Histogram;
use crate::sip::endpoint::{Arrival, Endpoint};
use crate::sip::outbox::Outbox;

/// A command is sent again after this time.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// It is sent so often, then its node is silent.
const SENDS_MAX: u32 = 5;
/// What a side sends as its SDP; nobody sends media.
const SDP: &[u8] = b"v=0\r\no=bench 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    m=audio 20000 RTP/AVP 0 8 18 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:18 G729/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n\
    a=ptime:20\r\na=sendrecv\r\n";

/// Who is asked, and what.
#[derive(Clone, Copy, Debug)]
pub(super) struct AskerOptions {
    pub(super) node: SocketAddr,
    pub(super) work: Work,
    pub(super) in_flight: usize,
    pub(super) start: Instant,
    /// Nothing new begins from then on.
    pub(super) end: Instant,
    /// Another one in every run: a node answers a cookie that it knows with what it answered then.
    pub(super) seed: u64,
}

/// Commands under way at one node.
#[derive(Debug)]
pub(super) struct Asker {
    options: AskerOptions,
    /// What the names of its calls begin with.
    prefix: String,
    cookies: Cookies,
    waiting: HashMap<Cookie, Waiting>,
    /// When to send which again, in order as all wait equally long. What was answered meanwhile is passed
    /// over.
    again: VecDeque<(Instant, Cookie)>,
    calls: u64,
    has_begun: bool,
    last: Instant,
    body: Vec<u8>,
    pub(super) tally: Tally,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// From a command to its answer.
    pub(super) round_trips: Histogram,
    /// Answers that say no.
    pub(super) errors: u64,
    /// Commands without an answer.
    pub(super) silent: u64,
    /// Commands sent again.
    pub(super) again: u64,
    /// Datagrams that answer nothing that is under way.
    pub(super) stray: u64,
}

#[derive(Debug)]
struct Waiting {
    step: Step,
    call: u64,
    datagram: Vec<u8>,
    /// For the first time.
    sent: Instant,
    sends: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Ping,
    Offer,
    Answer,
    Delete,
}

impl Step {
    /// Whether a reply says that it is done.
    fn is_done(self, reply: &[u8]) -> bool {
        let Ok(reply) = Reply::parse(reply) else { return false };
        let done = reply.done();
        match self {
            Self::Ping => reply == Reply::Pong,
            Self::Offer | Self::Answer => done.is_some_and(|done| done.sdp().is_some()),
            Self::Delete => done.is_some_and(|done| !done.is_unknown_call()),
        }
    }

    /// What the call wants next. There is no call where the offer was refused.
    const fn next(self, is_done: bool) -> Option<Self> {
        match self {
            Self::Offer if is_done => Some(Self::Answer),
            Self::Answer => Some(Self::Delete),
            Self::Ping | Self::Offer | Self::Delete => None,
        }
    }
}

impl Asker {
    pub(super) fn new(options: AskerOptions) -> Self {
        Self {
            prefix: format!("bench-{:016x}-", options.seed),
            cookies: Cookies::new(options.seed),
            waiting: HashMap::new(),
            again: VecDeque::new(),
            calls: 0,
            has_begun: false,
            last: options.start,
            body: Vec::new(),
            tally: Tally::default(),
            options,
        }
    }

    /// What the names of its calls begin with.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Calls that were offered.
    pub(super) const fn calls(&self) -> u64 {
        self.calls
    }

    /// From the start to the last answer.
    pub(super) fn elapsed(&self) -> Duration {
        self.last.saturating_duration_since(self.options.start)
    }

    /// Begins as much as may be under way.
    fn fill(&mut self, now: Instant, out: &mut Outbox) {
        while self.waiting.len() < self.options.in_flight && now < self.options.end {
            match self.options.work {
                Work::Pings => self.ask(Step::Ping, 0, now, out),
                Work::Calls => {
                    self.calls += 1;
                    self.ask(Step::Offer, self.calls, now, out);
                }
            }
        }
    }

    fn ask(&mut self, step: Step, call: u64, now: Instant, out: &mut Outbox) {
        self.body.clear();
        encode(step, &format!("{}{call}", self.prefix), &mut self.body);
        let cookie = self.cookies.fresh();
        let mut datagram = Vec::with_capacity(cookie.as_bytes().len() + 1 + self.body.len());
        cookie.frame(&self.body, &mut datagram);
        let waiting = Waiting { step, call, datagram, sent: now, sends: 1 };
        send(&waiting, self.options.node, out);
        self.waiting.insert(cookie, waiting);
        self.again.push_back((now + AGAIN_AFTER, cookie));
    }

    /// There was no answer in time.
    fn remind(&mut self, cookie: Cookie, now: Instant, out: &mut Outbox) {
        let Some(waiting) = self.waiting.get_mut(&cookie) else { return };
        if waiting.sends < SENDS_MAX {
            waiting.sends += 1;
            self.tally.again += 1;
            send(waiting, self.options.node, out);
            self.again.push_back((now + AGAIN_AFTER, cookie));
            return;
        }
        let (step, call) = (waiting.step, waiting.call);
        self.waiting.remove(&cookie);
        self.tally.silent += 1;
        if matches!(step, Step::Offer | Step::Answer) {
            // The node may have it all the same.
            self.ask(Step::Delete, call, now, out);
        }
    }
}

impl Endpoint for Asker {
    fn on_datagram(&mut self, arrival: Arrival<'_>, out: &mut Outbox) {
        let told = ng::cookie::split(arrival.octets).ok().filter(|_| arrival.from == self.options.node);
        let answered = told.and_then(|(cookie, body)| {
            let waiting = self.waiting.remove(&Cookie::new(cookie).ok()?)?;
            Some((waiting, body))
        });
        let Some((waiting, body)) = answered else {
            self.tally.stray += 1;
            return;
        };
        self.last = arrival.at;
        self.tally.round_trips.record(arrival.at.saturating_duration_since(waiting.sent));
        let is_done = waiting.step.is_done(body);
        if !is_done {
            self.tally.errors += 1;
        }
        if let Some(next) = waiting.step.next(is_done) {
            self.ask(next, waiting.call, arrival.at, out);
        }
    }

    fn on_time(&mut self, now: Instant, out: &mut Outbox) {
        self.has_begun = true;
        while let Some((at, cookie)) = self.again.front().copied() {
            let is_waiting = self.waiting.contains_key(&cookie);
            if is_waiting && at > now {
                break;
            }
            self.again.pop_front();
            if is_waiting {
                self.remind(cookie, now, out);
            }
        }
        self.fill(now, out);
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.again.front().map(|(at, _)| *at)
    }

    fn is_over(&self) -> bool {
        self.has_begun && self.waiting.is_empty()
    }
}

fn send(waiting: &Waiting, node: SocketAddr, out: &mut Outbox) {
    // What finds no room is sent again when it is due.
    let _ = out.send(0, node, |octets| {
        octets.extend_from_slice(&waiting.datagram);
        Some(())
    });
}

/// A command as WARP writes it for a call of two sides with fixed addresses.
fn encode(step: Step, name: &str, out: &mut Vec<u8>) {
    let (offerer, answerer, branch) = (format!("a-{name}"), format!("b-{name}"), format!("z9hG4bK{name}"));
    let call_id = name.as_bytes();
    let to_tag = (step == Step::Answer).then_some(answerer.as_bytes());
    let leg = Leg { call_id, from_tag: offerer.as_bytes(), to_tag, via_branch: Some(branch.as_bytes()) };
    let common = MediaOptions {
        ice: Some(Ice::Remove),
        replace: &[Replace::Origin, Replace::SessionConnection],
        flags: &[Flag::Asymmetric, Flag::StrictSource],
        ..MediaOptions::default()
    };
    let offered = MediaOptions {
        transport_protocol: Some(Transport::RtpAvp),
        dtls: Some(Dtls::Off),
        rtcp_mux: &[RtcpMux::Demux],
        ..common
    };
    let deleted = Delete { part: Part::whole(call_id), delay_seconds: Some(0), ..Delete::default() };
    let command = match step {
        Step::Ping => Command::Ping,
        Step::Offer => Command::Offer(WithSdp { leg, sdp: SDP, options: &offered }),
        Step::Answer => Command::Answer(WithSdp { leg, sdp: SDP, options: &common }),
        Step::Delete => Command::Delete(deleted),
    };
    command.encode(out);
}

#[cfg(test)]
mod tests;
