//! What a simulated SMSC delivers: receipts and MO messages.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use smpp::CommandStatus;
use tokio::time::Instant;

use super::super::receipt::Receipt;
use super::{Delivery, Session};
use crate::wall;

/// Receipts written per turn, so that answers do not wait behind a burst of them.
const RECEIPTS_PER_TURN: usize = 256;
/// When a receipt that was answered with an error is sent again.
const REFUSED_RETRY: Duration = Duration::from_secs(1);

impl Session {
    pub(super) fn on_deliver_sm_resp(&mut self, sequence_number: u32, status: CommandStatus, now: Instant) {
        let Some((delivery, _)) = self.outstanding.remove(sequence_number) else { return };
        let counters = &self.shared.counters;
        match delivery {
            Delivery::Receipt(_) if status.is_ok() => {
                counters.receipts_answered.fetch_add(1, Relaxed);
            }
            Delivery::Receipt(receipt) => {
                counters.delivers_refused.fetch_add(1, Relaxed);
                self.new_receipts.push(Receipt { due: now + REFUSED_RETRY, ..receipt });
            }
            Delivery::Mo(id) => {
                if let Some(mo) = &self.shared.mo {
                    mo.answered(id, status.is_ok());
                }
            }
        }
    }

    /// Writes the receipts and MO messages that are due; returns when to come back.
    pub(super) fn deliver(&mut self, now: Instant) -> Option<Instant> {
        let outbox = match &self.bound {
            Some(bound) if bound.receives && self.wire.is_writable() => Arc::clone(&bound.outbox),
            Some(_) | None => return None,
        };
        let next_mo = self.send_mo(now);
        let room = self.outstanding.free().min(RECEIPTS_PER_TURN);
        let next_receipt = outbox.take_due(now, room, &mut self.due_receipts);
        if !self.due_receipts.is_empty() {
            self.minute = wall::now();
        }
        let mut due = std::mem::take(&mut self.due_receipts);
        for receipt in due.drain(..) {
            self.send_receipt(receipt, now);
        }
        self.due_receipts = due;
        if self.outstanding.free() == 0 {
            // Another bind may have room; this one comes back with the next deliver_sm_resp.
            if next_receipt.is_some_and(|due| due <= now) {
                outbox.woken.notify_waiters();
            }
            return None;
        }
        next_mo.into_iter().chain(next_receipt).min()
    }

    fn send_receipt(&mut self, receipt: Receipt, now: Instant) {
        let Ok(sequence_number) = self.outstanding.insert(Delivery::Receipt(receipt), now.into_std()) else {
            return;
        };
        let at = (sequence_number, self.minute);
        if receipt.encode(&self.shared.options, at, &mut self.scratch, &mut self.wire.out).is_err() {
            self.shared.counters.malformed.fetch_add(1, Relaxed);
            return;
        }
        self.shared.counters.receipts_sent.fetch_add(1, Relaxed);
        if let Some(id) = receipt.id {
            self.shared.ledger.receipt_sent(id);
        }
    }

    fn send_mo(&mut self, now: Instant) -> Option<Instant> {
        let shared = Arc::clone(&self.shared);
        let mo = shared.mo.as_ref()?;
        while self.outstanding.free() > 0 {
            let Some(id) = mo.take(now) else { break };
            let Ok(sequence_number) = self.outstanding.insert(Delivery::Mo(id), now.into_std()) else {
                break;
            };
            if mo.encode(id, sequence_number, &mut self.wire.out).is_ok() {
                shared.counters.mo_sent.fetch_add(1, Relaxed);
            }
        }
        mo.next_due()
    }

    /// The connection is over: what it owed goes to the other binds, or is written down as uncertain.
    pub(super) fn give_back(&mut self) {
        let Some(bound) = self.bound.take() else { return };
        self.shared.counters.bound.fetch_sub(1, Relaxed);
        let unanswered: Vec<u64> = self.answers.iter().map(|answer| answer.number).collect();
        bound.outbox.disown(&unanswered);
        for id in self.answers.drain(..).filter_map(|answer| answer.id) {
            self.shared.ledger.unanswered(id);
        }
        let mut receipts = Vec::new();
        for (_, delivery) in self.outstanding.drain() {
            match delivery {
                Delivery::Receipt(receipt) => receipts.push(receipt),
                Delivery::Mo(id) => {
                    if let Some(mo) = &self.shared.mo {
                        mo.unknown(id);
                    }
                }
            }
        }
        bound.outbox.put_back(receipts.into_iter());
    }
}
