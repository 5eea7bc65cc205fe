//! A sender against a small HTTP server on loopback.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use runtime::clock::Timestamp;
use runtime::log::{OutboxKind, OutboxRow, Submission};
use runtime::model::{self, MessageId, Messaging};
use runtime::net::{Net, OsNet, Stream};
use runtime::password::SecretString;
use runtime::webhook::signature;
use serde_json::{Value, json};
use smpp::dlr::{Date, MessageState, ReceiptText};
use smpp::pdu::{Address, Sm};
use smpp::{DataCoding, EsmClass};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use uuid::Uuid;

use super::payload::payload;
use super::*;
use crate::smpp::receipts::{admit, encode_body, hand_on};
use crate::smpp::testing;

const DATE: Date = Date { year: 2026, month: 11, day: 22, hour: 7, minute: 0 };
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const SECRET: &str = "whsec_test";

/// What the server got: path, `warp-delivery`, body; and the statuses that it is yet to answer with.
#[derive(Default)]
struct Server {
    got: Mutex<Vec<(String, String, Value)>>,
    statuses: Mutex<Vec<u16>>,
}

impl Server {
    async fn start() -> (Arc<Self>, String) {
        let server = Arc::new(Self::default());
        let mut listener = OsNet.listen(ANY).await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let serving = Arc::clone(&server);
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let (head, body) = read_post(&mut socket).await;
                serving.on_post(&head, &body);
                let status = serving.statuses.lock().pop().unwrap_or(204);
                let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        (server, url)
    }

    fn on_post(&self, head: &str, body: &str) {
        let signed = header(head, "warp-signature");
        let seconds: i64 = signed.strip_prefix("t=").unwrap().split_once(',').unwrap().0.parse().unwrap();
        let at = Timestamp::from_micros(seconds * 1_000_000);
        assert_eq!(signed, signature(&SecretString::new(SECRET), at, body.as_bytes()));
        let path = head.split(' ').nth(1).unwrap().to_owned();
        let body = serde_json::from_str(body).unwrap();
        self.got.lock().push((path, header(head, "warp-delivery"), body));
    }

    async fn wait(&self, posts: usize) -> Vec<(String, String, Value)> {
        let arrived = async {
            while self.got.lock().len() < posts {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(20), arrived).await.expect("the posts arrive");
        self.got.lock().clone()
    }
}

/// The header and the body of a request.
async fn read_post(socket: &mut Stream) -> (String, String) {
    let mut read = Vec::new();
    loop {
        let n = socket.read_buf(&mut read).await.unwrap();
        assert!(n > 0, "the request is whole");
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len().to_string() == header(head, "content-length")
        {
            return (head.to_owned(), body.to_owned());
        }
    }
}

fn header(head: &str, name: &str) -> String {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
    line.and_then(|line| line.split_once(':')).map_or_else(String::new, |(_, value)| value.trim().to_owned())
}

fn config(url: &str) -> Messaging {
    let webhook = model::Webhook {
        account: Uuid::from_u128(2),
        url: url.into(),
        secret: Some(SecretString::new(SECRET)),
    };
    Messaging { webhooks: vec![webhook], ..testing::config() }
}

struct Node {
    smpp: Arc<Smpp>,
    account: Arc<Account>,
    disk: runtime::log::Disk,
}

impl Node {
    fn new(url: &str) -> Self {
        let (smpp, disk) = testing::smpp(config(url));
        testing::commit(&smpp);
        let account = smpp.accounts.load().by_system_id("acme").cloned().unwrap();
        Self { smpp, account, disk }
    }

    /// A sender; it posts until this is dropped.
    fn sender(&self) -> tokio::task::JoinHandle<()> {
        let options = WebhookOptions { private_addresses: true, ..WebhookOptions::default() };
        let options = Options {
            smpp: Arc::clone(&self.smpp),
            account: Arc::clone(&self.account),
            client: client(&options).unwrap(),
        };
        let serve = Serve::new(options, Arc::default());
        tokio::spawn(async move { serve.run(runtime::supervision::Shutdown::new()).await.unwrap() })
    }

    fn owe(&self, kind: OutboxKind, body: Bytes) -> OutboxRow {
        let now = self.smpp.now();
        let row = OutboxRow {
            id: self.smpp.next_id(now).0,
            account: self.account.id,
            message: 77,
            kind,
            spilled: false,
            expires_at: now.plus(Duration::from_secs(3600)).micros(),
            body,
        };
        let row = admit(&self.smpp, &self.account, row);
        let ticket = self.smpp.log.append(|batch| batch.outbox.push(row.clone()));
        hand_on(&self.account, row.clone(), &ticket);
        row
    }

    async fn settled(&self) {
        let empty = async {
            while !self.disk.outbox_rows().is_empty() {
                // Acknowledgements are written with the next commit.
                self.smpp.log.barrier().await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(20), empty).await.expect("everything is acknowledged");
    }
}

fn mo(text: &[u8], data_coding: DataCoding) -> Bytes {
    let source = Address { ton: 1, npi: 1, addr: b"15550001111" };
    let destination = Address { ton: 1, npi: 1, addr: b"15557770000" };
    encode_body(&Sm { source, destination, data_coding, short_message: text, ..Sm::default() }).unwrap()
}

fn receipt() -> Bytes {
    let mut text = Vec::new();
    let said = ReceiptText {
        id: b"000000000000004d",
        sub: 1,
        dlvrd: 0,
        submit: DATE,
        done: DATE,
        stat: MessageState::Undeliverable,
        err: b"011",
        text: b"hello",
    };
    smpp::dlr::write_text(&said, &mut text);
    let source = Address { ton: 1, npi: 1, addr: b"15550001111" };
    let destination = Address { ton: 5, npi: 0, addr: b"WARP" };
    let esm_class = EsmClass(0x04);
    encode_body(&Sm { source, destination, esm_class, short_message: &text, ..Sm::default() }).unwrap()
}

#[tokio::test]
async fn what_is_owed_is_posted_signed_and_settled() {
    let (server, url) = Server::start().await;
    let node = Node::new(&url);
    let sender = node.sender();
    let row = node.owe(OutboxKind::Mo, mo(b"hi \x00", DataCoding::DEFAULT));
    let (path, delivery, body) = server.wait(1).await.remove(0);
    assert_eq!((path.as_str(), delivery), ("/hook", MessageId(row.id).to_string()));
    assert_eq!((&body["type"], &body["account"]), (&json!("message"), &json!("acme")));
    assert_eq!((&body["from"], &body["to"]), (&json!("15550001111"), &json!("15557770000")));
    assert_eq!((&body["text"], &body["data"]), (&json!("hi @"), &json!("68692000")));
    node.owe(OutboxKind::Receipt, receipt());
    let (_, _, body) = server.wait(2).await.remove(1);
    assert_eq!((&body["type"], &body["state"]), (&json!("receipt"), &json!("undeliverable")));
    assert_eq!((&body["message_id"], &body["error"]), (&json!("000000000000004d"), &json!("011")));
    assert_eq!((&body["from"], &body["to"]), (&json!("WARP"), &json!("15550001111")));
    node.settled().await;
    sender.abort();
}

#[tokio::test]
async fn a_post_that_fails_comes_again_until_it_is_taken() {
    let (server, url) = Server::start().await;
    server.statuses.lock().extend([204, 500, 404]);
    let node = Node::new(&url);
    let sender = node.sender();
    node.owe(OutboxKind::Mo, mo(b"once more", DataCoding::DEFAULT));
    let posts = server.wait(3).await;
    assert!(posts.iter().all(|(_, delivery, body)| (delivery, body) == (&posts[0].1, &posts[0].2)));
    node.settled().await;
    sender.abort();
}

#[tokio::test]
async fn receipts_of_a_message_go_where_it_said() {
    let (server, url) = Server::start().await;
    let node = Node::new(&url);
    let submission = Submission {
        message: 77,
        key: None,
        item: 0,
        hash: [].into(),
        callback_url: Some(url.replace("/hook", "/own").into()),
    };
    node.smpp.log.append(|batch| batch.submissions.push(submission)).durable().await;
    let sender = node.sender();
    node.owe(OutboxKind::Receipt, receipt());
    assert_eq!(server.wait(1).await[0].0, "/own");
    // A message to the account is not of that message.
    node.owe(OutboxKind::Mo, mo(b"hi", DataCoding::DEFAULT));
    assert_eq!(server.wait(2).await[1].0, "/hook");
    sender.abort();
}

/// What a sender had under way when it died is posted by the next one.
#[tokio::test]
async fn a_sender_that_dies_loses_nothing() {
    let mut listener = OsNet.listen(ANY).await.unwrap();
    let node = Node::new(&format!("http://{}/", listener.local_addr().unwrap()));
    let sender = node.sender();
    let row = node.owe(OutboxKind::Mo, mo(b"hi", DataCoding::DEFAULT));
    // It waits for an answer that does not come.
    let (_socket, _) = timeout(Duration::from_secs(20), listener.accept()).await.unwrap().unwrap();
    sender.abort();
    let _ = sender.await;
    assert_eq!(node.account.outbox.depth(), 1);
    drop(listener);
    let (server, url) = Server::start().await;
    super::super::message_router::install(&node.smpp, config(&url));
    let sender = node.sender();
    assert_eq!(server.wait(1).await[0].1, MessageId(row.id).to_string());
    sender.abort();
}

/// Without a secret nothing is posted, and nothing is tried over and over.
#[tokio::test]
async fn a_sender_that_may_not_post_rests() {
    let (server, url) = Server::start().await;
    let node = Node::new(&url);
    let mut without = config(&url);
    without.webhooks[0].secret = None;
    super::super::message_router::install(&node.smpp, without);
    node.owe(OutboxKind::Mo, mo(b"hi", DataCoding::DEFAULT));
    node.smpp.log.barrier().await;
    let sender = node.sender();
    for _ in 0..100 {
        // On one thread: a sender that does not wait would never let this go on.
        tokio::task::yield_now().await;
    }
    assert!(server.got.lock().is_empty() && node.account.outbox.depth() == 1);
    super::super::message_router::install(&node.smpp, config(&url));
    assert_eq!(server.wait(1).await.len(), 1);
    sender.abort();
}

/// A message whose own place is gone does not keep others from the webhook.
#[tokio::test]
async fn a_place_that_is_gone_holds_up_nobody_else() {
    let (server, url) = Server::start().await;
    let node = Node::new(&url);
    let own = |message| Submission {
        message,
        key: None,
        item: 0,
        hash: [].into(),
        // Discard: nobody listens there.
        callback_url: Some("http://127.0.0.1:9/".into()),
    };
    node.smpp.log.append(|batch| batch.submissions.push(own(77))).durable().await;
    let sender = node.sender();
    for _ in 0..40 {
        node.owe(OutboxKind::Receipt, receipt());
    }
    node.owe(OutboxKind::Mo, mo(b"hi", DataCoding::DEFAULT));
    assert_eq!(server.wait(1).await[0].2["type"], "message");
    sender.abort();
}

#[tokio::test]
async fn addresses_that_are_not_public_are_not_posted_to() {
    let (server, url) = Server::start().await;
    let client = client(&WebhookOptions::default()).unwrap();
    for url in [url.as_str(), "http://169.254.169.254/latest", "http://[::1]:1/", "http://0x7f.1/"] {
        let refused = client.post_with(url, &[], Bytes::new()).await.unwrap_err();
        assert!(refused.to_string().ends_with("is not on the public internet"), "{refused}");
    }
    assert!(server.got.lock().is_empty());
}

#[test]
fn a_message_is_told_as_text_and_as_octets() {
    let account = testing::account();
    let row = |body| OutboxRow {
        id: 1,
        account: account.id,
        message: 2,
        kind: OutboxKind::Mo,
        spilled: false,
        expires_at: 0,
        body,
    };
    for (body, text, data, udh) in [
        (mo(b"a\x1b\x65", DataCoding::DEFAULT), json!("a€"), "611b65", Value::Null),
        (mo(b"\x04\x36", DataCoding::UCS2), json!("ж"), "0436", Value::Null),
        (mo(b"\x01\x02", DataCoding(0x04)), Value::Null, "0102", Value::Null),
    ] {
        let told: Value = serde_json::from_slice(&payload(&account, &row(body)).unwrap()).unwrap();
        assert_eq!((&told["text"], &told["data"], &told["udh"]), (&text, &json!(data), &udh));
    }
    assert!(payload(&account, &row(Bytes::from_static(b"\xff"))).is_none());
}
