//! What the node delivers to a simulated customer.

use std::sync::atomic::Ordering::Relaxed;

use smpp::CommandStatus;
use smpp::dlr::{MessageState, Receipt};
use smpp::pdu::Sm;
use tokio::time::Instant;

use super::Shared;
use crate::ledger::{Final, Seen};
use crate::marker::Marker;

impl Shared {
    /// Accounts for a receipt or MO message; returns what to answer.
    pub(super) fn on_deliver_sm(&self, body: &[u8], now: Instant) -> CommandStatus {
        self.counters.delivers.fetch_add(1, Relaxed);
        let sm = match Sm::decode(body) {
            Ok(sm) => sm,
            Err(error) => {
                self.counters.unreadable.fetch_add(1, Relaxed);
                return error.command_status;
            }
        };
        if sm.esm_class.is_delivery_receipt() {
            self.on_receipt(&sm, now);
        } else {
            self.on_mo(&sm);
        }
        CommandStatus::ESME_ROK
    }

    fn on_receipt(&self, sm: &Sm<'_>, now: Instant) {
        let Some(receipt) = Receipt::of(sm) else {
            self.counters.unreadable.fetch_add(1, Relaxed);
            return;
        };
        if !receipt.stat.is_final() {
            return;
        }
        let state = if receipt.stat == MessageState::Delivered { Final::Delivered } else { Final::Failed };
        if let Seen::First(latency) = self.ledger.receipt_seen(receipt.id, state, now) {
            self.counters.dlr.record(latency);
        }
    }

    fn on_mo(&self, sm: &Sm<'_>) {
        let marker = Marker::parse(sm.payload()).map(|(marker, _)| marker);
        match (&self.options.mo_ledger, marker) {
            (Some(ledger), Some(marker)) if marker.run == ledger.run() => {
                ledger.reached(marker.id);
            }
            _ => {
                self.counters.unreadable.fetch_add(1, Relaxed);
            }
        }
    }
}
