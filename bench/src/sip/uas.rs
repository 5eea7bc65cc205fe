//! The simulated vendor (RFC 3261 UAS over UDP): rings, answers, is hung up on. No socket and no clock.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip::timer_wheel::{TimerId, TimerWheel};
use sip::{Body, HeaderId, Limits, Message, Method, NameAddr, Response, StatusCode, Via};

use super::counters::{UasCounters, bump};
use super::endpoint::{Arrival, Endpoint};
use super::numbered::{MARK, Numbered};
use super::outbox::Outbox;
use super::schedule::CALLS_MAX;
use super::tally::{SAW_ACK, SAW_BYE, SAW_INVITE};
use super::templates::{RunMark, sdp};
use crate::hash::hash64;

/// RFC 3261 17.1.1.1.
const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);
/// A 2xx without ACK is sent again for so long (13.3.1.4).
const GIVE_UP: Duration = Duration::from_secs(32);
const PORT: u16 = 5060;
/// Calls of one thread at once.
const LEGS_MAX: usize = 400_000;

/// What becomes of calls at a vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// It rings and answers.
    Answers,
    /// It refuses with 503.
    Refuses,
    /// It hears everything and says nothing.
    Vanishes,
}

/// What a vendor does.
#[derive(Clone, Debug)]
pub(crate) struct UasOptions {
    pub(crate) run: RunMark,
    pub(crate) start: Instant,
    /// Its own sockets.
    pub(crate) sockets: Vec<SocketAddr>,
    /// From 180 to 200.
    pub(crate) ring: Duration,
    /// Sends 100 too: for calls that come without a proxy between.
    pub(crate) trying: bool,
    pub(crate) conduct: Conduct,
}

/// A vendor and its calls.
#[derive(Debug)]
pub(crate) struct Uas {
    options: UasOptions,
    counters: Arc<UasCounters>,
    /// By socket.
    answers: Vec<Answer>,
    tag: Numbered,
    legs: HashMap<u32, Leg>,
    timers: TimerWheel<u32>,
    /// Calls that ring, by when they are answered: all ring equally long.
    ringing: VecDeque<(Instant, u32)>,
    /// By call: which of its requests came.
    pub(crate) seen: Vec<u8>,
}

/// What the answers of one socket have in common.
#[derive(Debug)]
struct Answer {
    contact: Vec<u8>,
    body: Numbered,
}

#[derive(Debug)]
struct Leg {
    socket: usize,
    to: SocketAddr,
    /// Hash of the INVITE's branch: the same again is a retransmission.
    branch: u64,
    /// Until its final response is acknowledged.
    invite: Option<Box<Message>>,
    /// The final response that waits for an ACK.
    last: Option<StatusCode>,
    timer: Option<TimerId>,
    interval: Duration,
    give_up: Instant,
}

impl Uas {
    pub(crate) fn new(options: UasOptions, counters: Arc<UasCounters>) -> Self {
        let answers = options.sockets.iter().map(|local| Answer {
            contact: format!("<sip:vendor@{local};transport=udp>").into_bytes(),
            body: Numbered::new(&sdp(*local, 30_000)),
        });
        Self {
            answers: answers.collect(),
            tag: Numbered::new(&format!("v{:08x}{MARK}", fastrand::u32(..))),
            legs: HashMap::new(),
            timers: TimerWheel::new(LEGS_MAX, options.start),
            ringing: VecDeque::new(),
            seen: Vec::new(),
            options,
            counters,
        }
    }

    /// Whether no call is left.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.legs.is_empty() && self.timers.is_empty()
    }

    fn on_invite(&mut self, id: u32, invite: Message, arrival: &Arrival<'_>, out: &mut Outbox) {
        if self.flags(id) & SAW_INVITE != 0 {
            self.on_invite_again(id, &invite, arrival, out);
            return;
        }
        let tagged = invite.value(HeaderId::To).and_then(|to| NameAddr::parse(to).ok()?.tag).is_some();
        if tagged || self.legs.len() >= LEGS_MAX {
            // A re-INVITE of a call that was never here, or no room.
            let status =
                if tagged { StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST } else { StatusCode::BUSY_HERE };
            self.reply(status, &invite, arrival, out);
            return;
        }
        bump(&self.counters.calls);
        self.see(id, SAW_INVITE);
        let leg = Leg {
            socket: arrival.socket,
            to: reply_to(&invite, arrival.from),
            branch: branch_of(&invite),
            invite: Some(Box::new(invite)),
            last: None,
            timer: None,
            interval: T1,
            give_up: arrival.at + GIVE_UP,
        };
        if self.options.trying {
            self.respond(StatusCode::TRYING, id, &leg, out);
        }
        if self.options.conduct == Conduct::Refuses {
            self.legs.insert(id, leg);
            self.finish(id, StatusCode::SERVICE_UNAVAILABLE, arrival.at, out);
            return;
        }
        self.respond(StatusCode::RINGING, id, &leg, out);
        self.legs.insert(id, leg);
        if self.options.ring.is_zero() {
            self.finish(id, StatusCode::OK, arrival.at, out);
        } else {
            self.ringing.push_back((arrival.at + self.options.ring, id));
        }
    }

    /// A request that gets no answer.
    fn on_unheard(&mut self, method: Method, request: &Message) {
        let id = request.value(HeaderId::CallId).and_then(|value| self.options.run.call(value));
        if let Some(id) = id.filter(|id| method == Method::Invite && self.flags(*id) & SAW_INVITE == 0) {
            bump(&self.counters.calls);
            self.see(id, SAW_INVITE);
        }
    }

    fn on_invite_again(&mut self, id: u32, invite: &Message, arrival: &Arrival<'_>, out: &mut Outbox) {
        let leg = self.legs.get(&id);
        if leg.is_some_and(|leg| leg.branch != branch_of(invite)) {
            // The same call by another way (8.2.2.2).
            bump(&self.counters.duplicates);
            let response = Response { to_tag: Some(b"merged"), ..Response::new(StatusCode::LOOP_DETECTED) };
            let to = reply_to(invite, arrival.from);
            let _ = out.send(arrival.socket, to, |octets| response.write(invite, octets).ok());
            return;
        }
        bump(&self.counters.again_invites);
        if let Some(leg) = self.legs.remove(&id) {
            self.respond(leg.last.unwrap_or(StatusCode::RINGING), id, &leg, out);
            self.legs.insert(id, leg);
        }
    }

    /// Sends a final response and goes on until its ACK.
    fn finish(&mut self, id: u32, status: StatusCode, now: Instant, out: &mut Outbox) {
        let Some(mut leg) = self.legs.remove(&id) else { return };
        if leg.last.is_none() && leg.invite.is_some() {
            leg.last = Some(status);
            leg.give_up = now + GIVE_UP;
            leg.timer = self.timers.arm(now + T1, id).ok();
            self.respond(status, id, &leg, out);
        }
        self.legs.insert(id, leg);
    }

    fn on_timer(&mut self, id: u32, now: Instant, out: &mut Outbox) {
        let Some(mut leg) = self.legs.remove(&id) else { return };
        leg.timer = None;
        let Some(status) = leg.last else { return };
        if now >= leg.give_up {
            bump(&self.counters.unacknowledged);
            return;
        }
        bump(&self.counters.again_sent);
        self.respond(status, id, &leg, out);
        leg.interval = (leg.interval * 2).min(T2);
        leg.timer = self.timers.arm((now + leg.interval).min(leg.give_up), id).ok();
        self.legs.insert(id, leg);
    }

    fn on_ack(&mut self, id: u32) {
        let Some(leg) = self.legs.get_mut(&id).filter(|leg| leg.last.is_some()) else {
            bump(&self.counters.again_acks);
            return;
        };
        let status = leg.last.take();
        leg.invite = None;
        if let Some(timer) = leg.timer.take() {
            self.timers.cancel(timer);
        }
        if status == Some(StatusCode::OK) {
            self.see(id, SAW_ACK);
        } else {
            self.legs.remove(&id);
        }
    }

    fn on_bye(&mut self, id: u32, request: &Message, arrival: &Arrival<'_>, out: &mut Outbox) {
        if self.flags(id) & SAW_BYE != 0 {
            bump(&self.counters.again_byes);
        }
        let known = self.flags(id) & SAW_INVITE != 0;
        if known {
            self.see(id, SAW_BYE);
        }
        if let Some(timer) = self.legs.remove(&id).and_then(|leg| leg.timer) {
            self.timers.cancel(timer);
        }
        let gone = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
        self.reply(if known { StatusCode::OK } else { gone }, request, arrival, out);
    }

    fn on_cancel(&mut self, id: u32, request: &Message, arrival: &Arrival<'_>, out: &mut Outbox) {
        bump(&self.counters.cancels);
        self.reply(StatusCode::OK, request, arrival, out);
        self.finish(id, StatusCode::REQUEST_TERMINATED, arrival.at, out);
    }

    /// A response to the INVITE of a leg.
    fn respond(&mut self, status: StatusCode, id: u32, leg: &Leg, out: &mut Outbox) {
        let (Some(invite), Some(answer)) = (&leg.invite, self.answers.get_mut(leg.socket)) else { return };
        let is_answer = status == StatusCode::OK;
        let contact: &[(&str, &[u8])] = &[("Contact", &answer.contact), ("Server", b"bench")];
        let tag = self.tag.of(id);
        let response = Response {
            to_tag: Some(tag),
            source: Some(leg.to),
            record_route: true,
            headers: contact,
            body: is_answer.then(|| Body { content_type: b"application/sdp", octets: answer.body.of(id) }),
            ..Response::new(status)
        };
        if out.send(leg.socket, leg.to, |octets| response.write(invite, octets).ok()).is_none() {
            bump(&self.counters.malformed);
        }
    }

    /// A response to any other request.
    fn reply(&self, status: StatusCode, request: &Message, arrival: &Arrival<'_>, out: &mut Outbox) {
        let to = reply_to(request, arrival.from);
        let response = Response {
            to_tag: Some(b"vendor"),
            source: Some(arrival.from),
            headers: &[("Server", b"bench")],
            ..Response::new(status)
        };
        if out.send(arrival.socket, to, |octets| response.write(request, octets).ok()).is_none() {
            bump(&self.counters.malformed);
        }
    }

    fn flags(&self, id: u32) -> u8 {
        usize::try_from(id).ok().and_then(|place| self.seen.get(place)).copied().unwrap_or_default()
    }

    fn see(&mut self, id: u32, flag: u8) {
        let Ok(place) = usize::try_from(id) else { return };
        if place as u64 >= CALLS_MAX {
            return;
        }
        if place >= self.seen.len() {
            self.seen.resize(place + 1, 0);
        }
        if let Some(flags) = self.seen.get_mut(place) {
            *flags |= flag;
        }
    }
}

impl Endpoint for Uas {
    fn on_datagram(&mut self, arrival: Arrival<'_>, out: &mut Outbox) {
        let octets = Bytes::copy_from_slice(arrival.octets);
        let Ok(message) = Message::parse_datagram(octets, &Limits::default()) else {
            bump(&self.counters.malformed);
            return;
        };
        let Some(method) = message.method() else {
            bump(&self.counters.stray);
            return;
        };
        if self.options.conduct == Conduct::Vanishes {
            self.on_unheard(method, &message);
            return;
        }
        if method == Method::Options {
            bump(&self.counters.options);
            self.reply(StatusCode::OK, &message, &arrival, out);
            return;
        }
        let id = message.value(HeaderId::CallId).and_then(|value| self.options.run.call(value));
        let Some(id) = id else {
            bump(&self.counters.stray);
            return;
        };
        match method {
            Method::Invite => self.on_invite(id, message, &arrival, out),
            Method::Ack => self.on_ack(id),
            Method::Bye => self.on_bye(id, &message, &arrival, out),
            Method::Cancel => self.on_cancel(id, &message, &arrival, out),
            Method::Options
            | Method::Register
            | Method::Prack
            | Method::Update
            | Method::Info
            | Method::Subscribe
            | Method::Notify
            | Method::Refer
            | Method::Message
            | Method::Publish
            | Method::Other => self.reply(StatusCode::METHOD_NOT_ALLOWED, &message, &arrival, out),
        }
    }

    fn on_time(&mut self, now: Instant, out: &mut Outbox) {
        while let Some(id) = self.timers.pop_expired(now) {
            self.on_timer(id, now, out);
        }
        while self.ringing.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, id)) = self.ringing.pop_front() {
                self.finish(id, StatusCode::OK, now, out);
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let ringing = self.ringing.front().map(|(at, _)| *at);
        [self.timers.next_deadline(), ringing].into_iter().flatten().min()
    }

    /// A vendor is there until it is told to stop.
    fn is_over(&self) -> bool {
        false
    }
}

fn branch_of(invite: &Message) -> u64 {
    top_via(invite).and_then(|via| via.branch).map_or(0, hash64)
}

fn top_via(message: &Message) -> Option<Via<'_>> {
    Via::parse(message.list(HeaderId::Via).next()?).ok()
}

/// Where a response goes (18.2.2, RFC 3581): the source's address, and its port where the request asks for that.
fn reply_to(request: &Message, from: SocketAddr) -> SocketAddr {
    match top_via(request) {
        Some(via) if via.rport.is_none() => {
            let ip: IpAddr = via.maddr().and_then(sip::Host::ip).unwrap_or_else(|| from.ip());
            SocketAddr::new(ip, via.port.unwrap_or(PORT))
        }
        _ => from,
    }
}
