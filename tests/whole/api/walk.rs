//! The walk of docs/api.md, from nothing to a first message and a first call, as its reader does it.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use super::super::peer;
use super::super::process::{Node, Setup, root, run};
use super::super::smsc::{Script, Smsc};
use super::effect::call;

/// Where the walk begins, and what of it comes after the call.
const WALK: &str = "\n## From nothing to a first message and a first call\n";
const AFTER: &str = "\n### The record of the call\n";
/// Time for the commands of one part; those that wait for something give up by themselves.
const WITHIN: Duration = Duration::from_secs(120);
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The commands of a part, one block after the other.
fn blocks(part: &str) -> Vec<&str> {
    part.split("\n```sh\n").skip(1).map(|block| block.split("\n```\n").next().unwrap()).collect()
}

#[test]
fn the_walk_of_the_documentation_leads_to_a_message_and_a_call() {
    if ["bash", "curl", "jq"].iter().any(|name| peer::program(name).is_none()) {
        return;
    }
    let text = fs::read_to_string(root().join("docs/api.md")).unwrap();
    let (_, walk) = text.split_once(WALK).expect("the walk stands in docs/api.md");
    let walk = walk.split("\n## ").next().unwrap();
    let (before, after) = walk.split_once(AFTER).expect("the walk ends with the record of its call");
    let (before, after) = (blocks(before), blocks(after));
    assert!(before.len() > 1 && !after.is_empty(), "{walk}");
    let (_, listen) = walk.split_once("WARP_SIP_LISTEN='").expect("the walk starts a node with voice");
    let listen = listen.split('\'').next().unwrap().replace(":5060", ":0");

    let smsc = Smsc::start(Script::default());
    let gateway = UdpSocket::bind((HERE, 0)).unwrap().local_addr().unwrap();
    let node = Node::new(&Setup {
        sections: format!("[sip]\nlisten = {listen}\nqueue_age_max = \"5s\"\n"),
        ..Setup::default()
    });
    let follow = |blocks: &[&str]| {
        let mut reader = Command::new("bash");
        reader.args(["-euo", "pipefail", "-c", &blocks.join("\n")]).current_dir(node.place().path());
        reader.env("API", format!("http://{}", node.ports().api)).env("DATA", node.place().data());
        reader.env("SMSC_PORT", smsc.port().to_string()).env("GATEWAY", gateway.to_string());
        // The node is here, whatever proxy leads elsewhere.
        run(reader.env("no_proxy", "*"), WITHIN).assert_success();
    };

    follow(&before);
    let state = smsc.state();
    let sent: Vec<_> =
        state.submits.iter().map(|submit| (submit.words(), submit.destination.clone())).collect();
    drop(state);
    assert_eq!(sent, [("Your parcel is here".to_owned(), b"15551234567".to_vec())]);
    call(&node, gateway);
    // The first block says how to ask.
    follow(&[&before[..1], &after[..]].concat());
}
