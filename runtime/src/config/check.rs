//! Values that have the right type and yet cannot work.

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use url::Url;

use super::environment::name_refusal;
use super::{Config, Error, HumanDuration};
use crate::model::IdGenerator;

impl Config {
    /// Refuses what would only fail later, or never be noticed; names the key.
    pub(super) fn check(&self) -> Result<(), Error> {
        let (node, smpp) = (&self.node, &self.smpp);
        if node.id >= IdGenerator::NODES {
            return refused("node.id", format!("{} is over 1023", node.id));
        }
        if node.data_dir.as_os_str().is_empty() {
            return refused("node.data_dir", "a directory is needed");
        }
        if !node.root_key_env.is_empty() {
            if !node.root_key_file.as_os_str().is_empty() {
                return refused(
                    "node.root_key_env",
                    "node.root_key_file is given too; the key is in one of them",
                );
            }
            if let Some(reason) = name_refusal(&node.root_key_env) {
                return refused("node.root_key_env", reason);
            }
        }
        if !smpp.tls_listen.is_empty()
            && (smpp.tls_certificate.as_os_str().is_empty() || smpp.tls_key.as_os_str().is_empty())
        {
            return refused("smpp.tls_listen", "a TLS listener needs smpp.tls_certificate and smpp.tls_key");
        }
        if !(1..=15).contains(&smpp.system_id.len()) {
            return refused("smpp.system_id", "a system_id has 1 to 15 octets");
        }
        self.minimums()?;
        self.durations()?;
        self.api.check()?;
        self.sip.check()?;
        self.stir.check()?;
        self.mail.check()?;
        self.network.check()?;
        self.webhooks.check()?;
        self.redis_url()?;
        self.store_url()
    }

    fn minimums(&self) -> Result<(), Error> {
        let (smpp, log) = (&self.smpp, &self.log);
        for (key, value, min) in [
            ("smpp.unbound_per_ip_max", smpp.unbound_per_ip_max, 1),
            ("smpp.sessions_max", smpp.sessions_max, 1),
            // A PDU's header.
            ("smpp.command_length_max", smpp.command_length_max, 16),
            ("smpp.transient_attempts_max", u32::from(smpp.transient_attempts_max), 1),
            ("smpp.receipts_in_memory_max", smpp.receipts_in_memory_max, 1),
            ("smpp.outbox_in_memory_max", smpp.outbox_in_memory_max, 1),
            // Configuration and log.
            ("store.connections_max", self.store.connections_max, 2),
            ("log.retention_slice", log.retention_slice, 1),
            ("log.open_records_max", log.open_records_max, 1),
        ] {
            at_least(key, value, min)?;
        }
        Ok(())
    }

    /// Those that may be zero are not listed: node.drain, smpp.inactivity, smpp.unbind, the waits of messages
    /// and receipts, log.gather.
    fn durations(&self) -> Result<(), Error> {
        let smpp = &self.smpp;
        for (key, value) in [
            ("smpp.session_init", smpp.session_init),
            ("smpp.partial_pdu", smpp.partial_pdu),
            ("smpp.enquire_link", smpp.enquire_link),
            ("smpp.enquire_link_answer", smpp.enquire_link_answer),
            ("smpp.response", smpp.response),
            ("smpp.validity_default", smpp.validity_default),
            ("smpp.validity_max", smpp.validity_max),
            ("smpp.reconnect_first", smpp.reconnect_first),
            ("smpp.reconnect_max", smpp.reconnect_max),
            ("store.poll", self.store.poll),
            ("store.acquire_timeout", self.store.acquire_timeout),
            ("redis.timeout", self.redis.timeout),
            ("log.retention", self.log.retention),
            ("log.call_retention", self.log.call_retention),
        ] {
            not_zero(key, value)?;
        }
        ordered(("smpp.validity_default", smpp.validity_default), ("smpp.validity_max", smpp.validity_max))?;
        ordered(("smpp.reconnect_first", smpp.reconnect_first), ("smpp.reconnect_max", smpp.reconnect_max))
    }

    /// The rest of it is read where it is used. Never shows it: it may have a password.
    fn redis_url(&self) -> Result<(), Error> {
        let url = self.redis.url.expose();
        if url.is_empty() && self.sip.media_discovery {
            return refused("sip.media_discovery", "media nodes are read from Redis: redis.url is needed");
        }
        if url.is_empty() || url.starts_with("redis://") || url.starts_with("rediss://") {
            return Ok(());
        }
        refused("redis.url", "not redis://:password@host:port, nor rediss:// for TLS, nor empty for none")
    }

    /// Never shows the URL, which has a password.
    fn store_url(&self) -> Result<(), Error> {
        let (url, role) = (self.store.url.expose(), &self.store.runtime_role);
        // PostgreSQL would cut a longer one off, and speak of a role that nobody named.
        if role.len() > 63 || role.contains('\0') {
            return refused(
                "store.runtime_role",
                "the name of a role has at most 63 octets, none of them NUL",
            );
        }
        if url.is_empty() {
            return Ok(());
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return refused("store.url", "not postgres://user:password@host/database, nor empty for SQLite");
        }
        if let Some(name) = unknown_parameter(url) {
            return refused("store.url", format!("the parameter {name:?} is not known"));
        }
        match PgConnectOptions::from_str(url) {
            Ok(_) => Ok(()),
            Err(error) => refused("store.url", error.to_string()),
        }
    }
}

/// A parameter of a PostgreSQL URL that the driver would leave out, telling its value to the log.
fn unknown_parameter(url: &str) -> Option<String> {
    const KNOWN: [&str; 18] = [
        "application_name",
        "dbname",
        "host",
        "hostaddr",
        "options",
        "password",
        "port",
        "ssl-ca",
        "ssl-cert",
        "ssl-key",
        "ssl-mode",
        "ssl-root-cert",
        "sslcert",
        "sslkey",
        "sslmode",
        "sslrootcert",
        "statement-cache-capacity",
        "user",
    ];
    let url = Url::parse(url).ok()?;
    let is_known = |name: &str| KNOWN.contains(&name) || name.starts_with("options[");
    url.query_pairs().map(|(name, _)| name.into_owned()).find(|name| !is_known(name))
}

pub(super) fn at_least(key: &'static str, value: u32, min: u32) -> Result<(), Error> {
    if value < min { refused(key, format!("{value} is below {min}")) } else { Ok(()) }
}

pub(super) fn not_zero(key: &'static str, value: HumanDuration) -> Result<(), Error> {
    if value.get().is_zero() { refused(key, "zero cannot work") } else { Ok(()) }
}

pub(super) fn ordered(
    (first, low): (&'static str, HumanDuration),
    (second, high): (&'static str, HumanDuration),
) -> Result<(), Error> {
    if low <= high { Ok(()) } else { refused(first, format!("{low} is over {second}, {high}")) }
}

pub(super) fn refused(key: &'static str, text: impl Into<String>) -> Result<(), Error> {
    Err(Error::Value { key, text: text.into() })
}
