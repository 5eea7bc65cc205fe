//! libsecsipid by its own program: it makes Identities, and says of those of others whether they are right.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::super::peer;
use super::super::super::process::{Finished, READY, run};

/// Seconds after which an Identity is too old for it (RFC 8224, 6.2).
const FRESH_FOR: &str = "60";
/// It looks at the certificate's time, and whether it leads to an authority of `-ca-file`.
const VERIFIES: &str = "5";

pub(super) struct Secsipidx {
    program: PathBuf,
}

/// What is said of a call, and whose word it is.
#[derive(Clone, Copy)]
pub(super) struct Says<'a> {
    pub(super) orig: &'a str,
    pub(super) dest: &'a str,
    pub(super) attest: &'a str,
    pub(super) origid: &'a str,
    pub(super) key: &'a Path,
    /// Where its certificate is.
    pub(super) x5u: &'a str,
}

impl Secsipidx {
    #[track_caller]
    pub(super) fn find() -> Option<Self> {
        Some(Self { program: peer::program("secsipidx")? })
    }

    /// The value of an Identity header, made now.
    #[track_caller]
    pub(super) fn sign(&self, says: &Says<'_>) -> String {
        self.make("-sign-full", says, &[])
    }

    /// The same, made at another time, in seconds since 1970.
    #[track_caller]
    pub(super) fn sign_at(&self, says: &Says<'_>, iat: u64) -> String {
        // With a time it makes the PASSporT alone.
        let token = self.make("-sign", says, &["-iat", &iat.to_string()]);
        format!("{token};info=<{}>;alg=ES256;ppt=shaken", says.x5u)
    }

    #[track_caller]
    fn make(&self, how: &str, says: &Says<'_>, more: &[&str]) -> String {
        let Says { orig, dest, attest, origid, key, x5u } = *says;
        let mut command = Command::new(&self.program);
        command.args([how, "-orig-tn", orig, "-dest-tn", dest, "-attest", attest, "-orig-id", origid]);
        command.args(["-x5u", x5u]).args(more).arg("-k").arg(key);
        let made = run(&mut command, READY);
        made.assert_success();
        let text = made.stdout.trim();
        assert!(text.starts_with("ey") && !text.contains(char::is_whitespace), "{text}");
        text.to_owned()
    }

    /// Whether it takes an Identity by the certificate at a URL or in a file. That has to be of the first
    /// authority, the server at the URL of the second. Else what it says.
    #[track_caller]
    pub(super) fn check(
        &self,
        identity: &str,
        certificate: &str,
        (authority, servers): (&Path, &Path),
    ) -> Result<(), String> {
        let mut command = Command::new(&self.program);
        command.env("SSL_CERT_FILE", servers);
        command.args(["-check", "-identity", identity, "-p", certificate, "-expire", FRESH_FOR]);
        command.args(["-timeout", "10", "-cert-verify", VERIFIES, "-ca-file"]).arg(authority);
        let Finished { status, stdout, stderr } = run(&mut command, READY);
        let is_right = status.success() && stdout.trim() == "ok";
        if is_right { Ok(()) } else { Err(format!("{status}: {stdout}{stderr}")) }
    }
}
