//! As much of a Redis as the publisher needs, within the test. The whole test has a real one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What a key holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Held {
    Text,
    Hash(BTreeMap<String, String>),
}

pub(super) type Keys = BTreeMap<String, Held>;

#[derive(Debug, Default)]
pub(super) struct Server {
    pub(super) keys: Mutex<Keys>,
    /// Writes are answered by this.
    pub(super) refuses: Mutex<Option<&'static str>>,
    /// Names of the commands that came.
    pub(super) commands: Mutex<Vec<String>>,
    /// What the scan under way goes through.
    scanned: Mutex<Vec<String>>,
}

impl Server {
    pub(super) fn start() -> (Arc<Self>, SocketAddr) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let address = listener.local_addr().unwrap();
        let server = Arc::new(Self::default());
        let serving = Arc::clone(&server);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let server = Arc::clone(&serving);
                tokio::spawn(async move { server.serve(stream).await });
            }
        });
        (server, address)
    }

    pub(super) fn held(&self, key: &str) -> Option<Held> {
        self.keys.lock().get(key).cloned()
    }

    async fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let count = number(&mut stream, '*').await?;
            let mut words = Vec::new();
            for _ in 0..count {
                let mut word = vec![0; number(&mut stream, '$').await? + 2];
                stream.read_exact(&mut word).await.ok()?;
                words.push(String::from_utf8(word).unwrap().trim_end().to_owned());
            }
            let answer = self.answer(&words);
            stream.write_all(answer.as_bytes()).await.ok()?;
        }
    }

    fn answer(&self, words: &[String]) -> String {
        let command = words[0].to_uppercase();
        self.commands.lock().push(command.clone());
        let keys = &mut *self.keys.lock();
        match (command.as_str(), *self.refuses.lock()) {
            ("DEL" | "HSET", Some(error)) => format!("-{error}\r\n"),
            ("PING", _) => "+PONG\r\n".to_owned(),
            ("INFO", _) => bulk(Some("redis_version:7.0.15\r\n")),
            ("SCAN", _) => self.scan(&words[1], keys),
            ("HMGET", _) => match keys.get(&words[1]) {
                Some(Held::Text) => {
                    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n".to_owned()
                }
                Some(Held::Hash(hash)) => {
                    array(words[2..].iter().map(|field| bulk(hash.get(field).map(String::as_str))))
                }
                None => array(words[2..].iter().map(|_| bulk(None))),
            },
            ("HSET", _) => {
                let held = keys.entry(words[1].clone()).or_insert_with(|| Held::Hash(BTreeMap::new()));
                let Held::Hash(hash) = held else { return "-WRONGTYPE\r\n".to_owned() };
                hash.extend(words[2..].chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())));
                ":1\r\n".to_owned()
            }
            ("DEL", _) => {
                format!(":{}\r\n", words[1..].iter().filter(|key| keys.remove(*key).is_some()).count())
            }
            _ => "-ERR unknown command\r\n".to_owned(),
        }
    }

    /// Pages as they may come: a key twice, and a page without any. What is there from the first page on is in one.
    fn scan(&self, cursor: &str, keys: &Keys) -> String {
        let scanned = &mut *self.scanned.lock();
        if cursor == "0" {
            *scanned = keys.keys().filter(|key| key.starts_with("address:entry:")).cloned().collect();
        }
        let half = scanned.len().div_ceil(2);
        let (next, page) = match cursor {
            "0" => ("1", &scanned[..half]),
            "1" => ("2", &[][..]),
            _ => ("0", &scanned[half.saturating_sub(1)..]),
        };
        format!("*2\r\n{}{}", bulk(Some(next)), array(page.iter().map(|key| bulk(Some(key)))))
    }
}

async fn number(stream: &mut BufReader<TcpStream>, mark: char) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.trim_end().strip_prefix(mark)?.parse().ok()
}

fn bulk(value: Option<&str>) -> String {
    value.map_or_else(|| "$-1\r\n".to_owned(), |value| format!("${}\r\n{value}\r\n", value.len()))
}

fn array(values: impl ExactSizeIterator<Item = String>) -> String {
    let count = values.len();
    format!("*{count}\r\n{}", values.collect::<String>())
}
