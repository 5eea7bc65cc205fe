//! A new INVITE: admitted or refused, and the beginning of its call.

use std::sync::Arc;

use runtime::clock::Timestamp;
use runtime::log::Reason;
use sip::transaction::{Machine, ServerInvite};
use sip::{HeaderId, Message, NameAddr, StatusCode, Uri, Via};
use uuid::{Builder, Uuid};

use super::call::{Call, Kind, Setup, Way};
use super::passport::Identified;
use super::receive::Request;
use super::{Hand, TAG_LEN, Turn, Worker, outgoing, receive};
use crate::sip::branch;
use crate::sip::dialog::{Asked, Dialog, End, Seen, Side};
use crate::sip::event::{CallEvent, Ended, Started, What};
use crate::sip::hiding::Hides;
use crate::sip::identity::{self, Caller, Standing};
use crate::sip::number::{Dialled, dialled};
use crate::sip::routing::{self, Party, Plan, Refusal};
use crate::sip::session_timer;
use crate::sip::transactions::{Owner, TransactionId};
use crate::sip::usage::Channel;

/// The number called, where the Request-URI has one.
pub(super) fn callee(message: &Message) -> Option<Dialled<'_>> {
    let uri = Uri::parse(message.request_uri()?).ok()?;
    dialled(uri.user()?)
}

fn in_from(message: &Message) -> String {
    let from = message.value(HeaderId::From).and_then(|value| NameAddr::parse(value).ok());
    let user = from.and_then(|from| from.uri().ok()).and_then(Uri::user).unwrap_or_default();
    String::from_utf8_lossy(user.get(..NUMBER_SHOWN).unwrap_or(user)).into_owned()
}

/// The number that calls, as records show it.
fn recorded(caller: Option<Caller>, message: &Message) -> String {
    caller.and_then(|caller| caller.recorded).unwrap_or_else(|| in_from(message))
}

/// Octets of a number that records show.
const NUMBER_SHOWN: usize = 64;
const CALL_ID_SHOWN: usize = 256;

/// An INVITE that has its server transaction.
struct Admitted<'m> {
    request: Request<'m>,
    server: TransactionId,
    dialog: Uuid,
    tag: [u8; TAG_LEN],
}

impl Worker {
    pub(super) fn invite(&mut self, request: &Request<'_>, turn: &mut Turn<'_>) {
        self.counters.invites.add(1);
        let message = request.message;
        let room =
            self.open && self.transactions.has_room() && self.dialogs.len() < self.settings.dialogs_max;
        if !room {
            self.counters.overload.add(1);
            self.reply_statelessly(message, request.flow, (super::FULL, None), turn);
            return;
        }
        if self.is_loop(message) {
            self.counters.loops.add(1);
            self.reply_statelessly(message, request.flow, (StatusCode::LOOP_DETECTED, None), turn);
            return;
        }
        let snapshot = request.snapshot;
        let dialled = callee(message).map(|dialled| dialled.number);
        let planned = match &dialled {
            Some(number) => {
                let mut found = std::mem::take(&mut self.memory.candidates);
                let plan = routing::plan(snapshot, request.peer, number, self.draws(message), &mut found);
                self.memory.candidates = found;
                let contacts = |trunk| self.bindings.of(trunk, turn.now.wall);
                plan.and_then(|plan| plan.with_contacts(request.peer, contacts))
            }
            None => Err(Refusal {
                status: StatusCode::NOT_FOUND,
                reason: Reason::NoRoute,
                detail: "not a number",
            }),
        };
        // What is refused counts for its trunk too: each of them leaves a record.
        let party = match &planned {
            Ok(plan) => Some(Party { trunk: plan.trunk, direction: plan.direction }),
            Err(_) => routing::party(snapshot, request.peer, dialled.as_deref()),
        };
        let within = party
            .and_then(|party| snapshot.trunk(party.trunk))
            .is_none_or(|trunk| trunk.usage.take_attempt(trunk.config.cps, turn.now.instant));
        if !within {
            self.counters.over_cps.add(1);
            self.reply_statelessly(
                message,
                request.flow,
                (super::FULL, Some("Too Many Calls Per Second")),
                turn,
            );
            return;
        }
        if !self.counts(request, turn) {
            self.reply_statelessly(message, request.flow, (super::FULL, None), turn);
            return;
        }
        self.admit(request, (dialled, planned, party), turn);
    }

    /// Draws that are the same for the same INVITE: where it comes again after a restart, it goes to the vendor that
    /// has it already and knows it by its Call-ID, and rings nowhere else.
    fn draws(&self, message: &Message) -> impl FnMut(u64) -> u64 + use<> {
        let parts = [HeaderId::CallId, HeaderId::From, HeaderId::CSeq];
        let parts = parts.map(|id| message.value(id).unwrap_or_default());
        let mut state = branch::digest_of(self.settings.seed, parts);
        move |n| {
            // Knuth's MMIX generator; its high bits are the good ones.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u64::try_from((u128::from(state) * u128::from(n)) >> 64).unwrap_or_default()
        }
    }

    fn admit(
        &mut self,
        request: &Request<'_>,
        (dialled, planned, party): (Option<String>, Result<Plan, Refusal>, Option<Party>),
        turn: &mut Turn<'_>,
    ) {
        let Some(server) = self.begin_server_invite(request, turn) else { return };
        let dialog = new_dialog(turn.now.wall, self.settings.process, &self.random);
        let admitted = Admitted { request: *request, server, dialog, tag: self.tag(request.message) };
        let caller = planned.as_ref().ok().and_then(|plan| identity::caller(plan, request.message));
        let planned = planned.and_then(|plan| may_call(plan, caller.as_ref()));
        let planned = planned.and_then(|plan| long_enough(plan, request.message));
        let planned = planned.map(|plan| in_turn(plan, request.message));
        let (planned, identified) = self.look_at_identity(request.message, planned, turn.now);
        let channel = planned.and_then(|plan| Ok((self.channel(&plan)?, plan)));
        let (channel, planned) = match channel {
            Ok((channel, plan)) => (Some(channel), Ok(plan)),
            Err(refusal) => (None, Err(refusal)),
        };
        if let Some(Party { trunk, direction }) = party {
            let started = Started {
                snapshot: Arc::clone(request.snapshot),
                trunk,
                direction,
                source: request.flow.peer,
                call_id: shown(request.parts.call_id, CALL_ID_SHOWN),
                caller: recorded(caller, request.message),
                callee: dialled.unwrap_or_default(),
                recovered: false,
                channel,
            };
            let what = What::Started(Box::new(started));
            turn.out.events.push(CallEvent { dialog, at: turn.now, what });
        }
        match planned {
            Ok(plan) => self.begin_call(&admitted, (plan, identified), turn),
            Err(refusal) => self.refuse(&admitted, (refusal, &identified), turn),
        }
    }

    fn channel(&self, plan: &Plan) -> Result<Channel, Refusal> {
        let channel = plan.trunk().and_then(|trunk| trunk.usage.take_channel(trunk.config.channels));
        channel.ok_or_else(|| {
            self.counters.over_channels.add(1);
            Refusal {
                status: super::FULL,
                reason: Reason::Capacity,
                detail: "all channels of the trunk are in use",
            }
        })
    }

    fn refuse(
        &mut self,
        admitted: &Admitted<'_>,
        (refusal, identified): (Refusal, &Identified),
        turn: &mut Turn<'_>,
    ) {
        self.counters.invites_refused.add(1);
        let Request { message, flow, .. } = admitted.request;
        let phrase = identified.refused.map(stir::Failure::phrase);
        if let Some(octets) = self.own_response(message, flow, (refusal.status, phrase), &admitted.tag) {
            self.respond(admitted.server, refusal.status, &octets, turn);
        }
        let ended = Ended {
            retransmissions: Some(0),
            identity: identified.noted,
            ..Ended::new(refusal.status, refusal.reason, None)
        };
        turn.out.events.push(CallEvent { dialog: admitted.dialog, at: turn.now, what: What::Ended(ended) });
    }

    fn begin_call(
        &mut self,
        admitted: &Admitted<'_>,
        (plan, identified): (Plan, Identified),
        turn: &mut Turn<'_>,
    ) {
        let Request { message, flow, reply_to, answer, .. } = admitted.request;
        let mut caller = Side { pinned: answer.is_some(), ..Side::unknown(reply_to) };
        caller.learn_routes(message.list(HeaderId::RecordRoute));
        caller.learn_request(message, reply_to);
        let number = |trunk: &crate::sip::snapshot::Trunk| trunk.config.number;
        let trusted = plan.trunk().is_some_and(|trunk| trunk.config.trusted);
        let none_left = none_left(&plan, self.settings.node);
        let mut seen = Seen::default();
        seen.hear(End::Caller, turn.now);
        let dialog = Dialog {
            id: admitted.dialog,
            direction: plan.direction,
            trunk: plan.trunk().map(number).unwrap_or_default(),
            vendor: 0,
            call_id: Box::from(admitted.request.parts.call_id),
            call_id_shown: Box::default(),
            hides: Hides::default(),
            callee: Side::unknown(reply_to),
            forks: Vec::new(),
            shown: Box::default(),
            caller,
            confirmed: false,
            session: None,
            session_asked: None,
            repeats: 0,
            trusted,
            identities: false,
            media: None,
            profiles: None,
            asked: Asked::default(),
            offered_by: None,
            seen,
            unseen: 0,
        };
        self.keep_dialog(dialog);
        let way = Way::Plan { plan, next: 0 };
        let mut setup = Setup::new(message.clone(), flow, admitted.tag, way);
        setup.none_left = none_left;
        setup.identified = identified;
        let of = (admitted.dialog, Kind::Initial);
        self.start_call(of, admitted.server, setup, turn);
    }

    /// Begins the response context of an INVITE whose server transaction runs.
    pub(super) fn start_call(
        &mut self,
        of: (Uuid, Kind),
        server: TransactionId,
        setup: Setup,
        turn: &mut Turn<'_>,
    ) {
        let options = self.own_options();
        let mut steps = self.memory.steps.pop().unwrap_or_default();
        let call = Call::new(of, server, options, setup, &mut steps);
        let id = self.calls.insert(call);
        if let Some(transaction) = self.transactions.get_mut(server) {
            transaction.owner = Owner::Caller(id);
        }
        self.begin_steps(id, steps, turn);
    }

    /// Begins the server transaction of an INVITE; `None` when there is no room.
    pub(super) fn begin_server_invite(
        &mut self,
        request: &Request<'_>,
        turn: &mut Turn<'_>,
    ) -> Option<TransactionId> {
        let mut actions = self.memory.actions.pop().unwrap_or_default();
        let machine =
            ServerInvite::start(receive::transport(request.flow), &self.settings.timers, &mut actions);
        let key = self.keys.server(&request.parts);
        let machine = Machine::ServerInvite(machine);
        let id = self.transactions.insert(machine, key, Owner::Nobody, request.reply_to);
        let Some(id) = id else {
            self.counters.overload.add(1);
            self.reply_statelessly(request.message, request.flow, (super::FULL, None), turn);
            return None;
        };
        if let Some(transaction) = self.transactions.get_mut(id) {
            transaction.message = request.message.bytes().clone();
        }
        let hand = Hand { message: Some((request.message, request.flow)), response: None };
        self.perform(id, actions, hand, turn);
        Some(id)
    }

    /// Whether a dialog began in this process.
    pub(super) fn is_own(&self, dialog: Uuid) -> bool {
        is_of(dialog, self.settings.process)
    }

    /// Whether the request was here before and nothing that decides its way has changed since (16.3 step 4).
    fn is_loop(&self, message: &Message) -> bool {
        if message.via_count() < 2 {
            return false;
        }
        let way = self.way(message);
        let vias = message.list(HeaderId::Via).filter_map(|value| Via::parse(value).ok());
        let mut ours = vias.filter_map(|via| branch::read(self.settings.seed, via.branch?));
        ours.any(|ours| ours.way == way)
    }

    /// A digest of what decides where a request goes (16.6 step 8).
    pub(super) fn way(&self, message: &Message) -> u32 {
        // Sealed anew each time round, its Call-ID would be another one.
        let call = self.call_name(message);
        // What begins a call comes back with another number from where it was challenged. Sent once more by
        // the caller itself it has no Via of ours.
        let within = receive::to_tag(message).is_some();
        let number = message.value(HeaderId::CSeq).filter(|_| within);
        let parts = [
            message.request_uri().unwrap_or_default(),
            &*call,
            number.unwrap_or_default(),
            message.value(HeaderId::From).unwrap_or_default(),
            message.value(HeaderId::Route).unwrap_or_default(),
        ];
        let digest = branch::digest_of(self.settings.seed, parts);
        u32::try_from(digest >> 32).unwrap_or_default()
    }
}

/// What a caller is told where nothing of its plan could be tried.
fn none_left(plan: &Plan, node: u16) -> StatusCode {
    // Another node may reach what has registered there: who calls is to go on to it.
    let elsewhere = plan.contacts.iter().any(|binding| binding.stored.node != node);
    if plan.contacts.is_empty() || elsewhere {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::TEMPORARILY_UNAVAILABLE
    }
}

/// A call whose number its caller may not say is refused.
fn may_call(plan: Plan, caller: Option<&Caller>) -> Result<Plan, Refusal> {
    let refused = caller.is_some_and(|caller| caller.standing == Standing::Refused);
    if refused { Err(identity::FOREIGN) } else { Ok(plan) }
}

/// A call whose session is too short where one is asked for is refused: its caller asks for a longer one (RFC 4028 8.1).
fn long_enough(plan: Plan, request: &Message) -> Result<Plan, Refusal> {
    let timed = (0..plan.hops.len()).any(|hop| plan.session(hop).is_some());
    if !timed || !session_timer::is_too_small(request) {
        return Ok(plan);
    }
    Err(Refusal {
        status: StatusCode::SESSION_INTERVAL_TOO_SMALL,
        reason: Reason::Rejected,
        detail: "its session is shorter than any may be",
    })
}

/// A call whose caller takes reliable provisional responses alone goes to one contact after the other: those that ring at
/// the same time are not asked for them.
fn in_turn(plan: Plan, request: &Message) -> Plan {
    let reliable = request.list(HeaderId::Require).any(outgoing::is_reliable);
    if reliable { Plan { wave: 1, ..plan } } else { plan }
}

/// A dialog's number: its time first (RFC 9562 5.7), so that younger ones are greater, then the process that it began
/// in. The clock may be set back, the process is another one for certain.
fn new_dialog(now: Timestamp, process: u32, random: &runtime::random::Random) -> Uuid {
    let mut octets = [0; 10];
    random.fill(&mut octets);
    octets.iter_mut().skip(2).zip(process.to_be_bytes()).for_each(|(place, octet)| *place = octet);
    let millis = u64::try_from(now.micros() / 1000).unwrap_or_default();
    Builder::from_unix_timestamp_millis(millis, &octets).into_uuid()
}

/// Whether a dialog began in a process.
pub(crate) fn is_of(dialog: Uuid, process: u32) -> bool {
    process_of(dialog) == u128::from(process) & PROCESS_BITS
}

/// The process that a dialog began in, as its number has it: two bits are the variant's.
fn process_of(dialog: Uuid) -> u128 {
    dialog.as_u128() >> 32 & PROCESS_BITS
}

const PROCESS_BITS: u128 = 0x3FFF_FFFF;

/// When a dialog began, by its number.
pub(crate) fn began_millis(dialog: Uuid) -> i64 {
    let millis = dialog.as_u128() >> 80;
    i64::try_from(millis).unwrap_or(i64::MAX)
}

fn shown(octets: &[u8], octets_max: usize) -> String {
    String::from_utf8_lossy(octets.get(..octets_max).unwrap_or(octets)).into_owned()
}
