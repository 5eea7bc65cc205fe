//! The simulated customer: an open loop of calls (RFC 3261 UAC over UDP). No socket and no clock.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip::timer_wheel::{TimerId, TimerWheel};
use sip::{CSeq, HeaderId, Limits, Message, Method, Response, StatusCode};

use super::counters::{UacCounters, bump};
use super::dialog::Dialog;
use super::endpoint::{Arrival, Endpoint};
use super::load::Work;
use super::outbox::Outbox;
use super::schedule::Schedule;
use super::tally::{End, Second};
use super::templates::{InDialog, RunMark, Templates};

mod responses;

/// RFC 3261 17.1.1.1.
const T1: Duration = Duration::from_millis(500);
/// The longest pause between retransmissions of a request that is no INVITE.
const T2: Duration = Duration::from_secs(4);
/// Timers B and F.
const GIVE_UP: Duration = Duration::from_secs(32);
/// Calls of one thread that may be open at once.
const OPEN_MAX: usize = 400_000;
/// Calls placed before the sockets are looked at again.
const BURST: usize = 64;

/// What a customer does. Several may share the work of one run.
#[derive(Clone, Debug)]
pub(crate) struct UacOptions {
    pub(crate) run: RunMark,
    /// This customer places calls `index`, `index + of`, …
    pub(crate) index: u64,
    pub(crate) of: u64,
    pub(crate) schedule: Arc<Schedule>,
    pub(crate) start: Instant,
    pub(crate) work: Work,
    /// Its own sockets.
    pub(crate) sockets: Vec<SocketAddr>,
    /// Where new calls go, in turn.
    pub(crate) targets: Vec<SocketAddr>,
    pub(crate) hold: Duration,
    /// From a provisional response to giving up.
    pub(crate) patience: Duration,
}

/// A customer and its calls.
#[derive(Debug)]
pub(crate) struct Uac {
    options: UacOptions,
    counters: Arc<UacCounters>,
    /// By socket.
    templates: Vec<Templates>,
    calls: HashMap<u32, Call>,
    /// One timer a call: the next retransmission, or the end of patience.
    timers: TimerWheel<u32>,
    /// Calls that are up, by when they end: all are held equally long.
    holding: VecDeque<(Instant, u32)>,
    /// The place of the next call in the schedule.
    next: u64,
    /// By place / `of`.
    pub(crate) ends: Vec<End>,
    /// By the second in which calls were due.
    pub(crate) seconds: Vec<Second>,
}

#[derive(Debug)]
struct Call {
    phase: Phase,
    socket: usize,
    /// Where its INVITE or OPTIONS went.
    target: SocketAddr,
    due: Instant,
    /// When the request that waits for an answer was written first.
    sent: Instant,
    timer: Option<TimerId>,
    interval: Duration,
    give_up: Instant,
    rang: bool,
    dialog: Option<Box<Dialog>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No response yet.
    Calling,
    /// A provisional response.
    Proceeding,
    /// 2xx came, ACK went.
    Up,
    /// BYE went.
    Leaving,
}

impl Uac {
    pub(crate) fn new(options: UacOptions, counters: Arc<UacCounters>) -> Self {
        let first = options.targets.first().copied().unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        let templates =
            options.sockets.iter().map(|local| Templates::new(&options.run, *local, first)).collect();
        let seconds = options.schedule.length().as_secs() + 1;
        Self {
            templates,
            calls: HashMap::new(),
            timers: TimerWheel::new(OPEN_MAX, options.start),
            holding: VecDeque::new(),
            next: options.index,
            ends: Vec::new(),
            seconds: vec![Second::default(); usize::try_from(seconds).unwrap_or(1)],
            options,
            counters,
        }
    }

    /// The calls of this customer and how they ended.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (u32, End)> + '_ {
        let ids = (self.options.index..).step_by(usize::try_from(self.options.of).unwrap_or(1));
        ids.zip(&self.ends).map(|(id, end)| (u32::try_from(id).unwrap_or(u32::MAX), *end))
    }

    fn place_due(&mut self, now: Instant, out: &mut Outbox) {
        for _ in 0..BURST {
            let Some(due) = self.next_due().filter(|due| *due <= now) else { return };
            let place = self.next;
            self.next += self.options.of;
            let Ok(id) = u32::try_from(place) else { return };
            self.second(due, |second| second.offered += 1);
            if self.calls.len() >= OPEN_MAX {
                bump(&self.counters.skipped);
                self.ends.push(End::Skipped);
                self.second(due, |second| second.failed += 1);
                continue;
            }
            self.ends.push(End::Open);
            self.counters.begun(due);
            self.counters.lateness.record(now.saturating_duration_since(due));
            self.begin(id, due, now, out);
        }
    }

    fn begin(&mut self, id: u32, due: Instant, now: Instant, out: &mut Outbox) {
        let turn = usize::try_from(u64::from(id) / self.options.of).unwrap_or_default();
        let target = self.options.targets.get(turn % self.options.targets.len().max(1)).copied();
        let Some(target) = target else { return };
        let call = Call {
            phase: Phase::Calling,
            socket: turn % self.templates.len().max(1),
            target,
            due,
            sent: now,
            timer: self.timers.arm(now + T1, id).ok(),
            interval: T1,
            give_up: now + GIVE_UP,
            rang: false,
            dialog: None,
        };
        self.write(id, &call, out);
        self.calls.insert(id, call);
    }

    /// Writes the request that `call` waits upon.
    fn write(&mut self, id: u32, call: &Call, out: &mut Outbox) {
        let Some(templates) = self.templates.get_mut(call.socket) else { return };
        let work = self.options.work;
        let written = match &call.dialog {
            Some(dialog) => out.send(call.socket, dialog.next_hop, |octets| {
                templates.in_dialog(InDialog::Bye, id, dialog, octets)
            }),
            None => out.send(call.socket, call.target, |octets| {
                let request = if work == Work::Calls { templates.invite(id) } else { templates.options(id) };
                octets.extend_from_slice(request);
                Some(())
            }),
        };
        if written.is_none() {
            bump(&self.counters.malformed);
        }
    }

    fn on_timer(&mut self, id: u32, now: Instant, out: &mut Outbox) {
        let Some(mut call) = self.calls.remove(&id) else { return };
        call.timer = None;
        if now >= call.give_up {
            let end = if call.phase == Phase::Leaving { End::NoByeFinal } else { End::NoFinal };
            self.over(id, &call, end);
            return;
        }
        if call.phase != Phase::Proceeding {
            bump(&self.counters.again_sent);
            self.second(call.due, |second| second.again += 1);
            self.write(id, &call, out);
            let is_invite = call.phase == Phase::Calling && self.options.work == Work::Calls;
            call.interval = if is_invite { call.interval * 2 } else { (call.interval * 2).min(T2) };
        }
        let at = if call.phase == Phase::Proceeding { call.give_up } else { now + call.interval };
        call.timer = self.timers.arm(at.min(call.give_up), id).ok();
        self.calls.insert(id, call);
    }

    /// Sends BYE.
    fn leave(&mut self, id: u32, now: Instant, out: &mut Outbox) {
        let Some(mut call) = self.calls.remove(&id) else { return };
        call.phase = Phase::Leaving;
        call.sent = now;
        call.interval = T1;
        call.give_up = now + GIVE_UP;
        call.timer = self.timers.arm(now + T1, id).ok();
        self.write(id, &call, out);
        self.calls.insert(id, call);
    }

    /// The call is no longer in the table.
    fn over(&mut self, id: u32, call: &Call, end: End) {
        if let Some(timer) = call.timer {
            self.timers.cancel(timer);
        }
        self.counters.ended();
        let place = usize::try_from(u64::from(id) / self.options.of).unwrap_or(usize::MAX);
        if let Some(known) = self.ends.get_mut(place) {
            *known = end;
        }
        if end == End::Completed {
            self.counters.completed(call.due);
        }
        self.second(call.due, |second| match end {
            End::Completed => second.completed += 1,
            End::Unavailable => second.unavailable += 1,
            End::Open | End::Refused | End::NoFinal | End::NoByeFinal | End::Broken | End::Skipped => {
                second.failed += 1;
            }
        });
    }

    fn end_of(&self, id: u32) -> End {
        let place = usize::try_from(u64::from(id) / self.options.of).unwrap_or(usize::MAX);
        self.ends.get(place).copied().unwrap_or_default()
    }

    fn second(&mut self, due: Instant, change: impl FnOnce(&mut Second)) {
        let second = due.saturating_duration_since(self.options.start).as_secs();
        if let Some(second) = usize::try_from(second).ok().and_then(|place| self.seconds.get_mut(place)) {
            change(second);
        }
    }

    fn next_due(&self) -> Option<Instant> {
        self.options.schedule.due(self.next).map(|due| self.options.start + due)
    }

    /// Requests of the other side: it may probe, and it may end a call, which fails it.
    fn on_request(&mut self, request: &Message, arrival: &Arrival<'_>, out: &mut Outbox) {
        let method = request.method();
        if method == Some(Method::Bye) {
            let id = request.value(HeaderId::CallId).and_then(|value| self.options.run.call(value));
            let ended = id.and_then(|id| Some((id, self.calls.remove(&id)?)));
            if let Some((id, call)) = ended {
                bump(&self.counters.ended_early);
                self.over(id, &call, End::Broken);
            }
        }
        let status = match method {
            Some(Method::Ack) => return,
            Some(Method::Bye | Method::Options) => StatusCode::OK,
            _ => StatusCode::METHOD_NOT_ALLOWED,
        };
        let allow: &[(&str, &[u8])] = &[("Allow", b"ACK, BYE, OPTIONS")];
        let response = Response { source: Some(arrival.from), headers: allow, ..Response::new(status) };
        let _ = out.send(arrival.socket, arrival.from, |octets| response.write(request, octets).ok());
    }
}

impl Endpoint for Uac {
    fn on_datagram(&mut self, arrival: Arrival<'_>, out: &mut Outbox) {
        let octets = Bytes::copy_from_slice(arrival.octets);
        let Ok(message) = Message::parse_datagram(octets, &Limits::default()) else {
            bump(&self.counters.malformed);
            return;
        };
        let Some(status) = message.status_code() else {
            self.on_request(&message, &arrival, out);
            return;
        };
        let id = message.value(HeaderId::CallId).and_then(|value| self.options.run.call(value));
        let Some(id) = id.filter(|id| u64::from(*id) % self.options.of == self.options.index) else {
            bump(&self.counters.stray);
            return;
        };
        let method = message.value(HeaderId::CSeq).and_then(|value| CSeq::parse(value).ok());
        match method.map(|cseq| Method::from_bytes(cseq.method)) {
            Some(Method::Invite) => self.on_invite_response(id, &message, &arrival, out),
            Some(Method::Bye) => self.on_bye_response(id, status, arrival.at),
            Some(Method::Options) => self.on_options_response(id, status, arrival.at),
            _ => bump(&self.counters.malformed),
        }
    }

    fn on_time(&mut self, now: Instant, out: &mut Outbox) {
        while let Some(id) = self.timers.pop_expired(now) {
            self.on_timer(id, now, out);
        }
        while self.holding.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, id)) = self.holding.pop_front() {
                self.leave(id, now, out);
            }
        }
        self.place_due(now, out);
    }

    fn next_deadline(&self) -> Option<Instant> {
        let holding = self.holding.front().map(|(at, _)| *at);
        [self.timers.next_deadline(), holding, self.next_due()].into_iter().flatten().min()
    }

    fn is_over(&self) -> bool {
        self.next_due().is_none() && self.calls.is_empty()
    }
}

impl Drop for Uac {
    fn drop(&mut self) {
        // Calls that are still open when a run is cut off are no longer live for the next one.
        self.counters.live.fetch_sub(self.calls.len() as u64, Relaxed);
    }
}

#[cfg(test)]
mod tests;
