//! The actor of an RTPEngine node: the socket towards it, and whether it is there.
//!
//! Workers ask the node for their calls themselves, each from a socket of its own; what else is asked of it is asked
//! here, and whether it is up or down is said here.
//!
//! Owns: the UDP socket to the node's ng port, the commands under way, when the node is asked whether it is there. Its
//! key is `rtpengine_node:NAME:0`, its parent the `media` supervisor, its restart policy permanent. A crash loses the
//! commands under way: who waits for them is told that the node was silent. What is known of the node lives in the pool,
//! and calls go on: workers hear whether it is there.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use ng::command::{Delete, Leg, MediaOptions, Part, WithSdp};
use runtime::random::Random;
use runtime::registry::{ActorName, Observation, Observe};
use runtime::supervision::{Backoff, BoxError, ChildSpec, Restart, Seat, Start};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::account::{self, Account};
use super::asking::{Asking, Question};
use super::exchange::{Action, Command, Exchange, Outcome, Patience};
use super::health::{Health, State};
use super::metrics::Metrics;
use super::pool::{Deliver, News, Node, Ticket};
use super::release::{self, Release};

mod learn;

/// How often a node is asked whether it is there, and one that is not up, so that it is found again.
const PING_EVERY: Duration = Duration::from_secs(1);
const PING_DOWN_EVERY: Duration = Duration::from_millis(250);
/// How often it is asked what it carries, and for how long it runs: one that was begun anew has lost its calls.
const STATISTICS_EVERY: Duration = Duration::from_secs(2);
/// How soon a list of its calls is asked for that is to confirm another one.
const LIST_SOON: Duration = Duration::from_secs(2);
/// How often it is asked for its release, beside each time that it is there again.
const RELEASE_EVERY: Duration = Duration::from_hours(1);
/// The longest list of calls that is asked for: an answer is one datagram, and a name takes 60 octets of it.
const LIST_MAX: u32 = 1_000;
/// Commands that are taken off the queue at one time, and datagrams read between them.
const BATCH: usize = 64;
/// The largest datagram there is.
const DATAGRAM_MAX: usize = 65_535;
/// A wait after the socket could not be opened.
const RESTARTS: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(15));

/// What a node's actor is made of.
#[derive(Clone)]
pub struct Options {
    /// Which node.
    pub node: Arc<Node>,
    /// Where answers go.
    pub deliver: Deliver,
    /// What cookies begin with, another one after each start.
    pub random: Random,
    /// What it counts.
    pub metrics: Metrics,
    /// How often it is asked which calls it has.
    pub list_every: Duration,
}

/// The name of a node's actor.
#[must_use]
pub fn name(node: &str) -> ActorName {
    ActorName::new("rtpengine_node", node)
}

/// The node as a child of the `media` supervisor.
#[must_use]
pub fn child_spec(options: Options) -> ChildSpec {
    let actor = name(&options.node.name);
    let start = Start::task(move |seat: Seat| {
        let options = options.clone();
        async move {
            let _registration = seat.register(observe(&options.node));
            tokio::select! {
                served = serve(&options) => served,
                () = seat.shutdown.requested() => {
                    // Nobody asks it from now on: it is to answer before it takes calls again.
                    options.node.health.gone(Instant::now().into_std());
                    Ok(())
                }
            }
        }
    });
    ChildSpec::new(actor, Restart::Permanent, start).backoff(RESTARTS)
}

/// One incarnation.
struct Serving<'a> {
    options: &'a Options,
    socket: UdpSocket,
    exchange: Exchange<Ticket>,
    account: Account,
    actions: Vec<Action<Ticket>>,
    /// Memory for the next ones.
    spare: Vec<Action<Ticket>>,
    ping_at: Instant,
    statistics_at: Instant,
    list_at: Instant,
    release_at: Instant,
    /// Lists that are asked for soon after one another: who compares them wants two.
    lists_soon: u8,
    /// Where they are seen because it was down, or was begun anew: when it was heard before. What they lack was lost then.
    heard_before: Option<std::time::Instant>,
    /// Calls that it is asked for one by one, and whether all of them are to be asked for soon.
    asking: Asking,
    hurries: bool,
    /// Calls that it has ended itself, as no media came, by its own count.
    timed_out: Option<u64>,
    /// How long it ran, and when it said so.
    ran: Option<(Duration, std::time::Instant)>,
    /// The call by which it is asked for its release.
    probe: String,
    /// How often it went down, as far as that was said.
    downs: u64,
    said_up: bool,
    said_down: bool,
    said_lost: bool,
}

async fn serve(options: &Options) -> Result<(), BoxError> {
    let node = &options.node;
    let any: std::net::SocketAddr =
        if node.address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await?;
    // Nobody else's datagrams are taken then, and the system says when nobody is there.
    socket.connect(node.address).await?;
    let way = node.way();
    let mut commands = way.receiver.lock().await;
    let mut serving = Serving::begin(options, socket);
    let mut batch = Vec::with_capacity(BATCH);
    let mut datagram = vec![0; DATAGRAM_MAX];
    loop {
        let timer = serving.next_clock();
        tokio::select! {
            biased;
            ready = serving.socket.readable() => {
                ready?;
                serving.read(&mut datagram);
            }
            taken = commands.recv_many(&mut batch, BATCH) => {
                if taken == 0 {
                    return gone(&mut commands).await;
                }
                serving.take(&mut batch);
            }
            () = sleep_until(timer) => {}
        }
        serving.clocks();
        serving.act();
    }
}

/// The configuration has let go of the node: its supervisor ends this actor soon.
async fn gone(_commands: &mut mpsc::Receiver<Command<Ticket>>) -> Result<(), BoxError> {
    sleep(PING_EVERY).await;
    Ok(())
}

impl<'a> Serving<'a> {
    /// By this socket, which leads to the node.
    fn begin(options: &'a Options, socket: UdpSocket) -> Self {
        let (node, now) = (&options.node, Instant::now());
        node.health.watched(now.into_std());
        Self {
            options,
            socket,
            exchange: Exchange::new(options.random.u64()),
            account: Account::new(Arc::clone(node), &options.metrics),
            actions: Vec::new(),
            spare: Vec::new(),
            ping_at: now,
            statistics_at: now + options.random.jitter(STATISTICS_EVERY),
            list_at: now + options.random.jitter(options.list_every),
            release_at: now + RELEASE_EVERY,
            lists_soon: 0,
            heard_before: None,
            asking: Asking::new(options.list_every, now.into_std()),
            hurries: false,
            timed_out: None,
            ran: None,
            probe: format!("release-{:016x}", options.random.u64()),
            downs: node.health.downs(),
            said_up: false,
            said_down: false,
            said_lost: false,
        }
    }
}

impl Serving<'_> {
    /// When something is due next.
    fn next_clock(&self) -> Instant {
        let asked = self.ping_at.min(self.statistics_at).min(self.list_at).min(self.release_at);
        let is_down = self.health().state() == State::Down;
        let calls = if is_down { None } else { self.asking.next_deadline() };
        let deadline = self.exchange.next_deadline().into_iter().chain(calls).min();
        deadline.map(Instant::from_std).map_or(asked, |deadline| deadline.min(asked))
    }

    fn health(&self) -> &Health {
        &self.options.node.health
    }

    /// Reads what has come, so much of it.
    fn read(&mut self, datagram: &mut [u8]) {
        for _ in 0..BATCH {
            match self.socket.try_recv(datagram) {
                Ok(length) => {
                    let octets = datagram.get(..length).unwrap_or_default();
                    self.exchange.received(octets, &mut self.actions);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    return self.not_there(&error);
                }
                // It says nothing of the node.
                Err(_) => return,
            }
        }
    }

    /// The system says that nobody takes datagrams there.
    fn not_there(&mut self, error: &std::io::Error) {
        let now = Instant::now().into_std();
        self.health().gone(now);
        self.say_down(&error.to_string());
        self.exchange.abandon(&mut self.actions);
    }

    fn take(&mut self, batch: &mut Vec<Command<Ticket>>) {
        let now = Instant::now().into_std();
        for command in batch.drain(..) {
            self.exchange.submit(command, now, &mut self.actions);
        }
    }

    /// Does what is due.
    fn clocks(&mut self) {
        let now = Instant::now();
        self.look_down();
        let (state, list_every) = (self.health().state(), self.options.list_every);
        let (is_up, is_down) = (state == State::Up, state == State::Down);
        if self.ping_at <= now {
            self.ping_at = now + if is_up { PING_EVERY } else { PING_DOWN_EVERY };
            self.ask(Ticket::Ping, &ng::Command::Ping, Patience::PING);
        }
        if self.statistics_at <= now {
            self.statistics_at = now + STATISTICS_EVERY;
            if !is_down {
                self.ask(Ticket::Statistics, &ng::Command::Statistics, Patience::PINNED);
            }
        }
        if self.options.node.is_to_look_again() {
            self.list_soon(now + LIST_SOON, 1);
        }
        if self.list_at <= now {
            self.list_at = now + if self.lists_soon > 1 { LIST_SOON } else { list_every };
            if !is_down {
                let list = ng::Command::List { limit: Some(LIST_MAX) };
                self.ask(Ticket::List, &list, Patience::PINNED);
            }
        }
        if self.release_at <= now {
            self.release_at = now + RELEASE_EVERY;
            if !is_down {
                self.ask_release();
            }
        }
        self.ask_calls();
        self.exchange.fire(now.into_std(), &mut self.actions);
        if !self.said_lost
            && let Some(heard) = self.health().lost(now.into_std())
        {
            self.said_lost = true;
            (self.options.deliver)(News::Lost { node: self.options.node.number, heard });
        }
    }

    /// Says of a node that workers have found silent, or nobody there, that it is down, or was.
    fn look_down(&mut self) {
        if self.health().downs() != self.downs {
            self.said_lost = false;
            self.say_down("calls have found it silent, or nobody there");
        }
    }

    fn ask(&mut self, ticket: Ticket, command: &ng::Command<'_>, patience: Patience) {
        let mut body = Vec::new();
        command.encode(&mut body);
        let command = Command { ticket, body: Bytes::from(body), patience };
        self.exchange.submit(command, Instant::now().into_std(), &mut self.actions);
    }

    /// Asks for the calls whose turn it is. One that is down is not asked: it has its turn later.
    fn ask_calls(&mut self) {
        if self.health().state() == State::Down {
            return;
        }
        let now = Instant::now().into_std();
        if let Some(questions) = self.options.node.take_questions() {
            self.asking.about(questions, std::mem::take(&mut self.hurries), now);
        }
        while let Some(Question { call, body, .. }) = self.asking.next(now) {
            let (ticket, body) = (Ticket::Query(*call), body.clone());
            // Nobody waits for it: what it says of the node by its silence pings say before.
            let command = Command { ticket, body, patience: Patience::PATIENT };
            self.exchange.submit(command, now, &mut self.actions);
        }
    }

    /// So many lists of its calls are to be seen from then on, unless some are anyway.
    fn list_soon(&mut self, at: Instant, count: u8) {
        if self.lists_soon == 0 {
            (self.list_at, self.lists_soon) = (self.list_at.min(at), count);
        }
    }

    /// A call of one side, which is deleted with the answer.
    fn ask_release(&mut self) {
        let (probe, options) = (self.probe.clone(), MediaOptions::default());
        let leg = Leg { call_id: probe.as_bytes(), from_tag: b"warp", to_tag: None, via_branch: None };
        let publish = ng::Command::Publish(WithSdp { leg, sdp: release::PROBE, options: &options });
        self.ask(Ticket::Release, &publish, Patience::PINNED);
    }

    fn forget_probe(&mut self) {
        let probe = self.probe.clone();
        let part = Part::whole(probe.as_bytes());
        let delete = ng::Command::Delete(Delete { part, delay_seconds: Some(0), ..Delete::default() });
        self.ask(Ticket::Nobody, &delete, Patience::PATIENT);
    }

    fn act(&mut self) {
        // Sending may make more of them.
        while !self.actions.is_empty() {
            let spare = std::mem::take(&mut self.spare);
            let mut due = std::mem::replace(&mut self.actions, spare);
            for action in due.drain(..) {
                match action {
                    Action::Send(datagram) => self.send(&datagram),
                    Action::Done(ticket, outcome, sent) => self.done(ticket, outcome, sent),
                }
            }
            self.spare = due;
        }
        self.account.follow(&mut self.exchange);
    }

    /// What the system does not take now is sent again when it is due.
    fn send(&mut self, datagram: &Bytes) {
        match self.socket.try_send(datagram) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => self.not_there(&error),
            // Nor that: it has no room, or the way has none.
            Err(_) => {}
        }
    }

    fn done(&mut self, ticket: Ticket, outcome: Outcome, sent: std::time::Instant) {
        let now = Instant::now().into_std();
        let is_back = self.account.done(&outcome, sent, now);
        let state = self.health().state();
        match &outcome {
            Outcome::Answered(body) => {
                // A worker may have heard it first.
                if is_back || (state == State::Up && !self.said_up) {
                    self.say_up();
                }
                self.learn(ticket, body);
            }
            // Said once, of one that was never heard too.
            Outcome::Silent if state == State::Down => self.say_down("it does not answer"),
            Outcome::Silent | Outcome::Unsent => {}
        }
        // A node that was silent may have it all the same.
        if ticket == Ticket::Release && outcome != Outcome::Unsent {
            self.forget_probe();
        }
        if matches!(ticket, Ticket::Query(_)) && !matches!(outcome, Outcome::Answered(_)) {
            self.asking.unanswered();
        }
        // Each answer makes room for the next question, and who compares a list says what is to be asked.
        if matches!(ticket, Ticket::Query(_) | Ticket::List) {
            self.ask_calls();
        }
        if let Some(news) = ticket.news(self.options.node.number, outcome) {
            (self.options.deliver)(news);
        }
    }

    fn say_up(&mut self) {
        let Options { node, metrics, .. } = self.options;
        metrics.up.with_label_values(&[node.name.as_str()]).set(1);
        self.release_at = Instant::now();
        // Where it was begun anew, its calls are not there any more.
        if self.said_down {
            (self.list_at, self.lists_soon) = (Instant::now(), 2);
            (self.heard_before, self.ran) = (self.health().heard_before_down(), None);
        }
        (self.said_up, self.said_down, self.said_lost) = (true, false, false);
        tracing::info!(node = node.name, address = %node.address, "an RTPEngine node answers");
    }

    fn say_down(&mut self, why: &str) {
        (self.downs, self.said_up) = (self.health().downs(), false);
        if !std::mem::replace(&mut self.said_down, true) {
            let Options { node, metrics, .. } = self.options;
            metrics.up.with_label_values(&[node.name.as_str()]).set(0);
            tracing::error!(
                node = node.name, address = %node.address, why,
                "an RTPEngine node is down, new calls take the others: see whether rtpengine runs there"
            );
        }
    }
}

impl Drop for Serving<'_> {
    /// Who waits is told, whatever ends the actor.
    fn drop(&mut self) {
        self.exchange.abandon(&mut self.actions);
        for action in self.actions.drain(..) {
            let Action::Done(ticket, outcome, _) = action else { continue };
            if let Some(news) = ticket.news(self.options.node.number, outcome) {
                (self.options.deliver)(news);
            }
        }
    }
}

fn observe(node: &Arc<Node>) -> Observe {
    let node = Arc::clone(node);
    Arc::new(move || Observation {
        state: node.state_name().into(),
        queue_depth: node.tally().waiting.load(Ordering::Relaxed),
        counters: account::counters(&node),
        note: node.health.release().as_ref().map(Release::note),
    })
}

#[cfg(test)]
mod tests;
