//! Every write of the interface: done, audited, remembered for repetition and announced in one commit.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use runtime::random::secret_bytes;
use runtime::store::audit::{self, Answer, Entry};
use runtime::store::group::{Touched, Written};
use runtime::store::{Error as StoreError, ErrorKind, Tx};
use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout;
use uuid::Uuid;

use crate::context::Api;
use crate::problem::{Code, Problem};
use crate::reply::{self, Reply};
use crate::request::Request;

/// For how long a request with an Idempotency-Key gets the answer that it got first.
pub(crate) const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 3600);

/// For how long a command that was done waits for its place in the audit before it is answered.
const NOTED_WITHIN: Duration = Duration::from_secs(2);

/// Purpose of the fingerprints of requests.
const REQUEST: &str = "request";

/// What a write did.
pub(crate) struct Change {
    status: u16,
    /// Where the new thing is.
    location: String,
    action: &'static str,
    customer: Option<Uuid>,
    before: Option<Value>,
    after: Option<Value>,
    /// What the caller sees: `after`, in the order of its fields.
    body: String,
    /// What the caller sees this once instead.
    shown: Option<String>,
    touched: Touched,
    then: Option<Box<dyn FnOnce() + Send>>,
}

impl Change {
    /// Something new, which is at `location` now.
    pub(crate) fn created(location: String, after: &impl Serialize, touched: Touched) -> Self {
        Self { location, after: value(after), body: text(after), ..Self::new(201, "create", touched) }
    }

    /// Several things at once, each with an answer of its own.
    pub(crate) fn several(answers: &impl Serialize, touched: Touched) -> Self {
        Self { after: value(answers), body: text(answers), ..Self::new(200, "batch", touched) }
    }

    /// Something that is another way now.
    pub(crate) fn updated(before: &impl Serialize, after: &impl Serialize, touched: Touched) -> Self {
        let body = text(after);
        Self { before: value(before), after: value(after), body, ..Self::new(200, "update", touched) }
    }

    /// Something that is no more.
    pub(crate) fn deleted(before: &impl Serialize, touched: Touched) -> Self {
        Self { before: value(before), ..Self::new(204, "delete", touched) }
    }

    /// Something that was done to what runs, of which the database holds nothing.
    pub(crate) fn done(action: &'static str, before: &impl Serialize) -> Self {
        Self { before: value(before), ..Self::new(200, action, Touched::NOTHING) }
    }

    /// A command of which only what came of it is told.
    pub(crate) fn gave(action: &'static str, after: &impl Serialize) -> Self {
        Self { after: value(after), ..Self::new(200, action, Touched::NOTHING) }
    }

    fn new(status: u16, action: &'static str, touched: Touched) -> Self {
        Self {
            status,
            location: String::new(),
            action,
            customer: None,
            before: None,
            after: None,
            body: String::new(),
            shown: None,
            touched,
            then: None,
        }
    }

    /// Whose it is.
    pub(crate) fn of(mut self, customer: Uuid) -> Self {
        self.customer = Some(customer);
        self
    }

    /// Whose it is, if a customer's.
    pub(crate) fn of_maybe(mut self, customer: Option<Uuid>) -> Self {
        self.customer = customer;
        self
    }

    /// The caller sees a secret this once: neither the audit nor a repetition of the request does.
    pub(crate) fn showing_once(mut self, shown: &impl Serialize) -> Self {
        self.shown = Some(text(shown));
        self
    }

    /// With a word of its own in the audit.
    pub(crate) fn called(mut self, action: &'static str) -> Self {
        self.action = action;
        self
    }

    /// Run after the commit.
    pub(crate) fn then(mut self, then: impl FnOnce() + Send + 'static) -> Self {
        self.then = Some(Box::new(then));
        self
    }
}

/// What a refused `If-Match` is compared with: the thing as it is shown.
pub(crate) fn check_match(request: &Request, current: &impl Serialize) -> Result<(), Problem> {
    let Some(wanted) = &request.if_match else { return Ok(()) };
    let current = reply::octets(current)?;
    let current = reply::tag_of(&current);
    let fits = wanted.split(',').map(str::trim).any(|tag| tag == "*" || tag == current);
    if fits {
        return Ok(());
    }
    Err(Problem::new(Code::Changed, format!("its ETag is {current} now, not {wanted}: read it again")))
}

/// Does a write for a request.
///
/// With an `Idempotency-Key` the answer is kept by the same commit, and a repetition gets it again.
pub(crate) fn write<F>(api: &Arc<Api>, request: Request, job: F) -> BoxFuture<'_, Reply>
where
    F: for<'t> FnOnce(&'t mut Tx, &'t Request) -> BoxFuture<'t, Result<Change, Problem>> + Send + 'static,
{
    // What follows is compiled once, not once for each write that there is.
    Box::pin(run(api, request, Box::new(job)))
}

type Job = Box<dyn for<'t> FnOnce(&'t mut Tx, &'t Request) -> BoxFuture<'t, Result<Change, Problem>> + Send>;

async fn run(api: &Arc<Api>, request: Request, job: Job) -> Reply {
    if let Some(answer) = answered_before(api, &request).await? {
        return Ok(reply::written(answer.status, &answer.location, answer.body));
    }
    let hash = request_hash(api, &request);
    let now = api.clock.now();
    let id = uuid_v7(now.micros());
    let answer = api.writes.run(move |tx| {
        Box::pin(async move {
            let change = job(tx, &request).await?;
            let Change { status, location, action, customer, before, after, body, shown, touched, then } =
                change;
            let entry = Entry {
                id,
                at: now,
                principal: request.principal.name.clone(),
                address: request.address.map(|address| address.to_string()).unwrap_or_default(),
                request_id: request.id.clone(),
                action: action.to_owned(),
                resource: if location.is_empty() { request.path.clone() } else { location.clone() },
                customer,
                before,
                after,
            };
            audit::record(tx, entry).await?;
            let answer = Answer { request_hash: hash, status, location, body };
            if let Some(key) = &request.idempotency_key {
                let kept = audit::remember(tx, (&request.principal.name, key), &answer, now).await;
                kept.map_err(answered_meanwhile)?;
            }
            Ok::<_, Problem>(Written { value: (answer, shown), touched, then })
        })
    });
    let (answer, shown) = answer.await?;
    let response = reply::written(answer.status, &answer.location, answer.body);
    // The entity tag stays that of what is shown from now on.
    Ok(match shown {
        Some(shown) => response.map(|_| shown.into()),
        None => response,
    })
}

/// Puts a command that was done into the audit. That it cannot be written there does not undo the command: the
/// log tells who gave it then. Sent again it is done again, and stands there again: an `Idempotency-Key` does
/// not count, or a repetition would be done and not be told of.
pub(crate) async fn note(api: &Arc<Api>, request: Request, change: Change) {
    let (principal, path, id) = (Arc::clone(&request.principal), request.path.clone(), request.id.clone());
    let action = change.action;
    let request = Request { idempotency_key: None, ..request };
    let noted = write(api, request, move |_, _| Box::pin(async move { Ok(change) }));
    let by = principal.name.as_str();
    match timeout(NOTED_WITHIN, noted).await {
        Ok(Ok(_)) => {}
        Ok(Err(problem)) => {
            tracing::warn!(?problem, action, path, id, by, "a command was done and is not in the audit");
        }
        // It stays in the queue of writes.
        Err(_) => tracing::warn!(action, path, id, by, "a command was done and is not in the audit yet"),
    }
}

/// Does a command to its end and notes it, even when its caller goes away meanwhile: who hangs up early does not
/// keep what he did out of the audit. A command that is done without waiting needs no more than [`note`].
pub(crate) fn to_the_end(command: BoxFuture<'static, Reply>) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let failed = |_| Problem::new(Code::Internal, "the request ended early");
        tokio::spawn(command).await.map_err(failed)?
    })
}

async fn answered_before(api: &Api, request: &Request) -> Result<Option<Answer>, Problem> {
    let Some(key) = &request.idempotency_key else { return Ok(None) };
    let since = api.clock.now().minus(REMEMBERED_FOR);
    let known = audit::remembered(&api.store, (&request.principal.name, key), since).await?;
    let Some(answer) = known else { return Ok(None) };
    if is_repetition(api, request, &answer.request_hash) {
        return Ok(Some(answer));
    }
    Err(conflict("this key was used for another request"))
}

fn answered_meanwhile(error: StoreError) -> Problem {
    if error.kind() == ErrorKind::Constraint {
        return conflict("a request with this key was answered just now");
    }
    error.into()
}

pub(crate) fn conflict(detail: &str) -> Problem {
    Problem::new(Code::IdempotencyConflict, detail)
}

/// What tells a repetition from another request under its key. A body may hold a password: the digest is
/// keyed, so that who reads the database cannot try passwords on it. Empty for a request that is not
/// remembered.
pub(crate) fn request_hash(api: &Api, request: &Request) -> Vec<u8> {
    if request.idempotency_key.is_none() {
        return Vec::new();
    }
    api.root_key.fingerprint(REQUEST, &identity(request)).to_vec()
}

/// Whether a request is the one that this hash is of.
pub(crate) fn is_repetition(api: &Api, request: &Request, hash: &[u8]) -> bool {
    api.root_key.has_fingerprint(hash, REQUEST, &identity(request))
}

fn identity(request: &Request) -> [&[u8]; 3] {
    [request.method.as_str().as_bytes(), request.path.as_bytes(), &request.body]
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn value(value: &impl Serialize) -> Option<Value> {
    serde_json::to_value(value).ok().filter(|value| !value.is_null())
}

/// A UUID of version 7 (RFC 9562, 5.7): in the order of time.
pub(crate) fn uuid_v7(micros: i64) -> Uuid {
    let millis = u64::try_from(micros / 1000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &secret_bytes()).into_uuid()
}
