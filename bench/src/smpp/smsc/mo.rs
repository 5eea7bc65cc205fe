//! MO messages that an SMSC sends of its own accord.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use smpp::pdu::{Address, Sm};
use smpp::{CommandId, EncodeError};
use tokio::time::Instant;

use crate::ledger::Ledger;
use crate::marker::{Marker, tail_hash};

/// What handset texts behind their marker.
const TAIL: &[u8] = b" hello from a handset";

/// MO traffic; each message is one entry of its own ledger, in which the SMSC takes the sender's part and the
/// ESME simulator the receiver's.
#[derive(Clone, Debug)]
pub struct MoOptions {
    /// Messages a second over all binds.
    pub rate: f64,
    /// After how many to stop.
    pub total: u32,
    /// The handset's number.
    pub source: String,
    /// The number that belongs to a customer.
    pub destination: String,
    /// Where they are accounted for.
    pub ledger: Arc<Ledger>,
}

#[derive(Debug)]
pub(super) struct Mo {
    options: MoOptions,
    start: Instant,
    sent: AtomicU32,
}

impl Mo {
    pub(super) const fn new(options: MoOptions, start: Instant) -> Self {
        Self { options, start, sent: AtomicU32::new(0) }
    }

    /// When the next message is due; `None` after the last.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due(self.sent.load(Ordering::Relaxed))
    }

    /// The ledger id of a message that is due, which the caller then must send.
    pub(super) fn take(&self, now: Instant) -> Option<u32> {
        let due = |sent| self.due(sent).is_some_and(|due| due <= now).then(|| sent + 1);
        self.sent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, due).ok()?;
        Some(self.options.ledger.issue(1).start)
    }

    /// Appends the deliver_sm of message `id`.
    pub(super) fn encode(
        &self,
        id: u32,
        sequence_number: u32,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let ledger = &self.options.ledger;
        let mut text = Marker::new(ledger.run(), id, tail_hash(TAIL)).to_chars().to_vec();
        text.extend_from_slice(TAIL);
        let sm = Sm {
            source: Address { ton: 1, npi: 1, addr: self.options.source.as_bytes() },
            destination: Address { ton: 1, npi: 1, addr: self.options.destination.as_bytes() },
            short_message: &text,
            ..Sm::default()
        };
        sm.encode(CommandId::DELIVER_SM, sequence_number, out)?;
        ledger.submitted(id, Instant::now());
        Ok(())
    }

    /// deliver_sm_resp came; the message has no id of the node's, so its own number stands for one.
    pub(super) fn answered(&self, id: u32, ok: bool) {
        if ok {
            self.options.ledger.accepted(id, &id.to_be_bytes());
        } else {
            self.options.ledger.refused(id);
        }
    }

    /// The connection was lost before the answer.
    pub(super) fn unknown(&self, id: u32) {
        self.options.ledger.unknown(id);
    }

    fn due(&self, sent: u32) -> Option<Instant> {
        if sent >= self.options.total || self.options.rate <= 0.0 {
            return None;
        }
        Some(self.start + Duration::from_secs_f64(f64::from(sent) / self.options.rate))
    }
}
