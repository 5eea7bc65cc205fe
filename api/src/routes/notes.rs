//! `/v1/customers/{id}/notes`: what people write about a customer. Its own users and programs do not see it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::store::customer::{self, Note};
use runtime::store::group::Touched;
use serde::Deserialize;
use utoipa::ToSchema;
use warp::http::Method;

use super::customers::for_operator;
use crate::check;
use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{CURSOR_ID, LIMIT};
use crate::reply::{self, Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, check_match, uuid_v7, write};

const MANAGE: Access = Access::May(Permission::CustomersManage, Reach::Customer);

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/customers/{id}/notes", MANAGE, list)
        .says("Notes about a customer, the newest first")
        .asks(&[LIMIT, CURSOR_ID])
        .gives::<Page<Note>>(200),
    Route::new(Method::POST, "/v1/customers/{id}/notes", MANAGE, create)
        .says("Adds a note")
        .takes::<NewNote>()
        .gives::<Note>(201),
    Route::new(Method::GET, "/v1/customers/{id}/notes/{note_id}", MANAGE, get)
        .says("One note about a customer")
        .gives::<Note>(200),
    Route::new(Method::DELETE, "/v1/customers/{id}/notes/{note_id}", MANAGE, delete)
        .says("Takes a note away")
        .gives_nothing(),
];

/// Characters of a note.
const TEXT_MAX: usize = 10_000;

/// A note to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewNote {
    /// What is to be known.
    #[schema(example = "Wants a second trunk in March.", min_length = 1, max_length = 10_000)]
    text: String,
}

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let customer = for_operator(&request)?;
        let limit = request.query.number(&LIMIT);
        let before = request.query.id("cursor");
        let notes = customer::notes(&api.store, customer, before, limit.saturating_add(1)).await?;
        reply::json(&Page::of(notes, limit, |note| note.id.to_string()))
    })
}

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (customer, id) = (for_operator(&request)?, request.id_param("note_id")?);
        let note = customer::get_note(&api.store, customer, id).await?;
        reply::tagged(&note.ok_or_else(unknown)?)
    })
}

fn unknown() -> Problem {
    Problem::new(Code::NotFound, "there is no such note")
}

fn create(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let customer = for_operator(&request)?;
        let NewNote { text } = request.json()?;
        check::text("/text", &text, 1..=TEXT_MAX)?;
        let now = api.clock.now();
        let note =
            Note { id: uuid_v7(now.micros()), author: request.principal.name.clone(), text, created_at: now };
        write(&api, request, move |tx, _| {
            Box::pin(async move {
                customer::insert_note(tx, customer, &note).await?;
                let location = format!("/v1/customers/{customer}/notes/{}", note.id);
                Ok(Change::created(location, &note, Touched::NOTHING).of(customer))
            })
        })
        .await
    })
}

fn delete(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (customer, id) = (for_operator(&request)?, request.id_param("note_id")?);
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let note = customer::delete_note(tx, customer, id).await?.ok_or_else(unknown)?;
                check_match(request, &note)?;
                Ok(Change::deleted(&note, Touched::NOTHING).of(customer))
            })
        })
        .await
    })
}
