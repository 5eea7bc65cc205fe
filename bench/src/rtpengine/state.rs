//! What a simulated node does with commands. No socket and no clock: a datagram and the time go in, the
//! datagram to reply with comes out.
//!
//! It goes about it as RTPEngine 10.5 in what can be told from outside, and is simpler in this: a delete is
//! done at once whatever delay it asks for, media is never missed, JSON is not understood, commands that
//! change media are agreed to and change nothing.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use ng::Request;
use ng::command::Name;
use ng::reply::{Current, Statistics, Totals, write};

use self::call::{Call, Ends, Heard, SideId};
use super::Counters;
use super::ports::Ports;
use super::replies::Replies;
use super::sdp::{Description, Offered};

mod call;

/// Calls of a node that has no limit of its own.
const CALLS_MAX: usize = 100_000;
/// Sides of one call.
const SIDES_MAX: usize = 64;
/// Calls of a list that was asked for without a limit.
const LIST_LIMIT: usize = 32;

const NO_PORTS: &str = "Ran out of ports";
const NO_SESSIONS: &str = "Parallel session limit reached";
const NO_CALL: &str = "Unknown call-id";
const NO_CALL_ID: &str = "No call-id in message";
const NOT_FOUND: &str = "Call-ID not found or tags didn't match";
/// What a call of one side gets. A node writes its release there.
const PUBLISHED: &[u8] = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=rtpengine-simulated\r\nt=0 0\r\n";

/// Why a command is not done, in RTPEngine's words.
type Refusal = &'static str;

/// What a node is made of.
#[derive(Debug)]
pub(super) struct Setup {
    /// Stands in every SDP.
    pub(super) address: IpAddr,
    pub(super) ports: RangeInclusive<u16>,
    pub(super) sessions_max: Option<usize>,
    /// Whether what becomes of ports is told.
    pub(super) relays: bool,
    pub(super) now: Duration,
}

/// Where what comes to a port goes: out by another port of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) port: u16,
    pub(super) to: Vec<(u16, SocketAddr)>,
}

/// What became of ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Open from now on, or open and led elsewhere.
    Routed(Route),
    /// Closed.
    Closed(u16),
}

/// A node. Times are since the Unix epoch.
#[derive(Debug)]
pub(super) struct State {
    address: IpAddr,
    sessions_max: usize,
    relays: bool,
    started: Duration,
    ports: Ports,
    replies: Replies,
    calls: BTreeMap<Vec<u8>, Call>,
    pub(super) counters: Counters,
    /// It says that it has no ports, whatever it has.
    pub(super) full: bool,
    /// What came to its ports.
    pub(super) heard: Heard,
    /// Since they were taken last.
    pub(super) changes: Vec<Change>,
    totals: Totals,
    /// Of all calls that ended.
    lasted: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Offer,
    Answer,
}

impl State {
    pub(super) fn new(setup: Setup) -> Self {
        let Setup { address, ports, sessions_max, relays, now } = setup;
        Self {
            address,
            sessions_max: sessions_max.unwrap_or(CALLS_MAX),
            relays,
            started: now,
            ports: Ports::new(ports),
            replies: Replies::default(),
            calls: BTreeMap::new(),
            counters: Counters::default(),
            full: false,
            heard: Heard::new(),
            changes: Vec::new(),
            totals: Totals::default(),
            lasted: Duration::ZERO,
        }
    }

    /// What is replied to a datagram; nothing to one without a cookie.
    pub(super) fn handle(&mut self, datagram: &[u8], now: Duration) -> Option<Vec<u8>> {
        let Ok((cookie, body)) = ng::cookie::split(datagram) else {
            self.counters.malformed += 1;
            return None;
        };
        if let Some(reply) = self.replies.find(cookie, now) {
            self.counters.repeats += 1;
            return Some(reply.to_vec());
        }
        let mut reply = [cookie, b" "].concat();
        match Request::parse(body) {
            Ok(request) => {
                if let Err(refusal) = self.obey(&request, now, &mut reply) {
                    self.counters.errors += 1;
                    refuse(&request, refusal, &mut reply);
                }
            }
            Err(error) => {
                self.counters.errors += 1;
                write::error(&mut reply, error.reason());
            }
        }
        self.replies.keep(cookie, &reply, now);
        Some(reply)
    }

    /// Call-ids of the calls it has.
    pub(super) fn call_ids(&self) -> impl Iterator<Item = &[u8]> {
        self.calls.keys().map(Vec::as_slice)
    }

    /// Writes a reply to what it does, and nothing to what it does not.
    fn obey(&mut self, request: &Request<'_>, now: Duration, reply: &mut Vec<u8>) -> Result<(), Refusal> {
        match request.name.ok_or("Unrecognized command")? {
            Name::Ping => {
                write::pong(reply);
                Ok(())
            }
            // A call of one side leaves nothing here: it is made to learn the release.
            Name::Publish => {
                write::sdp(reply, PUBLISHED);
                Ok(())
            }
            Name::Offer => self.describe(Role::Offer, request, now, reply),
            Name::Answer => self.describe(Role::Answer, request, now, reply),
            Name::Delete => self.delete(request, now, reply),
            Name::Query => {
                let call = self.calls.get(request.call_id().ok_or(NO_CALL_ID)?).ok_or(NO_CALL)?;
                write::call(reply, &call.view(self.address, &self.heard));
                Ok(())
            }
            Name::List => self.list(request, reply),
            Name::Statistics => {
                write::statistics(reply, &self.statistics(now));
                Ok(())
            }
            Name::StartRecording
            | Name::StopRecording
            | Name::PauseRecording
            | Name::BlockMedia
            | Name::UnblockMedia
            | Name::SilenceMedia
            | Name::UnsilenceMedia
            | Name::PlayMedia
            | Name::StopMedia
            | Name::PlayDtmf
            | Name::BlockDtmf
            | Name::UnblockDtmf => {
                self.calls.get(request.call_id().ok_or(NO_CALL_ID)?).ok_or(NO_CALL)?;
                write::ok(reply);
                Ok(())
            }
        }
    }

    /// An offer or an answer.
    fn describe(
        &mut self,
        role: Role,
        request: &Request<'_>,
        now: Duration,
        reply: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let sdp = request.sdp().ok_or("No SDP body in message")?;
        let call_id = request.call_id().ok_or(NO_CALL_ID)?;
        let ends = ends(request);
        if ends.from.is_empty() {
            return Err("No from-tag in message");
        }
        if role == Role::Answer && ends.to.is_none() {
            return Err("No to-tag in message");
        }
        let description = Description::parse(sdp).ok_or("Failed to parse SDP")?;
        // What is not done leaves no trace, but for an SDP without medias: the call is changed as a copy.
        let mut call = self.begin(role, call_id, now)?;
        let (sender, receiver) = match role {
            Role::Offer => call.offered(ends, now),
            Role::Answer => {
                let (offerer, answerer) = call.answered(ends, now).ok_or(NO_CALL)?;
                (answerer, offerer)
            }
        };
        if description.medias.is_empty() {
            // RTPEngine goes on listing such a call.
            self.store(call_id, call);
            return Err("Error rewriting SDP");
        }
        call.last_signal = now;
        call.describe((sender, receiver), &description.medias);
        self.equip(&mut call, (sender, receiver), &description.medias)?;
        let ports = call.ports_for(receiver, &description.medias);
        write::sdp(reply, &description.write(self.address, &ports, request.lists("replace", "origin")));
        match role {
            Role::Offer => self.counters.offers += 1,
            Role::Answer => self.counters.answers += 1,
        }
        if self.relays {
            self.changes.extend(call.routes().into_iter().map(Change::Routed));
        }
        self.store(call_id, call);
        Ok(())
    }

    /// The call as it is, or a new one where there is room.
    fn begin(&mut self, role: Role, call_id: &[u8], now: Duration) -> Result<Call, Refusal> {
        if let Some(call) = self.calls.get(call_id) {
            return if call.sides() < SIDES_MAX { Ok(call.clone()) } else { Err(NO_PORTS) };
        }
        if role == Role::Answer {
            return Err(NO_CALL);
        }
        if self.calls.len() >= self.sessions_max {
            self.totals.rejected_sessions += 1;
            return Err(NO_SESSIONS);
        }
        Ok(Call::new(now))
    }

    fn store(&mut self, call_id: &[u8], call: Call) {
        if self.calls.insert(call_id.to_vec(), call).is_none() {
            self.totals.managed_sessions += 1;
        }
    }

    /// Ports for what has none yet. Those that a side has it keeps.
    fn equip(
        &mut self,
        call: &mut Call,
        sides: (SideId, SideId),
        medias: &[Offered<'_>],
    ) -> Result<(), Refusal> {
        let lacking = call.lacking(sides, medias);
        if lacking == 0 {
            return Ok(());
        }
        if self.full {
            return Err(NO_PORTS);
        }
        call.give(sides, medias, self.ports.take(lacking).ok_or(NO_PORTS)?);
        Ok(())
    }

    fn delete(&mut self, request: &Request<'_>, now: Duration, reply: &mut Vec<u8>) -> Result<(), Refusal> {
        let call_id = request.call_id().ok_or(NO_CALL_ID)?;
        let call = self.calls.get_mut(call_id);
        let found = call.and_then(|call| call.doomed(ends(request)).map(|doomed| (call, doomed)));
        let Some((call, doomed)) = found else {
            if request.lists("flags", "fatal") {
                return Err(NOT_FOUND);
            }
            self.counters.unknown += 1;
            write::warning(reply, NOT_FOUND);
            return Ok(());
        };
        write::call(reply, &call.view(self.address, &self.heard));
        self.counters.deletes += 1;
        let (freed, created) = (call.remove(&doomed), call.created);
        let is_over = call.sides() == 0;
        if self.relays {
            let left = call.routes().into_iter().map(Change::Routed);
            let closed = freed.iter().flat_map(|port| [*port, port.saturating_add(1)]).map(Change::Closed);
            self.changes.extend(left.chain(closed));
        }
        self.ports.give_back(freed);
        if is_over {
            self.calls.remove(call_id);
            self.totals.regular_terminated_sessions += 1;
            self.lasted += now.saturating_sub(created);
        }
        Ok(())
    }

    fn list(&self, request: &Request<'_>, reply: &mut Vec<u8>) -> Result<(), Refusal> {
        let limit = match request.limit() {
            Some(limit) => usize::try_from(limit).map_err(|_| "invalid limit, must be >= 0")?,
            None => LIST_LIMIT,
        };
        write::calls(reply, self.call_ids().take(limit));
        Ok(())
    }

    fn statistics(&self, now: Duration) -> Statistics {
        let sessions = self.calls.len() as u64;
        let ended = u32::try_from(self.totals.regular_terminated_sessions).unwrap_or(u32::MAX);
        let relayed =
            self.heard.values().copied().fold(ng::reply::Counters::default(), |sum, port| sum.plus(port));
        Statistics {
            current: Current { sessions_own: sessions, sessions_total: sessions, ..Current::default() },
            totals: Totals {
                relayed_packets_user: relayed.packets,
                relayed_bytes_user: relayed.bytes,
                relayed_packets: relayed.packets,
                relayed_bytes: relayed.bytes,
                ..self.totals
            },
            uptime: now.saturating_sub(self.started),
            average_call_duration: self.lasted.checked_div(ended).unwrap_or_default(),
        }
    }
}

fn ends<'a>(request: &Request<'a>) -> Ends<'a> {
    Ends {
        from: request.from_tag().unwrap_or_default(),
        to: request.to_tag(),
        branch: request.via_branch().filter(|branch| !branch.is_empty()),
    }
}

/// Who says that it understands them gets limits as such.
fn refuse(request: &Request<'_>, refusal: Refusal, reply: &mut Vec<u8>) {
    if refusal == NO_SESSIONS && request.lists("supports", "load-limit") {
        write::load_limit(reply, refusal);
    } else {
        write::error(reply, refusal);
    }
}

#[cfg(test)]
mod tests;
