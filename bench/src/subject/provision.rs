//! The configuration and the provisioning of a node under load.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// The files that a node is started with.
pub trait Provisioning: Sync {
    /// Its configuration: listeners on free ports of the loopback interface, data in `data_dir`.
    fn node_toml(&self, data_dir: &Path, store_url: &str) -> String;

    /// The file for `warp apply`.
    fn to_toml(&self) -> String;
}

/// One customer with one account, one vendor, one route that takes everything.
#[derive(Clone, Debug)]
pub struct Provision {
    /// The account's system_id.
    pub system_id: String,
    /// The account's password.
    pub password: String,
    /// Connections the account may bind.
    pub binds_max: usize,
    /// Its window.
    pub window: usize,
    /// The simulated SMSC.
    pub vendor: SocketAddr,
    /// Transceiver binds to it.
    pub vendor_binds: usize,
    /// The window of each.
    pub vendor_window: usize,
    /// Messages that may wait for it.
    pub queue_depth_max: u32,
    /// How long the node keeps messages that have ended; its default without.
    pub retention: Option<Duration>,
    /// Submits again when the vendor's answer was lost, instead of waiting for a receipt.
    pub retry_uncertain: bool,
}

impl Provisioning for Provision {
    fn node_toml(&self, data_dir: &Path, store_url: &str) -> String {
        node_toml(data_dir, store_url, self.retention)
    }

    fn to_toml(&self) -> String {
        let mut toml = String::new();
        let uncertain = if self.retry_uncertain { "retry" } else { "hold" };
        // Writing to a String cannot fail.
        let _ = write!(
            toml,
            r#"[[customers]]
ban = "TB-000000001"
company_name = "Bench"
status = "ACTIVE"
type = "POSTPAID"
services = ["Messaging"]

[[esme_accounts]]
system_id = "{system_id}"
customer = "TB-000000001"
password = "{password}"
binds_max = {binds_max}
window = {window}
throughput = 0
ip_whitelist = []
default_alphabet = "gsm7"

[[sms_vendors]]
instance_name = "bench-vendor"
display_name = "Bench vendor"
provider_type = "SMPP"
host = "{host}"
port = {port}
bind_type = "transceiver"
system_id = "bench"
password = "bench"
binds = {vendor_binds}
window = {vendor_window}
throughput_limit = 0
queue_depth_max = {queue_depth_max}
priority = 1
active = true
default_alphabet = "gsm7"

[[sms_routes]]
name = "everything"
prefix = ""
vendor = "bench-vendor"
priority = 10
cost = "0.0035"
uncertain = "{uncertain}"
active = true
"#,
            system_id = self.system_id,
            password = self.password,
            binds_max = self.binds_max,
            window = self.window,
            host = self.vendor.ip(),
            port = self.vendor.port(),
            vendor_binds = self.vendor_binds,
            vendor_window = self.vendor_window,
            queue_depth_max = self.queue_depth_max,
        );
        toml
    }
}

fn node_toml(data_dir: &Path, store_url: &str, retention: Option<Duration>) -> String {
    let retention = retention.map_or_else(String::new, |kept| format!("retention = \"{}s\"", kept.as_secs()));
    format!(
        r#"[node]
id = 0
data_dir = "{data_dir}"

[api]
listen = "127.0.0.1:0"
metrics_listen = "127.0.0.1:0"

[smpp]
listen = ["127.0.0.1:0"]
system_id = "WARP"

[store]
url = "{store_url}"

[log]
{retention}

[telemetry]
format = "human"
filter = "warn"
"#,
        data_dir = data_dir.display(),
    )
}
