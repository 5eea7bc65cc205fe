//! What the interface keeps of the database in memory, kept equal to it.
//!
//! Owns: nothing that is not in the database. Key: `api_follower:main:0`; parent: the `api` supervisor; permanent. A
//! crash loses nothing: customers stay as they were last known, and the next incarnation reads again.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use runtime::model::{Parts, Versions};
use runtime::registry::{ActorName, Observation, Observe};
use runtime::store::announce::announced_or;
use runtime::store::group::{Touched, Written};
use runtime::store::{Error, audit, auth, customer, version};
use runtime::supervision::{BoxError, ChildSpec, Restart, Seat, Start};
use tokio::time::{Instant, sleep};

use crate::context::Api;
use crate::last_hour::Totals;
use crate::problem::Problem;
use crate::write::REMEMBERED_FOR;

/// How often versions are compared where nobody announces a change: the bound of what a missed announcement costs.
const POLL: Duration = Duration::from_millis(500);
/// By how much the clocks of nodes may differ, beside the time that a write waits for its commit.
const CLOCKS: Duration = Duration::from_secs(60);
/// How often what is too old is forgotten, and totals are written down.
const SWEEP: Duration = Duration::from_secs(60);

/// The follower as a child of the `api` supervisor.
pub(crate) fn child_spec(api: Arc<Api>) -> ChildSpec {
    let version = Arc::new(AtomicI64::new(-1));
    let start = Start::task(move |seat: Seat| {
        let (api, version) = (Arc::clone(&api), Arc::clone(&version));
        async move {
            let _registration = seat.register(observe(&version));
            tokio::select! {
                () = follow(&api, &version) => {}
                () = sweep(&api) => {}
                () = seat.shutdown.requested() => {}
            }
            Ok::<(), BoxError>(())
        }
    });
    ChildSpec::new(ActorName::new("api_follower", "main"), Restart::Permanent, start)
}

fn observe(version: &Arc<AtomicI64>) -> Observe {
    let version = Arc::clone(version);
    Arc::new(move || Observation {
        state: "following".into(),
        queue_depth: 0,
        counters: vec![("version", version.load(Ordering::Relaxed).unsigned_abs())],
        note: None,
    })
}

async fn follow(api: &Api, version: &AtomicI64) {
    let mut known = Known::default();
    let mut blind = false;
    let mut announced = api.smpp.announcements.subscribe();
    loop {
        match known.refresh(api).await {
            Ok(()) => {
                version.store(known.version, Ordering::Relaxed);
                if std::mem::take(&mut blind) {
                    tracing::info!("the interface can read the database again");
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut blind, true) {
                    tracing::error!(%error, "the interface cannot read the database, what it knows stays");
                }
            }
        }
        announced_or(&mut announced, POLL).await;
    }
}

/// Reads everything once: a server that answered before would not know who is there.
pub(crate) async fn load(api: &Api) -> Result<(), Error> {
    Known::default().refresh(api).await
}

/// What was read last.
#[derive(Default)]
struct Known {
    /// Of tokens and who may use them, with the keys that sign them.
    auth: Option<i64>,
    /// Up to which tokens were forgotten.
    forgotten: Option<i64>,
    /// Of the configuration.
    version: i64,
    parts: Versions,
    /// When all customers were read, and whether only some were since.
    all_at: Option<Instant>,
    partly: bool,
}

impl Known {
    async fn refresh(&mut self, api: &Api) -> Result<(), Error> {
        let version = auth::version(&api.store).await?;
        if self.forgotten != Some(version) {
            // First: what is known to have changed holds for nobody, whatever fails behind it.
            api.gate.forget();
            self.forgotten = Some(version);
        }
        if self.auth != Some(version) {
            api.tokens.load(&api.store, &api.root_key, api.clock.now()).await?;
            self.auth = Some(version);
        }
        let (version, parts) = version::versions(&api.store).await?;
        if parts.changed_since(&self.parts).has(Parts::CUSTOMERS) {
            self.customers(api).await?;
        } else if self.all_at.is_some_and(|at| self.partly && at.elapsed() >= SWEEP) {
            self.all_customers(api).await?;
        }
        (self.version, self.parts) = (version, parts);
        Ok(())
    }

    /// Those that were written lately. One that a node dated otherwise is found by [`Self::all_customers`], which
    /// comes within [`SWEEP`] of this.
    async fn customers(&mut self, api: &Api) -> Result<(), Error> {
        let youngest = api.customers.youngest();
        let recent = self.all_at.is_some_and(|at| at.elapsed() < SWEEP);
        let Some(youngest) = youngest.filter(|_| recent) else { return self.all_customers(api).await };
        let since = youngest.min(api.clock.now()).minus(CLOCKS);
        api.customers.merge(customer::since(&api.store, since).await?);
        self.partly = true;
        Ok(())
    }

    async fn all_customers(&mut self, api: &Api) -> Result<(), Error> {
        let at = Instant::now();
        api.customers.merge(customer::all(&api.store).await?);
        (self.all_at, self.partly) = (Some(at), false);
        Ok(())
    }
}

async fn sweep(api: &Api) {
    let mut last = Instant::now();
    loop {
        sleep(SWEEP).await;
        api.limits.sweep();
        api.last_hour.note(Instant::now(), Totals::of(api));
        if last.elapsed() < SWEEP * 10 {
            continue;
        }
        last = Instant::now();
        let until = api.clock.now();
        let swept: Result<(), Problem> = api
            .writes
            .run(move |tx| {
                Box::pin(async move {
                    audit::forget(tx, until.minus(REMEMBERED_FOR)).await?;
                    auth::session::forget(tx, until).await?;
                    Ok(Written::new((), Touched::NOTHING))
                })
            })
            .await;
        if let Err(problem) = swept {
            tracing::warn!(?problem, "what is too old was not forgotten");
        }
    }
}
