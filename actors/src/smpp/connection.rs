//! One SMPP socket: reads into one buffer, writes from another, never more than asked.
//!
//! The owner takes complete frames out, appends PDUs, and calls [`Connection::ready`] in its loop. Writes are
//! batched by nature: all that was appended since the last call leaves in one write.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use runtime::net::Stream;
use smpp::{CommandId, Frame, FrameError, HEADER_LEN, Header};
use tokio::io::AsyncWrite;
use tokio_util::io::poll_read_buf;

/// First size of the read buffer; it doubles up to the largest while reads fill it. Most sessions are idle
/// most of the time, and then this is what they hold.
const READ_MIN: usize = 512;
const READ_MAX: usize = 64 * 1024;
/// An empty output buffer larger than this is not kept.
const OUTPUT_KEPT_MAX: usize = 4 * 1024;
/// With more than this unsent, the owner should take no more input.
pub const UNSENT_MAX: usize = 256 * 1024;

/// What happened on the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Octets came.
    Read,
    /// Everything appended has been handed to the system.
    Written,
    /// The peer closed its side.
    Closed,
}

/// A socket with its buffers.
pub struct Connection {
    stream: Stream,
    input: BytesMut,
    /// PDUs to send; append whole PDUs only.
    pub output: BytesMut,
    read_size: usize,
    command_length_max: u32,
    unflushed: bool,
}

impl Connection {
    /// A connection whose peer may send PDUs of at most so many octets.
    #[must_use]
    pub fn new(stream: Stream, command_length_max: u32) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            output: BytesMut::new(),
            read_size: READ_MIN,
            command_length_max,
            unflushed: false,
        }
    }

    /// The next complete frame.
    ///
    /// # Errors
    /// A command_length that no PDU can have: the stream is lost.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let frame = smpp::frame::split(&mut self.input, self.command_length_max);
        if self.input.is_empty() && self.input.capacity() > READ_MIN && self.read_size == READ_MIN {
            // A burst is over: an idle session keeps no large buffer.
            self.input = BytesMut::new();
        }
        frame
    }

    /// The command_id of the next frame, as soon as its header is here.
    #[must_use]
    pub fn next_command(&self) -> Option<CommandId> {
        self.input.first_chunk::<HEADER_LEN>().map(|header| Header::read(header).command_id)
    }

    /// Octets of a PDU that is not complete.
    #[must_use]
    pub fn partial(&self) -> &[u8] {
        &self.input
    }

    /// Waits until something happened: input when `read`, or all output written.
    ///
    /// # Errors
    /// What the system says of the socket; it is of no use then.
    pub async fn ready(&mut self, read: bool) -> io::Result<Event> {
        poll_fn(|context| self.poll_ready(context, read)).await
    }

    /// Sends what is left, as long as the peer takes it.
    ///
    /// # Errors
    /// As [`Connection::ready`].
    pub async fn flush(&mut self) -> io::Result<()> {
        while !self.output.is_empty() || self.unflushed {
            self.ready(false).await?;
        }
        Ok(())
    }

    /// Tells the peer that nothing more comes.
    pub async fn close(&mut self) {
        // The peer may be gone already.
        let _ = tokio::io::AsyncWriteExt::shutdown(&mut self.stream).await;
    }

    fn poll_ready(&mut self, context: &mut Context<'_>, read: bool) -> Poll<io::Result<Event>> {
        let had_output = !self.output.is_empty() || self.unflushed;
        let written = if had_output { self.poll_write(context)? } else { Poll::Pending };
        // What was answered by these PDUs may have been followed by more: one pass of the owner for both.
        if read && let Poll::Ready(event) = self.poll_read(context) {
            return Poll::Ready(event);
        }
        written.map(|()| Ok(Event::Written))
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut written = 0;
        let outcome = loop {
            let rest = self.output.get(written..).unwrap_or_default();
            if rest.is_empty() {
                break Poll::Ready(Ok(()));
            }
            match Pin::new(&mut self.stream).poll_write(context, rest) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(octets)) => written += octets,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.unflushed |= written > 0;
        if written < self.output.len() {
            self.output.advance(written);
        } else if self.output.capacity() > OUTPUT_KEPT_MAX {
            self.output = BytesMut::new();
        } else {
            self.output.clear();
        }
        if !matches!(outcome, Poll::Ready(Ok(()))) {
            return outcome;
        }
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.unflushed &= !matches!(flushed, Poll::Ready(Ok(())));
        flushed
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Event>> {
        self.input.reserve(self.read_size);
        let read = match poll_read_buf(Pin::new(&mut self.stream), context, &mut self.input) {
            Poll::Ready(Ok(read)) => read,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        };
        self.read_size = next_size(self.read_size, read);
        Poll::Ready(Ok(if read == 0 { Event::Closed } else { Event::Read }))
    }
}

fn next_size(size: usize, read: usize) -> usize {
    if read >= size {
        (size * 2).min(READ_MAX)
    } else if read < size / 4 {
        (size / 4).max(READ_MIN)
    } else {
        size
    }
}
