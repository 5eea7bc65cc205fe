//! What a connection has still to write.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use runtime::net::Stream;
use tokio::io::AsyncWrite;

use crate::sip::flow::Outbound;

/// Pieces handed to the system in one write.
const SLICES: usize = 32;

/// Messages, and pongs between them, in the order in which they leave.
#[derive(Default)]
pub(super) struct Output {
    pieces: VecDeque<Piece>,
    unflushed: bool,
    /// Messages that the system has taken whole.
    written: u64,
}

struct Piece {
    /// What is left of it.
    octets: Bytes,
    /// The message it is; none for a pong.
    message: Option<Outbound>,
}

impl Output {
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && !self.unflushed
    }

    /// Messages, and no pongs, that were written so far.
    pub(super) const fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn push(&mut self, message: Outbound) {
        self.pieces.push_back(Piece { octets: message.octets.clone(), message: Some(message) });
    }

    /// Queues a pong unless something else waits, which tells the peer as much.
    pub(super) fn pong(&mut self) {
        if self.pieces.is_empty() {
            self.pieces.push_back(Piece { octets: Bytes::from_static(sip::framing::PONG), message: None });
        }
    }

    /// The messages that were not written whole.
    pub(super) fn into_unsent(self) -> impl Iterator<Item = Outbound> {
        self.pieces.into_iter().filter_map(|piece| piece.message)
    }

    /// Writes all there is; ready when that is done. `written` is told of the octets of messages that the system
    /// has taken whole.
    pub(super) fn poll_write(
        &mut self,
        stream: &mut Stream,
        context: &mut Context<'_>,
        mut written: impl FnMut(usize),
    ) -> Poll<io::Result<()>> {
        while !self.pieces.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
                *slice = IoSlice::new(&piece.octets);
            }
            let count = self.pieces.len().min(SLICES);
            let slices = slices.get(..count).unwrap_or_default();
            let taken = match Pin::new(&mut *stream).poll_write_vectored(context, slices) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(taken)) => taken,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            };
            self.unflushed = true;
            self.advance(taken, &mut written);
        }
        let flushed = Pin::new(stream).poll_flush(context);
        self.unflushed &= !matches!(flushed, Poll::Ready(Ok(())));
        flushed
    }

    fn advance(&mut self, mut taken: usize, written: &mut impl FnMut(usize)) {
        while let Some(piece) = self.pieces.front_mut() {
            let step = taken.min(piece.octets.len());
            piece.octets.advance(step);
            taken -= step;
            if !piece.octets.is_empty() {
                return;
            }
            if let Some(message) = self.pieces.pop_front().and_then(|piece| piece.message) {
                self.written += 1;
                written(message.octets.len());
            }
        }
    }
}
