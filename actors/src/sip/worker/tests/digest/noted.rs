use std::fmt::{self, Write};
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::*;

/// The lines of the log, each with its fields.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, "{}={value:?};", field.name()).unwrap();
    }
}

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("{} ", event.metadata().level()));
        event.record(&mut line);
        self.0.lock().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What is logged of digests that are wrong while this is done. It is done twice: tests beside this one log to nobody,
/// and may have been the first to come to a line.
fn told_of_digests(done: impl Fn()) -> Vec<String> {
    let lines = Lines::default();
    let _logged = tracing::subscriber::set_default(lines.clone());
    for _ in 0..2 {
        lines.0.lock().clear();
        done();
        tracing::callsite::rebuild_interest_cache();
    }
    let lines = lines.0.lock();
    lines.iter().filter(|line| line.contains("digest")).cloned().collect()
}

/// Whoever calls hears the same of all of them; the operator is told which it is, and nothing that a digest is made of.
#[test]
fn why_a_digest_is_wrong() {
    let (long, shown) = ("n".repeat(70), "n".repeat(64));
    for (says, auth_type, trunk, username, reason) in [
        (
            Says { password: "wrong horse battery", ..ACME },
            AuthType::Digest,
            "acme-roaming",
            "acme",
            "it is not made with the password of the trunk, or of another request",
        ),
        (
            Says { username: "nobody", ..ACME },
            AuthType::Digest,
            "",
            "nobody",
            "no active trunk with DIGEST or BOTH has the username",
        ),
        (
            Says { username: &long, ..ACME },
            AuthType::Digest,
            "",
            shown.as_str(),
            "no active trunk with DIGEST or BOTH has the username",
        ),
        (
            Says { uri: "sip:203.0.113.5", ..ACME },
            AuthType::Digest,
            "acme-roaming",
            "acme",
            "its uri names another number than the one called, or none",
        ),
        (
            ACME,
            AuthType::Both,
            "acme-roaming",
            "acme",
            "the trunk may not call from this source, or not at this address of ours",
        ),
    ] {
        let said = told_of_digests(|| {
            let mut node = node(with(auth_type));
            let challenge = asked(&mut node, "a", ROAMING);
            let sent = node.receive(ROAMING, saying(&call("a", ROAMING, 2), &says.to(&challenge, "INVITE")));
            assert_eq!(words(&sent), [format!("403>{ROAMING}")], "{reason}");
        });
        let [line] = said.as_slice() else { panic!("{said:?}") };
        assert!(line.starts_with("DEBUG ") && !line.contains("0a4f113b"), "{line}");
        for field in [
            "message=a digest is wrong;".to_owned(),
            format!("trunk=\"{trunk}\";"),
            format!("username=\"{username}\";"),
            format!("source={ROAMING};"),
            "method=\"INVITE\";".to_owned(),
            format!("reason=\"{reason}\";"),
        ] {
            assert!(line.contains(&field), "{field} is not in {line}");
        }
    }
}

#[test]
fn an_algorithm_that_was_not_offered() {
    let told = told_of_digests(|| {
        let mut node = node(with(AuthType::Digest));
        let challenge = asked(&mut node, "a", ROAMING);
        let says = ACME.to(&challenge, "INVITE").replace("algorithm=SHA-256", "algorithm=SHA-256-sess");
        let sent = node.receive(ROAMING, saying(&call("a", ROAMING, 2), &says));
        assert_eq!(words(&sent), [format!("403>{ROAMING}")]);
    });
    assert!(told.concat().contains("reason=\"its algorithm was not offered\""), "{told:?}");
}
