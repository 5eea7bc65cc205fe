//! One SMPP connection of a simulator: octets in and out in batches, one task, no locks.

use std::future::Future;
use std::io;

use bytes::{Buf as _, BytesMut};
use smpp::{Frame, FrameError};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::Instant;

const COMMAND_LENGTH_MAX: u32 = 70_000;
const READ_AT_LEAST: usize = 64 * 1024;
/// With this much unsent nothing more is read: a peer that does not read gets no more to read.
const OUT_MAX: usize = 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    input: BytesMut,
    /// PDUs to be written at the next turn.
    pub(crate) out: BytesMut,
    quick_ack: bool,
}

impl Wire {
    /// With `quick_ack` every segment received is acknowledged at once, as if the peer were far better at
    /// batching than it may be; without it the kernel may delay the acknowledgement by 40 ms.
    pub(crate) fn new(stream: TcpStream, quick_ack: bool) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let wire = Self { stream, input: BytesMut::new(), out: BytesMut::new(), quick_ack };
        wire.ack_quickly();
        Ok(wire)
    }

    /// The next whole PDU that was read.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        smpp::frame::split(&mut self.input, COMMAND_LENGTH_MAX)
    }

    /// Whether there is room for more requests.
    pub(crate) fn is_writable(&self) -> bool {
        self.out.len() < OUT_MAX
    }

    /// Writes what it can, then waits for octets, room to write, `until` or `woken`, whichever is first.
    /// `Ok(false)` when the peer closed.
    pub(crate) async fn turn(
        &mut self,
        until: Option<Instant>,
        woken: impl Future<Output = ()>,
    ) -> io::Result<bool> {
        // A socket that is always ready would keep its worker from everything else.
        tokio::task::coop::consume_budget().await;
        self.write_some()?;
        let interest = match (self.out.is_empty(), self.is_writable()) {
            (true, _) => Interest::READABLE,
            (false, true) => Interest::READABLE | Interest::WRITABLE,
            (false, false) => Interest::WRITABLE,
        };
        tokio::select! {
            biased;
            ready = self.stream.ready(interest) => {
                if ready?.is_writable() {
                    self.write_some()?;
                }
                return if interest.is_readable() { self.read_some() } else { Ok(true) };
            }
            () = woken => {}
            () = sleep_until(until) => {}
        }
        Ok(true)
    }

    /// Writes everything, half-closes, and reads until the peer closes too, so that nothing written is lost.
    pub(crate) async fn close(mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            self.stream.writable().await?;
            self.write_some()?;
        }
        SockRef::from(&self.stream).shutdown(std::net::Shutdown::Write)?;
        loop {
            self.stream.readable().await?;
            if !self.read_some()? {
                return Ok(());
            }
            self.input.clear();
        }
    }

    fn write_some(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            match self.stream.try_write(&self.out) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) if written >= self.out.len() => self.out.clear(),
                Ok(written) => self.out.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn read_some(&mut self) -> io::Result<bool> {
        self.input.reserve(READ_AT_LEAST);
        match self.stream.try_read_buf(&mut self.input) {
            Ok(0) => return Ok(false),
            Ok(_) => self.ack_quickly(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// The kernel leaves this mode by itself, so it is set again after each read.
    fn ack_quickly(&self) {
        if self.quick_ack {
            // A kernel without the option acknowledges as it pleases.
            let _ = SockRef::from(&self.stream).set_tcp_quickack(true);
        }
    }
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}
