//! The request to end, as a child sees it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use tokio::sync::Notify;

/// Tells one incarnation of a child to end. Clones are the same token; works on any thread and runtime.
///
/// A child that waits for it has its shutdown time to finish what it does and end by itself. An actor that
/// never waited is stopped at once, and has the same time for its `post_stop`.
#[derive(Clone, Default)]
pub struct Shutdown(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// [`REQUESTED`], [`POISONED`].
    wishes: AtomicU8,
    changed: Notify,
    /// Someone called `requested()` once. It stays set: a loop that waits in `select!` is between two waits
    /// most of the time.
    watched: AtomicBool,
}

/// The incarnation is to end.
const REQUESTED: u8 = 1;
/// It is to panic, so that a test or a drill sees its supervisor at work.
const POISONED: u8 = 2;

impl Shutdown {
    /// A token nobody has requested.
    pub fn new() -> Self {
        Self::default()
    }

    /// Resolves once the end is requested; at once when it was already.
    pub async fn requested(&self) {
        self.0.watched.store(true, Ordering::Release);
        if self.wait(REQUESTED | POISONED).await & POISONED != 0 {
            injected_panic();
        }
    }

    /// Whether the end is requested: for threads and loops that poll.
    pub fn is_requested(&self) -> bool {
        let wishes = self.0.wishes.load(Ordering::Acquire);
        if wishes & POISONED != 0 {
            injected_panic();
        }
        wishes & REQUESTED != 0
    }

    /// Requests the end.
    pub fn request(&self) {
        self.wish(REQUESTED);
    }

    pub(crate) fn poison(&self) {
        self.wish(POISONED);
    }

    pub(super) fn is_poisoned(&self) -> bool {
        self.0.wishes.load(Ordering::Acquire) & POISONED != 0
    }

    pub(super) async fn poisoned(&self) {
        self.wait(POISONED).await;
    }

    /// [`is_requested`](Self::is_requested) for supervisors.
    pub(super) fn is_requested_unwatched(&self) -> bool {
        self.0.wishes.load(Ordering::Acquire) & REQUESTED != 0
    }

    pub(super) fn is_watched(&self) -> bool {
        self.0.watched.load(Ordering::Acquire)
    }

    /// [`requested`](Self::requested) for supervisors, which are stopped rather than left to end.
    pub(super) async fn wait_unwatched(&self) {
        self.wait(REQUESTED).await;
    }

    fn wish(&self, wish: u8) {
        self.0.wishes.fetch_or(wish, Ordering::AcqRel);
        self.0.changed.notify_waiters();
    }

    /// Waits until one of these is wished; gives all wishes.
    async fn wait(&self, any: u8) -> u8 {
        loop {
            // Created before the check, so that a wish between check and wait is not missed.
            let changed = self.0.changed.notified();
            let wishes = self.0.wishes.load(Ordering::Acquire);
            if wishes & any != 0 {
                return wishes;
            }
            changed.await;
        }
    }
}

/// What an injected panic says.
pub(super) const INJECTED: &str = "injected panic";

#[expect(clippy::panic, reason = "panicking is the purpose; only an operator who allowed it gets here")]
pub(super) fn injected_panic() -> ! {
    panic!("{INJECTED}")
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown").field("requested", &self.is_requested_unwatched()).finish()
    }
}
