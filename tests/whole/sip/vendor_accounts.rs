//! Vendors that ask by digest who calls, and those that want to be told where the node is: SIPp and Kamailio judge what it
//! answers them, and its customers see nothing of it. Customers are at 127.0.0.2, vendors at an address of their own.

mod challenges;
mod kamailio;
mod registrar;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use super::super::process::Node;
use super::sipp::{Part, Sipp};
use super::{
    CUSTOMER, CUSTOMER_CALLS, Route, Transport, VENDOR_ANSWERS, customer_address, programs, provision,
    scenario,
};

/// Who the node is to vendors, and in which realm.
const USERNAME: &str = "warp-east";
const PASSWORD: &str = "correct-horse-battery";
const REALM: &str = "sip.vendor.example";

/// Programs, and where the files of the processes of SIPp are.
struct Stage {
    sipp: PathBuf,
    sqlite: PathBuf,
    folder: TempDir,
}

impl Stage {
    #[track_caller]
    fn new() -> Option<Self> {
        let (sipp, sqlite) = programs()?;
        Some(Self { sipp, sqlite, folder: tempfile::tempdir().unwrap() })
    }

    /// SIPp with so many calls of this scenario; it calls, where it is told whom.
    #[track_caller]
    fn play(&self, name: &str, scenario: String, local: SocketAddr, calls: Option<SocketAddr>) -> Sipp {
        self.play_calls(1, name, scenario, (local, calls))
    }

    #[track_caller]
    fn play_calls(
        &self,
        count: u32,
        name: &str,
        scenario: String,
        (local, calls): (SocketAddr, Option<SocketAddr>),
    ) -> Sipp {
        let name = name.to_owned();
        let (transport, folder) = (Transport::Udp, self.folder.path());
        let part = Part { name, scenario, transport, local, calls, count: (count, 1), folder };
        Sipp::start(&self.sipp, part)
    }

    /// A vendor that is called once, by what carries SIP to it.
    #[track_caller]
    fn vendor(&self, transport: Transport, name: &str, scenario: String, local: SocketAddr) -> Sipp {
        let (name, folder) = (name.to_owned(), self.folder.path());
        let part = Part { name, scenario, transport, local, calls: None, count: (1, 1), folder };
        Sipp::start(&self.sipp, part)
    }

    /// A vendor that takes one call and asks for nothing.
    #[track_caller]
    fn takes_call(&self, name: &str, local: SocketAddr) -> Sipp {
        self.play(name, scenario::vendor(Transport::Udp, VENDOR_ANSWERS), local, None)
    }

    /// A customer that calls the number of these digits with a 1 behind them.
    #[track_caller]
    fn customer(&self, prefix: &str, node: &Node) -> Sipp {
        let scenario = scenario::customer(prefix, Transport::Udp, CUSTOMER_CALLS);
        self.play(&of_customer(prefix), scenario, customer_address(), Some(node.ports().sip[0]))
    }

    /// What a process has sent and received so far.
    #[track_caller]
    fn messages(&self, name: &str) -> String {
        let octets = fs::read(self.folder.path().join(format!("{name}.messages"))).unwrap();
        String::from_utf8_lossy(&octets).into_owned()
    }

    /// Demands that a customer was answered, and got no challenge, no credentials, no numbers of others.
    #[track_caller]
    fn expect_unaware(&self, prefix: &str) {
        let seen = self.messages(&of_customer(prefix));
        assert!(seen.contains("SIP/2.0 200"), "{seen}");
        let traces = ["uthenticate:", "uthorization:", USERNAME, REALM, "2 INVITE", "3 BYE", "4 BYE"];
        for trace in traces {
            assert!(!seen.contains(trace), "{trace} shows: {seen}");
        }
    }
}

fn of_customer(prefix: &str) -> String {
    format!("customer-{prefix}")
}

/// Waits for the end of all, and demands that each call was as its scenario wants it.
#[track_caller]
fn finish(all: impl IntoIterator<Item = Sipp>) {
    let failures: Vec<String> = all.into_iter().filter_map(|sipp| sipp.finish().err()).collect();
    assert!(failures.is_empty(), "{} failed\n{}", failures.len(), failures.join("\n"));
}

/// What [`provision`] writes, of vendors that may take their time: they do more than answer.
fn patient(routes: &[Route]) -> String {
    provision(CUSTOMER, routes).replace("pdd_timeout = \"1s\"", "pdd_timeout = \"20s\"")
}

/// The same with our account at the vendor of this name, and with more of the account.
#[track_caller]
fn with_account(text: &str, vendor: &str, more: &str) -> String {
    let name = named(vendor);
    assert!(text.contains(&name), "no {vendor} in {text}");
    let account = format!("username = \"{USERNAME}\", realm = \"{REALM}\", password = \"{PASSWORD}\"{more}");
    text.replace(&name, &format!("{name}account = {{ {account} }}\n"))
}

/// The line of a vendor that says its name.
fn named(vendor: &str) -> String {
    format!("name = \"{vendor}\"\n")
}

/// A scenario with these words in their places.
fn filled(scenario: &str, words: &[(&str, &str)]) -> String {
    let put = |text: String, (word, value): &(&str, &str)| text.replace(&format!("{{{word}}}"), value);
    words.iter().fold(scenario.to_owned(), put)
}

/// Direction of the one call to a number that begins so, and its vendor, as its record names them.
#[track_caller]
fn recorded(node: &Node, prefix: &str) -> (String, String) {
    let page = node.get("/v1/cdrs/recent?limit=500").json();
    let records = page["cdrs"].as_array().unwrap_or_else(|| panic!("{page}"));
    let of_prefix = |record: &&Value| text(record, "callee").trim_start_matches('+').starts_with(prefix);
    let found: Vec<&Value> = records.iter().filter(of_prefix).collect();
    let [record] = found[..] else { panic!("one call to {prefix} is wanted: {page}") };
    (text(record, "direction").to_owned(), text(record, "vendor").to_owned())
}

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or_default()
}
