//! `/v1/invitations`: who may become a user. The secret stands in one mail and nowhere else, is good once and for a
//! week; sending an invitation again makes another one.

mod accept;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use runtime::clock::Timestamp;
use runtime::model::{Ban, Email};
use runtime::store::auth::UserType;
use runtime::store::auth::invitation::{self, Invitation};
use runtime::store::auth::user;
use runtime::store::customer::Customer;
use runtime::store::group::Touched;
use runtime::store::{Error as StoreError, ErrorKind, Tx};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use warp::http::Method;

use super::customers;
use super::user_types::{self, TypeName};
use crate::auth::authority;
use crate::auth::key::RefreshToken;
use crate::auth::principal::SUPER_ADMIN;
use crate::context::Api;
use crate::mail::Mail;
use crate::mailer::Letter;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{CURSOR_ID, Kind, LIMIT, Param};
use crate::reply::{self, Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, check_match, uuid_v7, write};

const READ: Access = Access::May(Permission::UsersRead, Reach::Platform);
const MANAGE: Access = Access::May(Permission::UsersManage, Reach::Platform);

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/invitations", READ, list)
        .says("Invitations, the oldest first")
        .asks(&[LIMIT, CURSOR_ID, OPEN])
        .gives::<Page<Shown>>(200),
    Route::new(Method::POST, "/v1/invitations", MANAGE, create)
        .says("Invites somebody by mail")
        .takes::<NewInvitation>()
        .gives::<Shown>(201),
    Route::new(Method::GET, "/v1/invitations/{id}", READ, get).says("One invitation").gives::<Shown>(200),
    Route::new(Method::DELETE, "/v1/invitations/{id}", MANAGE, take_back)
        .says("Takes an invitation back")
        .gives_nothing(),
    Route::new(Method::POST, "/v1/invitations/{id}/send", MANAGE, send)
        .says("Sends another mail, with another secret; the one before is no good any more")
        .gives::<Shown>(200),
    Route::new(Method::POST, "/auth/invitations/accept", Access::Open, accept::accept)
        .says("Becomes a user, by the secret of an invitation")
        .takes::<accept::Acceptance>()
        .gives::<accept::Accepted>(201),
];

const OPEN: Param = Param::new("open", Kind::Flag, "Only invitations that can be accepted now");
/// How long a secret is good.
const GOOD_FOR: Duration = Duration::from_secs(7 * 24 * 3600);
/// The page of the console where one is accepted.
const PAGE: &str = "invitation";

/// Somebody who may become a user.
#[derive(Serialize, ToSchema)]
#[schema(as = Invitation)]
struct Shown {
    /// Primary key.
    id: Uuid,
    /// Whom.
    #[schema(example = "maria@example.net")]
    email: String,
    /// What the user will be.
    #[schema(example = "user")]
    user_type: String,
    /// The customer that the user will work for.
    customer_id: Option<Uuid>,
    /// Who invites.
    #[schema(example = "user:admin@example.net")]
    invited_by: String,
    /// After which the mail is no good.
    expires_at: Timestamp,
    /// When the mail left; null while it has not.
    sent_at: Option<Timestamp>,
    /// When it became a user.
    accepted_at: Option<Timestamp>,
    /// When it was made.
    created_at: Timestamp,
}

impl From<&Invitation> for Shown {
    fn from(invitation: &Invitation) -> Self {
        Self {
            id: invitation.id,
            email: invitation.email.clone(),
            user_type: invitation.user_type.clone(),
            customer_id: invitation.customer,
            invited_by: invitation.invited_by.clone(),
            expires_at: invitation.expires_at,
            sent_at: invitation.sent_at,
            accepted_at: invitation.accepted_at,
            created_at: invitation.created_at,
        }
    }
}

/// Somebody to be invited.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewInvitation {
    /// Whom; nobody who is a user already.
    email: Email,
    /// What the user will be; nothing that may do more than who asks.
    user_type: TypeName,
    /// BAN of the customer that the user will work for; a customer's own user needs one.
    customer: Option<Ban>,
}

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (limit, after) = (request.query.number(&LIMIT), request.query.id("cursor"));
        let open_at = request.query.flag("open").then(|| api.clock.now());
        let found = invitation::page(&api.store, open_at, after, limit.saturating_add(1)).await?;
        let shown = found.iter().map(Shown::from).collect();
        reply::json(&Page::of(shown, limit, |one: &Shown| one.id.to_string()))
    })
}

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let found = invitation::by_id(&api.store, request.id_param("id")?).await?;
        reply::tagged(&Shown::from(&found.ok_or_else(unknown)?))
    })
}

fn create(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let NewInvitation { email, user_type, customer } = request.json()?;
        let user_type = user_types::named(&api, user_type.as_str()).await?;
        let customer = match customer {
            Some(ban) => api.customers.get(customers::named(&api, &request, ban.as_str(), "/customer")?),
            None => None,
        };
        if customer.is_none() && !user_type.operator {
            return Err(Problem::invalid("/customer", "a customer's own user works for one"));
        }
        if customer.is_some() && user_type.name == SUPER_ADMIN {
            return Err(Problem::invalid("/customer", "a superAdmin works for every customer"));
        }
        let draft = Draft::new(&api, &request, (email, &user_type), customer.as_deref())?;
        let of = Arc::clone(&api);
        write(&api, request, move |tx, _| {
            Box::pin(async move {
                draft.write(tx).await?;
                let location = format!("/v1/invitations/{}", draft.invitation.id);
                let shown = Shown::from(&draft.invitation);
                let change = Change::created(location, &shown, Touched::NOTHING);
                Ok(change.of_maybe(draft.invitation.customer).then(move || draft.post(&of)))
            })
        })
        .await
    })
}

/// One that expired is open again.
fn send(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let found = invitation::by_id(&api.store, request.id_param("id")?).await?.ok_or_else(unknown)?;
        let user_type = user_types::named(&api, &found.user_type).await?;
        authority::over(&request.principal, &user_type, &[])?;
        let customer = found.customer.and_then(|id| api.customers.get(id));
        let of = Arc::clone(&api);
        write(&api, request, move |tx, _| {
            Box::pin(async move {
                let before = invitation::find(tx, found.id).await?.ok_or_else(unknown)?;
                let draft = Draft::again(&of, &before, customer.as_deref());
                draft.refuse_known(tx).await?;
                let Invitation { id, expires_at, .. } = draft.invitation;
                if !invitation::renew(tx, id, &draft.hash(), expires_at).await? {
                    return Err(accepted());
                }
                let (before, after) = (Shown::from(&before), Shown::from(&draft.invitation));
                let change = Change::updated(&before, &after, Touched::NOTHING);
                Ok(change.of_maybe(draft.invitation.customer).then(move || draft.post(&of)))
            })
        })
        .await
    })
}

fn take_back(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let id = request.id_param("id")?;
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = invitation::find(tx, id).await?.ok_or_else(unknown)?;
                let shown = Shown::from(&before);
                check_match(request, &shown)?;
                if !invitation::delete(tx, id).await? {
                    return Err(accepted());
                }
                Ok(Change::deleted(&shown, Touched::NOTHING).of_maybe(before.customer))
            })
        })
        .await
    })
}

fn unknown() -> Problem {
    Problem::new(Code::NotFound, "there is no such invitation")
}

fn accepted() -> Problem {
    Problem::new(Code::InUse, "it was accepted: change the user instead")
}

fn taken(what: &str) -> Problem {
    Problem::new(Code::AlreadyExists, format!("{what} has this address already"))
}

/// An invitation that is being written, and its secret.
pub(super) struct Draft {
    invitation: Invitation,
    token: RefreshToken,
    /// The customer's name, for the mail.
    company: Option<String>,
}

impl Draft {
    /// For a user of this type, who will work for this customer where there is one.
    fn new(
        api: &Api,
        request: &Request,
        (email, user_type): (Email, &UserType),
        customer: Option<&Customer>,
    ) -> Result<Self, Problem> {
        authority::over(&request.principal, user_type, &[])?;
        let now = api.clock.now();
        let invitation = Invitation {
            id: uuid_v7(now.micros()),
            email: email.into(),
            user_type: user_type.name.clone(),
            customer: customer.map(|customer| customer.id),
            invited_by: request.principal.name.clone(),
            expires_at: now.plus(GOOD_FOR),
            sent_at: None,
            accepted_at: None,
            created_at: now,
        };
        Ok(Self { invitation, token: RefreshToken::generate(), company: company(customer) })
    }

    /// Of a customer that is being made: its first user.
    pub(super) async fn first_of(
        api: &Api,
        request: &Request,
        email: Email,
        customer: &Customer,
    ) -> Result<Self, Problem> {
        if !request.principal.may(Permission::UsersManage) {
            let detail = format!("{} is needed to invite", Permission::UsersManage);
            return Err(Problem::new(Code::Forbidden, detail));
        }
        let user_type = user_types::named(api, TypeName::User.as_str()).await?;
        Self::new(api, request, (email, &user_type), Some(customer))
    }

    /// The same with another secret.
    fn again(api: &Api, before: &Invitation, customer: Option<&Customer>) -> Self {
        let expires_at = api.clock.now().plus(GOOD_FOR);
        let invitation = Invitation { expires_at, sent_at: None, ..before.clone() };
        Self { invitation, token: RefreshToken::generate(), company: company(customer) }
    }

    fn hash(&self) -> Vec<u8> {
        self.token.hash().octets().to_vec()
    }

    /// Writes it, unless there is a user or an open invitation of the address.
    pub(super) async fn write(&self, tx: &mut Tx) -> Result<(), Problem> {
        self.refuse_known(tx).await?;
        let written = invitation::insert(tx, &self.invitation, &self.hash()).await;
        let refused = |error: StoreError| {
            if error.kind() == ErrorKind::Constraint { taken("an invitation") } else { error.into() }
        };
        written.map_err(refused)
    }

    async fn refuse_known(&self, tx: &mut Tx) -> Result<(), Problem> {
        if user::is_known(tx, &self.invitation.email).await? { Err(taken("a user")) } else { Ok(()) }
    }

    /// Gives its mail to the mailer, once it is durable.
    pub(super) fn post(self, api: &Api) {
        let token_hash = self.hash();
        let Self { invitation, token, company } = self;
        let link = api.mailer.postbox.link(PAGE, token.expose());
        let Ok(to) = invitation.email.parse() else {
            tracing::error!(invitation = %invitation.id, "the address of an invitation is none");
            return;
        };
        let mail = Mail {
            id: uuid_v7(api.clock.now().micros()),
            to,
            subject: "Invitation to WARP".to_owned(),
            text: text(&invitation, company.as_deref(), &link),
            written_at: api.clock.now(),
        };
        api.mailer.post(Letter { mail, invitation: invitation.id, token_hash });
    }
}

fn company(customer: Option<&Customer>) -> Option<String> {
    customer.map(|customer| customer.company_name.clone())
}

/// What the mail says.
fn text(invitation: &Invitation, company: Option<&str>, link: &str) -> String {
    let who = invitation.invited_by.strip_prefix("user:").unwrap_or("An administrator");
    let company = company.map(|company| format!(" for {company}")).unwrap_or_default();
    let (year, month, day, hour, minute, _) = invitation.expires_at.civil();
    format!(
        "{who} invites you to use WARP{company}.\n\n\
         To choose a password and begin, open this page until {year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC:\n\n\
         {link}\n\n\
         The page works once. If you did not expect this mail, do nothing.\n"
    )
}
