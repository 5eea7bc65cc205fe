//! deliver_sm to the customer: receipts and MO out of the account's outbox.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BufMut;
use runtime::log::Ticket;
use smpp::{CommandId, CommandStatus, HEADER_LEN, Header};
use tokio::time::Instant;

use super::serve::Serve;
use crate::smpp::connection::UNSENT_MAX;
use crate::smpp::outbox::{Delivery, Next};
use crate::smpp::receipts::read_back;

/// Wait after a customer said that it cannot take deliveries now.
const PAUSE: Duration = Duration::from_secs(1);
/// Waits before a delivery is sent again that the customer refused with a status that does not say for good;
/// after the last it is given up.
const REFUSED_WAITS: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(25)];

/// A delivery that waits to be sent again on this session.
pub(super) struct Again {
    at: Instant,
    pub(super) delivery: Delivery,
}

impl Serve {
    /// Sends what is owed as far as the window and the socket have room.
    pub(super) fn deliver(&mut self) {
        if !self.receives {
            return;
        }
        let now = Instant::now();
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
        }
        while self.places() > 0
            && let Some(delivery) = self.next_delivery(now)
        {
            self.send(delivery, now);
        }
        let room = self.room();
        if room > 0 {
            read_back(&self.smpp, self.account.shared());
        }
        self.account.outbox.rest(&self.receiver, room);
    }

    /// Deliveries that may be sent now. None while the customer asked for a pause, and once either side has
    /// said unbind.
    fn places(&self) -> u32 {
        let closed =
            self.paused_until.is_some() || !self.is_bound() || self.connection.output.len() >= UNSENT_MAX;
        if closed { 0 } else { u32::try_from(self.window.free()).unwrap_or(u32::MAX) }
    }

    /// New ones among them: none while so many wait for another try that the customer seems to refuse
    /// everything.
    fn room(&self) -> u32 {
        if self.again.len() >= self.window.capacity() { 0 } else { self.places() }
    }

    fn next_delivery(&mut self, now: Instant) -> Option<Delivery> {
        if let Some(due) = self.again.iter().position(|again| again.at <= now) {
            return Some(self.again.swap_remove(due).delivery);
        }
        if self.room() == 0 {
            return None;
        }
        match self.account.outbox.next() {
            Next::Delivery(delivery) => Some(delivery),
            Next::Wait(_) | Next::Empty => None,
        }
    }

    /// When the next delivery is to be sent again. None without a place for it: what gives one wakes us.
    pub(super) fn next_again(&self) -> Option<Instant> {
        if self.places() == 0 {
            return None;
        }
        self.again.iter().map(|again| again.at).min()
    }

    /// The ticket that the next delivery waits for, when there is room to send it.
    pub(super) fn next_delivery_ticket(&self) -> Option<Ticket> {
        if self.receives && self.room() > 0 { self.account.outbox.waiting(&self.receiver) } else { None }
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
        match header.command_status {
            CommandStatus::ESME_ROK => {
                self.smpp.metrics.delivered.inc();
                self.counters.delivered.fetch_add(1, Ordering::Relaxed);
                self.settle(&delivery);
            }
            status if takes_later(status) => {
                self.paused_until = self.receives.then(|| Instant::now() + PAUSE);
                self.account.outbox.give_back(std::iter::once(delivery));
            }
            status if refuses_for_good(status) => self.give_up(&delivery),
            _ => self.send_again(delivery),
        }
        self.leave_when_idle();
    }

    fn send_again(&mut self, mut delivery: Delivery) {
        if !self.receives {
            return self.account.outbox.give_back(std::iter::once(delivery));
        }
        let Some(wait) = REFUSED_WAITS.get(usize::from(delivery.refusals)) else {
            return self.give_up(&delivery);
        };
        delivery.refusals += 1;
        self.again.push(Again { at: Instant::now() + *wait, delivery });
    }

    fn give_up(&self, delivery: &Delivery) {
        self.smpp.metrics.deliveries_dropped.with_label_values(&["refused"]).inc();
        self.settle(delivery);
    }

    /// A customer that cannot read a PDU of ours will not read it the next time either.
    pub(super) fn on_generic_nack(&mut self, header: &Header) {
        if let Some((delivery, _sent)) = self.window.remove(header.sequence_number) {
            self.give_up(&delivery);
            self.leave_when_idle();
        }
    }

    /// Deliveries without an answer go back to the outbox, for this session or another.
    pub(super) fn expire_deliveries(&mut self, now: Instant) {
        let response = self.smpp.options.response.get();
        while let Some((_, delivery)) = self.window.expired(now.into_std(), response) {
            self.account.outbox.give_back(std::iter::once(delivery));
        }
        self.leave_when_idle();
        self.note_window();
    }

    fn settle(&self, delivery: &Delivery) {
        let id = delivery.row.id;
        self.account.outbox.release(delivery);
        self.smpp.log.append_lazily(|batch| batch.outbox_done.push(id));
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

/// Statuses by which a customer says: never (5.1.3).
const fn refuses_for_good(status: CommandStatus) -> bool {
    matches!(status, CommandStatus::ESME_RX_P_APPN | CommandStatus::ESME_RX_R_APPN)
}
