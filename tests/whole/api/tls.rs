//! The interface by TLS and HTTP/2, as curl speaks them.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::super::certificate::Certificate;
use super::super::peer;
use super::super::process::{Node, Setup};

/// The trace of W3C Trace Context's example.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// What curl says of an exchange: version and status, then the headers.
fn curl(program: &Path, arguments: &[&str]) -> (String, String) {
    let traced = format!("traceparent: 00-{TRACE}-00f067aa0ba902b7-01");
    let output = Command::new(program)
        .args([
            "-q",
            "--noproxy",
            "*",
            "--silent",
            "--show-error",
            "--max-time",
            "20",
            "--dump-header",
            "-",
            "--output",
            "/dev/null",
        ])
        .args(["--header", &traced, "--write-out", "%{http_version} %{http_code}"])
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (headers, last) = text.rsplit_once("\r\n\r\n").unwrap_or(("", &text));
    let error = String::from_utf8_lossy(&output.stderr);
    (format!("{last}{error}"), headers.to_lowercase())
}

#[test]
fn both_versions_of_http_are_spoken_with_and_without_tls() {
    let Some(program) = peer::program("curl") else { return };
    let folder = tempfile::tempdir().unwrap();
    let certificate = Certificate::write(folder.path());
    let (chain, key) = (certificate.chain.display(), certificate.key.display());
    let api = format!("tls_listen = [\"127.0.0.1:0\"]\ntls_certificate = \"{chain}\"\ntls_key = \"{key}\"\n");
    let node = Node::new(&Setup { api, ..Setup::default() });
    let ports = fs::read_to_string(node.place().data().join("ports.json")).unwrap();
    let ports: Value = serde_json::from_str(&ports).unwrap();
    let tls: SocketAddr = ports["api_tls"][0].as_str().unwrap().parse().unwrap();
    let plain = format!("http://{}/health", node.ports().api);
    let secure = format!("https://localhost:{}/health", tls.port());
    let resolve = format!("localhost:{}:127.0.0.1", tls.port());
    let ca = certificate.ca.display().to_string();
    let trusting = ["--cacert", &ca, "--resolve", &resolve];
    for (arguments, said) in [
        (vec!["--http1.1", &plain], "1.1 200"),
        (vec!["--http2-prior-knowledge", &plain], "2 200"),
        ([&trusting[..], &["--http1.1", &secure]].concat(), "1.1 200"),
        ([&trusting[..], &["--http2", &secure]].concat(), "2 200"),
    ] {
        let (answer, headers) = curl(&program, &arguments);
        assert_eq!(answer, said, "{arguments:?}: {headers}");
        assert!(headers.contains(&format!("x-request-id: {TRACE}")), "{arguments:?}: {headers}");
    }
    // Who trusts others than our CA, and who speaks no TLS to that port.
    let (answer, _) = curl(&program, &["--resolve", &resolve, &secure]);
    assert!(answer.contains("certificate"), "{answer}");
    let (answer, _) = curl(&program, &[&format!("http://{tls}/health")]);
    assert!(!answer.contains(" 200"), "{answer}");
    assert_eq!(curl(&program, &["--http1.1", &plain]).0, "1.1 200", "the node lives");
}
