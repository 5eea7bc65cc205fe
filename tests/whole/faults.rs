//! Faults around the node: at its start, at its vendors, at its disk.

mod disk;
mod log;
mod start;
mod vendor;

use super::smsc::Smsc;

/// One customer `acme` / `secret12` and a vendor per SMSC, each behind the prefix of its number from 1.
fn provision(smscs: &[u16]) -> String {
    let customer = r#"
[[customers]]
ban = "TB-000000001"
company_name = "Acme"
status = "ACTIVE"
type = "POSTPAID"

[[esme_accounts]]
system_id = "acme"
customer = "TB-000000001"
password = "secret12"
"#;
    let mut text = customer.to_owned();
    for (n, port) in smscs.iter().enumerate().map(|(at, port)| (at + 1, port)) {
        text.push_str(&format!(
            "[[sms_vendors]]\ninstance_name = \"vendor{n}\"\nhost = \"127.0.0.1\"\nport = {port}\n\
             system_id = \"warp{n}\"\npassword = \"secret\"\n\
             [[sms_routes]]\nname = \"route{n}\"\nprefix = \"{n}\"\nvendor = \"vendor{n}\"\nuncertain = \"retry\"\n"
        ));
    }
    text
}

/// Waits for a bind of the node.
#[track_caller]
fn wait_bound(smsc: &Smsc) {
    smsc.wait("the node binds", super::process::READY, |state| state.bound() == 1);
}
