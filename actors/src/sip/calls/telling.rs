//! What the workers saw, on its way to the dialogs, and the actors of dialogs to be started.
//!
//! A worker notes events; one task takes them from here and tells the dialogs. All that a call is stands here, beside
//! its actor: neither a panic nor a supervisor that begins anew loses a call or its record.

use std::sync::Arc;

use runtime::log::Reason;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{Calls, Lane};
use crate::sip::dialog::Dialog;
use crate::sip::dialog_actor::{self, Kept};
use crate::sip::event::{CallEvent, What};
use crate::sip::live_call::LiveCall;
use crate::sip::worker::Input;

/// What a dialog's actor is told.
#[derive(Debug)]
pub enum ToDialog {
    /// What the worker saw.
    Events(Vec<CallEvent>),
    /// The worker has begun anew, and the call was not up.
    WorkerRestarted,
    /// Another node has the call, and the worker has let go of it.
    Given,
}

/// A call that lives.
#[derive(Clone)]
pub(super) struct Known {
    sender: mpsc::UnboundedSender<ToDialog>,
    kept: Arc<Kept>,
}

impl Calls {
    /// Ends a call; false when there is none of this number.
    pub fn hang_up(&self, dialog: Uuid, reason: Reason) -> bool {
        let holds = |lane: &Lane| lane.dialogs.lock().contains_key(&dialog);
        let worker = self.workers.iter().position(holds);
        worker.inspect(|worker| self.command(*worker, Input::HangUp(dialog, reason))).is_some()
    }

    /// Keeps what a worker saw until the dialogs are told; returns how much there is.
    pub fn note(&self, worker: usize, events: &mut Vec<CallEvent>) -> usize {
        let Some(lane) = self.workers.get(worker) else { return 0 };
        let mut untold = lane.untold.lock();
        untold.append(events);
        untold.len()
    }

    /// Has the dialogs told what was noted. It wakes one task, which wakes the others: that is cheaper than if the
    /// worker's thread did.
    pub fn announce(&self) {
        self.news.notify_one();
    }

    /// Waits until there is something to tell.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// Gives what was noted to the dialogs that it is of. Actors of new ones are started with [`Calls::next_unborn`].
    pub fn tell(&self) {
        for (worker, lane) in self.workers.iter().enumerate() {
            self.tell_of(worker, lane);
        }
    }

    /// The next call that has no actor yet, once.
    pub fn next_unborn(&self) -> Option<Arc<Kept>> {
        self.unborn.lock().pop_front()
    }

    /// Calls whose actors went with their supervisor, once.
    pub fn take_lost(&self) -> Vec<Arc<Kept>> {
        std::mem::take(&mut *self.lost.lock())
    }

    /// Whether there are such calls.
    pub fn has_lost(&self) -> bool {
        !self.lost.lock().is_empty()
    }

    /// A supervisor has let go of a dialog: where its call lives on, it needs another actor.
    pub fn let_go(&self, kept: &Arc<Kept>) {
        let lane = self.workers.get(kept.worker());
        // A call that was given away may have come back by now, with another actor.
        let lives = |lane: &Lane| {
            lane.dialogs.lock().get(&kept.id()).is_some_and(|known| Arc::ptr_eq(&known.kept, kept))
        };
        if lane.is_some_and(lives) {
            self.lost.lock().push(Arc::clone(kept));
            self.announce();
        }
    }

    /// What is told of one call is taken out before it is told: a panic loses nothing of others.
    fn tell_of(&self, worker: usize, lane: &Lane) {
        let mut telling = lane.telling.lock();
        telling.extend(lane.untold.lock().drain(..));
        while let Some(first) = telling.pop_front() {
            let id = first.dialog;
            let mut of_one = vec![first];
            while telling.front().is_some_and(|next| next.dialog == id) {
                of_one.extend(telling.pop_front());
            }
            self.tell_one(lane, worker, id, of_one);
        }
    }

    fn tell_one(&self, lane: &Lane, worker: usize, id: Uuid, mut events: Vec<CallEvent>) {
        for event in &events {
            lane.follow(event);
        }
        if let Some(known) = lane.dialogs.lock().get(&id) {
            known.tell(events);
            return;
        }
        let Some(CallEvent { what: What::Started(_), .. }) = events.first() else {
            self.told_late(events);
            return;
        };
        let first = events.remove(0);
        let What::Started(started) = first.what else { return };
        let call = LiveCall::begin(id, (self.settings.node, self.settings.call_max), first.at, *started);
        let Some(call) = call else { return };
        self.metrics.on_begun(&call, &self.snapshot.load());
        // One that came up in between may have something to wait for.
        let ended = |event: &CallEvent| matches!(&event.what, What::Ended(ended) if ended.media.is_none());
        if events.last().is_some_and(ended) {
            dialog_actor::at_once(self, call, events);
            return;
        }
        let known = self.enter(lane, worker, (call, false));
        if !events.is_empty() {
            known.tell(events);
        }
    }

    /// A call lives from now on, and gets an actor. It is recorded where it comes from the log. One that lives already
    /// stays as it is: it may be found in the log while a worker tells of it.
    fn enter(&self, lane: &Lane, worker: usize, (call, is_recorded): (LiveCall, bool)) -> Known {
        let id = call.id();
        let mut dialogs = lane.dialogs.lock();
        if let Some(known) = dialogs.get(&id) {
            return known.clone();
        }
        let face = self.list.enter(&call);
        let (sender, receiver) = mpsc::unbounded_channel();
        let kept = Arc::new(Kept::new(worker, face, (call, receiver), is_recorded));
        let known = Known { sender, kept: Arc::clone(&kept) };
        dialogs.insert(id, known.clone());
        drop(dialogs);
        self.unborn.lock().push_back(kept);
        known
    }

    /// A call of an earlier process goes on. Before the workers begin: what they find here they serve.
    pub fn adopt(&self, call: LiveCall, dialog: Arc<Dialog>) {
        let worker = self.worker_of_call(&dialog.call_id);
        self.adopt_at(worker, call, dialog);
    }

    /// A call that another process has served goes on here, at a worker that is told of it after this; one that lives
    /// here by now stays as it is.
    pub fn adopt_at(&self, worker: usize, call: LiveCall, dialog: Arc<Dialog>) {
        let Some(lane) = self.workers.get(worker) else { return };
        if self.has(call.id()) {
            return;
        }
        lane.up.lock().insert(call.id(), dialog);
        self.enter(lane, worker, (call, true));
        self.announce();
    }

    /// A worker has let go of a call that another node has: its actor ends, after all that it was told before.
    pub fn given(&self, worker: usize, dialog: Uuid) {
        let Some(lane) = self.workers.get(worker) else { return };
        self.tell_of(worker, lane);
        lane.up.lock().remove(&dialog);
        if let Some(known) = lane.dialogs.lock().get(&dialog) {
            let _ = known.sender.send(ToDialog::Given);
        }
        self.announce();
    }

    /// A dialog has written its record.
    pub fn forget(&self, worker: usize, dialog: Uuid) {
        self.list.leave(dialog);
        if let Some(lane) = self.workers.get(worker) {
            let gone = lane.dialogs.lock().remove(&dialog);
            lane.up.lock().remove(&dialog);
            drop(gone);
        }
    }

    /// A worker begins, perhaps anew: the calls that are up, which it serves from now on. Those that were not up are
    /// over with the worker that held their transactions, and are told so.
    pub fn worker_begins(&self, worker: usize) -> Vec<Arc<Dialog>> {
        let Some(lane) = self.workers.get(worker) else { return Vec::new() };
        self.tell_of(worker, lane);
        self.announce();
        let up = lane.up.lock();
        for (id, known) in &*lane.dialogs.lock() {
            if !up.contains_key(id) {
                let _ = known.sender.send(ToDialog::WorkerRestarted);
            }
        }
        up.values().map(Arc::clone).collect()
    }

    /// Takes in what the actors of dialogs were told and did not come to, when they have stopped for good.
    pub fn settle(&self) {
        self.tell();
        for lane in &self.workers {
            let all: Vec<Arc<Kept>> =
                lane.dialogs.lock().values().map(|known| Arc::clone(&known.kept)).collect();
            for kept in all {
                dialog_actor::settle(self, &kept);
            }
        }
    }
}

impl Lane {
    /// Which calls are up, for the next incarnation of the worker.
    fn follow(&self, event: &CallEvent) {
        let dialog = match &event.what {
            What::Answered(answered) => &answered.dialog,
            What::Refreshed(dialog) => dialog,
            What::Ended(_) => {
                self.up.lock().remove(&event.dialog);
                return;
            }
            What::Started(_) | What::Attempted(_) | What::Media(_) => return,
        };
        self.up.lock().insert(event.dialog, Arc::clone(dialog));
    }
}

impl Known {
    /// It hears of it in its own time; where it is without an actor, the next one does.
    fn tell(&self, events: Vec<CallEvent>) {
        let _ = self.sender.send(ToDialog::Events(events));
    }
}
