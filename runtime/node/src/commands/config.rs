//! `warp config check`: whether a node would start with this configuration, without starting one.

use std::process::ExitCode;

use actors::sip::acl_publisher;
use actors::sip::identities::{Identities, seconds};
use runtime::clock::{Clock, SystemClock};
use runtime::config::{Config, SipListener};
use runtime::seal::{KeySource, RootKey};

use crate::certificates::Certificates;
use crate::cli::Place;
use crate::failure::Failure;
use crate::telemetry;
use crate::terminal;

pub(crate) fn check(place: &Place) -> Result<ExitCode, Failure> {
    let config = place.load()?;
    // Starting the logs is the one way to read a filter; this process logs nothing more.
    telemetry::start(&config.telemetry)?;
    let identities = files(&config)?;
    let name = place.config.as_ref().map_or_else(|| "defaults".to_owned(), |path| path.display().to_string());
    let stir = stir(&identities, seconds(SystemClock.now()));
    terminal::out(&format!("{name}: ok\n{}{stir}", summary(&config)));
    Ok(ExitCode::SUCCESS)
}

/// The files that the configuration names, and what else is looked at when a node starts. Those of `[stir]` are read
/// where no SIP is spoken too: they are to be right on the day on which it is.
fn files(config: &Config) -> Result<Identities, Failure> {
    Certificates::load(config)?;
    let source = config.node.root_key_source();
    // An absent file would be made.
    let is_made = matches!(&source, KeySource::File(path) if !path.exists());
    if !is_made {
        RootKey::load(source).map_err(Failure::run)?;
    }
    if !config.sip.listen.is_empty() {
        acl_publisher::Options::new(&config.redis).map_err(Failure::run)?;
    }
    Identities::open(&config.stir).map_err(Failure::run)
}

fn summary(config: &Config) -> String {
    let list = |addresses: &[std::net::SocketAddr]| {
        let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
    };
    let store = if config.store.url.expose().is_empty() { "SQLite" } else { "PostgreSQL" };
    format!(
        "  node {} in {}\n  store {store}\n  api {}, tls {}, metrics {}\n  smpp {}, tls {}\n  sip {}\n",
        config.node.id,
        config.node.data_dir.display(),
        config.api.listen,
        list(&config.api.tls_listen),
        config.api.metrics_listen,
        list(&config.smpp.listen),
        list(&config.smpp.tls_listen),
        sip(config),
    )
}

fn sip(config: &Config) -> String {
    let each = |listener: &SipListener| format!("{} {}", listener.transport.as_str(), listener.address);
    let texts: Vec<String> = config.sip.listen.iter().map(each).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

/// Each line of it as deep as the others.
fn stir(identities: &Identities, now: u64) -> String {
    format!("  stir {}\n", identities.report(now).replace('\n', "\n  "))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn refusal(directory: &Path, text: &str) -> Failure {
        let path = directory.join("node.toml");
        std::fs::write(&path, text).unwrap();
        let place = Place { config: Some(path), data_dir: None };
        place.load().and_then(|config| files(&config)).unwrap_err()
    }

    #[test]
    fn what_cannot_start_is_said_with_file_and_key() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("bad.pem"), "nothing").unwrap();
        let pem = directory.path().join("bad.pem").display().to_string();
        let tls = format!(
            "[smpp]\ntls_listen = [\"127.0.0.1:0\"]\ntls_certificate = \"{pem}\"\ntls_key = \"{pem}\"\n"
        );
        let sip = format!(
            "[sip]\nlisten = [{{ transport = \"tls\", address = \"127.0.0.1:0\" }}]\n\
             tls_certificate = \"{pem}\"\ntls_key = \"{pem}\"\n"
        );
        let api = format!(
            "[api]\ntls_listen = [\"127.0.0.1:0\"]\ntls_certificate = \"{pem}\"\ntls_key = \"{pem}\"\n"
        );
        let trust = format!(
            "[sip]\nlisten = [{{ transport = \"udp\", address = \"127.0.0.1:0\" }}]\ntls_client_ca = \"{pem}\"\n"
        );
        let servers = format!(
            "[sip]\nlisten = [{{ transport = \"udp\", address = \"127.0.0.1:0\" }}]\n[stir]\nfetch_ca = \"{pem}\"\n"
        );
        let redis = "[sip]\nlisten = [{ transport = \"udp\", address = \"127.0.0.1:0\" }]\n\
                     [redis]\nurl = \"redis://:secret@localhost/name\"\n";
        let stir =
            "[stir]\ncertificate_url = \"https://sti.example.net/a.pem\"\nkey_file = \"/absent/stir.key\"";
        let key = format!("[node]\nroot_key_file = \"{pem}\"");
        for (text, words) in [
            ("[smpp]\nlisen = []", ["node.toml: line 2: unknown field `lisen`", "listen"]),
            ("[api]\nlisten = \"8080\"", ["node.toml: line 2", "socket address"]),
            ("[smpp]\ntls_listen = [\"127.0.0.1:0\"]", ["smpp.tls_listen", "smpp.tls_certificate"]),
            (&key, ["root key", "bad.pem does not hold 64 hexadecimal digits"]),
            (&api, ["api.tls_certificate", "bad.pem holds no PEM certificate"]),
            ("[node]\nroot_key_env = \"NO_SUCH_KEY\"", ["environment variable NO_SUCH_KEY", "it is not set"]),
            (&tls, ["smpp.tls_certificate", "bad.pem holds no PEM certificate"]),
            (&sip, ["sip.tls_certificate", "bad.pem holds no PEM certificate"]),
            ("[redis]\nurl = \"http://localhost\"", ["redis.url: not redis://", "rediss://"]),
            (redis, ["redis.url: ", "Invalid integer"]),
            (stir, ["stir: cannot read", "/absent/stir.key"]),
            (&trust, ["sip.tls_client_ca", "bad.pem holds no PEM certificate"]),
            (&servers, ["stir.fetch_ca", "bad.pem holds no PEM certificate"]),
        ] {
            let refused = refusal(directory.path(), text).to_string();
            for word in words {
                assert!(refused.contains(word), "{word:?} is not in {refused:?}");
            }
            assert!(!refused.contains('\n'), "{refused}");
        }
        let absent = Place { config: Some(directory.path().join("absent.toml")), data_dir: None };
        let refused = absent.load().unwrap_err();
        assert!(refused.to_string().contains("absent.toml: No such file"), "{refused}");
        assert_eq!(refused.exit_code(), ExitCode::from(64));
    }

    #[test]
    fn the_example_is_what_a_node_may_start_with() {
        let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/node.example.toml");
        let place = Place { config: Some(example.into()), data_dir: None };
        let config = place.load().unwrap();
        let identities = files(&config).unwrap();
        assert_eq!(stir(&identities, 0), "  stir none\n");
        assert!(summary(&config).contains("smpp 0.0.0.0:2775, tls none"), "{}", summary(&config));
    }
}
