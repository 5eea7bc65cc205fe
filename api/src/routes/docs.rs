//! `/openapi.json` and `/docs`: the interface, described by itself.

use std::sync::{Arc, LazyLock};

use futures_util::future::BoxFuture;
use utoipa_swagger_ui::Config;
use warp::http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use warp::http::{Method, StatusCode};
use warp::reply::Response;

use crate::context::Api;
use crate::openapi;
use crate::problem::{Code, Problem};
use crate::reply::{self, Reply};
use crate::request::Request;
use crate::table::{Access, Route};

pub(super) const ROUTES: &[Route] = &[
    Route::new(Method::GET, "/openapi.json", Access::Open, document).says("This document"),
    Route::new(Method::GET, "/docs", Access::Open, index)
        .says("Leads to the document for people")
        .gives_page(),
    Route::new(Method::GET, "/docs/{file}", Access::Open, file).says("The document for people").gives_page(),
];

/// Made once: it says what the program is built with.
static DOCUMENT: LazyLock<Vec<u8>> =
    LazyLock::new(|| serde_json::to_vec(&openapi::document(super::all())).unwrap_or_default());

fn document(_api: Arc<Api>, _request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async { Ok(reply::with_type(DOCUMENT.clone(), "application/json")) })
}

fn index(_api: Arc<Api>, _request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async {
        let mut response = Response::new(Vec::new().into());
        *response.status_mut() = StatusCode::FOUND;
        response.headers_mut().insert(LOCATION, HeaderValue::from_static("/docs/index.html"));
        Ok(response)
    })
}

fn file(_api: Arc<Api>, request: Request) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let name = request.param("file")?;
        let config = Arc::new(Config::from("/openapi.json"));
        let absent = || Problem::new(Code::NotFound, format!("the documentation has no file {name:?}"));
        let file = utoipa_swagger_ui::serve(&name, config).ok().flatten().ok_or_else(absent)?;
        let mut response = Response::new(file.bytes.into_owned().into());
        if let Ok(content_type) = HeaderValue::from_str(&file.content_type) {
            response.headers_mut().insert(CONTENT_TYPE, content_type);
        }
        Ok(response)
    })
}
