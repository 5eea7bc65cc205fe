//! What media nodes say: answers for workers, calls that are lost, calls that nobody has any more.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use uuid::Uuid;

use self::leftovers::{Figures, Leftovers};
use super::{Calls, Lane};
use crate::media::asking::{Question, Wants};
use crate::media::exchange::{Command, Outcome, Patience};
use crate::media::pool::{News, Over, Ticket};
use crate::sip::anchor::{self, Counted, Name};
use crate::sip::dialog::Dialog;
use crate::sip::event::{CallEvent, What};
use crate::sip::finder::ToFinder;
use crate::sip::transactions::Now;
use crate::sip::worker::{Input, is_of};

mod leftovers;

/// What is known of the calls of a node.
#[derive(Debug, Default)]
pub(super) struct OfNode {
    compared: Compared,
    leftovers: Leftovers,
}

/// What the last list of a node showed.
#[derive(Debug, Default)]
struct Compared {
    /// Calls of ours that it has and that we have not.
    extra: HashSet<Uuid>,
    /// Calls that it carried and has not, and since when that is known.
    missing: HashMap<Uuid, Instant>,
}

/// A call, and the worker that serves it.
type Served = (usize, Uuid);

/// What two lists in a row have shown.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shown {
    /// Calls that a node has and nobody else.
    extra: Vec<Uuid>,
    /// Calls that it has lost, each with when that was seen first.
    missing: Vec<(Served, Instant)>,
}

impl Compared {
    /// Takes in the next list. Calls begin and end while one is made, so that one alone says nothing.
    fn follow(&mut self, extra: HashSet<Uuid>, missing: Vec<Served>, now: Instant) -> Shown {
        let before = std::mem::take(self);
        let mut over = Shown::default();
        for dialog in extra {
            if before.extra.contains(&dialog) {
                over.extra.push(dialog);
            } else {
                self.extra.insert(dialog);
            }
        }
        for served in missing {
            match before.missing.get(&served.1) {
                Some(first) => over.missing.push((served, *first)),
                None => drop(self.missing.insert(served.1, now)),
            }
        }
        over
    }
}

impl Calls {
    /// Takes in what the actor of a media node says.
    pub fn media_news(&self, news: News) {
        match news {
            // There is no more of this than workers have asked for.
            News::Answer(answer) => self.command(usize::from(answer.waiter.worker), Input::Media(answer)),
            News::Deleted { over, outcome, .. } => self.media_deleted(over, &outcome),
            News::Lost { node, heard } => self.media_lost(node, self.then(heard)),
            News::Calls { node, names, all, heard } => self.compare(node, (&names, all), heard),
            News::Gone { node, call, since } => self.media_gone(node, call, since),
            News::Queried { node, call, body } => self.media_queried(node, call, &body),
        }
    }

    /// A moment by both clocks.
    fn then(&self, instant: Instant) -> Now {
        let now = self.now();
        let ago = now.instant.saturating_duration_since(instant);
        Now { instant, wall: now.wall.minus(ago) }
    }

    /// A node was told that a call is over. What it has counted goes the way of all that happens to the call: a call that
    /// nobody was told of yet has it too.
    fn media_deleted(&self, over: Over, outcome: &Outcome) {
        let reply = match outcome {
            Outcome::Answered(body) => ng::Reply::parse(body).ok(),
            Outcome::Silent | Outcome::Unsent => None,
        };
        // It does not know the caller by this tag, and has deleted nothing. Or the call is at another one: the callee made
        // the offer, another one took it, and here no more is known than the cookie of the INVITE.
        if reply.as_ref().is_some_and(ng::Reply::is_unknown_call) {
            let name = Name { owner: over.owner, dialog: over.dialog };
            self.media.nodes().iter().for_each(|node| self.delete_at(node.number, name));
        }
        let counted = reply.as_ref().and_then(ng::Reply::done).map(Counted::read).unwrap_or_default();
        let event = CallEvent { dialog: over.dialog, at: self.now(), what: What::Media(counted) };
        // What stands before it is told soon, and this with it.
        if self.note(usize::from(over.worker), &mut vec![event]) == 1 {
            self.announce();
        }
    }

    /// Has a node delete all that it has of a call.
    fn delete_at(&self, node: u8, name: Name) {
        let body = anchor::delete_all(name);
        let command = Command { ticket: Ticket::Nobody, body, patience: Patience::PATIENT };
        // What finds no room is found by the next list.
        let _ = self.media.submit(node, command);
    }

    /// A node is lost: the calls that it carried are over.
    fn media_lost(&self, node: u8, at: Now) {
        let lost = self.carried(node, |_| true);
        if !lost.is_empty() {
            tracing::error!(node, calls = lost.len(), "calls end, for their media node is lost");
        }
        for (worker, dialog) in lost {
            self.command(worker, Input::MediaLost(dialog, node, at));
        }
    }

    /// Compares a node's calls with ours, both ways: what it has and we have not is deleted, what we have and it has not
    /// is over. Two lists in a row must show it, for calls begin and end while a list is made. What is not ours is left
    /// alone.
    fn compare(&self, node: u8, (names, all): (&[String], bool), heard: Option<Instant>) {
        let now = self.now().instant;
        let names: Vec<Name> = names.iter().filter_map(|name| Name::parse(name.as_bytes())).collect();
        let own = names.iter().filter(|name| name.owner == self.settings.node).map(|name| name.dialog);
        let unserved = own.filter(|dialog| !self.has(*dialog));
        // Those of an earlier process may ring, or be up without a record: who sends their BYE has them deleted.
        let (extra, left): (HashSet<Uuid>, HashSet<Uuid>) =
            unserved.partition(|dialog| is_of(*dialog, self.settings.process));
        let known: HashSet<Uuid> = names.iter().map(|name| name.dialog).collect();
        let missing = if all { self.carried(node, |dialog| !known.contains(&dialog)) } else { Vec::new() };
        let (over, in_doubt, left) = {
            let mut seen = self.media_seen.lock();
            let OfNode { compared, leftovers } = seen.entry(node).or_default();
            let over = compared.follow(extra, missing, now);
            (over, !compared.missing.is_empty(), leftovers.listed(left))
        };
        self.ask_about(node, (left, all), in_doubt);
        for dialog in over.extra {
            self.leak(node, dialog);
        }
        for ((worker, dialog), first) in over.missing {
            tracing::warn!(node, %dialog, "a call ends, for its media node does not have it any more");
            let at = self.then(heard.map_or(first, |heard| heard.min(first)));
            self.command(worker, Input::MediaLost(dialog, node, at));
        }
    }

    /// Has a node asked for calls one by one: for those that an earlier process left there, and for all that it carries
    /// where its list had no room for all; and for another list soon, where this one is in doubt.
    fn ask_about(&self, node: u8, (left, all): (Vec<Uuid>, bool), in_doubt: bool) {
        let Some(media) = self.media.node(node) else { return };
        // Nobody hears anything in such a call: it is not to cost until the next list comes by itself.
        if in_doubt {
            media.look_again();
        }
        let own = |dialog| Name { owner: self.settings.node, dialog };
        let left = left.into_iter().map(|dialog| question(own(dialog), Wants::Figures));
        let carried = if all { Vec::new() } else { self.names(node) };
        let carried = carried.into_iter().map(|name| question(name, Wants::Presence));
        media.ask_about(left.chain(carried).collect());
    }

    /// A node was asked for a call, twice, and does not have it.
    fn media_gone(&self, node: u8, dialog: Uuid, since: Instant) {
        let carries = |lane: &Lane| lane.up.lock().get(&dialog).is_some_and(|call| is_at(call, node));
        // Else it has ended meanwhile.
        let Some(worker) = self.workers.iter().position(carries) else { return };
        tracing::warn!(node, %dialog, "a call ends, for its media node does not have it any more");
        self.command(worker, Input::MediaLost(dialog, node, self.then(since)));
    }

    /// A node tells of a call that an earlier process left there.
    fn media_queried(&self, node: u8, dialog: Uuid, body: &[u8]) {
        let reply = ng::Reply::parse(body).ok();
        let call = reply.as_ref().and_then(ng::Reply::done).and_then(ng::reply::Done::call);
        let figures = call.as_ref().and_then(Figures::of).filter(|_| !self.has(dialog));
        let is_over = {
            let mut seen = self.media_seen.lock();
            let time = (self.settings.media_leftovers, self.now().instant);
            seen.entry(node).or_default().leftovers.told(dialog, figures, time)
        };
        if is_over {
            self.leak(node, dialog);
        }
    }

    /// A media node has a call of ours that nobody here serves.
    fn leak(&self, node: u8, dialog: Uuid) {
        if self.settings.shared {
            // Another node may have taken it over. Where there is no room to look, it is found again.
            self.finder.submit(ToFinder::Leak { node, dialog });
        } else {
            self.delete_leak(node, dialog);
        }
    }

    /// A media node has a call of ours that is over.
    pub fn delete_leak(&self, node: u8, dialog: Uuid) {
        self.counters.media_leaks.add(1);
        tracing::warn!(node, %dialog, "a media node has a call that is over, it is deleted");
        self.delete_at(node, Name { owner: self.settings.node, dialog });
    }

    /// Whether a call lives here.
    pub fn has(&self, dialog: Uuid) -> bool {
        self.workers.iter().any(|lane| lane.dialogs.lock().contains_key(&dialog))
    }

    /// Calls that are up and that a node carries, each with its worker.
    fn carried(&self, node: u8, which: impl Fn(Uuid) -> bool) -> Vec<(usize, Uuid)> {
        let mut carried = Vec::new();
        for (worker, lane) in self.workers.iter().enumerate() {
            let up = lane.up.lock();
            let of_node = up.values().filter(|dialog| is_at(dialog, node) && which(dialog.id));
            carried.extend(of_node.map(|dialog| (worker, dialog.id)));
        }
        carried
    }

    /// The same by the names that they have there.
    fn names(&self, node: u8) -> Vec<Name> {
        let mut names = Vec::new();
        for lane in &self.workers {
            let up = lane.up.lock();
            let of_node = up.values().filter(|dialog| is_at(dialog, node));
            let name =
                |dialog: &Arc<Dialog>| Some(Name { owner: dialog.media.as_ref()?.owner, dialog: dialog.id });
            names.extend(of_node.filter_map(name));
        }
        names
    }
}

/// Whether a node carries a call.
fn is_at(dialog: &Dialog, node: u8) -> bool {
    dialog.media.as_ref().is_some_and(|anchor| anchor.node == node)
}

fn question(name: Name, wants: Wants) -> Question {
    Question { call: name.dialog, body: anchor::query(name), wants }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twice in a row, and only then; with the time of the first.
    #[test]
    fn one_list_says_nothing() {
        let start = tokio::time::Instant::now().into_std();
        let second = std::time::Duration::from_secs(1);
        let id = Uuid::from_u128;
        let set = |ids: &[u128]| ids.iter().copied().map(id).collect::<HashSet<_>>();
        let served = |ids: &[u128]| ids.iter().map(|dialog| (3, id(*dialog))).collect::<Vec<_>>();
        let mut compared = Compared::default();
        assert_eq!(compared.follow(set(&[1, 2]), served(&[8, 9]), start), Shown::default());
        let over = compared.follow(set(&[2, 3]), served(&[9]), start + second);
        assert_eq!(over, Shown { extra: vec![id(2)], missing: vec![((3, id(9)), start)] });
        // What was told is not told again at once; what was not there in between begins anew.
        assert_eq!(compared.follow(set(&[1, 2]), served(&[8, 9]), start + second * 2), Shown::default());
        let over = compared.follow(set(&[]), served(&[8]), start + second * 3);
        assert_eq!(over, Shown { extra: Vec::new(), missing: vec![((3, id(8)), start + second * 2)] });
    }
}
