//! A worker between made-up customers and vendors, in made-up time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::{Bytes, BytesMut};
use runtime::clock::Timestamp;
use runtime::model::{
    AclEntry, Attestation, AuthType, Customer, Did, Fork, Gateway, IdentityProfile, MediaProfile, Money,
    Offer, Oversize, Partition, SipVendor, Transport, Trunk, VendorStatus, VerifyIdentity, Versions, Voice,
};
use runtime::random::Random;
use sip::digest::Hash;
use sip::register::Rules;
use sip::transaction::TimerOptions;
use sip::{HeaderId, Limits, Message, Response, StatusCode};
use uuid::Uuid;

use super::account::Accounts;
use super::bindings::{Bindings, By, Held};
use super::cookie::{Keys, Secret};
use super::counters::Counters;
use super::dialog::Dialog;
use super::digest::Users;
use super::event::{CallEvent, What};
use super::finder::ToFinder;
use super::flow::{Flow, Undelivered};
use super::identities::Identities;
use super::registrar::{self, ToRegistrar, Told};
use super::settings::{Listener, Settings};
use super::snapshot::Snapshot;
use super::transactions::Now;
use super::worker::{Connected, Input, Output, Parts, ToMedia, Worker};
use crate::media::pool::Pool;

/// Where the customer of trunk 1 calls from.
pub(crate) const CUSTOMER: &str = "192.0.2.10:5060";
/// Where vendors 1, 2 and 3 are.
pub(crate) const VENDORS: [&str; 3] = ["198.51.100.1:5060", "198.51.100.2:5060", "198.51.100.3:5070"];
/// Somebody.
pub(crate) const STRANGER: &str = "203.0.113.66:5060";
pub(crate) const START: i64 = 1_790_000_000_000_000;

/// A configuration: one customer, one trunk, three vendors by ascending rate, one number.
pub(crate) fn voice() -> Voice {
    let id = |number: u128| Uuid::from_u128(number);
    let acl = AclEntry {
        id: id(11),
        trunk: id(10),
        network: "192.0.2.10".parse().unwrap(),
        port: None,
        transport: None,
    };
    let offer = |vendor: u128| Offer {
        id: id(40 + vendor),
        partition: id(20),
        prefix: String::new(),
        vendor: id(30 + vendor),
        rate: Money::from_nanos(i64::try_from(vendor).unwrap() * 1_000_000),
        priority: 0,
        weight: 1,
        blocked: false,
    };
    Voice {
        version: 1,
        parts: Versions::default(),
        customers: vec![Customer {
            id: id(1),
            ban: "TB-1".parse().unwrap(),
            company_name: "Acme".to_owned(),
            status: "ACTIVE".to_owned(),
            kind: "POSTPAID".to_owned(),
            services: Vec::new(),
        }],
        trunks: vec![trunk()],
        acl: vec![acl],
        dedicated: Vec::new(),
        vendors: (1..=3).map(vendor).collect(),
        partitions: vec![Partition { id: id(20), number: 1, name: "premium".to_owned() }],
        offers: (1..=3).map(offer).collect(),
        high_cost: Vec::new(),
        dids: vec![Did {
            id: id(50),
            number: "15550100".to_owned(),
            customer: Some(id(1)),
            account: None,
            trunk: Some(id(10)),
        }],
        media_nodes: Vec::new(),
    }
}

fn trunk() -> Trunk {
    Trunk {
        id: Uuid::from_u128(10),
        number: 1,
        name: "acme-main".to_owned(),
        customer: Uuid::from_u128(1),
        auth_type: AuthType::IpAcl,
        digest: None,
        active: true,
        cps: 0,
        channels: 0,
        partition: Some(Uuid::from_u128(20)),
        allow: Vec::new(),
        deny: vec!["1900".to_owned()],
        opened: Vec::new(),
        rate_max: None,
        trusted: false,
        identity: IdentityProfile::default(),
        hide_topology: false,
        max_duration: Duration::ZERO,
        session_expires: Duration::ZERO,
        callee_rules: Vec::new(),
        caller_rules: Vec::new(),
        header_rules: Vec::new(),
        gateways: vec!["sip:192.0.2.10".parse().unwrap()],
        media: MediaProfile::default(),
        verify_identity: VerifyIdentity::Off,
        attestation_max: Attestation::A,
        fork: Fork::Serial,
    }
}

fn vendor(number: u32) -> SipVendor {
    let place = usize::try_from(number - 1).unwrap();
    let gateway: Gateway = format!("sip:{}", VENDORS[place]).parse().unwrap();
    SipVendor {
        id: Uuid::from_u128(30 + u128::from(number)),
        number,
        name: format!("vendor-{number}"),
        status: VendorStatus::Active,
        gateways: vec![gateway],
        networks: Vec::new(),
        cps: 0,
        channels: 0,
        priority: 0,
        weight: 1,
        pdd_timeout: Duration::from_secs(4),
        ring_timeout: Duration::from_secs(185),
        session_expires: Duration::ZERO,
        failover_statuses: Vec::new(),
        failover_after_early_media: false,
        probe_interval: Duration::ZERO,
        oversize: Oversize::Fragment,
        callee_rules: Vec::new(),
        caller_rules: Vec::new(),
        header_rules: Vec::new(),
        trusted: false,
        identity: IdentityProfile::default(),
        hide_topology: false,
        media: MediaProfile::default(),
        account: None,
        verify_identity: VerifyIdentity::Off,
        sign_calls: false,
    }
}

/// What a worker sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) to: SocketAddr,
    pub(crate) transport: Transport,
    pub(crate) message: Message,
    pub(crate) sender: u64,
}

impl Sent {
    /// `100`, `INVITE`: what it is, in a word.
    pub(crate) fn word(&self) -> String {
        match self.message.status_code() {
            Some(code) => code.to_string(),
            None => self.message.method().unwrap().as_str().to_owned(),
        }
    }

    pub(crate) fn value(&self, id: HeaderId) -> String {
        text(self.message.value(id).unwrap_or_default())
    }

    pub(crate) fn text(&self) -> String {
        text(self.message.bytes())
    }
}

pub(crate) fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// What a list of messages is and where each goes, in words: `100>192.0.2.10:5060`.
pub(crate) fn words(sent: &[Sent]) -> Vec<String> {
    sent.iter().map(|sent| format!("{}>{}", sent.word(), sent.to)).collect()
}

/// A worker, and the time.
pub(crate) struct Node {
    pub(crate) worker: Worker,
    pub(crate) now: Now,
    pub(crate) events: Vec<CallEvent>,
    pub(crate) counters: Arc<Counters>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    pub(crate) media: Arc<Pool>,
    /// What media nodes were asked for.
    pub(crate) asked: Vec<ToMedia>,
    pub(crate) bindings: Arc<Bindings>,
    /// What the registrar was asked for.
    pub(crate) registering: Vec<ToRegistrar>,
    /// Calls that the finder was asked for, and calls that were let go of.
    pub(crate) looks: Vec<ToFinder>,
    pub(crate) given: Vec<Uuid>,
    /// The one connection that is not up.
    pub(crate) gone: Arc<AtomicU64>,
    random: Random,
}

impl Node {
    pub(crate) fn new() -> Self {
        Self::with(voice())
    }

    pub(crate) fn with(voice: Voice) -> Self {
        Self::started(voice, START)
    }

    /// A node that listens on UDP, or on UDP and TCP.
    pub(crate) fn with_listeners(voice: Voice, listeners: usize) -> Self {
        Self::built(voice, START, listeners, (1000, 100))
    }

    /// A node whose trunks may say by digest who they are.
    pub(crate) fn with_digests(voice: Voice, users: Users) -> Self {
        Self::with_digests_over(voice, users, 1)
    }

    /// The same, which listens on UDP, or on UDP and TCP.
    pub(crate) fn with_digests_over(voice: Voice, users: Users, listeners: usize) -> Self {
        let node = Self::with_listeners(voice.clone(), listeners);
        let snapshot = Snapshot::new(voice, None, &|_| Vec::new(), node.now.instant);
        node.snapshot.store(Arc::new(snapshot.with_digests(users)));
        node
    }

    /// A node with accounts at its vendors that started at this time, microseconds.
    pub(crate) fn with_accounts(voice: Voice, accounts: &Accounts, started: i64) -> Self {
        let node = Self::started(voice.clone(), started);
        let snapshot = Snapshot::new(voice, None, &|_| Vec::new(), node.now.instant);
        node.snapshot.store(Arc::new(snapshot.with_accounts(accounts)));
        node
    }

    /// A node that started at this time, microseconds; its keys are those of every other one.
    pub(crate) fn started(voice: Voice, started: i64) -> Self {
        Self::built(voice, started, 1, (1000, 100))
    }

    /// A node with room for so many transactions and dialogs.
    pub(crate) fn roomy(room: (usize, usize)) -> Self {
        Self::built(voice(), START, 1, room)
    }

    /// A node that signs and checks calls with these.
    pub(crate) fn with_identities(voice: Voice, identities: &Arc<Identities>) -> Self {
        Self::built_with(voice, START, 1, (1000, 100), Arc::clone(identities))
    }

    /// The same, which listens on UDP and TCP.
    pub(crate) fn with_identities_over_both(voice: Voice, identities: &Arc<Identities>) -> Self {
        Self::built_with(voice, START, 2, (1000, 100), Arc::clone(identities))
    }

    fn built(voice: Voice, started: i64, listeners: usize, room: (usize, usize)) -> Self {
        Self::built_with(voice, started, listeners, room, Arc::default())
    }

    fn built_with(
        voice: Voice,
        started: i64,
        listeners: usize,
        (transactions_max, dialogs_max): (usize, usize),
        identities: Arc<Identities>,
    ) -> Self {
        let instant = tokio::time::Instant::now().into_std();
        let now = Now { instant, wall: Timestamp::from_micros(started) };
        let snapshot = Snapshot::new(voice, None, &|_| Vec::new(), instant);
        let snapshot = Arc::new(ArcSwap::from_pointee(snapshot));
        let address = "203.0.113.5:5060".parse().unwrap();
        let listeners = [Transport::Udp, Transport::Tcp].into_iter().take(listeners);
        let listener = |transport| Listener::new(transport, address, "").unwrap();
        let listeners = listeners.map(listener).collect();
        let settings = Settings { transactions_max, dialogs_max, identities, ..settings(now, listeners) };
        let counters = Arc::new(Counters::default());
        let media = Arc::new(Pool::default());
        media.configure(&snapshot.load().media_nodes, instant);
        media.nodes().iter().for_each(|node| {
            node.health.heard(Duration::from_millis(1), instant);
        });
        let bindings = Arc::new(Bindings::default());
        let gone = Arc::new(AtomicU64::new(u64::MAX));
        let up = Arc::clone(&gone);
        let parts = Parts {
            settings: Arc::new(settings),
            snapshot: Arc::clone(&snapshot),
            worker: 1,
            random: Random::seeded(started.cast_unsigned()),
            counters: Arc::clone(&counters),
            is_connected: Connected(Arc::new(move |connection: u64| {
                connection != up.load(Ordering::Relaxed)
            })),
            media: Arc::clone(&media),
            bindings: Arc::clone(&bindings),
        };
        let worker = Worker::new(parts, now);
        let (events, asked, registering, random) = (Vec::new(), Vec::new(), Vec::new(), Random::seeded(9));
        let (looks, given) = (Vec::new(), Vec::new());
        Self {
            worker,
            now,
            events,
            counters,
            snapshot,
            media,
            asked,
            bindings,
            registering,
            looks,
            given,
            gone,
            random,
        }
    }

    /// Another configuration comes into force.
    pub(crate) fn configure(&self, voice: Voice, users: Users) {
        let before = self.snapshot();
        let snapshot = Snapshot::new(voice, Some(&before), &|_| Vec::new(), self.now.instant);
        self.snapshot.store(Arc::new(snapshot.with_digests(users)));
    }

    /// Another configuration comes into force, with accounts at its vendors.
    pub(crate) fn configure_accounts(&self, voice: Voice, accounts: &Accounts) {
        let before = self.snapshot();
        let snapshot = Snapshot::new(voice, Some(&before), &|_| Vec::new(), self.now.instant);
        self.snapshot.store(Arc::new(snapshot.with_accounts(accounts)));
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// A message comes in.
    pub(crate) fn receive(&mut self, from: &str, octets: impl Into<Bytes>) -> Vec<Sent> {
        let message = Message::parse_datagram(octets.into(), &Limits::default()).unwrap();
        let peer = from.parse().unwrap();
        let flow = Flow { listener: 0, transport: Transport::Udp, peer, connection: 0 };
        self.handle(vec![Input::Message(flow, message)])
    }

    pub(crate) fn undelivered(&mut self, sent: &Sent) -> Vec<Sent> {
        self.handle(vec![Input::Undelivered(Undelivered { sender: Some(sent.sender), peer: sent.to })])
    }

    pub(crate) fn handle(&mut self, mut inputs: Vec<Input>) -> Vec<Sent> {
        let mut out = Output::default();
        self.worker.handle(&mut inputs, self.now, &mut out);
        self.events.append(&mut out.events);
        self.asked.append(&mut out.media);
        self.registering.append(&mut out.registers);
        self.looks.append(&mut out.looks);
        self.given.append(&mut out.given);
        let sent = |outbound: super::flow::Outbound| Sent {
            to: outbound.flow.peer,
            transport: outbound.flow.transport,
            message: Message::parse_datagram(outbound.octets, &Limits::default()).unwrap(),
            sender: outbound.sender,
        };
        out.messages.into_iter().map(sent).collect()
    }

    /// The registrar does what it was asked for, and has made it durable.
    pub(crate) fn registrar(&mut self) -> Vec<Sent> {
        let rules = Rules::default();
        let (now, random, is_connected) = (self.now, &self.random, |_: u64| true);
        let by = By { node: 7, now, rules: &rules, random, is_connected: &is_connected };
        let mut inputs = Vec::new();
        for ToRegistrar { asker, ask, .. } in self.registering.drain(..) {
            let live = self.bindings.of(ask.trunk, self.now.wall);
            let mut held = Held { live, free: Vec::new() };
            let (outcome, _) = registrar::decide(&ask, &mut held, &by);
            self.bindings.put(ask.trunk, held.live);
            inputs.push(Input::Registered(Told { asker, outcome }));
        }
        self.handle(inputs)
    }

    /// Time passes; what is sent meanwhile.
    pub(crate) fn pass(&mut self, time: Duration) -> Vec<Sent> {
        let end = self.now.plus(time);
        let mut sent = Vec::new();
        while let Some(next) = self.worker.next_deadline().filter(|next| *next <= end.instant) {
            self.now = self.now.plus(next.saturating_duration_since(self.now.instant));
            sent.append(&mut self.handle(Vec::new()));
        }
        self.now = end;
        sent.append(&mut self.handle(Vec::new()));
        sent
    }

    /// What has happened to calls since it was last asked, in words.
    pub(crate) fn happened(&mut self) -> Vec<String> {
        let word = |event: &CallEvent| match &event.what {
            What::Started(_) => "started".to_owned(),
            What::Attempted(attempted) => {
                format!("attempt {} {}", attempted.vendor + 1, attempted.status.as_u16())
            }
            What::Answered(_) => "answered".to_owned(),
            What::Refreshed(_) => "refreshed".to_owned(),
            What::Ended(ended) => {
                format!("ended {} {} {:?}", ended.status.as_u16(), ended.reason.as_str(), ended.by)
            }
            What::Media(_) => "media".to_owned(),
        };
        std::mem::take(&mut self.events).iter().map(word).collect()
    }

    /// Half a minute and more passes, after which nothing may be left of what has ended.
    pub(crate) fn settle(&mut self) {
        self.pass(Duration::from_secs(300));
        assert!(self.worker.is_empty(), "{:#?}", self.worker);
    }
}

/// What a node with two workers is told that started now.
pub(crate) fn settings(now: Now, listeners: Vec<Listener>) -> Settings {
    Settings {
        node: 7,
        listeners,
        timers: TimerOptions { trying: Duration::ZERO, ..TimerOptions::default() },
        timer_c: Duration::from_secs(185),
        seed: (3, 4),
        workers: 2,
        cookies: Keys::new(Secret { number: 1, key: [7; 16] }, None),
        started_at: now.wall,
        process: u32::try_from(now.wall.micros() / 1_000_000).unwrap(),
        answer_strangers: true,
        strangers_per_second: 10,
        digests: Hash::STRONGEST_FIRST.to_vec(),
        transactions_max: 1000,
        call_max: Duration::ZERO,
        shared: false,
        dead_call_probe: Duration::ZERO,
        media_leftovers: Duration::from_secs(900),
        session_timers: true,
        toll_fraud_factor: 8,
        dialogs_max: 100,
        queue_age_max: Duration::from_millis(100),
        flood_per_source: 0,
        registrations: Rules::default(),
        limits: Limits::default(),
        identities: Arc::default(),
    }
}

/// An INVITE of the customer, with a branch of its own for each `call`.
pub(crate) fn invite(call: &str, number: &str) -> String {
    format!(
        "INVITE sip:{number}@203.0.113.5 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-{call}-1;rport\r\n\
         Max-Forwards: 70\r\n\
         From: \"A\" <sip:+15550001@192.0.2.10>;tag=from-{call}\r\n\
         To: <sip:{number}@203.0.113.5>\r\n\
         Call-ID: {call}@192.0.2.10\r\n\
         CSeq: 1 INVITE\r\n\
         Contact: <sip:caller@192.0.2.10:5060>\r\n\
         P-Asserted-Identity: <sip:spoofed@192.0.2.10>\r\n\
         x-secret: 1\r\n\
         Content-Type: application/sdp\r\n\
         Content-Length: 5\r\n\r\nv=0\r\n"
    )
}

/// A response of a vendor or customer to what it was sent: with a tag, a Contact and the Record-Routes.
pub(crate) fn response(request: &Sent, code: u16, tag: &str) -> Bytes {
    let status = StatusCode::new(code).unwrap();
    let contact = format!("<sip:callee@{}>", request.to);
    let response = Response {
        to_tag: Some(tag.as_bytes()),
        record_route: true,
        headers: &[("Contact", contact.as_bytes())],
        ..Response::new(status)
    };
    let mut out = BytesMut::new();
    response.write(&request.message, &mut out).unwrap();
    out.freeze()
}

/// A dialog that is up, of `from-a` and this callee.
pub(crate) fn dialog(callee: &str) -> Arc<Dialog> {
    let mut node = Node::new();
    let sent = node.receive(CUSTOMER, invite("a", "+15551234"));
    node.receive(VENDORS[0], response(&sent[1], 200, callee));
    let answered = node.events.into_iter().find_map(|event| match event.what {
        What::Answered(answered) => Some(answered.dialog),
        What::Started(_) | What::Attempted(_) | What::Refreshed(_) | What::Ended(_) | What::Media(_) => None,
    });
    answered.expect("it is answered")
}

/// A request within a dialog, as the side that got `last` (a 2xx, or the INVITE) makes it.
pub(crate) struct Within<'a> {
    pub(crate) method: &'a str,
    pub(crate) cseq: u32,
    pub(crate) branch: &'a str,
}

impl Within<'_> {
    /// By the caller, who got this 2xx.
    pub(crate) fn caller(&self, ok: &Sent) -> String {
        let routes: Vec<String> = ok.message.list(HeaderId::RecordRoute).map(text).collect();
        let routes = routes.into_iter().rev().collect();
        self.write(ok, routes, (HeaderId::From, HeaderId::To), "192.0.2.10:5060")
    }

    /// By the callee, who got this INVITE and answered with the tag.
    pub(crate) fn callee(&self, invite: &Sent, tag: &str) -> String {
        let routes = invite.message.list(HeaderId::RecordRoute).map(text).collect();
        let written = self.write(invite, routes, (HeaderId::To, HeaderId::From), &invite.to.to_string());
        let from = invite.value(HeaderId::To);
        written.replace(&format!("From: {from}\r\n"), &format!("From: {from};tag={tag}\r\n"))
    }

    fn write(&self, last: &Sent, routes: Vec<String>, names: (HeaderId, HeaderId), via: &str) -> String {
        let contact = last.value(HeaderId::Contact);
        let target = contact.split(['<', '>']).nth(1).unwrap_or(&contact);
        let routes: String = routes.iter().map(|route| format!("Route: {route}\r\n")).collect();
        let Within { method, cseq, branch } = self;
        format!(
            "{method} {target} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {via};branch=z9hG4bK-{branch};rport\r\n\
             Max-Forwards: 70\r\n\
             {routes}From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:me@{via}>\r\nContent-Length: 0\r\n\r\n",
            last.value(names.0),
            last.value(names.1),
            last.value(HeaderId::CallId),
        )
    }
}
