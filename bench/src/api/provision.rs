//! A node with many customers, sources and routes.

use std::fmt::Write as _;
use std::path::Path;

use crate::subject::Provisioning;

/// How much there is of what.
#[derive(Clone, Debug, Default)]
pub(super) struct Scale {
    pub(super) customers: u32,
    /// Sources of one trunk.
    pub(super) acl: u32,
    /// Routes of messages.
    pub(super) routes: u32,
    /// Provisioning of the messages that flow meanwhile.
    pub(super) messages: String,
}

/// The customer of the trunks.
pub(super) const BAN: &str = "TB-000000000";
/// The trunk that has the sources; it takes no more by the interface.
const FULL: &str = "bench";
/// The trunk whose sources change.
pub(super) const CHANGED: &str = "changed";

impl Provisioning for Scale {
    fn node_toml(&self, data_dir: &Path, store_url: &str) -> String {
        format!(
            r#"[node]
id = 0
data_dir = "{data_dir}"

[api]
listen = "127.0.0.1:0"
metrics_listen = "127.0.0.1:0"
requests_per_second = 0

[smpp]
listen = ["127.0.0.1:0"]

[sip]
listen = [{{ transport = "udp", address = "127.0.0.1:0" }}]

[store]
url = "{store_url}"

[telemetry]
format = "human"
filter = "warn"
"#,
            data_dir = data_dir.display(),
        )
    }

    fn to_toml(&self) -> String {
        let mut toml = String::new();
        // Writing to a String cannot fail.
        for number in 0..self.customers.max(1) {
            let _ = write!(
                toml,
                "[[customers]]\nban = \"TB-{number:09}\"\ncompany_name = \"Company {number}\"\n\
                 services = [\"Voice\", \"Messaging\"]\n\n"
            );
        }
        let sources = (0..self.acl).map(|number| {
            let [_, high, middle, low] = number.to_be_bytes();
            format!("\"10.{high}.{middle}.{low}/32\"")
        });
        let sources: Vec<String> = sources.collect();
        let _ = write!(
            toml,
            "[[trunks]]\nname = \"{FULL}\"\ncustomer = \"{BAN}\"\nacl = [{}]\n\n\
             [[trunks]]\nname = \"{CHANGED}\"\ncustomer = \"{BAN}\"\n\n\
             [[sms_vendors]]\ninstance_name = \"bench\"\nhost = \"127.0.0.1\"\nport = 1\nsystem_id = \"bench\"\n\
             password = \"bench\"\nactive = false\n\n",
            sources.join(", ")
        );
        for number in 0..self.routes {
            let _ = write!(
                toml,
                "[[sms_routes]]\nname = \"r{number}\"\nprefix = \"{}\"\nvendor = \"bench\"\n\n",
                10_000 + number
            );
        }
        toml + &self.messages
    }
}
