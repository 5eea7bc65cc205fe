//! Configuration: one reader of the file and of the environment, one type for all of it.
//!
//! A key that is not known refuses to start and names the line. `WARP_SECTION_KEY` in the environment wins
//! over the file. Every key stands in `config/node.example.toml`, which a test holds against this module.

mod api;
mod auth;
mod check;
mod environment;
mod mail;
mod network;
mod sip;
mod stir;
mod units;
mod webhooks;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

pub use self::api::ApiOptions;
pub use self::auth::AuthOptions;
use self::environment::{PREFIX, environment_value, utf8};
pub(crate) use self::environment::{
    name_refusal as environment_name_refusal, secret as secret_from_environment,
};
pub use self::mail::{MailOptions, SmtpSecurity};
pub use self::network::{EgressAddress, IngressAddress, NetworkOptions};
pub use self::sip::{DigestAlgorithm, SipListener, SipOptions, UnknownSource};
pub use self::stir::StirOptions;
pub use self::units::HumanDuration;
pub use self::webhooks::WebhookOptions;
use crate::password::SecretString;
use crate::seal::KeySource;
use crate::store::PgLimits;

/// Everything a node is told.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The node itself.
    pub node: NodeOptions,
    /// The REST interface.
    pub api: ApiOptions,
    /// Logins and tokens.
    pub auth: AuthOptions,
    /// Mails to people.
    pub mail: MailOptions,
    /// Addresses that peers must know.
    pub network: NetworkOptions,
    /// SMPP towards customers and vendors.
    pub smpp: SmppOptions,
    /// Receipts and messages posted to customers.
    pub webhooks: WebhookOptions,
    /// SIP towards customers and vendors.
    pub sip: SipOptions,
    /// Calls that are signed, and checked.
    pub stir: StirOptions,
    /// The database.
    pub store: StoreOptions,
    /// A cache outside of the node.
    pub redis: RedisOptions,
    /// The message log.
    pub log: LogOptions,
    /// Logs.
    pub telemetry: TelemetryOptions,
}

/// `[node]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeOptions {
    /// Number of the node, 0 to 1023, unique in a cluster: it is part of every message id.
    pub id: u16,
    /// Directory of SQLite files, control socket, root key and bootstrap token.
    pub data_dir: PathBuf,
    /// File of the key that seals vendor passwords; `root.key` in the data directory when empty.
    pub root_key_file: PathBuf,
    /// Name of the environment variable that holds the key, instead of a file.
    pub root_key_env: String,
    /// How long a node that was told to stop finishes what it has.
    pub drain: HumanDuration,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self {
            id: 0,
            data_dir: PathBuf::from("data"),
            root_key_file: PathBuf::new(),
            root_key_env: String::new(),
            drain: HumanDuration::from_secs(10),
        }
    }
}

impl NodeOptions {
    /// Where the root key is.
    #[must_use]
    pub fn root_key_source(&self) -> KeySource {
        if !self.root_key_env.is_empty() {
            KeySource::Environment(self.root_key_env.clone())
        } else if self.root_key_file.as_os_str().is_empty() {
            KeySource::File(self.data_dir.join("root.key"))
        } else {
            KeySource::File(self.root_key_file.clone())
        }
    }
}

/// `[smpp]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmppOptions {
    /// Plain listeners.
    pub listen: Vec<SocketAddr>,
    /// TLS listeners.
    pub tls_listen: Vec<SocketAddr>,
    /// PEM file of the certificate chain.
    pub tls_certificate: PathBuf,
    /// PEM file of its key.
    pub tls_key: PathBuf,
    /// Our name in bind responses.
    pub system_id: String,
    /// Connections that have not bound yet, per address.
    pub unbound_per_ip_max: u32,
    /// Sessions at one time.
    pub sessions_max: u32,
    /// Longest PDU taken, octets.
    pub command_length_max: u32,
    /// Time from connection to bind.
    pub session_init: HumanDuration,
    /// Time for the rest of a PDU whose first octet is there.
    pub partial_pdu: HumanDuration,
    /// Silence after which we send enquire_link.
    pub enquire_link: HumanDuration,
    /// Time for its answer; two unanswered end the session.
    pub enquire_link_answer: HumanDuration,
    /// Time without any PDU but enquire_link and its response after which a customer's session is closed; zero
    /// never does.
    pub inactivity: HumanDuration,
    /// Time for the answer to a request of ours.
    pub response: HumanDuration,
    /// Time to finish after unbind.
    pub unbind: HumanDuration,
    /// validity_period of messages without one.
    pub validity_default: HumanDuration,
    /// Longest validity_period.
    pub validity_max: HumanDuration,
    /// First and longest wait before a lost vendor bind is tried again.
    pub reconnect_first: HumanDuration,
    /// See `reconnect_first`.
    pub reconnect_max: HumanDuration,
    /// Tries of a message that a vendor refuses for the moment, on one route.
    pub transient_attempts_max: u16,
    /// Wait between those tries.
    pub transient_wait: HumanDuration,
    /// Time after which a held message whose vendor answer was lost gets its final receipt.
    pub uncertain_hold: HumanDuration,
    /// How long after its validity the receipt of a message is awaited; then it is taken for expired.
    pub receipt_grace: HumanDuration,
    /// Messages kept in memory while their receipt is to come; older ones are looked up in the log.
    pub receipts_in_memory_max: u32,
    /// Time during which a receipt without a message is tried again.
    pub parked_receipt: HumanDuration,
    /// `deliver_sm` per account kept in memory; more are read from the log.
    pub outbox_in_memory_max: u32,
}

impl Default for SmppOptions {
    fn default() -> Self {
        let secs = HumanDuration::from_secs;
        Self {
            listen: vec![SocketAddr::from(([0, 0, 0, 0], 2775))],
            tls_listen: Vec::new(),
            tls_certificate: PathBuf::new(),
            tls_key: PathBuf::new(),
            system_id: "WARP".to_owned(),
            unbound_per_ip_max: 50,
            sessions_max: 10_000,
            command_length_max: 65_536,
            session_init: secs(10),
            partial_pdu: secs(10),
            enquire_link: secs(30),
            enquire_link_answer: secs(10),
            inactivity: secs(0),
            response: secs(30),
            unbind: secs(5),
            validity_default: secs(48 * 3600),
            validity_max: secs(7 * 24 * 3600),
            reconnect_first: secs(1),
            reconnect_max: secs(60),
            transient_attempts_max: 3,
            transient_wait: secs(5),
            uncertain_hold: secs(24 * 3600),
            receipt_grace: secs(3600),
            receipts_in_memory_max: 100_000,
            parked_receipt: secs(3600),
            outbox_in_memory_max: 10_000,
        }
    }
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreOptions {
    /// `postgres://…`; empty for SQLite in the data directory.
    pub url: SecretString,
    /// How often the version of the configuration data is compared.
    pub poll: HumanDuration,
    /// Role of PostgreSQL that nodes run in when another owns the schema; `warp migrate` grants it what it needs.
    pub runtime_role: String,
    /// Connections that a node holds to PostgreSQL, those of configuration and log together.
    pub connections_max: u32,
    /// Time for a connection to PostgreSQL, new or of the pool.
    pub acquire_timeout: HumanDuration,
    /// Time for one statement on PostgreSQL; zero is no limit.
    pub statement_timeout: HumanDuration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        let limits = PgLimits::default();
        Self {
            url: SecretString::new(""),
            poll: HumanDuration::from(Duration::from_millis(500)),
            runtime_role: String::new(),
            connections_max: limits.connections_max,
            acquire_timeout: HumanDuration::from(limits.acquire_timeout),
            statement_timeout: HumanDuration::from(limits.statement_timeout),
        }
    }
}

impl StoreOptions {
    /// What the node may take of PostgreSQL.
    #[must_use]
    pub const fn limits(&self) -> PgLimits {
        PgLimits {
            connections_max: self.connections_max,
            acquire_timeout: self.acquire_timeout.get(),
            statement_timeout: self.statement_timeout.get(),
        }
    }
}

/// `[redis]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedisOptions {
    /// `redis://…` or, with TLS, `rediss://…`; empty for none.
    pub url: SecretString,
    /// Time for a connection, and for the answers to what was sent at one time.
    pub timeout: HumanDuration,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self { url: SecretString::new(""), timeout: HumanDuration::from_secs(5) }
    }
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogOptions {
    /// How long final messages are kept.
    pub retention: HumanDuration,
    /// How long CDRs are kept, from the beginning of the call.
    pub call_retention: HumanDuration,
    /// Rows of each kind (messages, deliveries, orphaned receipts, calls) that one commit deletes at most.
    pub retention_slice: u32,
    /// Records that may wait for the next commit.
    pub open_records_max: u32,
    /// Shortest time between two commits under load.
    pub gather: HumanDuration,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            retention: HumanDuration::from_secs(7 * 24 * 3600),
            call_retention: HumanDuration::from_secs(90 * 24 * 3600),
            retention_slice: 128,
            open_records_max: 50_000,
            gather: HumanDuration::from(Duration::from_millis(1)),
        }
    }
}

/// `[telemetry]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryOptions {
    /// `human` or `json`.
    pub format: LogFormat,
    /// Which logs, as `info` or `warn,actors=debug`.
    pub filter: String,
}

impl Default for TelemetryOptions {
    fn default() -> Self {
        Self { format: LogFormat::Human, filter: "info".to_owned() }
    }
}

/// Form of the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For eyes.
    Human,
    /// One JSON object a line.
    Json,
}

/// Why the configuration is refused, in one line for people.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("configuration file {path}: {error}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is not TOML, or has a key or value that means nothing.
    #[error("configuration file {path}: {text}")]
    Form {
        /// The file.
        path: String,
        /// Line and reason.
        text: String,
    },
    /// A variable of the environment means nothing.
    #[error("environment variable {name}: {text}")]
    Environment {
        /// The variable.
        name: String,
        /// Reason.
        text: String,
    },
    /// A value that cannot work.
    #[error("{key}: {text}")]
    Value {
        /// `section.key`.
        key: &'static str,
        /// Reason.
        text: String,
    },
}

impl Config {
    /// Reads a file (none: every default) and the process environment over it.
    ///
    /// # Errors
    /// For people, in one line.
    pub fn load(path: Option<&Path>) -> Result<Self, Error> {
        let (name, text) = match path {
            None => ("(none)".to_owned(), String::new()),
            Some(path) => {
                let name = path.display().to_string();
                let text = std::fs::read_to_string(path)
                    .map_err(|error| Error::File { path: name.clone(), error })?;
                (name, text)
            }
        };
        let variables = std::env::vars_os()
            .filter(|(name, _)| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()))
            .map(utf8)
            .collect::<Result<Vec<_>, Error>>()?;
        Self::parse(&name, &text, variables.into_iter())
    }

    /// Reads a file's text and variables over it.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(
        path: &str,
        text: &str,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let form =
            |error: toml::de::Error| Error::Form { path: path.to_owned(), text: one_line(text, &error) };
        // Read once by itself, so that an error names the line of the file.
        let mut config: Self = toml::from_str(text).map_err(form)?;
        let mut table: toml::Table = toml::from_str(text).map_err(form)?;
        for (name, value) in variables {
            let refused = |text: String| Error::Environment { name: name.clone(), text };
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            let Some((section, key)) = rest.split_once('_') else {
                return Err(refused("no such key; WARP_SECTION_KEY is key in [section]".to_owned()));
            };
            let (section, key) = (section.to_ascii_lowercase(), key.to_ascii_lowercase());
            // Not configuration but what tests learn of the machine.
            if section == "test" {
                continue;
            }
            let section = table.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            let Some(section) = section.as_table_mut() else {
                return Err(refused("no such section".to_owned()));
            };
            section.insert(key, environment_value(&value));
            config = table
                .clone()
                .try_into()
                .map_err(|error: toml::de::Error| refused(error.message().to_owned()))?;
        }
        config.check()?;
        Ok(config)
    }
}

/// Where and what, for people.
pub(crate) fn one_line(text: &str, error: &toml::de::Error) -> String {
    let line = error.span().map(|span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
    let message = error.message().replace('\n', " ");
    line.map_or_else(|| message.clone(), |line| format!("line {line}: {message}"))
}

#[cfg(test)]
mod tests;
