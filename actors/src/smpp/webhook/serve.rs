//! The data path of a sender: takes from the outbox, posts, settles or tries again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use runtime::clock::Timestamp;
use runtime::http_client::HttpClient;
use runtime::log::{OutboxKind, OutboxRow};
use runtime::model;
use runtime::supervision::Shutdown;
use runtime::webhook::signature;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::payload::{delivery_id, payload};
use super::{Counters, Options};
use crate::smpp::Smpp;
use crate::smpp::account::Account;
use crate::smpp::outbox::{Delivery, Next, Receiver, durable};
use crate::smpp::receipts::{read_back, unload};

/// Posts under way at one time.
const POSTS_MAX: usize = 16;
/// Deliveries that wait for another try, for whatever reason; none is taken from the outbox beyond them.
const AGAIN_MAX: usize = 256;
/// How often a place that is well again has what waits for it posted at once.
const FORWARD_EVERY: Duration = Duration::from_secs(30);
/// Wait before the second try; it doubles with every further one.
const WAIT: Duration = Duration::from_secs(1);
/// The longest wait between two tries, which go on until the delivery expires.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// A sender's data path.
pub(super) struct Serve {
    smpp: Arc<Smpp>,
    account: Arc<Account>,
    client: HttpClient,
    receiver: Arc<Receiver>,
    counters: Arc<Counters>,
    changed: watch::Receiver<u64>,
    posts: FuturesUnordered<BoxFuture<'static, (i64, Posted)>>,
    /// What is posted, by its id.
    posted: BTreeMap<i64, Delivery>,
    again: Vec<Again>,
    forwarded_at: Option<Instant>,
}

/// A delivery that waits for its next try.
struct Again {
    at: Instant,
    /// Nobody answered at the webhook, or it was busy: it may be well again once another post succeeds.
    place_failed: bool,
    delivery: Delivery,
}

/// A post that ended.
struct Posted {
    /// It went to a place that its message named, and tells nothing of the webhook.
    elsewhere: bool,
    outcome: Outcome,
}

/// How a post ended.
enum Outcome {
    /// 2xx.
    Taken,
    /// Another status: this one is not wanted, or not now.
    Refused(u16),
    /// No answer, or one of a place that is not well: 408, 429, 5xx.
    Failed(String),
}

impl Serve {
    pub(super) fn new(options: Options, counters: Arc<Counters>) -> Self {
        let Options { smpp, account, client } = options;
        let receiver = Arc::new(Receiver::default());
        receiver.free.store(u32::try_from(POSTS_MAX).unwrap_or(u32::MAX), Ordering::Release);
        account.outbox.join(Arc::clone(&receiver));
        Self {
            changed: account.changed.subscribe(),
            smpp,
            account,
            client,
            receiver,
            counters,
            posts: FuturesUnordered::new(),
            posted: BTreeMap::new(),
            again: Vec::new(),
            forwarded_at: None,
        }
    }

    /// Posts until it is asked to end; gives the posts under way their time then.
    pub(super) async fn run(mut self, shutdown: Shutdown) -> Result<(), std::convert::Infallible> {
        loop {
            // None while nothing may be posted: only a change of the account ends that.
            let room = self.fill();
            let ticket =
                room.filter(|room| *room > 0).and_then(|_| self.account.outbox.waiting(&self.receiver));
            let due = room.filter(|_| self.posts.len() < POSTS_MAX).and_then(|_| self.next_again());
            tokio::select! {
                Some((id, posted)) = self.posts.next(), if !self.posts.is_empty() => {
                    self.on_posted(id, &posted);
                }
                () = durable(ticket) => {}
                () = until(due) => {}
                () = self.receiver.wake.notified() => {}
                _ = self.changed.changed() => {}
                () = shutdown.requested() => break,
            }
        }
        self.account.outbox.rest(&self.receiver, 0);
        // A webhook that was taken away is waited for no longer: its deliveries go to sessions.
        let is_wanted = self.account.settings.load().webhook.is_some();
        let within = if is_wanted { self.smpp.options.unbind.get() } else { Duration::ZERO };
        let ended = async {
            while let Some((id, posted)) = self.posts.next().await {
                self.on_posted(id, &posted);
            }
        };
        let _ = timeout(within, ended).await;
        Ok(())
    }

    /// Posts what is due and what is new, as far as there is room; gives how much is left. None without a webhook, or
    /// without its secret.
    fn fill(&mut self) -> Option<usize> {
        let now = Instant::now();
        let webhook = self.account.settings.load().webhook.clone();
        let signed = webhook.filter(|webhook| webhook.secret.is_some());
        while let Some(webhook) = &signed
            && self.posts.len() < POSTS_MAX
            && let Some(delivery) = self.next_delivery(now)
        {
            self.post(webhook, delivery);
        }
        let room = signed.map(|_| self.room());
        if room.is_some_and(|room| room > 0) {
            read_back(&self.smpp, &self.account);
        }
        self.counters.waiting.store(self.posts.len() + self.again.len(), Ordering::Relaxed);
        let free = room.unwrap_or(0);
        self.receiver.is_stuck.store(room.is_none() || self.is_place_gone(), Ordering::Relaxed);
        self.account.outbox.rest(&self.receiver, u32::try_from(free).unwrap_or(u32::MAX));
        room
    }

    /// So many wait for another try that the webhook seems to be gone.
    fn is_place_gone(&self) -> bool {
        self.again.iter().filter(|again| again.place_failed).count() >= POSTS_MAX
    }

    /// New ones that could be posted.
    fn room(&self) -> usize {
        if self.is_place_gone() || self.again.len() >= AGAIN_MAX {
            0
        } else {
            POSTS_MAX.saturating_sub(self.posts.len())
        }
    }

    fn next_delivery(&mut self, now: Instant) -> Option<Delivery> {
        if let Some(due) = self.again.iter().position(|again| again.at <= now) {
            return Some(self.again.swap_remove(due).delivery);
        }
        if self.room() == 0 {
            return None;
        }
        match self.account.outbox.next() {
            Next::Delivery(delivery) => Some(delivery),
            Next::Wait(_) | Next::Empty => None,
        }
    }

    fn next_again(&self) -> Option<Instant> {
        self.again.iter().map(|again| again.at).min()
    }

    fn post(&mut self, webhook: &Arc<model::Webhook>, delivery: Delivery) {
        if delivery.row.expires_at <= self.smpp.now().micros() {
            self.smpp.metrics.deliveries_dropped.with_label_values(&["expired"]).inc();
            return self.settle(&delivery);
        }
        let Some(body) = payload(&self.account, &delivery.row) else {
            // Rows are written by this program: only a damaged log has one that cannot be read.
            tracing::error!(id = delivery.row.id, "a delivery cannot be read, it is given up");
            return self.give_up(&delivery);
        };
        let post = Post {
            smpp: Arc::clone(&self.smpp),
            client: self.client.clone(),
            webhook: Arc::clone(webhook),
            at: self.smpp.now(),
            row: delivery.row.clone(),
            body,
        };
        self.smpp.delivered.fetch_add(1, Ordering::Relaxed);
        let id = delivery.row.id;
        self.posted.insert(id, delivery);
        self.posts.push(Box::pin(async move { (id, post.run().await) }));
    }

    fn on_posted(&mut self, id: i64, Posted { elsewhere, outcome }: &Posted) {
        let Some(delivery) = self.posted.remove(&id) else { return };
        let (counter, place_failed) = match outcome {
            Outcome::Taken => {
                self.counters.posted.fetch_add(1, Ordering::Relaxed);
                if !elsewhere {
                    self.counters.failing.store(false, Ordering::Relaxed);
                    self.place_is_well();
                }
                self.smpp.metrics.webhook_posts.with_label_values(&["taken"]).inc();
                self.smpp.metrics.delivered.inc();
                return self.settle(&delivery);
            }
            Outcome::Refused(_) => ("refused", false),
            Outcome::Failed(_) => ("failed", !elsewhere),
        };
        self.smpp.metrics.webhook_posts.with_label_values(&[counter]).inc();
        self.counters.failed.fetch_add(1, Ordering::Relaxed);
        if !elsewhere && !self.counters.failing.swap(true, Ordering::Relaxed) {
            self.tell(outcome);
        }
        self.try_again(delivery, place_failed);
    }

    /// Once for each change from well to failing: the customer's place may be away for days.
    fn tell(&self, outcome: &Outcome) {
        let settings = self.account.settings.load();
        let (account, customer) = (&settings.account.system_id, &settings.customer.ban);
        match outcome {
            Outcome::Taken => {}
            Outcome::Refused(status) => {
                tracing::warn!(%account, %customer, status, "a webhook refuses, its posts are tried again");
            }
            Outcome::Failed(error) => {
                tracing::warn!(%account, %customer, error, "a webhook cannot be reached, its posts are tried again");
            }
        }
    }

    fn try_again(&mut self, mut delivery: Delivery, place_failed: bool) {
        let doubled = WAIT.saturating_mul(1_u32.checked_shl(delivery.refusals.into()).unwrap_or(u32::MAX));
        let wait = doubled.min(WAIT_MAX);
        delivery.refusals = delivery.refusals.saturating_add(1).min(16);
        let at = Instant::now() + wait + self.smpp.random.jitter(wait / 4);
        self.again.push(Again { at, place_failed, delivery });
    }

    /// What failed because of the place alone does not wait any longer; now and then, since some of it may fail because of
    /// what it is.
    fn place_is_well(&mut self) {
        let now = Instant::now();
        if self.forwarded_at.is_some_and(|at| now.duration_since(at) < FORWARD_EVERY) {
            return;
        }
        self.forwarded_at = Some(now);
        for again in self.again.iter_mut().filter(|again| again.place_failed) {
            again.at = again.at.min(now);
        }
    }

    fn give_up(&self, delivery: &Delivery) {
        self.smpp.metrics.deliveries_dropped.with_label_values(&["refused"]).inc();
        self.settle(delivery);
    }

    fn settle(&self, delivery: &Delivery) {
        let id = delivery.row.id;
        self.account.outbox.release(delivery);
        self.smpp.log.append_lazily(|batch| batch.outbox_done.push(id));
    }
}

/// A sender that ends, however it ends, gives back what it had under way.
impl Drop for Serve {
    fn drop(&mut self) {
        self.receiver.free.store(0, Ordering::Release);
        let waiting = self.again.drain(..).map(|again| (again.delivery.row.id, again.delivery));
        self.posted.extend(waiting);
        // Tries of posts say nothing of what a session will answer.
        let deliveries = std::mem::take(&mut self.posted).into_values();
        self.account.outbox.give_back(deliveries.map(|delivery| Delivery { refusals: 0, ..delivery }));
        self.account.outbox.leave(&self.receiver);
        unload(&self.smpp, &self.account);
    }
}

/// One post.
struct Post {
    smpp: Arc<Smpp>,
    client: HttpClient,
    webhook: Arc<model::Webhook>,
    row: OutboxRow,
    at: Timestamp,
    body: Bytes,
}

impl Post {
    async fn run(self) -> Posted {
        let own = match self.own_url().await {
            Ok(own) => own,
            Err(error) => return Posted { elsewhere: true, outcome: Outcome::Failed(error) },
        };
        let elsewhere = own.is_some();
        let url = own.unwrap_or_else(|| Arc::clone(&self.webhook.url));
        Posted { elsewhere, outcome: self.post(&url).await }
    }

    async fn post(self, url: &str) -> Outcome {
        let Some(secret) = &self.webhook.secret else {
            return Outcome::Failed("it has no secret that opens".to_owned());
        };
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("warp-delivery", delivery_id(self.row.id)),
            ("warp-signature", signature(secret, self.at, &self.body)),
        ];
        match self.client.post_with(url, &headers, self.body).await {
            Ok(response) if response.status.is_success() => Outcome::Taken,
            Ok(response) => match response.status.as_u16() {
                status @ (408 | 429 | 500..) => Outcome::Failed(format!("status {status}")),
                status => Outcome::Refused(status),
            },
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }

    /// The place that the message came with.
    async fn own_url(&self) -> Result<Option<Arc<str>>, String> {
        if self.row.kind != OutboxKind::Receipt {
            return Ok(None);
        }
        let submission = self.smpp.log.store().submission(self.row.message).await;
        let submission = submission.map_err(|error| format!("the message log cannot be read: {error}"))?;
        Ok(submission.and_then(|submission| submission.callback_url))
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
