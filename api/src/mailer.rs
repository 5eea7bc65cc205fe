//! Sends the mails of invitations, and tries again those that could not leave.
//!
//! Owns: mails that wait. Key: `mailer:main:0`; parent: the `api` supervisor; permanent. A crash loses the mails that
//! wait for another try; their invitations are in the database and show that no mail left, and whoever made one sends
//! it again. A secret is in its mail alone, so no mail can be made a second time.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use runtime::config::MailOptions;
use runtime::registry::{ActorName, Observation, Observe};
use runtime::store::auth::invitation;
use runtime::store::group::{Touched, Written};
use runtime::supervision::{BoxError, ChildSpec, Restart, Seat, Shutdown, Start};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::context::Api;
use crate::mail::{Error, Mail, Postbox};
use crate::problem::Problem;

/// Mails that may wait, for their first try or another.
const WAITING_MAX: usize = 256;
/// Pauses between the tries of one mail.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(5), Duration::from_secs(30), Duration::from_secs(120), Duration::from_secs(600)];

/// The mail of an invitation.
pub(crate) struct Letter {
    pub(crate) mail: Mail,
    pub(crate) invitation: Uuid,
    /// Of the secret that it carries.
    pub(crate) token_hash: Vec<u8>,
}

/// The way to the mailer, and its end of it.
pub(crate) struct Mailer {
    pub(crate) postbox: Postbox,
    letters: mpsc::Sender<Letter>,
    posted: Mutex<mpsc::Receiver<Letter>>,
    figures: Arc<Figures>,
}

/// What operators see.
#[derive(Default)]
struct Figures {
    waiting: AtomicUsize,
    sent: AtomicU64,
    failed: AtomicU64,
}

/// A mail and when it is tried.
struct Waiting {
    due: Instant,
    /// Tries that failed.
    tries: usize,
    letter: Letter,
}

impl Mailer {
    pub(crate) fn new(options: MailOptions, data_dir: &Path) -> Self {
        let (letters, posted) = mpsc::channel(WAITING_MAX);
        let postbox = Postbox::new(options, data_dir);
        Self { postbox, letters, posted: Mutex::new(posted), figures: Arc::default() }
    }

    /// Takes a mail whose invitation is durable. One too many is not sent: the invitation shows it.
    pub(crate) fn post(&self, letter: Letter) {
        let invitation = letter.invitation;
        if self.letters.try_send(letter).is_err() {
            self.figures.failed.fetch_add(1, Ordering::Relaxed);
            tracing::error!(%invitation, "too many mails wait, one is not sent");
        }
    }
}

/// The mailer as a child of the `api` supervisor.
pub(crate) fn child_spec(api: Arc<Api>) -> ChildSpec {
    let start = Start::task(move |seat: Seat| {
        let api = Arc::clone(&api);
        async move {
            let _registration = seat.register(observe(&api.mailer.figures));
            run(&api, &seat.shutdown).await;
            Ok::<(), BoxError>(())
        }
    });
    ChildSpec::new(ActorName::new("mailer", "main"), Restart::Permanent, start)
}

fn observe(figures: &Arc<Figures>) -> Observe {
    let figures = Arc::clone(figures);
    Arc::new(move || Observation {
        state: "sending".into(),
        queue_depth: figures.waiting.load(Ordering::Relaxed) as u64,
        counters: vec![
            ("sent", figures.sent.load(Ordering::Relaxed)),
            ("failed", figures.failed.load(Ordering::Relaxed)),
        ],
        note: None,
    })
}

async fn run(api: &Api, shutdown: &Shutdown) {
    let figures = &api.mailer.figures;
    let mut posted = api.mailer.posted.lock().await;
    let mut waiting: Vec<Waiting> = Vec::new();
    loop {
        figures.waiting.store(waiting.len(), Ordering::Relaxed);
        let next = waiting.iter().map(|one| one.due).min();
        tokio::select! {
            letter = posted.recv(), if waiting.len() < WAITING_MAX => {
                let Some(letter) = letter else { break };
                // The secret of an earlier one is not good any more.
                waiting.retain(|one| one.letter.invitation != letter.invitation);
                waiting.push(Waiting { due: Instant::now(), tries: 0, letter });
            }
            () = until(next) => {
                let now = Instant::now();
                let Some(place) = waiting.iter().position(|one| one.due <= now) else { continue };
                let one = waiting.swap_remove(place);
                tokio::select! {
                    again = attempt(api, one) => waiting.extend(again),
                    () = shutdown.requested() => break,
                }
            }
            () = shutdown.requested() => break,
        }
    }
    if !waiting.is_empty() {
        tracing::warn!(mails = waiting.len(), "mails that waited for another try are not sent");
    }
}

/// Done at this time; never without one.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Tries once; gives the mail back where it is to be tried again.
async fn attempt(api: &Api, one: Waiting) -> Option<Waiting> {
    let Waiting { tries, letter, .. } = one;
    let invitation = letter.invitation;
    match api.mailer.postbox.send(&letter.mail).await {
        Ok(()) => {
            api.mailer.figures.sent.fetch_add(1, Ordering::Relaxed);
            note_sent(api, letter).await;
            None
        }
        Err(error) => match pause(&error, tries) {
            Some(pause) => {
                tracing::warn!(%invitation, %error, again_in = ?pause, "a mail could not be sent");
                Some(Waiting { due: Instant::now() + pause, tries: tries + 1, letter })
            }
            None => {
                api.mailer.figures.failed.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%invitation, %error, "a mail is not sent; send the invitation again");
                None
            }
        },
    }
}

/// How long until the next try; none when there is none.
fn pause(error: &Error, tries: usize) -> Option<Duration> {
    if error.is_final() { None } else { PAUSES.get(tries).copied() }
}

/// That the mail left is for people; when it cannot be written down the invitation is good all the same.
async fn note_sent(api: &Api, letter: Letter) {
    let now = api.clock.now();
    let noted: Result<(), Problem> = api
        .writes
        .run(move |tx| {
            Box::pin(async move {
                invitation::sent(tx, letter.invitation, &letter.token_hash, now).await?;
                Ok(Written::new((), Touched::NOTHING))
            })
        })
        .await;
    if let Err(problem) = noted {
        tracing::warn!(?problem, "that a mail was sent is not written down");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_become_rarer_and_end() {
        let for_now = || Error::Late { host: "relay.example.net".to_owned() };
        let pauses: Vec<Duration> = (0..).map_while(|tries| pause(&for_now(), tries)).collect();
        assert_eq!(pauses, PAUSES);
        assert!(pauses.is_sorted());
        assert_eq!(pause(&Error::Sender, 0), None);
    }
}
