//! `/v1/customers/{id}/esme-accounts/{account_id}/webhook`: where receipts and messages of an ESME account are posted
//! to, instead of to its sessions.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::clock::Timestamp;
use runtime::http_client::{AddressPolicy, check_url};
use runtime::model::Parts;
use runtime::password::SecretString;
use runtime::random::secret_bytes;
use runtime::seal::to_hex;
use runtime::store::esme_account;
use runtime::store::group::Touched;
use runtime::store::webhook::{self, StoredWebhook};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use warp::http::Method;

use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, check_match, write};

const PATH: &str = "/v1/customers/{id}/esme-accounts/{account_id}/webhook";
const READ: Access = Access::May(Permission::WebhooksRead, Reach::Customer);
const MANAGE: Access = Access::May(Permission::WebhooksManage, Reach::Customer);

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, PATH, READ, get)
        .says("Where receipts and messages of an ESME account are posted to")
        .gives::<Webhook>(200),
    Route::new(Method::PUT, PATH, MANAGE, update)
        .says("Has receipts and messages posted, instead of sent to sessions; a secret is made, and shown this once, \
               where there is none and none is given")
        .takes::<WebhookForm>()
        .gives::<WebhookMade>(200),
    Route::new(Method::DELETE, PATH, MANAGE, delete)
        .says("Has receipts and messages sent to sessions again, those that wait among them")
        .gives_nothing(),
];

/// What secrets that are made begin with, so that a search for leaked ones knows one.
const MARK: &str = "whsec_";
/// Characters of a secret.
const SECRET_MIN: usize = 16;
const SECRET_MAX: usize = 128;

/// A webhook that is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WebhookForm {
    /// Where receipts and messages are posted to: a place of the public internet.
    #[schema(example = "https://sms.customer.example/warp", max_length = 2048)]
    url: String,
    /// What signs the posts; the one that there is stays without it.
    #[schema(value_type = Option<String>, write_only, min_length = 16, max_length = 128, pattern = "^[!-~]*$",
        example = "9f86d081884c7d659a2feaa0c55ad015")]
    secret: Option<SecretString>,
}

/// A webhook.
#[derive(Serialize, ToSchema)]
struct Webhook {
    /// Where receipts and messages are posted to.
    #[schema(example = "https://sms.customer.example/warp")]
    url: String,
    /// When it was made.
    created_at: Timestamp,
    /// When it was changed last.
    updated_at: Timestamp,
}

/// A webhook as its change answers.
#[derive(Serialize, ToSchema)]
struct WebhookMade {
    /// The webhook.
    #[serde(flatten)]
    webhook: Webhook,
    /// The secret that was made for it, shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "whsec_0b3d1f5e7a9c2b4d6f8091a3c5e7d9f1")]
    secret: Option<String>,
}

impl From<StoredWebhook> for Webhook {
    fn from(stored: StoredWebhook) -> Self {
        Self { url: stored.url, created_at: stored.created_at, updated_at: stored.updated_at }
    }
}

impl WebhookForm {
    fn check(&self, policy: AddressPolicy) -> Result<(), Problem> {
        check_url(&self.url, policy).map_err(|error| Problem::invalid("/url", error.to_string()))?;
        let Some(secret) = &self.secret else { return Ok(()) };
        let is_plain = secret.expose().bytes().all(|octet| octet.is_ascii_graphic());
        if (SECRET_MIN..=SECRET_MAX).contains(&secret.expose().len()) && is_plain {
            return Ok(());
        }
        let detail =
            format!("it is not {SECRET_MIN} to {SECRET_MAX} printable ASCII characters without blanks");
        Err(Problem::invalid("/secret", detail))
    }
}

fn none() -> Problem {
    Problem::new(Code::NotFound, "the account has no webhook")
}

/// The account of the path, which the customer of the path has.
async fn account(api: &Api, request: &Request) -> Result<(Uuid, Uuid), Problem> {
    let (customer, id) = (request.customer()?.id, request.id_param("account_id")?);
    let account = esme_account::get(&api.store, customer, id).await?;
    let unknown = || Problem::new(Code::NotFound, "the customer has no such account");
    account.map(|account| (customer, account.id)).ok_or_else(unknown)
}

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (_, account) = account(&api, &request).await?;
        let stored = webhook::get(&api.store, account).await?;
        reply::tagged(&Webhook::from(stored.ok_or_else(none)?))
    })
}

fn update(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let form: WebhookForm = request.json()?;
        form.check(api.webhook_policy)?;
        let (customer, account) = account(&api, &request).await?;
        let (now, root_key) = (api.clock.now(), Arc::clone(&api.root_key));
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = webhook::find(tx, account).await?;
                let (sealed, made) = match (form.secret, &before) {
                    (None, Some(before)) => (before.secret_sealed.clone(), None),
                    (None, None) => {
                        let made = format!("{MARK}{}", to_hex(&secret_bytes::<16>()));
                        (seal(&root_key, account, &SecretString::new(made.clone()))?, Some(made))
                    }
                    (Some(given), _) => (seal(&root_key, account, &given)?, None),
                };
                let before = before.map(Webhook::from);
                if let Some(before) = &before {
                    check_match(request, before)?;
                }
                webhook::put(tx, account, (&form.url, sealed), now).await?;
                let after = Webhook::from(webhook::find(tx, account).await?.ok_or_else(none)?);
                let change = Change::updated(&before, &after, Touched::only(Parts::OTHERS)).of(customer);
                Ok(change.showing_once(&WebhookMade { webhook: after, secret: made }))
            })
        })
        .await
    })
}

fn seal(root_key: &runtime::seal::RootKey, account: Uuid, secret: &SecretString) -> Result<Vec<u8>, Problem> {
    root_key.seal(account, secret).map_err(|error| Problem::new(Code::Internal, error.to_string()))
}

fn delete(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (customer, account) = account(&api, &request).await?;
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = Webhook::from(webhook::find(tx, account).await?.ok_or_else(none)?);
                check_match(request, &before)?;
                webhook::delete(tx, account).await?;
                Ok(Change::deleted(&before, Touched::only(Parts::OTHERS)).of(customer))
            })
        })
        .await
    })
}
