//! A worker's ways to the media nodes: what its calls ask leaves from its own thread, and the answers come back to it.
//!
//! Somebody else between a call and its node would have to be woken for each command, and the worker for each answer,
//! which costs many times what is done for either. The node's actor watches over the node all the same, and takes over
//! what ends calls when the worker ends before the node has answered that.

use std::io;
use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::select_all;
use runtime::random::Random;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::media::account::Account;
use crate::media::exchange::{Action, Command, Exchange, Outcome, Patience};
use crate::media::metrics::Metrics;
use crate::media::pool::{News, Node, Pool, Ticket};
use crate::sip::transport::udp::{INCOMING, attempt, size_buffers, watch};
use crate::sip::worker::ToMedia;

/// Datagrams that are read from one node in one turn, where no more answers are awaited.
const BATCH: usize = 64;
/// The largest datagram there is.
const DATAGRAM_MAX: usize = 65_535;
/// Octets of the buffers of a socket to ask for: a worker that is busy for some time finds the answers there that have
/// come meanwhile. What has no room is lost, and a call waits until its command is sent again.
const BUFFER: usize = 4 * 1024 * 1024;
/// How often a socket is looked at of which the runtime does not know that something has come: a worker that always has
/// something to do does not ask it.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What the ways are made of.
pub(super) struct Options {
    /// The nodes.
    pub(super) pool: Arc<Pool>,
    /// What is counted.
    pub(super) metrics: Metrics,
    /// What cookies begin with.
    pub(super) random: Random,
    /// Commands that may be under way to each node; more are refused.
    pub(super) most: usize,
}

/// The ways to all nodes that were asked for something.
pub(super) struct Lines {
    options: Options,
    lines: Vec<Line>,
    datagram: Vec<u8>,
}

/// The way to one node.
struct Line {
    node: Arc<Node>,
    pool: Arc<Pool>,
    socket: AsyncFd<StdSocket>,
    exchange: Exchange<Ticket>,
    account: Account,
    actions: Vec<Action<Ticket>>,
    /// Memory for the next ones.
    spare: Vec<Action<Ticket>>,
    /// When the socket was looked at without being told to, or the first of the commands that are under way was sent.
    looked_at: Instant,
}

impl Lines {
    /// No node was asked yet.
    pub(super) fn new(options: Options) -> Self {
        Self { options, lines: Vec::new(), datagram: vec![0; DATAGRAM_MAX] }
    }

    /// Waits until there is something to read from a node that has to answer. What another one sends answers nothing, and
    /// is read by the way: a worker waits many times for each time that a call waits for a node.
    pub(super) async fn ready(&self) {
        let awaited = self.lines.iter().filter(|line| !line.exchange.is_empty());
        let ready: Vec<_> = awaited.map(|line| Box::pin(line.socket.ready(INCOMING))).collect();
        if ready.is_empty() {
            std::future::pending::<()>().await;
        }
        // An error of a socket shows again when it is read.
        let _ = select_all(ready).await;
    }

    /// When [`Lines::read`] is to be called next, even if nothing comes in.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.lines.iter().filter_map(|line| line.exchange.next_deadline()).min()
    }

    /// Gives a node a command.
    pub(super) fn submit(&mut self, asked: ToMedia, now: Instant, news: &mut Vec<News>) {
        let ToMedia { node: number, command } = asked;
        let node = self.options.pool.node(number).filter(|node| node.is_enabled());
        if let Some(line) = node.and_then(|node| self.line(&node, now)) {
            if line.exchange.is_empty() {
                // No answer was there to look for before.
                line.looked_at = now;
            }
            line.exchange.submit(command, now, &mut line.actions);
            line.act(now, news);
            return;
        }
        // The actor has its socket, where there is no descriptor for another one. Where it has no room, or there is no
        // such node, the node says nothing for who waits.
        if let Err(Command { ticket, .. }) = self.options.pool.submit(number, command) {
            news.extend(ticket.news(number, Outcome::Unsent));
        }
    }

    /// Reads what has come, and does what is due.
    pub(super) fn read(&mut self, now: Instant, news: &mut Vec<News>) {
        let Self { lines, datagram, .. } = self;
        for line in lines {
            line.read(datagram, now);
            line.exchange.fire(now, &mut line.actions);
            line.act(now, news);
        }
    }

    /// The way to a node, which is opened where there is none.
    fn line(&mut self, node: &Arc<Node>, now: Instant) -> Option<&mut Line> {
        let at = match self.lines.iter().position(|line| line.node.is_same(node)) {
            Some(at) => at,
            None => {
                self.close_idle();
                self.lines.push(Line::open(node, &self.options, now).ok()?);
                self.lines.len() - 1
            }
        };
        self.lines.get_mut(at)
    }

    /// Closes the ways to nodes that are gone, or are elsewhere by now.
    fn close_idle(&mut self) {
        let Self { options, lines, .. } = self;
        lines.retain(|line| !line.exchange.is_empty() || is_there(&options.pool, &line.node));
    }
}

impl Line {
    fn open(node: &Arc<Node>, options: &Options, now: Instant) -> io::Result<Self> {
        let any: SocketAddr =
            if node.address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
        let socket = StdSocket::bind(any)?;
        // As much as the system gives.
        let _ = size_buffers(&socket, BUFFER, BUFFER);
        // Nobody else's datagrams are taken then, and the system says when nobody is there.
        socket.connect(node.address)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            node: Arc::clone(node),
            pool: Arc::clone(&options.pool),
            socket: watch(socket, INCOMING)?,
            exchange: Exchange::bounded(options.random.u64(), options.most),
            account: Account::new(Arc::clone(node), &options.metrics),
            actions: Vec::new(),
            spare: Vec::new(),
            looked_at: now,
        })
    }

    fn read(&mut self, datagram: &mut [u8], now: Instant) {
        let is_awaited = !self.exchange.is_empty();
        let is_due = is_awaited && now.saturating_duration_since(self.looked_at) >= LOOK_EVERY;
        let looks = self.has_failed() || is_due;
        if looks {
            self.looked_at = now;
        }
        // A worker that comes late gives up nothing of which the answer is there.
        for _ in 0..self.exchange.len().max(BATCH) {
            match self.receive(datagram, looks) {
                Ok(length) => {
                    let octets = datagram.get(..length).unwrap_or_default();
                    self.exchange.received(octets, &mut self.actions);
                    if is_awaited && self.exchange.is_empty() {
                        self.forget_readable();
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => self.not_there(now),
                // There is nothing, or it says nothing of the node.
                Err(_) => return,
            }
        }
    }

    fn receive(&self, datagram: &mut [u8], looks: bool) -> io::Result<usize> {
        let receive = |socket: &StdSocket| socket.recv(datagram);
        if looks {
            attempt(&self.socket, Interest::READABLE, receive)
        } else {
            self.socket.try_io(Interest::READABLE, receive)
        }
    }

    /// Has the runtime wait for the next datagram, though one may be left: that would answer nothing, and to ask for one
    /// that is not there costs as much as to read an answer.
    fn forget_readable(&self) {
        let nothing = |_: &StdSocket| Err::<(), io::Error>(io::ErrorKind::WouldBlock.into());
        let _ = self.socket.try_io(Interest::READABLE, nothing);
    }

    /// Whether the runtime knows of an error, which is taken by reading; once.
    fn has_failed(&self) -> bool {
        let mut failed = false;
        let forget = |_: &StdSocket| {
            failed = true;
            Err::<(), io::Error>(io::ErrorKind::WouldBlock.into())
        };
        let _ = self.socket.try_io(Interest::ERROR, forget);
        failed
    }

    /// The system says that nobody takes datagrams there.
    fn not_there(&mut self, now: Instant) {
        self.node.health.gone(now);
        self.exchange.abandon(&mut self.actions);
    }

    fn act(&mut self, now: Instant, news: &mut Vec<News>) {
        // Sending may make more of them.
        while !self.actions.is_empty() {
            let spare = std::mem::take(&mut self.spare);
            let mut due = std::mem::replace(&mut self.actions, spare);
            for action in due.drain(..) {
                match action {
                    Action::Send(datagram) => self.send(&datagram, now),
                    Action::Done(ticket, outcome, sent) => {
                        self.account.done(&outcome, sent, now);
                        news.extend(ticket.news(self.node.number, outcome));
                    }
                }
            }
            self.spare = due;
        }
        self.account.follow(&mut self.exchange);
    }

    /// What the system does not take now is sent again when it is due.
    fn send(&mut self, datagram: &Bytes, now: Instant) {
        let sent = self.socket.get_ref().send(datagram);
        if sent.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            self.not_there(now);
        }
    }
}

impl Drop for Line {
    /// The ends of calls are the node's actor's from now on. Whoever waits for an offer or an answer is gone.
    fn drop(&mut self) {
        let is_there = is_there(&self.pool, &self.node);
        for (ticket, body) in self.exchange.let_go() {
            if is_there && matches!(ticket, Ticket::Nobody | Ticket::Record(_)) {
                let command = Command { ticket, body, patience: Patience::PATIENT };
                // What finds no room is found by the next list of the node's calls.
                let _ = self.pool.submit(self.node.number, command);
            }
        }
    }
}

/// Whether a node is still what its number stands for.
fn is_there(pool: &Pool, node: &Node) -> bool {
    pool.node(node.number).is_some_and(|known| known.is_same(node))
}

#[cfg(test)]
mod tests;
