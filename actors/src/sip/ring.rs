//! The way to a worker for what did not land with it: messages from other workers' sockets and from streams.
//!
//! First in, first out, so that the messages of a call stay in order; each with the time at which it came. Bounded, and
//! the last part of the room is for what belongs to calls and transactions that are there: new calls are refused before
//! that, and answered; other requests outside of calls are dropped, and come again. Streams wait for room instead.

use std::collections::VecDeque;
use std::time::Instant;

use parking_lot::Mutex;
use sip::{HeaderId, Message, Method, NameAddr};
use tokio::sync::{MutexGuard, Notify};

use super::worker::Input;

/// Something for a worker, and when it came.
#[derive(Debug)]
pub struct Arrived {
    /// When it reached the machine, as far as that is known.
    pub at: Instant,
    /// What it is.
    pub input: Input,
}

/// How much may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// New calls, and other requests outside of calls, are taken while fewer inputs wait.
    pub outside: usize,
    /// Everything else is, while fewer than so many wait.
    pub all: usize,
}

impl Default for Bounds {
    /// What waits here is taken within a second, or is too old for new calls anyway.
    fn default() -> Self {
        Self { outside: 8_192, all: 16_384 }
    }
}

/// The ring of one worker. It outlives the worker's incarnations.
#[derive(Debug)]
pub struct Ring {
    bounds: Bounds,
    waiting: Mutex<Waiting>,
    news: Notify,
    outside: Door,
    inside: Door,
    serving: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Waiting {
    inputs: VecDeque<Arrived>,
    /// Somebody waits at that door.
    awaited_outside: bool,
    awaited_inside: bool,
}

/// Where those wait who wait for room: in a row, so that each room wakes one.
#[derive(Debug, Default)]
struct Door {
    row: tokio::sync::Mutex<()>,
    room: Notify,
}

/// What an input is worth when there is little room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Begins a call.
    NewCall,
    /// Belongs to no call.
    Outside,
    /// Belongs to what is there.
    Inside,
}

impl Ring {
    /// An empty one.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            waiting: Mutex::default(),
            news: Notify::new(),
            outside: Door::default(),
            inside: Door::default(),
            serving: tokio::sync::Mutex::default(),
        }
    }

    /// Takes what of a batch finds room, in its order, and empties it. New calls that find none are put into `refused`;
    /// what else finds none is dropped: returns how much that was.
    pub fn extend(&self, batch: &mut Vec<Arrived>, refused: &mut Vec<Input>) -> usize {
        let mut dropped = 0;
        let mut waiting = self.waiting.lock();
        let was_empty = waiting.inputs.is_empty();
        for arrived in batch.drain(..) {
            let Some((back, class)) = self.offer(&mut waiting, arrived) else { continue };
            if class == Class::NewCall {
                refused.push(back.input);
            } else {
                dropped += 1;
            }
        }
        let has_news = was_empty && !waiting.inputs.is_empty();
        drop(waiting);
        if has_news {
            self.news.notify_one();
        }
        dropped
    }

    /// Takes one, or gives it back when there is no room for it.
    pub fn try_push(&self, arrived: Arrived) -> Option<Arrived> {
        let mut waiting = self.waiting.lock();
        let back = self.offer(&mut waiting, arrived).map(|(back, _)| back);
        drop(waiting);
        if back.is_none() {
            self.news.notify_one();
        }
        back
    }

    /// Takes one, once there is room for it.
    pub async fn push(&self, mut arrived: Arrived) {
        let door = if class(&arrived.input) == Class::Inside { &self.inside } else { &self.outside };
        let _first_of_the_row = door.row.lock().await;
        while let Some(back) = self.offer_or_await(arrived) {
            arrived = back;
            door.room.notified().await;
        }
        self.news.notify_one();
    }

    /// Without room, whoever takes something out is to wake the first in the row.
    fn offer_or_await(&self, arrived: Arrived) -> Option<Arrived> {
        let mut waiting = self.waiting.lock();
        let (back, class) = self.offer(&mut waiting, arrived)?;
        match class {
            Class::Inside => waiting.awaited_inside = true,
            Class::NewCall | Class::Outside => waiting.awaited_outside = true,
        }
        Some(back)
    }

    /// Takes what must not be lost, whatever waits: there is little of it.
    pub fn push_always(&self, arrived: Arrived) {
        self.waiting.lock().inputs.push_back(arrived);
        self.news.notify_one();
    }

    /// Holds the ring's other end for the one incarnation of the worker that empties it.
    pub async fn serve(&self) -> MutexGuard<'_, ()> {
        self.serving.lock().await
    }

    /// Waits until something is there.
    pub async fn ready(&self) {
        while self.is_empty() {
            self.news.notified().await;
        }
    }

    /// Moves so many at most to `into`; when the first of them came.
    pub fn take(&self, most: usize, into: &mut Vec<Input>) -> Option<Instant> {
        let mut waiting = self.waiting.lock();
        let count = waiting.inputs.len().min(most);
        let mut first = None;
        for Arrived { at, input } in waiting.inputs.drain(..count) {
            first = Some(first.map_or(at, |first: Instant| first.min(at)));
            into.push(input);
        }
        let left = waiting.inputs.len();
        let outside = left < self.bounds.outside && std::mem::take(&mut waiting.awaited_outside);
        let inside = left < self.bounds.all && std::mem::take(&mut waiting.awaited_inside);
        drop(waiting);
        for (_, door) in
            [(outside, &self.outside), (inside, &self.inside)].into_iter().filter(|(open, _)| *open)
        {
            door.room.notify_one();
        }
        first
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.lock().inputs.is_empty()
    }

    /// Inputs that wait.
    pub fn len(&self) -> usize {
        self.waiting.lock().inputs.len()
    }

    fn offer(&self, waiting: &mut Waiting, arrived: Arrived) -> Option<(Arrived, Class)> {
        let length = waiting.inputs.len();
        // Nobody looks into messages while there is room for all.
        if length >= self.bounds.outside {
            let class = class(&arrived.input);
            if class != Class::Inside || length >= self.bounds.all {
                return Some((arrived, class));
            }
        }
        waiting.inputs.push_back(arrived);
        None
    }
}

fn class(input: &Input) -> Class {
    match input {
        Input::Message(_, message) => class_of(message),
        Input::Undelivered(_) | Input::HangUp(..) | Input::Check(_) | Input::Probe(_) => Class::Inside,
    }
}

fn class_of(message: &Message) -> Class {
    let Some(method) = message.method().filter(|_| message.is_request()) else { return Class::Inside };
    if matches!(method, Method::Ack | Method::Bye | Method::Cancel) || has_to_tag(message) {
        return Class::Inside;
    }
    if method == Method::Invite { Class::NewCall } else { Class::Outside }
}

fn has_to_tag(message: &Message) -> bool {
    let to = message.value(HeaderId::To).and_then(|value| NameAddr::parse(value).ok());
    to.is_some_and(|to| to.tag.is_some())
}

#[cfg(test)]
mod tests;
