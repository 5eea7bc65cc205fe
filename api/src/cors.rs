//! Pages of other origins in a browser: the console where it is served from elsewhere (Fetch standard, 3.2).
//!
//! Tokens travel in a header that a page sets, never in a cookie, so an origin that is let in gets no more than its
//! page has.

use warp::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap,
    HeaderValue, ORIGIN, VARY,
};
use warp::http::{Method, StatusCode};
use warp::reply::Response;

/// What a page may send.
const HEADERS: &str =
    "authorization, content-type, idempotency-key, if-match, traceparent, tracestate, x-request-id";
/// What a page may read.
const EXPOSED: &str = "etag, location, retry-after, x-request-id";
/// Seconds for which a browser need not ask again.
const MAX_AGE: &str = "600";

/// Whether a request asks what its page may do.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to such a request, by the methods that its path has.
pub(crate) fn preflight(methods: &str) -> Response {
    let mut response = Response::new(Vec::new().into());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    if let Ok(methods) = HeaderValue::from_str(methods) {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    response
}

/// Lets the page of a configured origin read the answer.
pub(crate) fn admit(allowed: &[String], request: &HeaderMap, response: &mut HeaderMap) {
    if allowed.is_empty() {
        return;
    }
    // A cache must not give one origin's answer to another.
    response.append(VARY, HeaderValue::from_static("origin"));
    let Some(origin) = request.get(ORIGIN) else { return };
    let named = allowed.iter().any(|allowed| allowed == "*" || allowed.as_bytes() == origin.as_bytes());
    if named {
        response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_configured_origins_read_answers() {
        let all = ["*".to_owned()];
        let one = ["https://console.example.net".to_owned()];
        for (allowed, origin, admitted) in [
            (&one[..], "https://console.example.net", true),
            (&one[..], "https://console.example.net.evil.example", false),
            (&one[..], "http://console.example.net", false),
            (&one[..], "null", false),
            (&all[..], "https://anything.example", true),
            (&[][..], "https://console.example.net", false),
        ] {
            let (mut request, mut response) = (HeaderMap::new(), HeaderMap::new());
            request.insert(ORIGIN, HeaderValue::from_static(origin));
            admit(allowed, &request, &mut response);
            assert_eq!(response.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN), admitted, "{origin}");
        }
    }
}
