//! A search for secrets in all that a node says and keeps.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::super::super::process::{Finished, Node};
use super::super::super::random::Random;
use super::super::super::wait;
use super::super::client::{Answer, Client, text};
use super::needles::Needles;

/// Files that are there for a secret, and the folder of mails that carry one.
const FOR_SECRETS: [&str; 3] = ["root.key", "bootstrap.token", "mail"];
/// Names nothing.
const NOBODY: &str = "00000000-0000-7000-8000-000000000000";

pub(super) struct Search {
    random: Random,
    needles: Needles,
    /// Answers and outputs, by where they are from: what is looked for later must not be in them either.
    said: Vec<(String, String)>,
    /// Where something was seen, and what.
    seen: BTreeSet<String>,
}

impl Search {
    pub(super) fn new() -> Self {
        let (random, seed) = Random::seeded();
        wait::progress(&format!("canary: WARP_TEST_SEED={seed}"));
        Self { random, needles: Needles::default(), said: Vec::new(), seen: BTreeSet::new() }
    }

    /// A secret of so many letters and digits.
    #[track_caller]
    pub(super) fn secret(&mut self, kind: &str, length: usize) -> String {
        self.made_of(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", kind, length)
    }

    /// A secret that is a number.
    #[track_caller]
    pub(super) fn number(&mut self, kind: &str, length: usize) -> String {
        self.made_of(b"123456789", kind, length)
    }

    #[track_caller]
    fn made_of(&mut self, letters: &[u8], kind: &str, length: usize) -> String {
        let count = u64::try_from(letters.len()).unwrap();
        let mut draw = || char::from(letters[usize::try_from(self.random.below(count)).unwrap()]);
        let secret: String = (0..length).map(|_| draw()).collect();
        self.needles.add(kind, &secret);
        secret
    }

    /// A secret that the node made, from the answer that shows it this once.
    #[track_caller]
    pub(super) fn shown(&mut self, kind: &str, answer: &Value, key: &str) -> String {
        let secret = text(answer, key);
        self.known(kind, &secret);
        secret
    }

    /// A secret that is known otherwise.
    #[track_caller]
    pub(super) fn known(&mut self, kind: &str, secret: &str) {
        self.needles.add(kind, secret);
    }

    /// A request whose answer has no secret.
    #[track_caller]
    pub(super) fn ask(&mut self, client: &Client, line: &str, body: &Value) -> Answer {
        self.send(client, line, &[], body)
    }

    /// The same with headers.
    #[track_caller]
    pub(super) fn send(
        &mut self,
        client: &Client,
        line: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        self.heard(line, client.send(line, headers, body))
    }

    /// The same with a body that need not be JSON.
    #[track_caller]
    pub(super) fn raw(&mut self, client: &Client, line: &str, body: &str) -> Answer {
        self.heard(line, client.raw(line, &[("Content-Type", "application/json")], body))
    }

    fn heard(&mut self, line: &str, answer: Answer) -> Answer {
        self.said.push((format!("the answer to {line}"), format!("{answer:?}")));
        answer
    }

    /// What a command printed has no secret.
    pub(super) fn printed(&mut self, command: &str, finished: &Finished) {
        self.said.push((command.to_owned(), format!("{}\n{}", finished.stdout, finished.stderr)));
    }

    /// GET of everything that the document names. `ids` are by the part of the path before them.
    #[track_caller]
    pub(super) fn read_everything(&mut self, client: &Client, ban: &str, ids: &[(&str, String)]) {
        let document = client.get("/openapi.json");
        for (path, operations) in document["paths"].as_object().unwrap() {
            let Some(get) = operations.get("get") else { continue };
            let asked = get["parameters"].as_array().into_iter().flatten();
            let needed = asked.filter(|one| one["in"] == "query" && one["required"] == true);
            let query: Vec<String> = needed.map(|one| format!("{}=1", text(one, "name"))).collect();
            let mark = if query.is_empty() { "" } else { "?" };
            let line = format!("GET {}{mark}{}", concrete(path, ban, ids), query.join("&"));
            let answer = self.ask(client, &line, &Value::Null);
            assert!(answer.status < 500 || answer.status == 501, "{line}: {}", answer.body);
        }
    }

    /// Looks at something now.
    pub(super) fn look(&mut self, place: &str, octets: &[u8]) {
        let found = self.needles.found(octets);
        self.seen.extend(found.into_iter().map(|what| format!("{place}: {what}")));
    }

    /// Looks at the files that a node keeps.
    #[track_caller]
    pub(super) fn look_at_files(&mut self, when: &str, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if FOR_SECRETS.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                self.look_at_files(when, &path);
            } else if path.is_file() {
                // A write-ahead log may be folded into its file meanwhile.
                let octets = fs::read(&path).unwrap_or_default();
                self.look(&format!("{name} {when}"), &octets);
            }
        }
    }

    /// Looks at all that the node's processes have printed.
    #[track_caller]
    pub(super) fn look_at_log(&mut self, node: &Node) {
        let log = node.place().log();
        // By the process on standard error, and not by its log.
        let once = |line: &&str| line.starts_with("bootstrap admin token, shown this once: ");
        let (shown, lines): (Vec<&str>, Vec<&str>) = log.lines().partition(once);
        assert_eq!(shown.len(), 1, "the bootstrap token is shown once");
        let traced = lines.iter().filter(|line| line.contains("TRACE") || line.contains("DEBUG")).count();
        assert!(traced > 100, "the log is told to say all it can");
        self.look("the log", lines.join("\n").as_bytes());
    }

    /// Fails when a secret was seen anywhere.
    #[track_caller]
    pub(super) fn finish(mut self) {
        for (place, text) in std::mem::take(&mut self.said) {
            self.look(&place, text.as_bytes());
        }
        assert!(self.seen.is_empty(), "secrets stand where they must not: {:#?}", self.seen);
    }

    /// Fails unless the search finds what is there: a search that finds nothing anywhere proves nothing.
    #[track_caller]
    pub(super) fn assert_finds(&self, path: &Path) {
        let octets = fs::read(path).unwrap();
        assert!(!self.needles.found(&octets).is_empty(), "{} has a secret", path.display());
    }
}

/// A path whose parameters name something.
fn concrete(path: &str, ban: &str, ids: &[(&str, String)]) -> String {
    let mut before = "";
    let mut parts = Vec::new();
    for part in path.split('/') {
        let id = || ids.iter().find(|(of, _)| *of == before).map_or(NOBODY, |(_, id)| id.as_str());
        parts.push(match part {
            "{ban}" => ban,
            "{name}" => "message_router:main:0",
            "{file}" => "index.html",
            parameter if parameter.starts_with('{') => id(),
            literal => literal,
        });
        before = part;
    }
    parts.join("/")
}
