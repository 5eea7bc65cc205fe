//! One connection: its making, and its task, which reads, frames, delivers and writes.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use runtime::model::Transport;
use runtime::net::Stream;
use sip::{FrameError, Framed, Framer};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::io::poll_read_buf;

use super::output::Output;
use super::table::Place;
use super::{Closed, Limits, Shared, Streams, Target, Waiting};
use crate::sip::flow::{Flow, Inbound, Outbound};

/// First size of the read buffer; it doubles up to the largest while reads fill it.
const READ_MIN: usize = 512;
const READ_MAX: usize = 64 * 1024;
/// Messages taken from the queue at once.
const BATCH: usize = 64;
/// Time to answer the message that could not be framed, and to send what waits when told to end.
const LINGER: Duration = Duration::from_secs(2);

/// Makes a connection and serves it.
pub(super) async fn make(
    streams: Streams,
    place: Place,
    target: Target,
    (queue, shared): (mpsc::Receiver<Outbound>, Arc<Shared>),
) {
    let flow = Flow {
        listener: target.listener,
        transport: target.transport,
        peer: target.address,
        connection: place.id,
    };
    let task = Task::new(streams.clone(), place, flow, (queue, shared));
    let limits = &streams.0.options.limits;
    let made = tokio::select! {
        made = timeout(limits.connect, open(&streams, &target)) => made.unwrap_or_else(|late| Err(late.into())),
        () = task.shared.close.notified() => return,
    };
    let connects = &streams.0.options.metrics.connects;
    match made {
        Ok(stream) => {
            connects.with_label_values(&["made"]).inc();
            // Nothing need come on it before we send.
            task.serve(stream, (limits.idle, false)).await;
        }
        Err(error) => {
            connects.with_label_values(&["failed"]).inc();
            tracing::debug!(peer = %target.address, %error, "connection not made");
        }
    }
}

async fn open(streams: &Streams, target: &Target) -> io::Result<Stream> {
    let options = &streams.0.options;
    let address = target.address;
    let stream = options.net.connect(&address.ip().to_string(), address.port()).await?;
    match (&options.client_tls, target.transport) {
        (Some(tls), Transport::Tls) => {
            let ip = address.ip().to_string();
            tls.connect(stream, target.server_name.as_deref().unwrap_or(&ip)).await
        }
        _ => Ok(stream),
    }
}

/// Serves a connection that a peer made.
pub(super) async fn serve(streams: Streams, place: Place, flow: Flow, stream: Stream) {
    let seat = streams.seat(&mut streams.0.table.lock(), &place, None);
    let first = streams.0.options.limits.message;
    Task::new(streams, place, flow, seat).serve(stream, (first, true)).await;
}

/// A connection's task. However it ends, those whose messages it still holds are told.
struct Task {
    streams: Streams,
    flow: Flow,
    queue: mpsc::Receiver<Outbound>,
    shared: Arc<Shared>,
    output: Output,
    /// A message that came and finds no room yet; nothing is read meanwhile.
    waiting: Option<Waiting>,
    /// Counted until the connection is told to end, or has ended.
    place: Option<Place>,
}

impl Drop for Task {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl Task {
    /// Nothing can be sent any more: whoever still had something to send is told.
    fn give_up(&mut self) {
        // The seat first: whoever finds the connection from now on is refused, so that nothing is queued after
        // what is told here.
        self.streams.0.table.lock().unseat(self.flow.connection);
        self.queue.close();
        for unsent in std::mem::take(&mut self.output).into_unsent() {
            self.streams.fail(&unsent);
        }
        while let Ok(unsent) = self.queue.try_recv() {
            self.streams.fail(&unsent);
        }
    }
}

/// Until when what must happen.
struct Deadlines {
    limits: Limits,
    /// Since when the message at the front has been coming.
    message: Option<Instant>,
    /// When the connection is idle.
    idle: Instant,
    /// Nothing is read any more; it ends then, or once a message is written where one answer is owed.
    linger: Option<Instant>,
    /// One answer is owed, beyond so many messages written. Of several, or of those to an INVITE, which is the last is
    /// not known.
    owes_one: Option<u64>,
    /// Messages that came.
    delivered: u64,
    /// Peers that connected to us are answered before the end. Who was called by us asks for little, and new requests
    /// to it are better off on a new connection.
    answers: bool,
}

impl Deadlines {
    fn next(&self) -> Instant {
        let message = self.message.map(|since| since + self.limits.message);
        [message, self.linger].into_iter().flatten().fold(self.idle, Instant::min)
    }

    /// Why it ends at that time; none when no deadline has passed.
    fn passed(&self, now: Instant) -> Option<End> {
        if self.linger.is_some_and(|linger| now >= linger) {
            return Some(End::Quiet);
        }
        if self.message.is_some_and(|since| now >= since + self.limits.message) {
            return Some(End::Closed(Closed::Slow));
        }
        (now >= self.idle).then_some(End::Closed(Closed::Idle))
    }

    /// Where the next message begins is not known; whether there may be answers to linger for. `written` messages have
    /// left so far.
    fn read_no_more(&mut self, error: &FrameError, written: u64) -> bool {
        // The head of what could not be framed was delivered, and is refused.
        let one = matches!(error, FrameError::Unframed(_)) && self.delivered <= 1;
        self.owes_one = one.then_some(written);
        let owes = self.answers && (one || self.delivered > 0);
        self.message = None;
        self.linger = owes.then(|| Instant::now() + LINGER);
        owes
    }

    /// Whether the one answer that was owed is out.
    fn is_settled(&self, output: &Output) -> bool {
        self.linger.is_some() && self.owes_one.is_some_and(|before| output.written() > before)
    }
}

/// How a connection ends.
enum End {
    /// By us, for a reason that is counted.
    Closed(Closed),
    /// By the peer, or after what was counted before.
    Quiet,
}

/// What a turn brought.
enum Event {
    Read,
    Written,
    Ended,
}

impl Task {
    fn new(
        streams: Streams,
        place: Place,
        flow: Flow,
        (queue, shared): (mpsc::Receiver<Outbound>, Arc<Shared>),
    ) -> Self {
        Self { streams, flow, queue, shared, output: Output::default(), waiting: None, place: Some(place) }
    }

    /// Until the end; `first` is the time until something must have come or gone, beside it whether the peer made it.
    async fn serve(mut self, mut stream: Stream, first: (Duration, bool)) {
        if let End::Closed(why) = self.run(&mut stream, first).await {
            self.streams.count_closed(why);
            tracing::debug!(peer = %self.flow.peer, reason = why.name(), "sip connection closed");
        }
        self.give_up();
        // The peer may be gone already, or not take this either. Its last word counts all the same, and others may wait
        // for room behind it.
        let last_word = timeout(LINGER, taken(&mut self.waiting));
        let (_, heard) = tokio::join!(timeout(LINGER, stream.shutdown()), last_word);
        if heard.is_err() {
            self.streams.count_dropped();
        }
    }

    async fn run(&mut self, stream: &mut Stream, (first, answers): (Duration, bool)) -> End {
        let limits = self.streams.0.options.limits;
        let mut input = Input { framer: Framer::new(limits.sip), octets: BytesMut::new(), size: READ_MIN };
        let idle = Instant::now() + first;
        let mut deadlines =
            Deadlines { limits, message: None, idle, linger: None, owes_one: None, delivered: 0, answers };
        let mut batch = Vec::new();
        let shared = Arc::clone(&self.shared);
        let mut closing = pin!(shared.close.notified());
        let mut timer = pin!(sleep_until(deadlines.next()));
        loop {
            let open = deadlines.linger.is_none();
            let reading = open && self.waiting.is_none();
            let event = tokio::select! {
                event = poll_fn(|context| {
                    poll(&mut self.output, &shared, stream, context, reading.then_some(&mut input))
                }) => event,
                () = taken(&mut self.waiting), if self.waiting.is_some() => Ok(Event::Read),
                taken = self.queue.recv_many(&mut batch, BATCH), if self.output.is_empty() => {
                    batch.drain(..).for_each(|message| self.output.push(message));
                    if taken == 0 { Ok(Event::Ended) } else { continue }
                }
                () = &mut closing, if open => return self.finish(stream).await,
                () = &mut timer => match deadlines.passed(Instant::now()) {
                    Some(end) => return end,
                    None => {
                        timer.as_mut().reset(deadlines.next());
                        continue;
                    }
                },
            };
            match event {
                Ok(Event::Read) => {
                    if let Err(why) = self.take(&mut input, &mut deadlines) {
                        return End::Closed(why);
                    }
                }
                // The answer to what came before the end is out.
                Ok(Event::Written) if deadlines.is_settled(&self.output) => return End::Quiet,
                Ok(Event::Written) => {}
                Ok(Event::Ended) | Err(_) => return End::Quiet,
            }
            if deadlines.linger.is_none() {
                deadlines.idle = Instant::now() + limits.idle;
            }
            // Later deadlines are found when the timer goes off, earlier ones must move it.
            if deadlines.next() < timer.deadline() {
                timer.as_mut().reset(deadlines.next());
            }
        }
    }

    /// Frames what was read and delivers it.
    fn take(&mut self, input: &mut Input, deadlines: &mut Deadlines) -> Result<(), Closed> {
        loop {
            match input.framer.next(&mut input.octets) {
                Ok(Some(Framed::Message(message))) => {
                    deadlines.message = None;
                    deadlines.delivered += 1;
                    let octets = message.into_bytes();
                    let inbound = Inbound { flow: self.flow, octets, accepted: deadlines.answers };
                    self.waiting = self.streams.deliver(inbound);
                    if self.waiting.is_some() {
                        return Ok(());
                    }
                }
                Ok(Some(Framed::Ping)) => self.output.pong(),
                Ok(Some(Framed::EmptyLine)) => {}
                Ok(None) => break,
                Err(error) => {
                    let lingers = deadlines.read_no_more(&error, self.output.written());
                    if lingers {
                        self.streams.0.table.lock().linger(self.flow.connection);
                    }
                    let why = match error {
                        FrameError::NotSip(_) => Closed::NotSip,
                        FrameError::HeadTooLarge | FrameError::Unframed(_) => Closed::Unframed,
                    };
                    return lingers.then(|| self.streams.count_closed(why)).ok_or(why);
                }
            }
        }
        if !input.framer.is_inside_message(&input.octets) {
            deadlines.message = None;
            input.shrink();
        } else if deadlines.message.is_none() {
            deadlines.message = Some(Instant::now());
        }
        Ok(())
    }

    /// Sends what waits, as long as the peer takes it, when told to end.
    async fn finish(&mut self, stream: &mut Stream) -> End {
        let until = Instant::now() + LINGER;
        drop(self.place.take());
        self.queue.close();
        while let Ok(message) = self.queue.try_recv() {
            self.output.push(message);
        }
        let Self { output, shared, waiting, .. } = self;
        let write = poll_fn(|context| output.poll_write(stream, context, |octets| shared.wrote(octets)));
        // Who waits for room behind our message does not wait for our peer.
        let (written, _) = tokio::join!(timeout_at(until, write), timeout_at(until, taken(waiting)));
        // Full was counted when it was found; the rest ends because the node does.
        match written {
            Ok(Ok(())) if self.streams.0.table.lock().is_closed() => End::Closed(Closed::Shutdown),
            Ok(_) | Err(_) => End::Quiet,
        }
    }
}

impl Shared {
    fn wrote(&self, octets: usize) {
        self.unsent.fetch_sub(octets, Ordering::AcqRel);
    }
}

/// What was read and not yet framed.
struct Input {
    framer: Framer,
    octets: BytesMut,
    size: usize,
}

impl Input {
    fn poll_read(&mut self, stream: &mut Stream, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.octets.reserve(self.size);
        let read = poll_read_buf(Pin::new(stream), context, &mut self.octets);
        if let Poll::Ready(Ok(read)) = read {
            if read >= self.size {
                self.size = (self.size * 2).min(READ_MAX);
            } else if read < self.size / 4 {
                self.size = (self.size / 4).max(READ_MIN);
            }
        }
        read
    }

    /// A connection that has nothing to say keeps no large buffer.
    fn shrink(&mut self) {
        if self.octets.is_empty() && self.octets.capacity() > READ_MIN && self.size == READ_MIN {
            self.octets = BytesMut::new();
        }
    }
}

/// Until the message that waits has found room.
async fn taken(waiting: &mut Option<Waiting>) {
    if let Some(message) = waiting {
        message.await;
        *waiting = None;
    }
}

fn poll(
    output: &mut Output,
    shared: &Shared,
    stream: &mut Stream,
    context: &mut Context<'_>,
    input: Option<&mut Input>,
) -> Poll<io::Result<Event>> {
    let written = if output.is_empty() {
        Poll::Pending
    } else {
        output.poll_write(stream, context, |octets| shared.wrote(octets))?
    };
    if let Some(input) = input
        && let Poll::Ready(read) = input.poll_read(stream, context)?
    {
        return Poll::Ready(Ok(if read == 0 { Event::Ended } else { Event::Read }));
    }
    written.map(|()| Ok(Event::Written))
}

/// The flow of a connection that a peer made.
pub(super) const fn flow(listener: u16, tls: bool, peer: SocketAddr, connection: u64) -> Flow {
    let transport = if tls { Transport::Tls } else { Transport::Tcp };
    Flow { listener, transport, peer, connection }
}
