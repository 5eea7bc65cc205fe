//! deliver_sm to the customer: receipts and MO out of the account's outbox.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BufMut;
use runtime::log::Ticket;
use smpp::{CommandId, CommandStatus, HEADER_LEN, Header};
use tokio::time::Instant;

use super::serve::Serve;
use crate::smpp::connection::UNSENT_MAX;
use crate::smpp::outbox::{Delivery, Next};
use crate::smpp::outbox_loader::Page;

/// Wait after a customer said that it cannot take deliveries now.
const PAUSE: Duration = Duration::from_secs(1);

impl Serve {
    /// Sends what is owed as far as the window and the socket have room.
    pub(super) fn deliver(&mut self) {
        if !self.receives {
            return;
        }
        let now = Instant::now();
        if self.paused_until.is_some_and(|until| now < until) {
            // No other session is passed over for this one meanwhile.
            self.receiver.free.store(0, Ordering::Release);
            return;
        }
        self.paused_until = None;
        while self.window.free() > 0 && self.connection.output.len() < UNSENT_MAX {
            match self.account.outbox.next() {
                Next::Delivery(delivery) => self.send(delivery, now),
                Next::Wait(_) | Next::Empty => break,
            }
        }
        if let Some((after, up_to)) = self.account.outbox.wants_backlog() {
            self.smpp.loader.load(Page { account: Arc::clone(self.account.shared()), after, up_to });
        }
        let free = u32::try_from(self.window.free()).unwrap_or(u32::MAX);
        self.receiver.free.store(free, Ordering::Release);
    }

    /// The ticket that the next delivery waits for, when there is room to send it.
    pub(super) fn next_delivery_ticket(&self) -> Option<Ticket> {
        if self.window.free() == 0 || self.paused_until.is_some() {
            None
        } else {
            self.account.outbox.waiting()
        }
    }

    fn send(&mut self, delivery: Delivery, now: Instant) {
        if delivery.row.expires_at <= self.smpp.now().micros() {
            self.smpp.metrics.deliveries_dropped.with_label_values(&["expired"]).inc();
            return self.settle(&delivery);
        }
        let body = delivery.row.body.clone();
        // The loop that calls has seen a free place.
        let Ok(sequence_number) = self.window.insert(delivery, now.into_std()) else { return };
        let output = &mut self.connection.output;
        output.put_u32(u32::try_from(HEADER_LEN + body.len()).unwrap_or(0));
        output.put_u32(CommandId::DELIVER_SM.0);
        output.put_u32(0);
        output.put_u32(sequence_number);
        output.extend_from_slice(&body);
        self.smpp.delivered.fetch_add(1, Ordering::Relaxed);
        self.note_window();
    }

    pub(super) fn on_deliver_sm_resp(&mut self, header: &Header) {
        let Some((delivery, _sent)) = self.window.remove(header.sequence_number) else { return };
        self.note_window();
        if takes_later(header.command_status) {
            self.paused_until = Some(Instant::now() + PAUSE);
            self.account.outbox.give_back(std::iter::once(delivery));
            return;
        }
        if header.command_status == CommandStatus::ESME_ROK {
            self.smpp.metrics.delivered.inc();
        } else {
            self.smpp.metrics.deliveries_dropped.with_label_values(&["refused"]).inc();
        }
        self.counters.delivered.fetch_add(1, Ordering::Relaxed);
        self.settle(&delivery);
    }

    /// A customer that cannot read a PDU of ours will not read it the next time either.
    pub(super) fn on_generic_nack(&mut self, header: &Header) {
        if let Some((delivery, _sent)) = self.window.remove(header.sequence_number) {
            self.smpp.metrics.deliveries_dropped.with_label_values(&["refused"]).inc();
            self.settle(&delivery);
        }
    }

    /// Deliveries without an answer go back to the outbox, for this session or another.
    pub(super) fn expire_deliveries(&mut self, now: Instant) {
        let response = self.smpp.options.response.get();
        while let Some((_, delivery)) = self.window.expired(now.into_std(), response) {
            self.account.outbox.give_back(std::iter::once(delivery));
        }
        self.note_window();
    }

    fn settle(&self, delivery: &Delivery) {
        let id = delivery.row.id;
        self.account.outbox.release(delivery);
        self.smpp.log.append(|batch| batch.outbox_done.push(id));
    }

    fn note_window(&self) {
        self.counters.unanswered.store(self.window.len(), Ordering::Relaxed);
    }
}

/// Statuses by which a customer says: not now (5.1.3).
const fn takes_later(status: CommandStatus) -> bool {
    matches!(
        status,
        CommandStatus::ESME_RX_T_APPN
            | CommandStatus::ESME_RMSGQFUL
            | CommandStatus::ESME_RTHROTTLED
            | CommandStatus::ESME_RSYSERR
    )
}
