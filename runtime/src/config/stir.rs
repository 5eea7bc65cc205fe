//! `[stir]`

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::{Error, HumanDuration, check};
use crate::http_client::{AddressPolicy, secure_host};

/// The longest that a call may wait for a certificate.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// What a call that waits is to wait longer than a fetch takes: for what came of it to be there.
const WAIT_MORE: Duration = Duration::from_millis(200);
/// The longest that a certificate is waited for.
const FETCH_MAX: Duration = Duration::from_secs(30);

/// `[stir]`: whose key calls are signed with, and whose certificates are believed (STIR/SHAKEN, RFC 8224).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StirOptions {
    /// https URL at which others find our certificate; empty: no call is signed.
    pub certificate_url: String,
    /// PEM file of its private key, on the curve P-256.
    pub key_file: PathBuf,
    /// PEM file of the same certificate: with it the key is compared, its end is foretold, and nothing is signed outside
    /// its time. Empty: none of it.
    pub certificate_file: PathBuf,
    /// PEM file of the authorities whose certificates are believed; empty: no Identity can be checked.
    pub authorities_file: PathBuf,
    /// Hosts that certificates are fetched from, `*.example.net` for all below one; empty is any.
    pub certificate_hosts: Vec<String>,
    /// True: certificates are also fetched from addresses that are not public. For laboratories: callers choose the URLs.
    pub private_addresses: bool,
    /// PEM file of authorities of servers that certificates are fetched from, beside the public ones; empty: those alone.
    pub fetch_ca: PathBuf,
    /// Certificates of those who signed calls that are remembered.
    pub certificates_max: u32,
    /// How long a call waits for a certificate that is not there yet; zero: it goes on, and the next one has it. Else it
    /// is longer than `fetch_timeout`.
    pub certificate_wait: HumanDuration,
    /// Time for one certificate, from the name's resolution to its last octet.
    pub fetch_timeout: HumanDuration,
}

impl Default for StirOptions {
    fn default() -> Self {
        Self {
            certificate_url: String::new(),
            key_file: PathBuf::new(),
            certificate_file: PathBuf::new(),
            authorities_file: PathBuf::new(),
            certificate_hosts: Vec::new(),
            private_addresses: false,
            fetch_ca: PathBuf::new(),
            certificates_max: 10_000,
            certificate_wait: HumanDuration::from(Duration::ZERO),
            fetch_timeout: HumanDuration::from_secs(3),
        }
    }
}

impl StirOptions {
    /// Where certificates may be fetched from.
    #[must_use]
    pub const fn policy(&self) -> AddressPolicy {
        if self.private_addresses { AddressPolicy::Any } else { AddressPolicy::PublicOnly }
    }

    /// Refuses what cannot work; names the key.
    pub(super) fn check(&self) -> Result<(), Error> {
        let (url, has_key) = (&self.certificate_url, !self.key_file.as_os_str().is_empty());
        if url.is_empty() == has_key {
            return check::refused(
                "stir.certificate_url",
                "it and stir.key_file are given together, or neither",
            );
        }
        // It stands in angle brackets in every call.
        let is_plain = url.bytes().all(|octet| octet.is_ascii_graphic() && !b"<>\"".contains(&octet));
        if !url.is_empty() && (!is_plain || secure_host(url).is_err()) {
            return check::refused("stir.certificate_url", format!("{url:?} is no https URL"));
        }
        if !self.certificate_file.as_os_str().is_empty() && !has_key {
            return check::refused("stir.certificate_file", "it is of no use without stir.key_file");
        }
        let is_host = |host: &&String| {
            let name = host.strip_prefix("*.").unwrap_or(host);
            !name.contains('*') && secure_host(&format!("https://{name}")).is_ok_and(|found| found == name)
        };
        if let Some(host) = self.certificate_hosts.iter().find(|host| !is_host(host)) {
            return check::refused("stir.certificate_hosts", format!("{host:?} is no host in small letters"));
        }
        check::at_least("stir.certificates_max", self.certificates_max, 1)?;
        if self.certificate_wait.get() > WAIT_MAX {
            return check::refused("stir.certificate_wait", "it is at most 5s");
        }
        check::not_zero("stir.fetch_timeout", self.fetch_timeout)?;
        if self.fetch_timeout.get() > FETCH_MAX {
            return check::refused("stir.fetch_timeout", "it is at most 30s");
        }
        let wait = self.certificate_wait.get();
        if !wait.is_zero() && wait < self.fetch_timeout.get() + WAIT_MORE {
            return check::refused(
                "stir.certificate_wait",
                "it is 0s, or 200ms more than stir.fetch_timeout",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    fn parse(lines: &str) -> Result<Config, String> {
        let text = format!("[stir]\n{lines}");
        Config::parse("node.toml", &text, std::iter::empty()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_can_work() {
        for lines in [
            "",
            "certificate_url = \"https://sti.example.net:8443/a.pem\"\nkey_file = \"key.pem\"",
            "certificate_url = \"https://x.net\"\nkey_file = \"k\"\ncertificate_file = \"c\"",
            "authorities_file = \"ca.pem\"\ncertificate_hosts = [\"a.example.net\", \"*.b.net\", \"192.0.2.1\"]",
            "certificate_wait = \"5s\"\nfetch_timeout = \"4800ms\"\ncertificates_max = 1",
            "certificate_wait = \"3200ms\"",
            "certificate_wait = \"0s\"\nfetch_timeout = \"30s\"",
        ] {
            assert!(parse(lines).is_ok(), "{lines}: {:?}", parse(lines));
        }
    }

    #[test]
    fn what_cannot_work() {
        for (lines, key) in [
            ("certificate_url = \"https://x.net\"", "stir.certificate_url: it and stir.key_file"),
            ("key_file = \"k\"", "stir.certificate_url: it and stir.key_file"),
            ("certificate_url = \"http://x.net\"\nkey_file = \"k\"", "stir.certificate_url: "),
            ("certificate_url = \"https://x.net/<\"\nkey_file = \"k\"", "stir.certificate_url: "),
            ("certificate_url = \"x\"\nkey_file = \"k\"", "stir.certificate_url: "),
            ("certificate_file = \"c\"", "stir.certificate_file: "),
            ("certificate_hosts = [\"https://x.net\"]", "stir.certificate_hosts: "),
            ("certificate_hosts = [\"X.net\"]", "stir.certificate_hosts: "),
            ("certificate_hosts = [\"a.*.net\"]", "stir.certificate_hosts: "),
            ("certificate_hosts = [\"\"]", "stir.certificate_hosts: "),
            ("certificates_max = 0", "stir.certificates_max: 0 is below 1"),
            ("certificate_wait = \"6s\"", "stir.certificate_wait: "),
            ("certificate_wait = \"3s\"", "stir.certificate_wait: it is 0s, or 200ms more"),
            ("certificate_wait = \"5s\"\nfetch_timeout = \"4801ms\"", "stir.certificate_wait: "),
            ("fetch_timeout = \"0s\"", "stir.fetch_timeout: zero"),
            ("fetch_timeout = \"31s\"", "stir.fetch_timeout: "),
        ] {
            let refused = parse(lines).unwrap_err();
            assert!(refused.starts_with(key), "{lines}: {refused}");
        }
    }
}
