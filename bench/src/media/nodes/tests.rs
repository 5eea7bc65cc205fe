use super::*;
use crate::rtpengine::{Rtpengine, RtpengineOptions};

/// A process that does nothing, in front of a node of this process.
fn idle(address: SocketAddr) -> MediaNode {
    let child = Command::new("sleep").arg("600").stdin(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    MediaNode { address, child, told: None, directory: None }
}

/// Its state, as /proc tells it.
fn state_of(process: u32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix("State:\t")).unwrap().to_owned()
}

async fn wait_until(process: u32, wanted: impl Fn(&str) -> bool) {
    let reached = timeout(ANSWERED_WITHIN, async {
        while !wanted(&state_of(process)) {
            tokio::task::yield_now().await;
        }
    });
    assert!(reached.await.is_ok(), "{}", state_of(process));
}

#[tokio::test]
async fn a_frozen_process_stands_still_until_it_is_thawed() {
    let node = idle(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)));
    let process = node.process().unwrap();
    node.freeze().unwrap();
    wait_until(process, |state| state.starts_with('T')).await;
    node.thaw().unwrap();
    wait_until(process, |state| !state.starts_with('T')).await;
}

#[tokio::test]
async fn a_node_without_calls_has_settled_and_accounts_for_itself() {
    let simulated = Rtpengine::start(RtpengineOptions::default()).unwrap();
    let mut node = idle(simulated.address());
    node.ready().await.unwrap();
    assert_eq!(node.settle().await.unwrap(), 0);
    let account = node.account().await.unwrap();
    assert_eq!(account["address"], simulated.address().to_string());
    assert_eq!((&account["calls_managed"], &account["offers"]), (&json!(0), &Value::Null));
}

#[tokio::test]
async fn a_process_that_ended_is_not_waited_for() {
    let child = Command::new("false").stdin(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let mut node = MediaNode { address, child, told: None, directory: None };
    let refused = node.ready().await.unwrap_err().to_string();
    assert!(refused.contains("ended with exit status: 1"), "{refused}");
}

#[test]
fn lines_of_a_simulated_node() {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 2223));
    let listening = Listening { address };
    let line = serde_json::to_string(&listening).unwrap();
    assert_eq!(line, r#"{"address":"127.0.0.1:2223"}"#);
    assert_eq!(serde_json::from_str::<Listening>(&line).unwrap(), listening);
    let counters = Counters { offers: 3, answers: 2, deletes: 1, ..Counters::default() };
    let line = serde_json::to_string(&counters).unwrap();
    assert_eq!(serde_json::from_str::<Counters>(&line).unwrap(), counters);
}
