//! The route table: path to methods to handler, with the right 404 and 405.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use warp::http::Method;

use crate::context::Api;
use crate::problem::{Code, Problem};
use crate::reply::Reply;
use crate::request::Request;

/// One method of one resource.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// As matchit writes it; the label of metrics too.
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    /// Names that its query may have.
    pub(crate) query: &'static [&'static str],
    pub(crate) handler: Handler,
}

/// Answers one request.
pub(crate) type Handler = fn(Arc<Api>, Request) -> BoxFuture<'static, Reply>;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody who reaches the API port.
    Open,
    /// Who has a token, or may open the control socket.
    Token,
    /// Who may open the control socket.
    Control,
    /// Everybody who reaches the metrics port.
    Metrics,
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
            Self::Api => matches!(access, Access::Open | Access::Token),
            Self::Metrics => access == Access::Metrics,
            Self::Control => matches!(access, Access::Open | Access::Token | Access::Control),
        }
    }

    /// Whether a request must carry a token here.
    pub(crate) fn needs_token(self, access: Access) -> bool {
        self == Self::Api && access == Access::Token
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
