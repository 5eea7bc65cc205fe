//! Certificates that somebody wants to know, and those on their way.
//!
//! Who calls chooses which are wanted, and how long their servers take. So no source of calls has more than its part of
//! what is wanted, and of what is fetched at one time; no host is asked for many at once; and those that were good before
//! have places of their own.

use std::collections::{HashSet, VecDeque};

use super::place::Place;

/// New certificates that are wanted, or on their way: in all, for one source of calls, of one host.
const WANTED_MAX: usize = 512;
const OF_SOURCE_MAX: usize = 64;
const OF_HOST_MAX: usize = 32;
/// Those that were good before.
const AGAIN_MAX: usize = 256;
/// New certificates on their way.
const ON_WAY_MAX: usize = 16;
const ON_WAY_OF_SOURCE_MAX: usize = 4;
const ON_WAY_OF_HOST_MAX: usize = 2;
/// Those that were good before, on their way.
const ON_WAY_AGAIN_MAX: usize = 4;

/// Where calls come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A trunk, by its number.
    Trunk(u32),
    /// A vendor, by its number.
    Vendor(u32),
}

/// What is wanted, and what of it is on its way.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Those in the queue, and those on their way.
    asked: HashSet<Box<str>>,
    queue: VecDeque<Want>,
    on_way: Vec<Want>,
}

#[derive(Debug)]
struct Want {
    url: Box<str>,
    /// Who wants a new one; `None`: it was good before.
    by: Option<By>,
}

#[derive(Debug)]
struct By {
    source: Source,
    host: Box<str>,
}

impl Want {
    fn is_of(&self, source: Source) -> bool {
        self.by.as_ref().is_some_and(|by| by.source == source)
    }

    fn is_at(&self, host: &str) -> bool {
        self.by.as_ref().is_some_and(|by| *by.host == *host)
    }
}

/// What came of wanting one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// It is wanted from now on.
    Now,
    /// It was wanted before.
    Before,
    /// Too many are.
    Full,
}

impl Wanted {
    /// Wants one that was good before.
    pub(super) fn again(&mut self, url: &str) -> Added {
        if self.asked.contains(url) {
            return Added::Before;
        }
        if self.all().filter(|want| want.by.is_none()).count() >= AGAIN_MAX {
            return Added::Full;
        }
        self.push(Want { url: url.into(), by: None })
    }

    /// Wants one of which nothing is known.
    pub(super) fn new_one(&mut self, place: &Place, source: Source) -> Added {
        if self.asked.contains(&place.url) {
            return Added::Before;
        }
        let all = self.all().filter(|want| want.by.is_some()).count();
        let of_source = self.all().filter(|want| want.is_of(source)).count();
        let of_host = self.all().filter(|want| want.is_at(&place.host)).count();
        if all >= WANTED_MAX || of_source >= OF_SOURCE_MAX || of_host >= OF_HOST_MAX {
            return Added::Full;
        }
        self.push(Want { url: place.url.clone(), by: Some(By { source, host: place.host.clone() }) })
    }

    fn all(&self) -> impl Iterator<Item = &Want> {
        self.queue.iter().chain(&self.on_way)
    }

    fn push(&mut self, want: Want) -> Added {
        self.asked.insert(want.url.clone());
        self.queue.push_back(want);
        Added::Now
    }

    /// The next one to be fetched: of new ones the first of the source that has the fewest on their way.
    pub(super) fn take_next(&mut self) -> Option<Box<str>> {
        let again = self.on_way.iter().filter(|want| want.by.is_none()).count();
        let new = self.on_way.len().saturating_sub(again);
        let rank = |(place, want): (usize, &Want)| {
            let Some(By { source, host }) = &want.by else {
                return (again < ON_WAY_AGAIN_MAX).then_some((0, place));
            };
            let of_source = self.on_way.iter().filter(|want| want.is_of(*source)).count();
            let of_host = self.on_way.iter().filter(|want| want.is_at(host)).count();
            let has_room = new < ON_WAY_MAX && of_source < ON_WAY_OF_SOURCE_MAX;
            (has_room && of_host < ON_WAY_OF_HOST_MAX).then_some((of_source, place))
        };
        let (_, place) = self.queue.iter().enumerate().filter_map(rank).min()?;
        let want = self.queue.remove(place)?;
        let url = want.url.clone();
        self.on_way.push(want);
        Some(url)
    }

    /// For whom one is fetched.
    pub(super) fn source(&self, url: &str) -> Option<Source> {
        let want = self.on_way.iter().find(|want| *want.url == *url)?;
        want.by.as_ref().map(|by| by.source)
    }

    /// It is known now.
    pub(super) fn done(&mut self, url: &str) {
        if self.asked.remove(url) {
            self.on_way.retain(|want| *want.url != *url);
            self.queue.retain(|want| *want.url != *url);
        }
    }

    /// Nothing is on its way any more.
    pub(super) fn begin(&mut self) {
        for want in self.on_way.drain(..) {
            self.asked.remove(&want.url);
        }
    }

    /// How many are wanted, or on their way.
    pub(super) fn len(&self) -> usize {
        self.asked.len()
    }
}

#[cfg(test)]
mod tests;
