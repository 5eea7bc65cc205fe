//! Waiting for other processes: by looking again, with a deadline, never by guessing how long it takes.

use std::io::Write as _;
use std::time::{Duration, Instant};

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// Looks until `find` answers; after `within` the test fails, naming `what`.
#[track_caller]
pub(crate) fn until<T>(what: &str, within: Duration, find: impl FnMut() -> Option<T>) -> T {
    match within_time(within, find) {
        Some(found) => found,
        None => panic!("not within {within:?}: {what}"),
    }
}

/// Looks until `find` answers or the time is over.
pub(crate) fn within_time<T>(within: Duration, mut find: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = find() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        pause(LOOK);
    }
}

/// Lets real time pass: load that must run for a while, a peer that must stay silent.
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// A line for whoever watches; the test runner captures printed text only.
pub(crate) fn progress(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
