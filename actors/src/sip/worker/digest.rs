//! Requests of those who have to say by digest which trunk they are (RFC 3261, 22; RFC 7616; RFC 8760).
//!
//! A new INVITE is answered 407 and a REGISTER 401, without state; what comes back with a right digest is as if it had
//! come from a source of the trunk. ACK and CANCEL are never asked (22.1): they belong to what was asked before, and
//! requests within dialogs are known by their cookie and the address that was seen.

use std::borrow::Cow;
use std::net::IpAddr;

use runtime::model::SIP_REALM;
use sip::digest::{Credentials, Hash, NewChallenge, Username};
use sip::{HeaderId, Message, Method, Response, StatusCode, Uri};

use super::admit::callee;
use super::answers::Answer;
use super::receive::{Request, to_tag};
use super::{Turn, Worker};
use crate::sip::acl::Source;
use crate::sip::branch;
use crate::sip::digest::{self, Bound, Nonce};
use crate::sip::flow::{Flow, Outbound};
use crate::sip::number::digits;
use crate::sip::snapshot::{Peer, Snapshot};
use crate::sip::transactions::Now;
use crate::sip::usage::Usage;

/// Credentials of one request that are looked at: one for each realm on the way.
const CREDENTIALS_MAX: usize = 4;

/// What a request says of who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// This trunk, by place, and by what answer.
    Trunk(u32, Answer),
    /// Nothing that was asked for here.
    Nothing,
    /// Something that was asked for here, too long ago, or that was said before.
    Again,
    /// What is not so.
    Wrong,
}

/// Why credentials are not taken. Whoever sent them is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Algorithm,
    Target,
    Username,
    Secret,
    Source,
}

impl Why {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Algorithm => "its algorithm was not offered",
            Self::Target => "its uri names another number than the one called, or none",
            Self::Username => "no active trunk with DIGEST or BOTH has the username",
            Self::Secret => "it is not made with the password of the trunk, or of another request",
            Self::Source => "the trunk may not call from this source, or not at this address of ours",
        }
    }
}

/// Whether a request from an address that nobody has may show which trunk it is of, or belongs to one that has: which may
/// have been before the configuration changed.
pub(super) fn may_say_who(snapshot: &Snapshot, message: &Message) -> bool {
    if !snapshot.may_have_asked() {
        return false;
    }
    message.method().is_some_and(|method| {
        let is_new = || !snapshot.digests().is_empty() && to_tag(message).is_none();
        method == Method::Ack || method == Method::Cancel || (is_asked(method) && is_new())
    })
}

impl Worker {
    /// A request of somebody who has to say who it is, and that no transaction has.
    pub(super) fn identify(&mut self, request: &Request<'_>, turn: &mut Turn<'_>) {
        if request.method == Method::Ack {
            self.counters.acks_dropped.add(1);
        } else if is_asked(request.method) {
            self.ask_who(request, turn);
        } else if request.method == Method::Cancel
            && self.transactions.find(&self.keys.cancelled(&request.parts)).is_some()
        {
            self.cancel(request, turn);
        } else {
            self.stranger(request.message, request.flow, turn);
        }
    }

    /// A new INVITE or a REGISTER: asked who it is of, or passed on as that trunk's.
    pub(super) fn ask_who(&mut self, request: &Request<'_>, turn: &mut Turn<'_>) {
        if is_inbound(request) {
            self.invite(request, turn);
            return;
        }
        match self.said(request, turn.now) {
            Said::Trunk(trunk, answer) => {
                self.counters.digests_right.add(1);
                // Whom nobody had before is answered as known sources are from now on.
                self.proven.renew(request.flow.peer.ip(), turn.now.instant);
                let peer = Peer { trunk: Some(trunk), ..Peer::default() };
                let request = Request { peer, answer: Some(answer), ..*request };
                if request.method == Method::Register {
                    self.register(&request, trunk, turn);
                } else {
                    self.invite(&request, turn);
                }
            }
            Said::Nothing => self.challenge(request, false, turn),
            Said::Again => self.challenge(request, true, turn),
            Said::Wrong => {
                self.counters.digests_wrong.add(1);
                if self.may_answer(request, &self.strangers, turn.now) {
                    let forbidden = (StatusCode::FORBIDDEN, None);
                    self.reply_statelessly(request.message, request.flow, forbidden, turn);
                }
            }
        }
    }

    /// Whether a request is taken by what it says of its trunk, which counts no more from then on. What is refused
    /// without state before has said nothing: it may come again, and is refused again.
    pub(super) fn counts(&mut self, request: &Request<'_>, turn: &Turn<'_>) -> bool {
        let counts = request.answer.is_none_or(|answer| self.answers.note(answer, turn.now.instant));
        self.counters.overload.add(u64::from(!counts));
        counts
    }

    fn said(&self, request: &Request<'_>, now: Now) -> Said {
        let header = if request.method == Method::Register {
            HeaderId::Authorization
        } else {
            HeaderId::ProxyAuthorization
        };
        let values = request.message.values(header).take(CREDENTIALS_MAX);
        let mut ours = values
            .filter_map(|value| Credentials::parse(value).ok())
            .filter(|credentials| credentials.realm == SIP_REALM.as_bytes());
        let Some(credentials) = ours.next() else { return Said::Nothing };
        let bound = bound(request);
        match digest::look(&self.settings.cookies, credentials.nonce, &bound, now.wall) {
            Nonce::Fresh => {}
            Nonce::Stale => return Said::Again,
            Nonce::Foreign => return Said::Nothing,
        }
        let trunk = self.trunk_of(&credentials, request).and_then(|place| {
            let trunk = request.snapshot.trunk(place).ok_or(Why::Username)?;
            Ok((place, trunk.config.number))
        });
        let (place, number) = match trunk {
            Ok(trunk) => trunk,
            Err(why) => {
                note(&credentials, why, request);
                return Said::Wrong;
            }
        };
        let answer = Answer {
            trunk: number,
            nonce: branch::digest_of(self.settings.seed, [credentials.nonce]),
            count: credentials.protection.map_or(0, |protection| protection.count),
        };
        if self.answers.is_used(answer) { Said::Again } else { Said::Trunk(place, answer) }
    }

    /// The trunk whose credentials these are. All that takes time is done before anything is known.
    fn trunk_of(&self, credentials: &Credentials<'_>, request: &Request<'_>) -> Result<u32, Why> {
        let users = request.snapshot.digests();
        let found = users.find(credentials, request.method.as_str().as_bytes());
        if !credentials.algorithm.hash().is_some_and(|hash| self.settings.digests.contains(&hash)) {
            return Err(Why::Algorithm);
        }
        if !is_about(credentials, request.message) {
            return Err(Why::Target);
        }
        let is_known = users.named(credentials).is_some();
        let trunk = found.ok_or(if is_known { Why::Secret } else { Why::Username })?;
        if self.admits(request.snapshot, trunk, request.flow) { Ok(trunk) } else { Err(Why::Source) }
    }

    /// Whether a trunk may call by this flow, now that it has said who it is.
    fn admits(&self, snapshot: &Snapshot, trunk: u32, flow: Flow) -> bool {
        let source = Source { address: flow.peer.ip(), port: flow.peer.port(), transport: flow.transport };
        let listener = self.settings.listeners.get(usize::from(flow.listener));
        listener.is_some_and(|own| snapshot.admits(trunk, &source, own.address.ip()))
    }

    /// Asks who it is, by each algorithm in a header of its own, in the order of preference (RFC 8760, 2.3).
    fn challenge(&mut self, request: &Request<'_>, stale: bool, turn: &mut Turn<'_>) {
        if !self.may_answer(request, &self.challenged, turn.now) {
            return;
        }
        self.counters.challenges.add(1);
        let (status, name) = if request.method == Method::Register {
            (StatusCode::UNAUTHORIZED, "WWW-Authenticate")
        } else {
            (StatusCode::PROXY_AUTHENTICATION_REQUIRED, "Proxy-Authenticate")
        };
        let nonce = digest::nonce(&self.settings.cookies, &bound(request), turn.now.wall);
        let value = |hash: &Hash| {
            let mut value = Vec::with_capacity(CHALLENGE_LEN);
            let challenge = NewChallenge { realm: SIP_REALM, nonce: &nonce, hash: *hash, stale };
            // Neither the realm nor a nonce has anything that ends its quotes.
            let _ = challenge.write(&mut value);
            value
        };
        let values: Vec<Vec<u8>> = self.settings.digests.iter().map(value).collect();
        let headers: Vec<(&str, &[u8])> = values.iter().map(|value| (name, value.as_slice())).collect();
        let Request { message, flow, reply_to, .. } = *request;
        let tag = self.tag(message);
        let response = Response {
            to_tag: Some(&tag),
            source: Some(flow.peer),
            headers: &headers,
            ..Response::new(status)
        };
        if let Some(octets) = self.written(|out| response.write(message, out).is_ok()) {
            turn.out.messages.push(Outbound { flow: reply_to, octets, sender: Outbound::NOBODY });
        }
    }

    /// Whether there is an answer for somebody who has not said who it is: where nobody is known to be, as many as for
    /// strangers. Challenges are counted by themselves: who scans takes none of them with other requests.
    fn may_answer(&self, request: &Request<'_>, answered: &Usage, now: Now) -> bool {
        let source: IpAddr = request.flow.peer.ip();
        let free = !request.peer.is_stranger() || self.proven.has(&source, now.instant);
        if free || answered.take_attempt(self.settings.strangers_per_second, now.instant) {
            return true;
        }
        self.counters.strangers_dropped.add(1);
        false
    }
}

/// Says why credentials are not taken, at the level for who looks for it: anybody may send any number of them. What
/// they were made with is not in it.
fn note(credentials: &Credentials<'_>, why: Why, request: &Request<'_>) {
    let trunk = || {
        let place = request.snapshot.digests().named(credentials)?;
        Some(request.snapshot.trunk(place)?.config.name.as_str())
    };
    tracing::debug!(
        trunk = trunk().unwrap_or_default(),
        username = ?named(&credentials.username),
        source = %request.flow.peer,
        method = request.method.as_str(),
        reason = why.as_str(),
        "a digest is wrong"
    );
}

/// As much of a username as a trunk's may have.
fn named<'a>(username: &Username<'a>) -> Cow<'a, str> {
    let (Username::Plain(name) | Username::Hashed(name) | Username::Encoded(name)) = *username;
    String::from_utf8_lossy(name.get(..USERNAME_SHOWN).unwrap_or(name))
}

/// The longest username of a trunk, in octets.
const USERNAME_SHOWN: usize = 64;

/// Octets of a challenge, for the first allocation to be the only one.
const CHALLENGE_LEN: usize = 128;

/// Requests that are asked who they are of, whatever their source.
fn is_asked(method: Method) -> bool {
    method == Method::Invite || method == Method::Register
}

/// Whether a vendor calls a number of ours: that needs no trunk's word, although its address is a trunk's too.
fn is_inbound(request: &Request<'_>) -> bool {
    let has = |number: &str| request.snapshot.did(digits(number)).is_some();
    request.method == Method::Invite
        && request.peer.vendor.is_some()
        && callee(request.message).is_some_and(|dialled| has(&dialled.number))
}

fn bound<'m>(request: &Request<'m>) -> Bound<'m> {
    Bound { source: request.flow.peer.ip(), call_id: request.parts.call_id }
}

/// Whether a digest is about what is called. Hosts are rewritten on the way (16.6), numbers are not: one that was
/// overheard would call another.
fn is_about(credentials: &Credentials<'_>, message: &Message) -> bool {
    let Some(target) = message.request_uri() else { return false };
    let (Ok(said), Ok(target)) = (Uri::parse(credentials.uri), Uri::parse(target)) else { return false };
    said.user() == target.user()
}
