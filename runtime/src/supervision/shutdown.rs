//! The request to end, as a child sees it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Tells one incarnation of a child to end. Clones are the same token; works on any thread and runtime.
///
/// A child that waits for it has its shutdown time to finish what it does and end by itself. An actor that
/// never waited is stopped at once, and has the same time for its `post_stop`.
#[derive(Clone, Default)]
pub struct Shutdown(Arc<Inner>);

#[derive(Default)]
struct Inner {
    requested: Latch,
    /// Someone called `requested()` once. It stays set: a loop that waits in `select!` is between two waits
    /// most of the time.
    watched: AtomicBool,
    #[cfg(feature = "panic-injection")]
    poison: Latch,
}

/// Set once, seen by all.
#[derive(Default)]
struct Latch {
    set: AtomicBool,
    changed: Notify,
}

impl Shutdown {
    /// A token nobody has requested.
    pub fn new() -> Self {
        Self::default()
    }

    /// Resolves once the end is requested; at once when it was already.
    pub async fn requested(&self) {
        self.0.watched.store(true, Ordering::Release);
        #[cfg(feature = "panic-injection")]
        tokio::select! {
            biased;
            () = self.poisoned() => injected_panic(),
            () = self.0.requested.wait() => {}
        }
        #[cfg(not(feature = "panic-injection"))]
        self.0.requested.wait().await;
    }

    /// Whether the end is requested: for threads and loops that poll.
    pub fn is_requested(&self) -> bool {
        #[cfg(feature = "panic-injection")]
        if self.is_poisoned() {
            injected_panic();
        }
        self.0.requested.is_set()
    }

    /// Requests the end.
    pub fn request(&self) {
        self.0.requested.set();
    }

    /// [`is_requested`](Self::is_requested) for supervisors.
    pub(super) fn is_requested_unwatched(&self) -> bool {
        self.0.requested.is_set()
    }

    pub(super) fn is_watched(&self) -> bool {
        self.0.watched.load(Ordering::Acquire)
    }

    /// [`requested`](Self::requested) for supervisors, which are stopped rather than left to end.
    pub(super) async fn wait_unwatched(&self) {
        self.0.requested.wait().await;
    }

    #[cfg(not(feature = "panic-injection"))]
    #[expect(clippy::unused_self, reason = "the same call as with panic-injection")]
    pub(super) const fn is_poisoned(&self) -> bool {
        false
    }
}

#[cfg(feature = "panic-injection")]
impl Shutdown {
    pub(crate) fn poison(&self) {
        self.0.poison.set();
    }

    pub(super) fn is_poisoned(&self) -> bool {
        self.0.poison.is_set()
    }

    pub(super) async fn poisoned(&self) {
        self.0.poison.wait().await;
    }
}

/// What an injected panic says.
pub(super) const INJECTED: &str = "injected panic";

#[cfg(feature = "panic-injection")]
#[expect(clippy::panic, reason = "panicking is the purpose; compiled for fault tests only")]
pub(super) fn injected_panic() -> ! {
    panic!("{INJECTED}")
}

impl Latch {
    fn set(&self) {
        self.set.store(true, Ordering::Release);
        self.changed.notify_waiters();
    }

    fn is_set(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }

    async fn wait(&self) {
        // Created before the check, so that a set between check and wait is not missed.
        let changed = self.changed.notified();
        if !self.is_set() {
            changed.await;
        }
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown").field("requested", &self.0.requested.is_set()).finish()
    }
}
