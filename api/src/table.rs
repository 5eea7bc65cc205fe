//! The route table: path to methods to handler, with the right 404 and 405, and what the OpenAPI document says of each.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use utoipa::ToSchema;
use warp::http::Method;

use crate::context::Api;
use crate::openapi::{Describe, describe};
use crate::permission::Permission;
use crate::problem::{Code, Problem};
use crate::query::Param;
use crate::reply::Reply;
use crate::request::Request;

/// One method of one resource.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// As matchit writes it; the label of metrics too.
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    pub(crate) handler: Handler,
    /// What its query may have.
    pub(crate) query: &'static [Param],
    /// One line for people.
    pub(crate) summary: &'static str,
    /// Form of the body that it takes; None takes none.
    pub(crate) body: Option<Describe>,
    /// Status of success and form of its body.
    pub(crate) answer: (u16, Option<Describe>),
    /// What else it may answer, beside what all of its kind may.
    pub(crate) also: &'static [(u16, &'static str)],
    /// What that body looks like, as JSON, where no form describes it.
    pub(crate) example: Option<&'static str>,
    /// Content type of that body.
    pub(crate) media: &'static str,
    /// Content types of text that it may have instead, with an example of each.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// Whether a PUT or DELETE obeys `If-Match`.
    pub(crate) conditional: bool,
}

/// Answers one request.
pub(crate) type Handler = fn(Arc<Api>, Request) -> BoxFuture<'static, Reply>;

impl Route {
    /// A route that takes no query and no body and answers 200 with what the document does not describe.
    pub(crate) const fn new(method: Method, path: &'static str, access: Access, handler: Handler) -> Self {
        Self {
            method,
            path,
            access,
            handler,
            query: &[],
            summary: "",
            body: None,
            answer: (200, None),
            example: None,
            also: &[],
            media: "application/json",
            files: &[],
            conditional: true,
        }
    }

    pub(crate) const fn says(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    pub(crate) const fn asks(mut self, query: &'static [Param]) -> Self {
        self.query = query;
        self
    }

    /// The form of its body.
    pub(crate) const fn takes<T: ToSchema>(mut self) -> Self {
        self.body = Some(describe::<T>);
        self
    }

    /// The form of its answer.
    pub(crate) const fn gives<T: ToSchema>(mut self, status: u16) -> Self {
        self.answer = (status, Some(describe::<T>));
        self
    }

    /// What its answer looks like, as JSON: for an answer whose form is told by its own crate.
    pub(crate) const fn like(mut self, status: u16, example: &'static str) -> Self {
        self.answer.0 = status;
        self.example = Some(example);
        self
    }

    /// What else it may answer.
    pub(crate) const fn or(mut self, also: &'static [(u16, &'static str)]) -> Self {
        self.also = also;
        self
    }

    /// Answers without a body.
    pub(crate) const fn gives_nothing(mut self) -> Self {
        self.answer = (204, None);
        self
    }

    /// Answers with a page or file for people.
    pub(crate) const fn gives_page(mut self) -> Self {
        self.media = "text/html";
        self
    }

    /// Answers, where it is asked to, with text of these content types; with an example of each.
    pub(crate) const fn or_as(mut self, files: &'static [(&'static str, &'static str)]) -> Self {
        self.files = files;
        self
    }

    /// What it changes has no entity tag, so that there is nothing to compare `If-Match` with.
    pub(crate) const fn unconditional(mut self) -> Self {
        self.conditional = false;
        self
    }

    /// Answers with something else than JSON.
    pub(crate) const fn of_media(mut self, media: &'static str) -> Self {
        self.media = media;
        self
    }
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody who reaches the API port.
    Open,
    /// Everybody who is known.
    Known,
    /// Who may do this, there.
    May(Permission, Reach),
    /// Who may open the control socket.
    Control,
    /// Everybody who reaches the metrics port.
    Metrics,
}

/// Whose data a route touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The platform's: its own people's matter.
    Platform,
    /// The data of the customer whose BAN stands in the path as `{ban}`, for the platform's own people.
    OperatorOf,
    /// The data of the customer whose id stands in the path as `{id}`.
    Customer,
    /// The data of whichever customers the principal works for; the handler asks for the tenant.
    Own,
}

/// Which socket a request came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surface {
    /// The API port.
    Api,
    /// The metrics port.
    Metrics,
    /// The control socket: its file mode is the permission.
    Control,
}

impl Surface {
    /// Whether routes of this access are served here at all.
    pub(crate) fn serves(self, access: Access) -> bool {
        match self {
            Self::Api => matches!(access, Access::Open | Access::Known | Access::May(..)),
            Self::Metrics => access == Access::Metrics,
            Self::Control => access != Access::Metrics,
        }
    }
}

/// The routes of one surface.
pub(crate) struct Table(matchit::Router<Vec<&'static Route>>);

/// A route that was found, with the parts of its path.
pub(crate) struct Found {
    pub(crate) route: &'static Route,
    pub(crate) params: Vec<(String, String)>,
}

impl Table {
    /// The table of `routes` that `surface` serves.
    ///
    /// # Errors
    /// Two paths that cannot be told apart: a mistake in the program, shown by its first start.
    pub(crate) fn new(
        surface: Surface,
        routes: impl Iterator<Item = &'static Route>,
    ) -> Result<Self, matchit::InsertError> {
        let mut paths: Vec<(&'static str, Vec<&'static Route>)> = Vec::new();
        for route in routes.filter(|route| surface.serves(route.access)) {
            match paths.iter_mut().find(|(path, _)| *path == route.path) {
                Some((_, methods)) => methods.push(route),
                None => paths.push((route.path, vec![route])),
            }
        }
        let mut router = matchit::Router::new();
        for (path, methods) in paths {
            router.insert(path, methods)?;
        }
        Ok(Self(router))
    }

    /// Finds the route of a request. HEAD goes where GET goes.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Result<Found, Problem> {
        let Ok(matched) = self.0.at(path) else {
            return Err(Problem::new(Code::NotFound, format!("{path:?} is not a path of this interface")));
        };
        let wanted = if *method == Method::HEAD { &Method::GET } else { method };
        let Some(route) = matched.value.iter().find(|route| route.method == *wanted) else {
            return Err(Problem::method_not_allowed(allow(matched.value)));
        };
        let params = matched.params.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(Found { route, params: params.collect() })
    }

    /// Methods of a path, for `Allow` and CORS; empty where there is no such path.
    pub(crate) fn methods(&self, path: &str) -> String {
        self.0.at(path).map(|matched| allow(matched.value)).unwrap_or_default()
    }
}

fn allow(routes: &[&'static Route]) -> String {
    let mut methods: Vec<&str> = Vec::new();
    for route in routes {
        methods.push(route.method.as_str());
        if route.method == Method::GET {
            methods.push("HEAD");
        }
    }
    methods.join(", ")
}
