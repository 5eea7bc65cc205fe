//! Somebody who asks the interface: requests with headers, answers with theirs.

use std::io::{Error, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use super::super::process::Node;

/// Time for an exchange; longer than any that a test measures.
const EXCHANGE: Duration = Duration::from_secs(15);
/// Of every user that a test makes.
pub(super) const PASSWORD: &str = "correct horse battery staple";

/// Where a node is asked, and by whom.
#[derive(Clone, Debug)]
pub(super) struct Client {
    address: SocketAddr,
    token: Option<String>,
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Names in small letters.
    headers: Vec<(String, String)>,
    /// Empty where there is none.
    pub(super) body: String,
}

impl Client {
    /// Who has the bootstrap token of the node.
    #[track_caller]
    pub(super) fn bootstrap(node: &Node) -> Self {
        Self::with(node, &node.token())
    }

    /// Who has this token.
    #[track_caller]
    pub(super) fn with(node: &Node, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..Self::stranger(node) }
    }

    /// Who has none.
    #[track_caller]
    pub(super) fn stranger(node: &Node) -> Self {
        Self { address: node.ports().api, token: None }
    }

    /// A request; `line` is its method and its path. A body of null is none.
    #[track_caller]
    pub(super) fn ask(&self, line: &str, body: &Value) -> Answer {
        self.send(line, &[], body)
    }

    /// The same with headers.
    #[track_caller]
    pub(super) fn send(&self, line: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        if body.is_null() {
            return self.raw(line, headers, "");
        }
        let json = [headers, &[("Content-Type", "application/json")]].concat();
        self.raw(line, &json, &body.to_string())
    }

    /// GET of what must be there.
    #[track_caller]
    pub(super) fn get(&self, path: &str) -> Value {
        self.ask(&format!("GET {path}"), &Value::Null).expect(200).json()
    }

    /// Makes something; gives it.
    #[track_caller]
    pub(super) fn make(&self, path: &str, body: &Value) -> Value {
        self.ask(&format!("POST {path}"), body).expect(201).json()
    }

    /// Any body under any headers.
    #[track_caller]
    pub(super) fn raw(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.exchange(line, headers, body).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// HTTP/1.0, so that the answer ends with the connection and is never chunked.
    fn exchange(&self, line: &str, headers: &[(&str, &str)], body: &str) -> std::io::Result<Answer> {
        let mut stream = TcpStream::connect_timeout(&self.address, EXCHANGE)?;
        stream.set_read_timeout(Some(EXCHANGE))?;
        let mut request = format!("{line} HTTP/1.0\r\nHost: {}\r\n", self.address);
        if let Some(token) = &self.token {
            request.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        // In one piece: a server that answers early has read all of it.
        stream.write_all(request.as_bytes())?;
        let mut octets = Vec::new();
        let read = stream.read_to_end(&mut octets);
        let whole = Answer::read(&octets).filter(|answer| line.starts_with("HEAD ") || answer.is_whole());
        whole.ok_or_else(|| read.err().unwrap_or_else(|| Error::other("no whole HTTP answer")))
    }
}

impl Answer {
    fn read(octets: &[u8]) -> Option<Self> {
        let end = octets.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&octets[..end]);
        let body = String::from_utf8_lossy(&octets[end + 4..]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let fields = lines.filter_map(|line| line.split_once(':'));
        let headers = fields.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
        Some(Self { status, headers, body })
    }

    fn is_whole(&self) -> bool {
        let length: Option<usize> = self.header("content-length").parse().ok();
        length.is_none_or(|length| length == self.body.len())
    }

    /// The value of a header, by its name in small letters; empty where it is not there.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Itself, where it has this status.
    #[track_caller]
    pub(super) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// The body, whatever the status.
    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// The status of an error and the code of its problem document.
    #[track_caller]
    pub(super) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.body);
        let document = self.json();
        assert_eq!(document["status"], self.status, "{document}");
        (self.status, text(&document, "code"))
    }
}

/// A text of an answer.
#[track_caller]
pub(super) fn text(answer: &Value, key: &str) -> String {
    answer[key].as_str().unwrap_or_else(|| panic!("{key} is no text in {answer}")).to_owned()
}

/// Makes an administrator with a password; gives its path.
#[track_caller]
pub(super) fn administrator(operator: &Client, email: &str, password: &str) -> String {
    let user = json!({"email": email, "name": "Maria Silva", "user_type": "admin"});
    let path = format!("/v1/users/{}", text(&operator.make("/v1/users", &user), "id"));
    operator.ask(&format!("PUT {path}/password"), &json!({"password": password})).expect(200);
    path
}

/// The tokens of a login.
#[track_caller]
pub(super) fn log_in(node: &Node, email: &str, password: &str) -> Value {
    let login = json!({"email": email, "password": password});
    Client::stranger(node).ask("POST /auth/login", &login).expect(200).json()
}
