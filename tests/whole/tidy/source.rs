//! The repository's files, and just enough Rust to tell code from text.

use std::fs;
use std::process::Command;

use super::super::process::{READY, root, run};

/// A text file of the repository.
pub(super) struct Source {
    /// From the root.
    pub(super) path: String,
    pub(super) text: String,
}

/// A string literal.
pub(super) struct Literal {
    /// Where its opening quote is.
    pub(super) at: usize,
    pub(super) value: String,
}

/// Rust without comments and texts: both blanked, octet by octet, so that offsets stay.
pub(super) struct Code {
    pub(super) blanked: String,
    pub(super) literals: Vec<Literal>,
}

/// Every file that git would commit, text only.
pub(super) fn files() -> Vec<Source> {
    let mut list = Command::new("git");
    list.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(root());
    let listed = run(&mut list, READY);
    listed.assert_success();
    let read = |path: &str| {
        let text = fs::read_to_string(root().join(path)).ok()?;
        Some(Source { path: path.to_owned(), text })
    };
    let files: Vec<Source> = listed.stdout.lines().filter_map(read).collect();
    assert!(files.iter().any(|file| file.path == "Cargo.toml"), "git lists the repository");
    files
}

/// The Rust files.
pub(super) fn rust() -> Vec<Source> {
    files().into_iter().filter(|file| file.path.ends_with(".rs")).collect()
}

impl Source {
    /// Tests, benches and fuzz targets.
    pub(super) fn is_test(&self) -> bool {
        let folders = ["tests/", "benches/", "fuzz/"];
        let in_folder = |folder| self.path.starts_with(folder) || self.path.contains(&format!("/{folder}"));
        folders.into_iter().any(in_folder)
            || self.path.ends_with("/tests.rs")
            || self.path.ends_with("/testing.rs")
    }

    /// Lines without a test module at the end.
    pub(super) fn product_lines(&self) -> usize {
        let product = self.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        product.lines().count()
    }

    /// The `//!` lines at the top, as one lowercase text.
    pub(super) fn header(&self) -> String {
        let lines = self.text.lines().take_while(|line| line.starts_with("//!"));
        lines.collect::<Vec<_>>().join("\n").to_lowercase()
    }

    pub(super) fn code(&self) -> Code {
        Scanner { octets: self.text.as_bytes(), at: 0, blanked: Vec::new(), literals: Vec::new() }.run()
    }
}

impl Code {
    /// Where `word` stands as a word of its own.
    pub(super) fn words(&self, word: &str) -> Vec<usize> {
        let before = |at: usize| self.blanked[..at].chars().next_back();
        let part_of_another =
            |at: usize| before(at).is_some_and(|left| left.is_alphanumeric() || left == '_');
        self.blanked.match_indices(word).map(|(at, _)| at).filter(|&at| !part_of_another(at)).collect()
    }

    /// From an opening parenthesis to its closing one.
    pub(super) fn parenthesised(&self, open: usize) -> std::ops::Range<usize> {
        let mut depth = 0;
        for (at, octet) in self.blanked.bytes().enumerate().skip(open) {
            depth += i32::from(octet == b'(') - i32::from(octet == b')');
            if depth == 0 {
                return open..at;
            }
        }
        open..self.blanked.len()
    }

    pub(super) fn literals_in(&self, range: std::ops::Range<usize>) -> impl Iterator<Item = &Literal> {
        self.literals.iter().filter(move |literal| range.contains(&literal.at))
    }
}

struct Scanner<'a> {
    octets: &'a [u8],
    at: usize,
    blanked: Vec<u8>,
    literals: Vec<Literal>,
}

impl Scanner<'_> {
    fn run(mut self) -> Code {
        while self.at < self.octets.len() {
            let rest = &self.octets[self.at..];
            match rest {
                [b'/', b'/', ..] => self.blank(line_end(rest)),
                [b'/', b'*', ..] => self.blank(find(rest, b"*/", 2) + 2),
                [b'"', ..] => self.string(1, b"\""),
                [b'r', b'"', ..] if self.word_starts() => self.string(2, b"\""),
                [b'r', b'#', b'"', ..] if self.word_starts() => self.string(3, b"\"#"),
                [b'\'', b'\\', ..] => self.blank(find(rest, b"'", 3) + 1),
                [b'\'', _, b'\'', ..] => self.blank(3),
                _ => {
                    self.blanked.push(if rest[0].is_ascii() { rest[0] } else { b' ' });
                    self.at += 1;
                }
            }
        }
        Code { blanked: String::from_utf8(self.blanked).unwrap(), literals: self.literals }
    }

    fn word_starts(&self) -> bool {
        self.blanked.last().is_none_or(|last| !last.is_ascii_alphanumeric() && *last != b'_')
    }

    /// A string whose opening is so long, up to `close`.
    fn string(&mut self, opening: usize, close: &[u8]) {
        let rest = &self.octets[self.at..];
        let escapes = close == b"\"" && opening == 1;
        let mut end = opening;
        while end < rest.len() && !rest[end..].starts_with(close) {
            end += if escapes && rest[end] == b'\\' { 2 } else { 1 };
        }
        let value = String::from_utf8_lossy(&rest[opening..end.min(rest.len())]).into_owned();
        self.literals.push(Literal { at: self.at, value });
        self.blank(end + close.len());
    }

    fn blank(&mut self, octets: usize) {
        let octets = octets.min(self.octets.len() - self.at);
        let kept = |octet: &u8| if *octet == b'\n' { b'\n' } else { b' ' };
        self.blanked.extend(self.octets[self.at..self.at + octets].iter().map(kept));
        self.at += octets;
    }
}

fn line_end(octets: &[u8]) -> usize {
    octets.iter().position(|&octet| octet == b'\n').unwrap_or(octets.len())
}

fn find(octets: &[u8], what: &[u8], from: usize) -> usize {
    let from = from.min(octets.len());
    let found = octets[from..].windows(what.len()).position(|window| window == what);
    found.map_or(octets.len(), |at| from + at)
}

#[test]
fn code_is_told_from_text() {
    let text = r##"let a = "x\"y" /* "no" */; // info!("no")
f('"', r#"raw "quoted""#, 'a, b'\'', "é");"##;
    let code = Source { path: String::new(), text: text.to_owned() }.code();
    let values: Vec<&str> = code.literals.iter().map(|literal| literal.value.as_str()).collect();
    assert_eq!(values, [r#"x\"y"#, r#"raw "quoted""#, "é"]);
    assert_eq!(code.blanked.len(), text.len());
    assert!(code.words("info!").is_empty());
    let open = code.words("f(")[0] + 1;
    assert_eq!(code.literals_in(code.parenthesised(open)).count(), 2);
}
