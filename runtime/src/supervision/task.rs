//! Futures that belong to an actor or are children themselves: a panic in one is an end like any other.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use ractor::ActorCell;
use tokio::task::AbortHandle;

use super::{BoxError, Exit};
use crate::registry::ActorName;

tokio::task_local! {
    /// Whose code runs: for the panic log.
    static CURRENT: ActorName;
}

/// Marks a stop reason that carries a failure. A control character keeps it apart from reasons of others.
const FAILED: &str = "\u{1}failed:";
const PANICKED: &str = "\u{1}panicked:";

/// Runs the data path of `myself` as a tokio task.
///
/// Its panic or error stops the actor with that error, which its supervisor sees as a failure; its normal
/// end stops the actor normally. `post_stop` runs in each case. When the actor has ended (after its
/// `post_stop`), the future is dropped. Aborting through the handle drops the future and leaves the actor.
pub fn attach<F, E>(myself: ActorCell, future: F) -> AbortHandle
where
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<BoxError> + Send + 'static,
{
    let body = async move {
        let exit = tokio::select! {
            exit = caught(future) => exit,
            _ = myself.wait(None) => return,
        };
        myself.stop(reason(exit));
    };
    tokio::spawn(body).abort_handle()
}

/// The child whose task or thread this is, if known.
pub fn current() -> Option<ActorName> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Runs `future` under a child's name.
pub(super) fn named<F: Future>(name: ActorName, future: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(name, future)
}

/// Runs a thread's body under a child's name.
pub(crate) fn named_sync<T>(name: ActorName, body: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(name, body)
}

/// Runs a future to its end, whatever the end is. The future is dropped before this resolves.
pub(super) async fn caught<F, E>(future: F) -> Exit
where
    F: Future<Output = Result<(), E>>,
    E: Into<BoxError>,
{
    match AssertUnwindSafe(future).catch_unwind().await {
        Ok(Ok(())) => Exit::Normal,
        Ok(Err(error)) => Exit::Failed(error_text(error.into().as_ref())),
        Err(payload) => Exit::Panicked(panic_text(payload.as_ref())),
    }
}

/// How an actor ended that ractor reports as terminated.
pub(super) fn exit_of_reason(reason: Option<&str>) -> Exit {
    // The second is ractor's word for an actor whose tokio task was dropped.
    const NOT_BY_ITSELF: [&str; 2] = [KILLED, "actor_task_cancelled"];
    match reason {
        None => Exit::Normal,
        Some(reason) if NOT_BY_ITSELF.contains(&reason) => Exit::Failed(reason.to_owned()),
        Some(reason) => match (reason.strip_prefix(FAILED), reason.strip_prefix(PANICKED)) {
            (Some(error), _) => Exit::Failed(error.to_owned()),
            (_, Some(text)) => Exit::Panicked(text.to_owned()),
            (None, None) => Exit::Normal,
        },
    }
}

/// ractor's word for an actor that was killed.
pub(super) const KILLED: &str = "killed";

/// How an actor ended that ractor reports as failed, or whose start failed.
///
/// ractor hands over a panic as an error made of its text alone. Such errors print the same quoted text for
/// Debug as their text does, which no typed error does: that tells the two apart. So an actor that returns
/// a bare string as its error counts as having panicked.
pub(super) fn exit_of_error(error: &(dyn std::error::Error + 'static)) -> Exit {
    let text = error.to_string();
    let bare = error.source().is_none() && format!("{error:?}") == format!("{text:?}");
    if bare { Exit::Panicked(text) } else { Exit::Failed(error_text(error)) }
}

/// An error with its causes on one line.
pub(super) fn error_text(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Many errors print their source themselves.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

/// The text of a panic's payload.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without text".to_owned()
    }
}

fn reason(exit: Exit) -> Option<String> {
    match exit {
        Exit::Normal => None,
        Exit::Failed(error) => Some(format!("{FAILED}{error}")),
        Exit::Panicked(text) => Some(format!("{PANICKED}{text}")),
    }
}
