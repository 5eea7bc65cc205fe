//! `/v1/admin/media-nodes`: the RTPEngine nodes that the media of calls goes through.

mod shown;

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use runtime::model::{self, MediaNodeState, Parts};
use runtime::store::Tx;
use runtime::store::group::Touched;
use runtime::store::media_node::{self, Filter, MediaNode};
use runtime::store::provisioning::MediaNodeEntry;
use uuid::Uuid;
use warp::http::Method;

use self::shown::Shown;
use crate::check;
use crate::context::Api;
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::{CURSOR, Kind, LIMIT, Param};
use crate::removal::{DRAIN, in_use};
use crate::reply::{self, Page, Reply};
use crate::request::Request;
use crate::table::{Access, Reach, Route};
use crate::write::{Change, check_match, uuid_v7, write};

const READ: Access = Access::May(Permission::MediaRead, Reach::Platform);
const MANAGE: Access = Access::May(Permission::MediaManage, Reach::Platform);

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/admin/media-nodes", READ, list)
        .says("Media nodes in the order of their names, those too that were found in Redis, and how they are")
        .asks(&[LIMIT, CURSOR, SEARCH, STATE])
        .gives::<Page<Shown>>(200),
    Route::new(Method::POST, "/v1/admin/media-nodes", MANAGE, create)
        .says("Makes a media node: new calls go through it within a second")
        .takes::<MediaNodeEntry>()
        .gives::<MediaNode>(201),
    Route::new(Method::GET, "/v1/admin/media-nodes/{id}", READ, get)
        .says("One media node, and how it is")
        .gives::<Shown>(200),
    Route::new(Method::PUT, "/v1/admin/media-nodes/{id}", MANAGE, update)
        .says("Changes a media node; what is not given goes back to its default, its name and number stay")
        .takes::<MediaNodeEntry>()
        .gives::<MediaNode>(200),
    Route::new(Method::DELETE, "/v1/admin/media-nodes/{id}", MANAGE, delete)
        .says("Takes a media node away; one that is not DISABLED only with drain")
        .asks(&[DRAIN])
        .gives_nothing(),
];

const SEARCH: Param = Param::new("search", Kind::Text(100), "Part of the name, in any case");
const STATE: Param =
    Param::new("state", Kind::Words(&["ACTIVE", "DRAINING", "DISABLED"]), "Only media nodes in this state");

/// What a change of a node makes nodes of ours read again.
const TOUCHED: Touched = Touched::only(Parts::MEDIA_NODES);

fn unknown() -> Problem {
    Problem::new(Code::NotFound, "there is no such media node")
}

fn list(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let limit = request.query.number(&LIMIT);
        let filter = Filter {
            search: request.query.get("search"),
            state: request.query.get("state").and_then(|word| word.parse().ok()),
            after: request.query.get("cursor").unwrap_or_default(),
        };
        // All of them: the database may order names otherwise than those are that were found.
        let all = Filter { after: "", ..filter };
        let kept = media_node::page(&api.store, &all, u32::from(model::MediaNode::NUMBER_MAX)).await?;
        let nodes = shown::merged(&api, &kept, &filter);
        reply::json(&Page::of(nodes, limit, |node| node.name.clone()))
    })
}

/// The one that was found which the path names.
fn found(api: &Api, request: &Request) -> Option<Shown> {
    shown::found(api, &request.param("id").ok()?)
}

/// The id of one that is kept: one that was found is not changed here.
fn kept_id(api: &Api, request: &Request) -> Result<Uuid, Problem> {
    if found(api, request).is_some() {
        return Err(in_use("it was found in Redis: its entry there says what it is, until it is configured"));
    }
    request.id_param("id")
}

fn get(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        if let Some(found) = found(&api, &request) {
            return reply::json(&found);
        }
        let node = media_node::get(&api.store, request.id_param("id")?).await?.ok_or_else(unknown)?;
        reply::tagged_as(&node, &Shown::configured(&node, &shown::known(&api)))
    })
}

fn create(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let entry: MediaNodeEntry = request.json()?;
        check::form(entry.check())?;
        let now = api.clock.now();
        let id = uuid_v7(now.micros());
        write(&api, request, move |tx, _| {
            Box::pin(async move {
                let taken = || Problem::new(Code::AlreadyExists, "a media node has this name already");
                if media_node::is_taken(tx, &entry.name).await? {
                    return Err(taken());
                }
                free(tx, entry.address, &entry.name).await?;
                let full = || in_use("each of the 127 numbers is some media node's: take one of them away");
                let number = media_node::next_number(tx).await?.ok_or_else(full)?;
                media_node::put(tx, (id, number), &entry, now).await?;
                // Not there under this id: another node has made one of this name just now.
                let node = media_node::find(tx, id).await?.ok_or_else(taken)?;
                let location = format!("/v1/admin/media-nodes/{id}");
                Ok(Change::created(location, &node, TOUCHED))
            })
        })
        .await
    })
}

/// Refuses an address that is another node's than the one of this name.
async fn free(tx: &mut Tx, address: SocketAddr, name: &str) -> Result<(), Problem> {
    match media_node::at(tx, address).await?.filter(|owner| owner != name) {
        Some(owner) => {
            Err(Problem::new(Code::AlreadyExists, format!("media node {owner:?} has this address already")))
        }
        None => Ok(()),
    }
}

fn update(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let id = kept_id(&api, &request)?;
        let entry: MediaNodeEntry = request.json()?;
        check::form(entry.check())?;
        let now = api.clock.now();
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = media_node::find(tx, id).await?.ok_or_else(unknown)?;
                check_match(request, &before)?;
                check::unchanged("/name", &before.name, &entry.name)?;
                free(tx, entry.address, &entry.name).await?;
                media_node::put(tx, (id, before.number), &entry, now).await?;
                let after = media_node::find(tx, id).await?.ok_or_else(unknown)?;
                Ok(Change::updated(&before, &after, TOUCHED))
            })
        })
        .await
    })
}

/// One that is not DISABLED may have calls, on whatever node of ours they are: it goes with `drain` alone.
fn delete(api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let (id, drain) = (kept_id(&api, &request)?, request.query.flag("drain"));
        write(&api, request, move |tx, request| {
            Box::pin(async move {
                let before = media_node::find(tx, id).await?.ok_or_else(unknown)?;
                check_match(request, &before)?;
                if !drain && before.state != MediaNodeState::Disabled {
                    let state = before.state.as_str();
                    return Err(in_use(format!(
                        "it is {state}: make it DISABLED first, or ask with drain=true"
                    )));
                }
                media_node::delete(tx, id).await?;
                Ok(Change::deleted(&before, TOUCHED))
            })
        })
        .await
    })
}
