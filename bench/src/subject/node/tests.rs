//! A shell script in the node's place: only the starting and stopping is under test.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::net;
use crate::subject::Provision;

fn provision() -> Provision {
    Provision {
        system_id: "bench".to_owned(),
        password: "bench123".to_owned(),
        binds_max: 10,
        window: 100,
        vendor: SocketAddr::from(([127, 0, 0, 1], 3601)),
        vendor_binds: 2,
        vendor_window: 500,
        queue_depth_max: 1000,
        retention: None,
        retry_uncertain: false,
    }
}

/// Starts `script` as the node; `$2` is the first argument after the verb.
async fn start(script: &str) -> anyhow::Result<Node> {
    let directory = tempfile::tempdir()?;
    let program = directory.path().join("warp");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n"))?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    let runs = directory.path().to_owned();
    let options = NodeOptions { program: Some(program), directory: Some(runs), store_url: String::new() };
    let node = Node::start(&options, &provision()).await;
    // The script must outlive the node, its directory need not.
    drop(directory);
    node
}

#[tokio::test]
async fn ready_when_the_ports_are_written_and_the_api_says_so() {
    let listener = net::listen(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let api = listener.local_addr().unwrap();
    tokio::spawn(http::serve(listener, |_| {}));
    let ports = format!(r#"{{"api":"{api}","metrics":"{api}","smpp":["127.0.0.1:2775"],"smpp_tls":[]}}"#);
    let script =
        format!("[ $1 = apply ] && exit 0\necho '{ports}' > $(dirname $3)/data/ports.json\nexec sleep 100");
    let node = start(&script).await.unwrap();
    assert_eq!(node.ports.smpp, [SocketAddr::from(([127, 0, 0, 1], 2775))]);
    assert_eq!(node.ports.metrics, Some(api));
    let process = node.process().unwrap();
    assert!(crate::process::usage(&[process]).is_some());
    node.stop().await.unwrap();
    assert_eq!(crate::process::usage(&[process]), None);
}

#[tokio::test]
async fn failures_say_what_to_do() {
    let missing = NodeOptions { program: Some(PathBuf::from("/nowhere/warp")), ..NodeOptions::default() };
    let error = Node::start(&missing, &provision()).await.unwrap_err().to_string();
    assert!(error.contains("cargo build --release -p node"), "{error}");
    let refused = start("echo 'line 3: no such key' >&2; exit 2").await.unwrap_err().to_string();
    assert!(refused.contains("line 3: no such key"), "{refused}");
    let ended = start("[ $1 = apply ] && exit 0; echo 'address in use' >&2; exit 1").await.unwrap_err();
    assert!(ended.to_string().contains("address in use"), "{ended}");
}

#[test]
fn files_are_toml_of_the_expected_shape() {
    let provisioning = provision().to_toml();
    for line in ["port = 3601", "binds = 2", "window = 500", "binds_max = 10", "uncertain = \"hold\""] {
        assert!(provisioning.lines().any(|found| found == line), "{line}");
    }
    let config = provision().node_toml(Path::new("/data"), "");
    assert!(config.contains("data_dir = \"/data\""));
}
