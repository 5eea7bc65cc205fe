//! What every file of ours has in common.

use super::source::{Code, Source, files, rust};

const LINES_MAX: usize = 500;

#[test]
fn files_are_short() {
    let long: Vec<String> = rust()
        .iter()
        .filter(|file| !file.is_test() && file.product_lines() > LINES_MAX)
        .map(|file| format!("{} has {} lines", file.path, file.product_lines()))
        .collect();
    assert!(long.is_empty(), "over {LINES_MAX} lines: {long:#?}");
}

#[test]
fn modules_have_names() {
    let nameless: Vec<String> =
        rust().into_iter().map(|file| file.path).filter(|path| path.ends_with("/mod.rs")).collect();
    assert!(nameless.is_empty(), "foo.rs beside foo/, not foo/mod.rs: {nameless:?}");
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not accuse itself.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    for file in files().iter().filter(|file| file.path != "Cargo.lock") {
        for (number, line) in file.text.lines().enumerate() {
            let marked = marks
                .iter()
                .any(|mark| line.split(|letter: char| !letter.is_alphanumeric()).any(|word| word == *mark));
            assert!(!marked, "{}:{}: {line}", file.path, number + 1);
        }
    }
}

#[test]
fn no_path_of_one_machine() {
    let places = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/tmp/", "target")];
    for file in files().iter().filter(|file| file.path != "Cargo.lock") {
        for place in places {
            // A path begins there: tests/work/ is none of these.
            let absolute = file.text.match_indices(place).any(|(at, _)| {
                let before = file.text[..at].chars().next_back();
                before.is_none_or(|letter| !letter.is_alphanumeric() && !"_-.)}>".contains(letter))
            });
            assert!(!absolute, "{} names {place}", file.path);
        }
    }
}

#[test]
fn every_actor_says_what_it_is() {
    let actors: Vec<Source> =
        rust().into_iter().filter(|file| file.path.starts_with("actors/src/") && !file.is_test()).collect();
    for file in actors.iter().filter(|file| file.text.contains("impl Actor for")) {
        for word in ["key", "parent", "restart"] {
            assert!(file.header().contains(word), "{}: its //! header names no {word}", file.path);
        }
        assert!(file.text.contains("fn child_spec"), "{} has no child_spec", file.path);
    }
    for file in actors.iter().filter(|file| file.code().blanked.contains("enum Message ")) {
        let measured = file.text.contains("size_of::<Message>()");
        assert!(measured, "{}: the size of Message is asserted, for mailboxes are memory", file.path);
    }
}

/// The macros of `tracing`.
const LOGS: [&str; 5] = ["error!(", "warn!(", "info!(", "debug!(", "trace!("];

#[test]
fn logs_are_lowercase_without_full_stop() {
    for file in rust().iter().filter(|file| !file.is_test()) {
        let code = file.code();
        for (at, log) in LOGS.iter().flat_map(|log| code.words(log).into_iter().map(move |at| (at, log))) {
            let Some(message) = message(&code, at + log.len() - 1) else { continue };
            let first = message.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
            let acronym = first.chars().all(|letter| letter.is_uppercase() || letter.is_ascii_digit());
            let lower = !message.starts_with(char::is_uppercase) || acronym;
            assert!(lower && !message.ends_with('.'), "{}: log message {message:?}", file.path);
        }
    }
}

/// The message among the arguments of a log macro: the literal that is no field's value.
fn message(code: &Code, open: usize) -> Option<String> {
    let arguments = code.parenthesised(open);
    let is_argument = |at: usize| {
        let before = code.blanked[arguments.start..at].trim_end();
        before.ends_with(',') || before.len() == 1
    };
    let found = code.literals_in(arguments.clone()).find(|literal| is_argument(literal.at));
    found.map(|literal| literal.value.clone())
}
