//! `/v1/admin/customers/{ban}/messaging-config`: what a customer's messaging is limited to, over all its accounts.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::model::Parts;
use runtime::store::group::Touched;
use runtime::store::messaging_config::{self, MessagingConfig};
use warp::http::Method;

use crate::context::Api;
use crate::permission::Permission;
use crate::problem::Problem;
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, check_match, write};

pub(super) const ROUTES: &[Route] = &[
    Route::new(
        Method::GET,
        "/v1/admin/customers/{ban}/messaging-config",
        Access::May(Permission::AccountsRead, Reach::OperatorOf),
        get,
    )
    .says("Limits over all ESME accounts of a customer")
    .gives::<MessagingConfig>(200),
    Route::new(
        Method::PUT,
        "/v1/admin/customers/{ban}/messaging-config",
        Access::May(Permission::AccountsManage, Reach::OperatorOf),
        update,
    )
    .says(
        "Changes the limits over all ESME accounts of a customer; what is not given goes back to its default",
    )
    .takes::<MessagingConfig>()
    .gives::<MessagingConfig>(200),
];

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move { reply::tagged(&messaging_config::get(&api.store, request.customer()?.id).await?) })
}

fn update(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let after: MessagingConfig = request.json()?;
        let most = MessagingConfig::OUTBOX_MAX;
        if !(1..=most).contains(&after.outbox_max) {
            return Err(Problem::invalid("/outbox_max", format!("{} is not 1 to {most}", after.outbox_max)));
        }
        let customer = request.customer()?.id;
        let now = api.clock.now();
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = messaging_config::find(tx, customer).await?;
                check_match(request, &before)?;
                messaging_config::put(tx, customer, after, now).await?;
                Ok(Change::updated(&before, &after, Touched::only(Parts::OTHERS)).of(customer))
            })
        })
        .await
    })
}
