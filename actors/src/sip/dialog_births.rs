//! Who tells the dialogs what the workers saw, and starts their actors.
//!
//! Owns nothing: what is to be told and the calls themselves stand in [`Calls`]. Its key is `dialog_births:main:0`, its
//! parent the `sip` supervisor, its restart policy permanent. A crash loses what was being told of one call.

use std::sync::Arc;
use std::time::Duration;

use runtime::registry::{ActorName, Observation};
use runtime::supervision::{BoxError, ChildSpec, Restart, Seat, ShardedSupervisor, Start};
use tokio::time::Instant;

use super::calls::Calls;
use super::dialog_actor::{self, Kept};

/// Dialogs whose supervisor began anew get their actors after so long: by then it runs.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// The task as a child; its dialogs become children of `dialogs`.
pub fn child_spec(calls: Arc<Calls>, dialogs: ShardedSupervisor) -> ChildSpec {
    let start = Start::task(move |seat: Seat| {
        let (calls, dialogs) = (Arc::clone(&calls), dialogs.clone());
        async move { run(&seat, &calls, &dialogs).await }
    });
    ChildSpec::new(ActorName::new("dialog_births", "main"), Restart::Permanent, start)
}

async fn run(seat: &Seat, calls: &Arc<Calls>, dialogs: &ShardedSupervisor) -> Result<(), BoxError> {
    let _registration =
        seat.register(Arc::new(|| Observation { state: "telling".into(), ..Observation::default() }));
    let mut again_at: Option<Instant> = None;
    loop {
        // First what the last incarnation may have left.
        calls.tell();
        while let Some(kept) = calls.next_unborn() {
            give_birth(calls, dialogs, kept);
        }
        if calls.has_lost() {
            again_at.get_or_insert_with(|| Instant::now() + AGAIN_AFTER);
        }
        tokio::select! {
            () = calls.news() => {}
            () = dialog_actor::at(again_at) => {
                again_at = None;
                for kept in calls.take_lost() {
                    give_birth(calls, dialogs, kept);
                }
            }
            // What is told from now on is taken in when all has stopped.
            () = seat.shutdown.requested() => return Ok(()),
        }
    }
}

/// Where the supervisor does not run the call is lost again, and found by the next turn.
fn give_birth(calls: &Arc<Calls>, dialogs: &ShardedSupervisor, kept: Arc<Kept>) {
    let id = kept.id();
    if let Err(error) = dialogs.add_unwatched(dialog_actor::child_spec(Arc::clone(calls), kept)) {
        tracing::warn!(dialog = %id, %error, "a call has no actor, it gets one soon");
    }
}

#[cfg(test)]
mod tests;
