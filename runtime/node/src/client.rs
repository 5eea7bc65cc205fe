//! Commands' way to a running node: its control socket, or its API by address and token.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use runtime::net::{Net, OsNet, Stream};
use runtime::password::SecretString;
use runtime::tls::ClientTls;
use serde::Deserialize;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::cli::Reach;
use crate::data_dir::DataDir;
use crate::failure::Failure;

/// Time for a whole question. A command such as apply has none: it hashes as many passwords as its file has.
const QUESTION: Duration = Duration::from_secs(120);
const CONNECT: Duration = Duration::from_secs(5);
/// Octets of an answer: a tree of 10,000 sessions is about 2 MB.
const ANSWER_OCTETS_MAX: usize = 64 << 20;

/// Where a node can be asked.
#[derive(Debug)]
pub(crate) enum Endpoint {
    /// `control.sock` of its data directory.
    Control(PathBuf),
    /// Its API port.
    Url {
        /// `http://host:port` or `https://host:port`.
        base: Uri,
        /// For `Authorization: Bearer`.
        token: Option<SecretString>,
    },
}

/// The part of a problem document that people read.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

impl Endpoint {
    /// From a command's arguments.
    pub(crate) fn of(reach: &Reach) -> Result<Self, Failure> {
        let Some(url) = &reach.url else {
            let config = reach.place.load()?;
            return Ok(Self::Control(DataDir::new(&config.node.data_dir).control_socket()));
        };
        let refused =
            || Failure::usage(format!("--url: {url:?} is not http://host:port or https://host:port"));
        let base: Uri = url.parse().map_err(|_| refused())?;
        if base.host().is_none() || !matches!(base.scheme_str(), Some("http" | "https")) {
            return Err(refused());
        }
        let token = match (&reach.token, &reach.token_file) {
            (Some(token), _) => Some(token.clone()),
            (None, Some(path)) => {
                let read = std::fs::read_to_string(path);
                let text = read
                    .map_err(|error| Failure::usage(format!("--token-file: {}: {error}", path.display())))?;
                Some(text.trim().to_owned())
            }
            (None, None) => None,
        };
        Ok(Self::Url { base, token: token.map(SecretString::new) })
    }

    /// GET; the body of a 200.
    pub(crate) async fn get(&self, target: &str) -> Result<String, Failure> {
        match timeout(QUESTION, self.request(Method::GET, target, Bytes::new())).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::run(format!("{self} does not answer within {QUESTION:?}"))),
        }
    }

    /// DELETE; the body of a 2xx.
    pub(crate) async fn delete(&self, target: &str) -> Result<String, Failure> {
        match timeout(QUESTION, self.request(Method::DELETE, target, Bytes::new())).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::run(format!("{self} does not answer within {QUESTION:?}"))),
        }
    }

    /// POST; the body of a 200, however long the node works for it.
    pub(crate) async fn post(&self, target: &str, body: String) -> Result<String, Failure> {
        self.request(Method::POST, target, Bytes::from(body)).await
    }

    async fn request(&self, method: Method, target: &str, body: Bytes) -> Result<String, Failure> {
        let mut request = Request::builder().method(method).uri(target).header(HOST, self.authority());
        if let Self::Url { token: Some(token), .. } = self {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        let request =
            request.body(Full::new(body)).map_err(|error| Failure::usage(format!("{self}: {error}")))?;
        let stream = match timeout(CONNECT, self.connect()).await {
            Ok(connected) => connected?,
            Err(_) => return Err(Failure::run(format!("{self} does not answer within {CONNECT:?}"))),
        };
        let answer = exchange(stream, request).await;
        let (status, body) = answer.map_err(|error| Failure::run(format!("{self}: {error}")))?;
        if status.is_success() {
            return Ok(body);
        }
        let detail = serde_json::from_str::<Problem>(&body).map(|problem| problem.detail);
        let detail = detail.unwrap_or_else(|_| format!("{self} answers {status}"));
        Err(match status {
            // What was sent is wrong.
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
                Failure::Usage(detail)
            }
            _ => Failure::Run(detail),
        })
    }

    async fn connect(&self) -> Result<Stream, Failure> {
        match self {
            Self::Control(path) => match UnixStream::connect(path).await {
                Ok(stream) => Ok(Box::new(stream)),
                Err(error) => Err(Failure::run(format!(
                    "no node answers at {}: {error}; is one running?",
                    path.display()
                ))),
            },
            Self::Url { base, .. } => {
                let (host, tls) = (base.host().unwrap_or_default(), base.scheme_str() == Some("https"));
                let port = base.port_u16().unwrap_or(if tls { 443 } else { 80 });
                let host = host.trim_start_matches('[').trim_end_matches(']');
                let failed = |error: &dyn std::fmt::Display| {
                    Failure::run(format!("no node answers at {base}: {error}"))
                };
                let stream = OsNet.connect(host, port).await.map_err(|error| failed(&error))?;
                if !tls {
                    return Ok(stream);
                }
                let client = ClientTls::new(None).map_err(|error| failed(&error))?;
                client.connect(stream, host).await.map_err(|error| failed(&error))
            }
        }
    }

    fn authority(&self) -> &str {
        match self {
            Self::Control(_) => "localhost",
            Self::Url { base, .. } => base.authority().map_or("localhost", |authority| authority.as_str()),
        }
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Control(path) => write!(f, "{}", path.display()),
            Self::Url { base, .. } => write!(f, "{base}"),
        }
    }
}

/// A value as a query takes it.
pub(crate) fn escape(value: &str) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::new();
    for octet in value.bytes() {
        if octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(octet));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "%{octet:02X}");
        }
    }
    escaped
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

async fn exchange(stream: Stream, request: Request<Full<Bytes>>) -> Result<(StatusCode, String), BoxError> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_OCTETS_MAX).collect().await?.to_bytes();
    connection.abort();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        let reach = |url: &str| Reach { url: Some(url.to_owned()), ..Reach::default() };
        for (url, good) in [
            ("http://127.0.0.1:8080", true),
            ("https://warp.example", true),
            ("http://[::1]:8080/", true),
            ("127.0.0.1:8080", false),
            ("ftp://x", false),
            ("", false),
        ] {
            assert_eq!(Endpoint::of(&reach(url)).is_ok(), good, "{url}");
        }
        let reach = Reach { token_file: Some("/nowhere/token".into()), ..reach("http://x") };
        let refused = Endpoint::of(&reach).unwrap_err().to_string();
        assert!(refused.starts_with("--token-file: /nowhere/token: "), "{refused}");
    }

    #[test]
    fn a_token_is_never_shown() {
        let reach =
            Reach { url: Some("http://x".to_owned()), token: Some("secret".to_owned()), ..Reach::default() };
        assert!(!format!("{:?}", Endpoint::of(&reach).unwrap()).contains("secret"));
    }

    #[test]
    fn query_values() {
        assert_eq!(escape("+1 555&a=b"), "%2B1%20555%26a%3Db");
    }

    #[tokio::test]
    async fn a_node_that_is_not_there_is_said_so() {
        let directory = tempfile::tempdir().unwrap();
        let endpoint = Endpoint::Control(directory.path().join("control.sock"));
        let refused = endpoint.get("/v1/actors").await.unwrap_err().to_string();
        assert!(refused.contains("no node answers at ") && refused.ends_with("is one running?"), "{refused}");
    }
}
