//! Challenges of vendors, and what their dialogs are from then on (RFC 3261, 22; RFC 7616; RFC 8760).
//!
//! A 401 or 407 is answered where it came from the address that the request went to, which is one of the vendor's own,
//! in exactly the realm of its account: whoever else asks collects answers to try passwords on. The request goes once
//! more, to the same address, with another branch, the next number and credentials. Refused again it has failed, unless
//! all that was wrong is that the nonce was too old. A challenge never reaches the other side of a call, which has no
//! credentials for it: those that it sends are taken off, and would be for us.
//!
//! In a dialog the vendor's numbers are others than the sender's from the first answer on ([`Asked`]), and what follows
//! has credentials before it is asked for them.

mod back;

use std::sync::Arc;

use bytes::Bytes;
use runtime::model::Transport;
use sip::digest::{Challenge, Credentials, Username};
use sip::transaction::{Client, ClientInvite, Machine};
use sip::{CSeq, Edits, HeaderId, Message, Method, RAck, StatusCode, Via};
use uuid::Uuid;

pub(super) use self::back::{as_refusal, restore_number, restore_unknown};
use super::attempt::UDP_MAX;
use super::call::Kind;
use super::{Hand, Turn, Worker, receive};
use crate::sip::account::Account;
use crate::sip::branch;
use crate::sip::dialog::{Challenged, Dialog, End};
use crate::sip::event::{CallEvent, What};
use crate::sip::flow::Flow;
use crate::sip::snapshot::Vendor;
use crate::sip::transactions::{Owner, TransactionId};

/// Lines in the log of challenges that are not answered.
const LOGS_PER_SECOND: u32 = 5;

/// Realms that such a line names, and the octets that it shows of each.
const REALMS_TOLD: usize = 3;
const REALM_TOLD_MAX: usize = 64;

/// The parameter of our Via that counts the challenges which a request answers: its number is so much more than its
/// sender's. The response brings it back, also to a process that knows nothing of the request.
const ANSWERS: &str = "n";

/// Why a challenge is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Unanswered {
    #[error("it is of no vendor that has an account and this address")]
    NoAccount,
    #[error("it came from another address than the request went to")]
    Elsewhere,
    #[error("none is of the account's realm, of a known algorithm, and without qop or with auth")]
    Foreign,
    #[error(
        "two vendors with this address have accounts of this realm, and which of them it is is not known"
    )]
    Ambiguous,
    #[error("the answer was refused: username or password may be wrong")]
    Refused,
    #[error("its nonce and opaque have more than {} octets", Challenged::MAX)]
    TooLong,
    #[error("the request cannot be sent once more")]
    Unsendable,
}

/// The header whose challenges a 401 or a 407 has.
fn asked_by(status: StatusCode) -> HeaderId {
    match status {
        StatusCode::UNAUTHORIZED => HeaderId::WwwAuthenticate,
        _ => HeaderId::ProxyAuthenticate,
    }
}

/// The realms that challenges ask in, for the log: whoever set up an account sees there what to write.
pub(super) fn realms<'a>(values: impl Iterator<Item = &'a [u8]>) -> String {
    let asked = values.filter_map(|value| Challenge::parse(value).ok()).take(REALMS_TOLD);
    let told = asked.map(|challenge| {
        let head = challenge.realm.get(..REALM_TOLD_MAX).unwrap_or(challenge.realm);
        head.escape_ascii().to_string()
    });
    told.collect::<Vec<_>>().join(", ")
}

/// A request as it goes once more.
struct Again {
    octets: Bytes,
    branch: [u8; branch::LEN],
    method: Method,
    /// How many challenges it answers.
    challenges: u8,
    challenged: Challenged,
}

impl Worker {
    /// A final response to a request of this transaction. Whether it is a challenge that was answered: then the request
    /// is on its way once more, and nobody is to hear of this.
    pub(super) fn answer_challenge(
        &mut self,
        id: TransactionId,
        status: StatusCode,
        hand: Hand<'_>,
        turn: &mut Turn<'_>,
    ) -> bool {
        let Some((response, from)) = hand.message.filter(|_| is_challenge(status)) else { return false };
        let Some(owner) = self.transactions.get(id).map(|transaction| transaction.owner) else {
            return false;
        };
        if !self.is_wanted(id, owner) {
            return false;
        }
        let Some((flow, request)) = self.stored_request(id) else { return false };
        let answered = self.again((id, owner), (flow, &request), (response, from), status);
        let sent = answered.and_then(|again| {
            let sent = self.send_again((id, owner), flow, again, turn);
            sent.ok_or(Unanswered::Unsendable)
        });
        match sent {
            Ok(()) => self.counters.challenges_answered.add(1),
            Err(reason) => {
                self.counters.challenges_unanswered.add(1);
                if self.challenge_log.take_attempt(LOGS_PER_SECOND, turn.now.instant) {
                    let (peer, realms) = (from.peer, realms(response.values(asked_by(status))));
                    let status = status.as_u16();
                    tracing::warn!(%peer, status, %reason, %realms, "a challenge is not answered");
                }
            }
        }
        sent.is_ok()
    }

    /// Whether anybody waits for what comes of a request.
    fn is_wanted(&self, id: TransactionId, owner: Owner) -> bool {
        match owner {
            Owner::Branch(call, branch) => self.calls.get(call).is_some_and(|call| {
                let attempt = call.attempts.get(branch.index());
                call.context.is_trying(branch) && attempt.is_some_and(|one| one.transaction == Some(id))
            }),
            Owner::Register(register) => {
                let snapshot = self.snapshot.load();
                let registration =
                    register.find(&snapshot).and_then(|(_, target)| target.registration.as_deref());
                registration.is_some_and(|known| known.is_asking(register.due.cseq))
            }
            // What a side of ours asks is its own matter.
            Owner::Alive(id, end, _) => self.is_vendor_of(id, end),
            Owner::Relay(_) | Owner::Bye(..) => true,
            Owner::Nobody | Owner::Caller(_) | Owner::Sender(_) | Owner::Probe(_) => false,
        }
    }

    fn is_vendor_of(&self, dialog: Uuid, end: End) -> bool {
        self.dialogs.get(&dialog).is_some_and(|dialog| dialog.vendor_end() == end)
    }

    /// The request with the answer to a challenge.
    fn again(
        &mut self,
        (id, owner): (TransactionId, Owner),
        (flow, request): (Flow, &Message),
        (response, from): (&Message, Flow),
        status: StatusCode,
    ) -> Result<Again, Unanswered> {
        if from.peer != flow.peer || from.transport != flow.transport {
            return Err(Unanswered::Elsewhere);
        }
        let asks = asked_by(status);
        let header = match status {
            StatusCode::UNAUTHORIZED => HeaderId::Authorization,
            _ => HeaderId::ProxyAuthorization,
        };
        let accounts = self.accounts_of(owner, flow, said_in(request, header));
        if accounts.is_empty() {
            return Err(Unanswered::NoAccount);
        }
        let offered = |account: &Arc<Account>| {
            let challenge = Challenge::strongest(response.values(asks), account.realm.as_bytes())?;
            Some((Arc::clone(account), challenge))
        };
        let mut offered = accounts.iter().filter_map(offered);
        let (account, challenge) = offered.next().ok_or(Unanswered::Foreign)?;
        if offered.next().is_some() {
            return Err(Unanswered::Ambiguous);
        }
        let before = self.transactions.get(id).map_or(u8::MAX, |transaction| transaction.challenges);
        if before > u8::from(challenge.stale) {
            return Err(Unanswered::Refused);
        }
        if !Challenged::fits(&challenge) {
            return Err(Unanswered::TooLong);
        }
        let challenged = Challenged::new(header, &challenge).ok_or(Unanswered::Foreign)?;
        let again = self.with_answer((owner, request), &account, challenged, before + 1);
        again.ok_or(Unanswered::Unsendable)
    }

    /// A request with another branch, the next number and credentials.
    fn with_answer(
        &mut self,
        (owner, request): (Owner, &Message),
        account: &Account,
        mut challenged: Challenged,
        challenges: u8,
    ) -> Option<Again> {
        let via = Via::parse(request.list(HeaderId::Via).next()?).ok()?;
        let cseq = CSeq::parse(request.value(HeaderId::CSeq)?).ok()?;
        let uri = request.request_uri()?;
        let value = challenged.sign(account, (cseq.method, uri), self.random.u64())?;
        let before = via.branch?;
        let way = branch::read(self.settings.seed, before).map_or(0, |ours| ours.way);
        let branch = self.branches.make(way);
        let mut edits = Edits::new(request);
        match via.params.get(ANSWERS.as_bytes()).and_then(|counted| counted.value) {
            Some(counted) => {
                edits.replace(before, &branch).ok()?;
                edits.replace(counted, format!("{challenges}").as_bytes()).ok()?;
            }
            None => {
                let counted = format!(";{ANSWERS}={challenges}");
                edits.replace(before, &[&branch, counted.as_bytes()].concat()).ok()?;
            }
        }
        if self.is_initial(owner) {
            // What follows the call knows its numbers by it, in whichever process.
            self.change_cookie(&mut edits, |_| true, |cookie| cookie.answers = challenges)?;
        }
        let next = match self.place_in_dialog(owner) {
            Some((dialog, (_, sent))) => self.dialogs.get(&dialog)?.asked.next(sent),
            // It has the number of the last request, and stays out of the way of the next.
            None if matches!(owner, Owner::Alive(..)) => cseq.number,
            None => cseq.number.checked_add(1)?,
        };
        edits.set(HeaderId::CSeq, &cseq_of(next, cseq.method)).ok()?;
        edits.set(challenged.header, &value).ok()?;
        let octets = self.written(|out| {
            edits.write(out);
            true
        })?;
        let method = Method::from_bytes(cseq.method);
        challenged.of_invite = Some(value).filter(|_| method == Method::Invite);
        Some(Again { octets, branch, method, challenges, challenged })
    }

    /// Whether a request begins a call.
    fn is_initial(&self, owner: Owner) -> bool {
        let Owner::Branch(call, _) = owner else { return false };
        self.calls.get(call).is_some_and(|call| call.kind == Kind::Initial)
    }

    /// Sends it in a transaction of its own, in place of the first; `None` when there is no room.
    fn send_again(
        &mut self,
        (id, owner): (TransactionId, Owner),
        flow: Flow,
        again: Again,
        turn: &mut Turn<'_>,
    ) -> Option<()> {
        let Again { octets, branch, method, challenges, mut challenged } = again;
        let mut actions = self.memory.actions.pop().unwrap_or_default();
        let (transport, timers) = (receive::transport(flow), &self.settings.timers);
        let machine = if method == Method::Invite {
            Machine::ClientInvite(ClientInvite::start(transport, timers, &mut actions))
        } else {
            Machine::Client(Client::start(transport, timers, &mut actions))
        };
        let key = self.keys.client(&branch, method);
        let new = self.transactions.insert(machine, key, owner, flow)?;
        if method == Method::Invite && flow.transport == Transport::Udp && octets.len() > UDP_MAX {
            self.counters.oversize_fragmented.add(1);
        }
        let stored = self.transactions.get_mut(new)?;
        (stored.message, stored.challenges) = (octets, challenges);
        // What still comes of the first is nobody's.
        if let Some(first) = self.transactions.get_mut(id) {
            first.owner = Owner::Nobody;
        }
        if let Owner::Branch(call, branch) = owner
            && let Some(attempt) =
                self.calls.get_mut(call).and_then(|call| call.attempts.get_mut(branch.index()))
        {
            attempt.transaction = Some(new);
        }
        if let Some((dialog, (number, sent))) = self.place_in_dialog(owner)
            && let Some(dialog) = self.dialogs.get_mut(&dialog)
        {
            dialog.asked.again(number, sent);
            let of_invite = dialog.asked.last.take().and_then(|last| last.of_invite);
            challenged.of_invite = challenged.of_invite.or(of_invite);
            dialog.asked.last = Some(Box::new(challenged));
            // The next process has to know the numbers; those of a call that rings come with its answer.
            if dialog.confirmed && method != Method::Bye {
                let what = What::Refreshed(Arc::new(Dialog::clone(dialog)));
                turn.out.events.push(CallEvent { dialog: dialog.id, at: turn.now, what });
            }
        }
        self.perform(new, actions, Hand::default(), turn);
        Some(())
    }

    /// The dialog that a request to a vendor is of, its number as its sender has it, and the highest that this one has sent
    /// there.
    fn place_in_dialog(&self, owner: Owner) -> Option<(Uuid, (u32, u32))> {
        let (id, from, number) = self.asked_in(owner)?;
        let dialog = self.dialogs.get(&id).filter(|dialog| dialog.vendor_end() != from)?;
        let number = number?;
        Some((id, (number, dialog.side(from).cseq.max(number))))
    }

    /// The dialog that a request is of, who sent it, and its number there.
    fn asked_in(&self, owner: Owner) -> Option<(Uuid, End, Option<u32>)> {
        match owner {
            Owner::Branch(call, _) => {
                self.calls.get(call).map(|call| (call.dialog, call.kind.sender(), call.number))
            }
            Owner::Relay(relay) => Some((relay.dialog, relay.from, relay.number)),
            Owner::Nobody
            | Owner::Caller(_)
            | Owner::Sender(_)
            | Owner::Probe(_)
            | Owner::Register(_)
            | Owner::Bye(..)
            | Owner::Alive(..) => None,
        }
    }

    /// Accounts that a challenge to a request may be answered with: that of the vendor that it went to. Whose a BYE of
    /// ours is, is not always known: else the address says it, and the name that was said before.
    fn accounts_of(&self, owner: Owner, flow: Flow, said: Option<&[u8]>) -> Vec<Arc<Account>> {
        let number = match owner {
            Owner::Register(register) => Some(register.vendor),
            Owner::Bye(_, vendor) => vendor,
            Owner::Alive(id, end, _) => {
                let dialog = self.dialogs.get(&id).filter(|dialog| dialog.vendor_end() == end);
                let Some(dialog) = dialog else { return Vec::new() };
                Some(dialog.vendor)
            }
            Owner::Branch(..) | Owner::Relay(_) => {
                let asked = self.asked_in(owner);
                let asked = asked.and_then(|(id, from, _)| Some((self.dialogs.get(&id)?, from)));
                let Some((dialog, _)) = asked.filter(|(dialog, from)| dialog.vendor_end() != *from) else {
                    return Vec::new();
                };
                Some(dialog.vendor)
            }
            Owner::Nobody | Owner::Caller(_) | Owner::Sender(_) | Owner::Probe(_) => None,
        };
        let is_it = |vendor: &&Vendor| {
            number.is_none_or(|number| vendor.config.number == number) && vendor.is_at(flow.peer.ip())
        };
        let is_said = |account: &Arc<Account>| said.is_none_or(|said| account.username.as_bytes() == said);
        let snapshot = self.snapshot.load();
        let accounts = snapshot.vendors.iter().filter(is_it).filter_map(|vendor| vendor.account.clone());
        accounts.filter(is_said).collect()
    }

    /// The account at a vendor that has this address.
    fn account_at(&self, vendor: u32, flow: Flow) -> Option<Arc<Account>> {
        let snapshot = self.snapshot.load();
        let found = snapshot.vendors.iter().find(|found| found.config.number == vendor)?;
        found.account.clone().filter(|_| found.is_at(flow.peer.ip()))
    }

    /// A request within a dialog, and the session that it asks for, as the vendor is to get it that has challenged one
    /// before.
    pub(super) fn for_vendor(
        &mut self,
        (octets, session): (Bytes, Option<u32>),
        (id, from): (Uuid, End),
        flow: Flow,
    ) -> Option<(Bytes, Option<u32>)> {
        let dialog = self.dialogs.get(&id);
        let asked = dialog.filter(|dialog| !dialog.asked.is_never() && dialog.vendor_end() != from);
        let Some(dialog) = asked else { return Some((octets, session)) };
        let message = self.parsed(&octets)?;
        let cseq = CSeq::parse(message.value(HeaderId::CSeq)?).ok()?;
        let number = dialog.asked.to_vendor(cseq.number);
        let rack = message.value(HeaderId::RAck).and_then(|value| RAck::parse(value).ok());
        let rack = rack.map(|RAck { rseq, cseq: CSeq { number, method } }| {
            [format!("{rseq} ").as_bytes(), &cseq_of(dialog.asked.to_vendor(number), method)].concat()
        });
        let credentials = self.credentials_within(id, (&message, cseq.method), flow);
        let mut edits = Edits::new(&message);
        edits.set(HeaderId::CSeq, &cseq_of(number, cseq.method)).ok()?;
        if let Some(rack) = rack {
            edits.set(HeaderId::RAck, &rack).ok()?;
        }
        if let Some((header, value)) = credentials {
            edits.set(header, &value).ok()?;
        }
        let octets = self.written(|out| {
            edits.write(out);
            true
        });
        octets.map(|octets| (octets, session))
    }

    /// Credentials for a request within a dialog by the last challenge there.
    fn credentials_within(
        &mut self,
        id: Uuid,
        (message, method): (&Message, &[u8]),
        flow: Flow,
    ) -> Option<(HeaderId, Box<[u8]>)> {
        let account = self.account_at(self.dialogs.get(&id)?.vendor, flow)?;
        let drawn = self.random.u64();
        let challenged = self.dialogs.get_mut(&id)?.asked.last.as_deref_mut()?;
        let header = challenged.header;
        // Nobody can ask for an ACK: it has what its INVITE had (22.1).
        if method == b"ACK" {
            return Some((header, challenged.of_invite.clone()?));
        }
        let value = challenged.sign(&account, (method, message.request_uri()?), drawn)?;
        if method == b"INVITE" {
            challenged.of_invite = Some(value.clone());
        }
        Some((header, value))
    }

    /// A BYE of ours with credentials, where the vendor of the dialog that it ends has challenged a request of it.
    /// Without them it is challenged too.
    pub(super) fn bye_signed(&mut self, bye: Bytes, ended: Option<&Dialog>, flow: Flow) -> Bytes {
        let challenged = ended.and_then(|dialog| Some((dialog.vendor, dialog.asked.last.clone()?)));
        let signed = challenged.and_then(|(vendor, mut challenged)| {
            let account = self.account_at(vendor, flow)?;
            let message = self.parsed(&bye)?;
            let (method, uri) = (Method::Bye.as_str().as_bytes(), message.request_uri()?);
            let value = challenged.sign(&account, (method, uri), self.random.u64())?;
            self.with_header(&message, challenged.header, &value)
        });
        signed.unwrap_or(bye)
    }

    /// What one side of a call that is up is asked, with credentials where that is the vendor, which has
    /// challenged a request before.
    pub(super) fn question_signed(&mut self, question: Bytes, (id, end): (Uuid, End), flow: Flow) -> Bytes {
        let asked = |dialog: &Dialog| dialog.vendor_end() == end && dialog.asked.last.is_some();
        if !self.dialogs.get(&id).is_some_and(asked) {
            return question;
        }
        let signed = self.parsed(&question).and_then(|message| {
            let method = Method::Options.as_str().as_bytes();
            let (header, value) = self.credentials_within(id, (&message, method), flow)?;
            self.with_header(&message, header, &value)
        });
        signed.unwrap_or(question)
    }

    fn with_header(&mut self, message: &Message, header: HeaderId, value: &[u8]) -> Option<Bytes> {
        let mut edits = Edits::new(message);
        edits.set(header, value).ok()?;
        self.edited(&edits)
    }
}

/// Whether a response asks who we are.
pub(super) const fn is_challenge(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED)
}

/// The name in the credentials of a request of ours.
fn said_in(request: &Message, header: HeaderId) -> Option<&[u8]> {
    match Credentials::parse(request.value(header)?).ok()?.username {
        Username::Plain(name) => Some(name),
        Username::Hashed(_) | Username::Encoded(_) => None,
    }
}

fn cseq_of(number: u32, method: &[u8]) -> Vec<u8> {
    [format!("{number} ").as_bytes(), method].concat()
}
