//! Customers' programs: smpplib (Python) and smpp (npm), plain and through TLS.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::super::certificate::Certificate;
use super::super::peer;
use super::super::process::{Node, run};
use super::super::smsc::{Script, Smsc};
use super::{GSM7, LONG_CHARACTERS, UCS2, assert_texts, node};

/// For five messages and their receipts.
const WITHIN: Duration = Duration::from_secs(60);

#[test]
fn smpplib_submits_and_gets_receipts() {
    let Some(python) = peer::python() else { return };
    let smsc = Smsc::start(Script::default());
    let node = node(&smsc, "");
    let mut customer = smpplib(python);
    assert_served(&smsc, &node, customer.args([node.smpp().port().to_string()]));
}

#[test]
fn smpplib_submits_through_tls() {
    let Some(python) = peer::python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let certificate = Certificate::write(folder.path());
    let smsc = Smsc::start(Script::default());
    let tls = format!(
        "tls_listen = [\"127.0.0.1:0\"]\ntls_certificate = {:?}\ntls_key = {:?}\n",
        certificate.chain.display().to_string(),
        certificate.key.display().to_string()
    );
    let node = node(&smsc, &tls);
    let port = node.ports().smpp_tls[0].port();
    assert_served(&smsc, &node, smpplib(python).arg(port.to_string()).arg(&certificate.ca));
}

#[test]
fn npm_smpp_submits_and_gets_receipts() {
    let (Some(node_path), Some(javascript)) = (peer::node_path(), peer::program("node")) else { return };
    let smsc = Smsc::start(Script::default());
    let node = node(&smsc, "");
    let mut customer = Command::new(javascript);
    customer.env("NODE_PATH", node_path).arg(peer::script("smpp_esme.js"));
    assert_served(&smsc, &node, customer.arg(node.smpp().port().to_string()));
}

fn smpplib(python: PathBuf) -> Command {
    let mut customer = Command::new(python);
    customer.arg(peer::script("smpplib_esme.py"));
    customer
}

/// The program reports in JSON what it saw: how many it submitted, the ids it got, the receipts by id.
#[track_caller]
fn assert_served(smsc: &Smsc, node: &Node, customer: &mut Command) {
    let texts = [GSM7, UCS2, &"x".repeat(LONG_CHARACTERS)];
    let ended = run(customer.env("TEXTS", serde_json::to_string(&texts).unwrap()), WITHIN);
    ended.assert_success();
    let report: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}", ended.stdout));
    assert_eq!(report["submitted"].as_u64(), Some(5), "two messages and three parts: {report}");
    let ids = report["ids"].as_array().expect("ids");
    assert_eq!(ids.len(), 5, "{report}");
    for id in ids {
        assert_eq!(report["receipts"][id.as_str().unwrap()], "DELIVRD", "{report}");
    }
    assert_texts(smsc);
    let log = node.place().log();
    assert!(!log.contains("panicked"), "{log}");
}
