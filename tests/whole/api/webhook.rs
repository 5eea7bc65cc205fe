//! Receipts and messages reach the webhook of their account, over a kill of the node too.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use ring::hmac;
use serde_json::{Value, json};

use super::super::pdu::Sm;
use super::super::process::{Node, Setup, free_port};
use super::super::smsc::{Script, Smsc};
use super::super::wait;

const WITHIN: Duration = Duration::from_secs(20);

fn provision(port: u16) -> String {
    format!(
        "[[customers]]\nban = \"TB-000000001\"\ncompany_name = \"Acme\"\n\
         [[esme_accounts]]\nsystem_id = \"acme\"\ncustomer = \"TB-000000001\"\npassword = \"secret12\"\n\
         [[sms_vendors]]\ninstance_name = \"v\"\nhost = \"127.0.0.1\"\nport = {port}\nsystem_id = \"warp\"\n\
         password = \"secret\"\n[[sms_routes]]\nname = \"all\"\nvendor = \"v\"\n\
         [[dids]]\nnumber = \"15557770000\"\ncustomer = \"TB-000000001\"\nsystem_id = \"acme\"\n"
    )
}

/// Takes posts with 200; gives the header and body of each.
fn serve(at: SocketAddr) -> mpsc::Receiver<(String, String)> {
    let listener = TcpListener::bind(at).unwrap();
    let (posts, taken) = mpsc::channel();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let Some(post) = read(socket.unwrap()) else { continue };
            if posts.send(post).is_err() {
                return;
            }
        }
    });
    taken
}

fn read(mut socket: TcpStream) -> Option<(String, String)> {
    let mut read = Vec::new();
    loop {
        let mut octets = [0; 4096];
        let n = socket.read(&mut octets).ok().filter(|n| *n > 0)?;
        read.extend_from_slice(&octets[..n]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if body.len().to_string() == header(head, "content-length") {
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok()?;
            return Some((head.to_owned(), body.to_owned()));
        }
    }
}

fn header(head: &str, name: &str) -> String {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
    line.and_then(|line| line.split_once(':')).map_or_else(String::new, |(_, value)| value.trim().to_owned())
}

/// The body of a post whose signature is good.
fn checked((head, body): (String, String), secret: &str) -> Value {
    let signature = header(&head, "warp-signature");
    let (at, signed) = signature.split_once(",v1=").unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let ours = hmac::sign(&key, format!("{}.{body}", at.strip_prefix("t=").unwrap()).as_bytes());
    let ours: String = ours.as_ref().iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(signed, ours);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["id"], header(&head, "warp-delivery"));
    body
}

/// The path of the account's webhook.
fn path(node: &Node) -> String {
    let customer = node.get("/v1/customers/by-ban/TB-000000001").json();
    let accounts = node.get("/v1/admin/customers/TB-000000001/esme-accounts").json();
    let (customer, account) =
        (customer["id"].as_str().unwrap(), accounts["items"][0]["id"].as_str().unwrap());
    format!("/v1/customers/{customer}/esme-accounts/{account}/webhook")
}

#[test]
fn what_is_owed_reaches_the_webhook_over_a_kill() {
    let smsc = Smsc::start(Script::default());
    let sections = "[webhooks]\nprivate_addresses = true\n".to_owned();
    let mut node = Node::new(&Setup { sections, provision: provision(smsc.port()), ..Setup::default() });
    smsc.wait("the node binds", WITHIN, |state| state.bound() == 1);
    // Nobody is there yet.
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let wanted = json!({"url": format!("http://{at}/warp")});
    let made = node.send("PUT", &path(&node), Some(&wanted));
    assert_eq!(made.status, 200, "{}", made.body);
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    wait::until("the sender is there", WITHIN, || {
        (node.get("/v1/actors/webhook:acme:0").status == 200).then_some(())
    });

    let sms = json!({"account": "acme", "from": "WARP", "to": "15551234567", "text": "hello"});
    let sent = node.send("POST", "/v1/messages/sms", Some(&sms));
    assert_eq!(sent.status, 202, "{}", sent.body);
    let sent: Value = serde_json::from_str(&sent.body).unwrap();
    let id = sent["message_id"].as_str().unwrap().to_owned();
    let state = |node: &Node| node.get(&format!("/v1/messages/{id}")).json()["state"].clone();
    wait::until("the message is delivered", WITHIN, || (state(&node) == "delivered").then_some(()));
    node.kill();

    let place = node.place().clone();
    let posts = serve(at);
    let node = place.start();
    let receipt = checked(posts.recv_timeout(WITHIN).expect("the receipt is posted"), &secret);
    assert_eq!((&receipt["type"], &receipt["message_id"]), (&json!("receipt"), &json!(id)));
    assert_eq!((&receipt["state"], &receipt["to"]), (&json!("delivered"), &json!("15551234567")));
    assert_eq!(state(&node), "delivered");

    smsc.wait("the node binds again", WITHIN, |state| state.bound() == 1);
    smsc.send_mo("mo", Sm::new("15557770000", "answer"));
    let message = checked(posts.recv_timeout(WITHIN).expect("the message is posted"), &secret);
    assert_eq!((&message["type"], &message["text"]), (&json!("message"), &json!("answer")));
    assert_eq!(message["to"], "15557770000");
    // Both are acknowledged, and come no more.
    assert!(posts.recv_timeout(Duration::from_secs(1)).is_err());
}
