//! A client of the node's interface, with a key of its own.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::http::{self, Response};

/// A connection with a token.
#[derive(Debug)]
pub(super) struct Client {
    http: http::Client,
    header: String,
}

impl Client {
    pub(super) async fn connect(addr: SocketAddr, token: &str) -> io::Result<Self> {
        let header = format!("Authorization: Bearer {token}\r\n");
        Ok(Self { http: http::Client::connect(addr).await?, header })
    }

    pub(super) async fn get(&mut self, path: &str) -> io::Result<Response> {
        self.http.request("GET", path, (&self.header, b"")).await
    }

    pub(super) async fn send(&mut self, method: &str, path: &str, body: &Value) -> io::Result<Response> {
        let header = format!("{}Content-Type: application/json\r\n", self.header);
        self.http.request(method, path, (&header, body.to_string().as_bytes())).await
    }

    pub(super) async fn delete(&mut self, path: &str) -> io::Result<Response> {
        self.http.request("DELETE", path, (&self.header, b"")).await
    }

    /// A JSON answer, or an error with what the node said instead.
    pub(super) async fn json(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let answer = match body {
            Some(body) => self.send(method, path, body).await,
            None => self.get(path).await,
        };
        let answer = answer.with_context(|| format!("{method} {path}"))?;
        if !(200..300).contains(&answer.status) {
            bail!("{method} {path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
        }
        serde_json::from_slice(&answer.body).with_context(|| format!("{method} {path} gave no JSON"))
    }
}

/// An API key of the platform that may do everything, made with the bootstrap token: what a program uses.
pub(super) async fn key(addr: SocketAddr, data_dir: &Path) -> anyhow::Result<String> {
    let token = std::fs::read_to_string(data_dir.join("bootstrap.token")).context("no bootstrap token")?;
    let mut client = Client::connect(addr, token.trim()).await?;
    let all = client.json("GET", "/v1/gatekeeper/my-permissions", None).await?;
    let wanted = json!({"name": "bench", "permissions": all.get("global")});
    let made = client.json("POST", "/v1/api-keys", Some(&wanted)).await?;
    let key = made.get("key").and_then(Value::as_str).context("the node gave no key")?;
    Ok(key.to_owned())
}

/// Ids of all customers.
pub(super) async fn customers(client: &mut Client) -> anyhow::Result<Vec<String>> {
    let (mut ids, mut path) = (Vec::new(), "/v1/customers?limit=200".to_owned());
    loop {
        let page = client.json("GET", &path, None).await?;
        let items = page.get("items").and_then(Value::as_array).context("no page of customers")?;
        ids.extend(items.iter().filter_map(|item| item.get("id")?.as_str().map(str::to_owned)));
        match page.get("next").and_then(Value::as_str) {
            Some(next) => path = format!("/v1/customers?limit=200&cursor={next}"),
            None => return Ok(ids),
        }
    }
}
