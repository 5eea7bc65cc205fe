//! The two lanes of an outbox, and how far the log has been read back. Pure but for tickets.

use std::collections::VecDeque;
use std::sync::Arc;

use runtime::log::OutboxRow;

use super::{BACKLOG_MAX, Delivery, Next, Receiver};

#[derive(Debug, Default)]
pub(super) struct Lanes {
    pub(super) live: VecDeque<Delivery>,
    pub(super) backlog: VecDeque<Delivery>,
    /// The session that waits for the front of the live lane to be durable.
    pub(super) waiter: Option<Arc<Receiver>>,
    pub(super) loading: bool,
    backlog_turn: bool,
    /// Ids announced whose rows the log does not have yet; as many as there are threads at most.
    announced: Vec<i64>,
    /// Highest id that was spilled; rows up to here may be in the log only.
    spilled: i64,
    /// Highest id that the loader has read.
    loaded: i64,
    /// No row that is in the log only has a lower id.
    unread_from: i64,
    /// Rows up to here are of an earlier life.
    recovered: i64,
    /// Rows of this life that are counted and in the log only.
    unread: usize,
}

impl Lanes {
    pub(super) fn announce(&mut self, draw: impl FnOnce() -> i64) -> i64 {
        let id = draw();
        self.announced.push(id);
        id
    }

    pub(super) fn withdraw(&mut self, id: i64) {
        self.announced.retain(|announced| *announced != id);
    }

    pub(super) fn spilled(&mut self, id: i64) {
        self.withdraw(id);
        self.unread += 1;
        let all_read = self.loaded >= self.spilled;
        self.unread_from = if all_read { id } else { self.unread_from.min(id) };
        self.spilled = self.spilled.max(id);
    }

    pub(super) fn recovered(&mut self, highest: i64) {
        self.recovered = highest;
        self.unread_from = 0;
        self.spilled = self.spilled.max(highest);
    }

    pub(super) fn next(&mut self) -> Next {
        let live_ready = self.live.front().is_some_and(Delivery::is_durable);
        if (self.backlog_turn || !live_ready)
            && let Some(delivery) = self.backlog.pop_front()
        {
            self.backlog_turn = false;
            return Next::Delivery(delivery);
        }
        if !live_ready {
            return match self.live.front().and_then(|front| front.ticket.clone()) {
                Some(ticket) => Next::Wait(ticket),
                None => Next::Empty,
            };
        }
        self.backlog_turn = true;
        match self.live.pop_front() {
            Some(delivery) => Next::Delivery(Delivery { ticket: None, ..delivery }),
            None => Next::Empty,
        }
    }

    pub(super) fn stop_waiting(&mut self, receiver: &Arc<Receiver>) {
        if self.waiter.as_ref().is_some_and(|waiter| Arc::ptr_eq(waiter, receiver)) {
            self.waiter = None;
        }
    }

    /// The oldest delivery, when it is in memory.
    pub(super) fn take_oldest(&mut self) -> Option<Delivery> {
        let front = |lane: &VecDeque<Delivery>| lane.front().map_or(i64::MAX, |delivery| delivery.row.id);
        let (live, backlog) = (front(&self.live), front(&self.backlog));
        let unread = self.loaded < self.spilled && self.unread_from < live.min(backlog);
        match (unread, backlog < live) {
            (true, _) => None,
            (false, true) => self.backlog.pop_front(),
            (false, false) => self.live.pop_front(),
        }
    }

    /// Drops the backlog from memory, to be read again; how many of it are counted again then. A page on its
    /// way joins what is here, so then everything stays.
    pub(super) fn forget_backlog(&mut self) -> usize {
        let Some(lowest) = self.backlog.iter().map(|delivery| delivery.row.id).min() else { return 0 };
        if self.loading {
            return 0;
        }
        let counted_again = self.backlog.iter().filter(|delivery| delivery.row.id <= self.recovered).count();
        self.unread += self.backlog.len() - counted_again;
        self.backlog = VecDeque::new();
        self.loaded = lowest - 1;
        self.unread_from = lowest;
        counted_again
    }

    pub(super) fn wants_backlog(&mut self) -> Option<(i64, i64)> {
        let in_the_log = self.announced.iter().map(|id| id - 1).min().unwrap_or(i64::MAX);
        let up_to = self.spilled.min(in_the_log);
        let wants = self.loaded < up_to && !self.loading && self.backlog.len() < BACKLOG_MAX / 2;
        self.loading |= wants;
        wants.then_some((self.loaded, up_to))
    }

    /// Gives how many of the rows are of an earlier life and not counted yet, and how many that are counted
    /// were not there: expired, and deleted by retention.
    pub(super) fn loaded(&mut self, mut page: Vec<OutboxRow>, up_to: i64, limit: usize) -> (usize, usize) {
        self.loading = false;
        let is_full = page.len() >= limit;
        // What is beyond may have neighbours that are not in the log yet.
        page.retain(|row| row.id <= up_to);
        let last = page.last().map_or(self.loaded, |last| last.id);
        self.loaded = if is_full && page.len() >= limit { last } else { last.max(up_to) };
        self.unread_from = self.unread_from.max(self.loaded + 1);
        let counted = page.iter().filter(|row| row.id <= self.recovered).count();
        self.unread = self.unread.saturating_sub(page.len() - counted);
        self.backlog.extend(page.into_iter().map(Delivery::read_back));
        let vanished = if self.loaded >= self.spilled { std::mem::take(&mut self.unread) } else { 0 };
        (counted, vanished)
    }
}
