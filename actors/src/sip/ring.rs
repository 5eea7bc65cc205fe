//! The way to a worker for what did not land with it: messages from other workers' sockets and from streams.
//!
//! First in, first out, so that the messages of a call stay in order; each with the time at which it came. Bounded, and
//! the last part of the room is for what belongs to calls and transactions that are there. A new call without room, or
//! another request outside of calls, is put into a short list beside it: only its worker, which refuses new calls,
//! knows whether it is one that it has already. What belongs to calls waits for room where it came over a stream, on
//! which nothing comes again.

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
    /// New calls and, in half of these places at most, other requests outside of calls that find no room, and are answered
    /// in one turn of the worker; more are dropped.
    pub refused: usize,
}

impl Default for Bounds {
    /// What waits here is taken within a second, or is too old for new calls anyway.
    fn default() -> Self {
        Self { outside: 8_192, all: 16_384, refused: 256 }
    }
}

/// The ring of one worker. It outlives the worker's incarnations.
#[derive(Debug)]
pub struct Ring {
    bounds: Bounds,
    waiting: Mutex<Waiting>,
    news: Notify,
    /// Whoever waits for room, in a row, so that each room wakes one.
    row: tokio::sync::Mutex<()>,
    room: Notify,
    serving: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Waiting {
    inputs: VecDeque<Arrived>,
    /// What belongs to no call and found no room. There is none unless something waits in the ring.
    refused: Vec<Input>,
    /// The first of the row waits for room.
    is_awaited: bool,
}

/// What became of something that was given to a ring.
#[derive(Debug)]
pub enum Given {
    /// It waits for the worker.
    Taken,
    /// It belongs to no call: where it begins one it is to be refused for want of room.
    Refused,
    /// It belongs to no call, and too many of its kind are to be refused.
    Dropped,
    /// It belongs to a call, and finds no room now.
    Back(Box<Arrived>),
}

/// How much of a batch found no room.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom {
    /// What is to be refused where it begins a call.
    pub refused: usize,
    /// What was dropped.
    pub dropped: usize,
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
            row: tokio::sync::Mutex::default(),
            room: Notify::new(),
            serving: tokio::sync::Mutex::default(),
        }
    }

    /// Takes what of a batch finds room, in its order, and empties it.
    pub fn extend(&self, batch: &mut Vec<Arrived>) -> NoRoom {
        let mut no_room = NoRoom::default();
        let mut waiting = self.waiting.lock();
        let was_empty = waiting.inputs.is_empty();
        for arrived in batch.drain(..) {
            match self.give(&mut waiting, arrived) {
                Given::Taken => {}
                Given::Refused => no_room.refused += 1,
                Given::Dropped | Given::Back(_) => no_room.dropped += 1,
            }
        }
        let has_news = was_empty && !waiting.inputs.is_empty();
        drop(waiting);
        if has_news {
            self.news.notify_one();
        }
        no_room
    }

    /// Takes one, unless there is no room for it. What belongs to a call is given back, also while others wait in the
    /// row: they came before.
    pub fn try_push(&self, arrived: Arrived) -> Given {
        let mut waiting = self.waiting.lock();
        let has_row = waiting.inputs.len() >= self.bounds.outside && self.row.try_lock().is_err();
        let given = if has_row && class(&arrived.input) == Class::Inside {
            Given::Back(Box::new(arrived))
        } else {
            self.give(&mut waiting, arrived)
        };
        drop(waiting);
        if matches!(given, Given::Taken) {
            self.news.notify_one();
        }
        given
    }

    /// Takes what was given back, once there is room for it.
    pub async fn push(&self, mut arrived: Arrived) {
        let _first_of_the_row = self.row.lock().await;
        while let Some(back) = self.push_or_await(arrived) {
            arrived = *back;
            self.room.notified().await;
        }
        self.news.notify_one();
    }

    /// Without room, whoever takes something out is to wake the first of the row.
    fn push_or_await(&self, arrived: Arrived) -> Option<Box<Arrived>> {
        let mut waiting = self.waiting.lock();
        let Given::Back(back) = self.give(&mut waiting, arrived) else { return None };
        waiting.is_awaited = true;
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

    /// Moves so many at most to `into`, and to `refused` what found no room and is to be refused where it begins a call;
    /// when the first of `into` came.
    pub fn take(&self, most: usize, into: &mut Vec<Input>, refused: &mut Vec<Input>) -> Option<Instant> {
        let mut waiting = self.waiting.lock();
        refused.append(&mut waiting.refused);
        let count = waiting.inputs.len().min(most);
        let mut first = None;
        for Arrived { at, input } in waiting.inputs.drain(..count) {
            first = Some(first.map_or(at, |first: Instant| first.min(at)));
            into.push(input);
        }
        let has_room = waiting.inputs.len() < self.bounds.all && std::mem::take(&mut waiting.is_awaited);
        drop(waiting);
        if has_room {
            self.room.notify_one();
        }
        first
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.lock().inputs.is_empty()
    }

    /// Inputs that wait.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.waiting.lock().inputs.len()
    }

    fn give(&self, waiting: &mut Waiting, arrived: Arrived) -> Given {
        let length = waiting.inputs.len();
        // Nobody looks into messages while there is room for all.
        if length < self.bounds.outside {
            waiting.inputs.push_back(arrived);
            return Given::Taken;
        }
        match class(&arrived.input) {
            Class::Inside if length < self.bounds.all => {
                waiting.inputs.push_back(arrived);
                Given::Taken
            }
            Class::Inside => Given::Back(Box::new(arrived)),
            Class::NewCall if waiting.refused.len() < self.bounds.refused => {
                waiting.refused.push(arrived.input);
                Given::Refused
            }
            // Who asks for something else asks again: half of the places are for new calls alone.
            Class::Outside if waiting.refused.len() < self.bounds.refused / 2 => {
                waiting.refused.push(arrived.input);
                Given::Refused
            }
            Class::NewCall | Class::Outside => Given::Dropped,
        }
    }
}

fn class(input: &Input) -> Class {
    match input {
        Input::Message(_, message) => class_of(message),
        Input::Undelivered(_)
        | Input::HangUp(..)
        | Input::Check(_)
        | Input::Probe(_)
        | Input::KeepAlive(_)
        | Input::Register(_)
        | Input::Media(_)
        | Input::MediaLost(..)
        | Input::Registered(_)
        | Input::Found(_)
        | Input::Give(..) => Class::Inside,
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
