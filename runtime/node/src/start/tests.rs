use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use runtime::config::{Config, SipListener};
use runtime::model::Transport;

use super::Node;
use crate::cli::{Apply, Place, Reach};
use crate::client::Endpoint;
use crate::commands;

fn config(data_dir: &Path) -> Config {
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut config = Config::default();
    data_dir.clone_into(&mut config.node.data_dir);
    (config.api.listen, config.api.metrics_listen) = (free, free);
    config.smpp.listen = vec![free];
    config.sip.listen =
        vec![SipListener { transport: Transport::Udp, address: free, advertise: String::new() }];
    config
}

fn place(data_dir: &Path) -> Place {
    Place { config: None, data_dir: Some(data_dir.to_owned()) }
}

fn apply(data_dir: &Path, file: PathBuf) -> Apply {
    Apply { file, dry_run: false, place: place(data_dir) }
}

fn example() -> PathBuf {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/provisioning.example.toml").into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_starts_is_provisioned_and_stops() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let node = Box::pin(Node::start(config(&data_dir))).await.unwrap();
    assert!(data_dir.join("ports.json").exists());
    let refused = Box::pin(Node::start(config(&data_dir))).await.err().unwrap().to_string();
    assert!(refused.starts_with("another node runs in ") && refused.contains("(pid "), "{refused}");

    // Through the running node, which obeys at once.
    assert_eq!(commands::apply::run(apply(&data_dir, example())).await.unwrap(), ExitCode::SUCCESS);
    let control = Endpoint::of(&Reach { place: place(&data_dir), ..Reach::default() }).unwrap();
    let target = "/v1/explain/sms?format=text&system_id=acme&to=15550001111";
    let told = loop {
        match control.get(target).await {
            Ok(told) => break told,
            Err(_not_yet) => tokio::task::yield_now().await,
        }
    };
    assert!(told.contains("vendor sinch-atlanta, 0 of 2 binds up"), "{told}");

    let explained =
        control.get("/v1/explain/call?format=text&to=15550001111&source=192.0.2.1").await.unwrap();
    assert!(explained.contains("nowhere: 403 Forbidden: no trunk has this source"), "{explained}");
    assert!(control.get("/v1/calls?format=text").await.unwrap().ends_with("0 calls live\n"));
    assert_eq!(control.get("/v1/cdrs/recent?format=text").await.unwrap(), "no calls\n");
    let refused = control.delete("/v1/calls/none").await.unwrap_err().to_string();
    assert_eq!(refused, "no call that lives has the id \"none\"");

    let tree = control.get("/v1/actors?format=text").await.unwrap();
    for name in
        ["message_log:main:0", "listener:", "message_router:", "dlr_tracker:", "api:main:0", "api_server:"]
    {
        assert!(tree.contains(name), "{name} is not in\n{tree}");
    }
    node.stop().await;
    for file in ["ports.json", "control.sock"] {
        assert!(!data_dir.join(file).exists(), "{file} is left behind");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_without_a_node_writes_the_database_itself() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    assert_eq!(commands::apply::run(apply(&data_dir, example())).await.unwrap(), ExitCode::SUCCESS);
    let node = Box::pin(Node::start(config(&data_dir))).await.unwrap();
    assert_eq!(node.smpp.config.load().vendors.len(), 1);
    node.stop().await;

    let wrong = directory.path().join("wrong.toml");
    std::fs::write(&wrong, "[[customers]]\nbann = \"x\"\n").unwrap();
    let refused = commands::apply::run(apply(&data_dir, wrong)).await.unwrap_err();
    assert!(refused.to_string().contains("wrong.toml: line 2: unknown field `bann`"), "{refused}");
    assert_eq!(refused.exit_code(), ExitCode::from(64));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_ends_the_start_with_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut config = config(&directory.path().join("data"));
    config.api.metrics_listen = address;
    let refused = Box::pin(Node::start(config.clone())).await.err().unwrap().to_string();
    assert!(refused.starts_with(&format!("api.metrics_listen: cannot listen on {address}: ")), "{refused}");
    config.api.metrics_listen.set_port(0);
    config.smpp.listen = vec![address];
    let refused = Box::pin(Node::start(config)).await.err().unwrap().to_string();
    assert!(refused.contains(&format!("cannot listen on {address}: ")), "{refused}");
}
