//! A child ended: the decision carried out.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::actor::{Message, State};
use super::run::{self, Running};
use super::{Decision, Error, Exit, GaveUp, History, Strategy, Which, decide, task};
use crate::registry::ActorName;

/// A restart whose stops and pause are over.
pub(super) struct Due {
    ticket: u64,
    seq: u64,
    which: Which,
}

type Reply = oneshot::Sender<Result<(), Error>>;

impl State {
    /// An incarnation ended by itself.
    pub(super) fn child_ended(&mut self, seq: u64, exit: Exit) -> Result<(), Error> {
        let Some(running) = self.take_running(seq) else { return Ok(()) };
        let killed = matches!(&exit, Exit::Failed(how) if how == task::KILLED);
        let exit = if killed && running.shutdown.is_poisoned() {
            Exit::Panicked(super::shutdown::INJECTED.to_owned())
        } else {
            exit
        };
        drop(running);
        if let Some(child) = self.children.get(&seq) {
            child.reservation.entry().end(self.registry.clock().now(), "restarting", exit.error());
        }
        self.settle(seq, exit)
    }

    /// Restart, give up or forget. `Err` means give up.
    pub(super) fn settle(&mut self, seq: u64, exit: Exit) -> Result<(), Error> {
        let Some(child) = self.children.get_mut(&seq) else { return Ok(()) };
        if exit != Exit::Normal {
            self.figures.failed.fetch_add(1, Ordering::Relaxed);
        }
        if self.shutdown.is_requested_unwatched() {
            return Ok(());
        }
        let now = Instant::now();
        let history = History {
            strategy: self.spec.strategy,
            intensity: self.spec.intensity,
            recent: &self.recent,
            restart: child.spec.restart,
            backoff: child.spec.backoff,
            streak: child.streak,
            started_at: child.started_at,
        };
        match decide(&history, &exit, now) {
            Decision::Forget => {
                log_forgotten(&child.spec.name, &exit);
                drop(self.forget(seq));
                Ok(())
            }
            Decision::GiveUp => Err(Error::GaveUp(Box::new(GaveUp {
                supervisor: self.spec.name.clone(),
                restarts: self.spec.intensity.restarts,
                within: self.spec.intensity.within,
                name: child.spec.name.clone(),
                exit,
            }))),
            Decision::Restart { which, after, streak } => {
                child.streak = streak;
                let delay = self.registry.random().jitter(after);
                tracing::warn!(
                    name = %child.spec.name,
                    %exit,
                    restarts = child.reservation.entry().restarts() + 1,
                    delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
                    "child restarts"
                );
                self.count_restart(now);
                self.restart_after(seq, which, delay, None);
                Ok(())
            }
        }
    }

    /// A restart that an operator asked for.
    pub(super) fn restart_by_hand(&mut self, name: &ActorName, reply: Reply) -> Result<(), Error> {
        let Some(seq) = self.by_name.get(name).copied() else {
            // The asker may have gone; nothing else to tell.
            let _ = reply.send(Err(self.unknown(name)));
            return Ok(());
        };
        if self.children.get(&seq).is_some_and(|child| child.running.is_none()) {
            // Between two incarnations: it is being restarted already.
            let _ = reply.send(Ok(()));
            return Ok(());
        }
        tracing::info!(%name, supervisor = %self.spec.name, "child restarts on request");
        let which = match self.spec.strategy {
            Strategy::OneForOne => Which::This,
            Strategy::RestForOne => Which::ThisAndLater,
            Strategy::OneForAll => Which::All,
        };
        self.restart_after(seq, which, Duration::ZERO, Some(reply));
        Ok(())
    }

    /// The stops and the pause of a restart are over: starts, in order, the children that it is for.
    pub(super) async fn start_due(&mut self, due: Due, reply: Option<Reply>) -> Result<(), Error> {
        let Due { ticket, seq, which } = due;
        let mut order = self.affected(seq, which);
        order.retain(|seq| {
            self.children
                .get(seq)
                .is_some_and(|child| child.ticket == Some(ticket) && child.running.is_none())
        });
        let outcome = self.start_in_order(&order).await;
        if let Some(reply) = reply {
            let _ = reply.send(Ok(()));
        }
        outcome
    }

    /// Starts children one after the other. With a strategy that ties them, the first failure ends it: its
    /// restart starts the rest.
    pub(super) async fn start_in_order(&mut self, order: &[u64]) -> Result<(), Error> {
        for seq in order {
            if self.shutdown.is_requested_unwatched() {
                break;
            }
            if let Err(exit) = self.start(*seq).await {
                self.settle(*seq, exit)?;
                if self.spec.strategy != Strategy::OneForOne && self.children.contains_key(seq) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Runs beside the supervisor; waited for when it stops.
    pub(super) fn spawn_background(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        while self.background.try_join_next().is_some() {}
        self.background.spawn(work);
    }

    pub(super) fn unknown(&self, name: &ActorName) -> Error {
        Error::UnknownChild { supervisor: self.spec.name.clone(), name: name.clone() }
    }

    /// Stops what runs of the set in reverse order, pauses, then asks for the start, all in the background.
    fn restart_after(&mut self, seq: u64, which: Which, delay: Duration, reply: Option<Reply>) {
        self.last_ticket += 1;
        let ticket = self.last_ticket;
        let affected = self.affected(seq, which);
        let mut stopping: Vec<Running> = Vec::new();
        for seq in affected.iter().rev() {
            stopping.extend(self.take_running(*seq));
            if let Some(child) = self.children.get_mut(seq) {
                child.ticket = Some(ticket);
                child.reservation.entry().end(self.registry.clock().now(), "restarting", None);
            }
        }
        // A restart overtaken by a wider one may still be stopping children of both.
        let (stopped, gone) = oneshot::channel::<()>();
        let before = if which == Which::This { None } else { self.stopping.replace(gone) };
        let (shutdown, myself) = (self.shutdown.clone(), self.myself.clone());
        self.spawn_background(async move {
            if let Some(before) = before {
                // An error is the signal: the other end is only ever dropped.
                let _ = before.await;
            }
            for running in stopping {
                run::stop(running).await;
            }
            drop(stopped);
            tokio::select! {
                () = sleep(delay) => {}
                () = shutdown.wait_unwatched() => return,
            }
            // A supervisor that is gone restarts nothing.
            let due = Box::new(Due { ticket, seq, which });
            let _ = myself.send_message(Message::Due { due, reply });
        });
    }

    /// In start order.
    fn affected(&self, seq: u64, which: Which) -> Vec<u64> {
        match which {
            Which::This => vec![seq],
            Which::ThisAndLater => self.children.range(seq..).map(|(seq, _)| *seq).collect(),
            Which::All => self.children.keys().copied().collect(),
        }
    }

    /// Only those that the intensity can still count are kept.
    fn count_restart(&mut self, now: Instant) {
        let within = self.spec.intensity.within;
        while self.recent.front().is_some_and(|at| now.saturating_duration_since(*at) >= within) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
    }
}

fn log_forgotten(name: &ActorName, exit: &Exit) {
    if *exit == Exit::Normal {
        tracing::debug!(%name, "child ended");
    } else {
        tracing::warn!(%name, %exit, "child ended, it is not restarted");
    }
}
