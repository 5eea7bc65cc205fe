//! What a node is given for SIP load: the one place that knows the texts of its files.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use crate::subject::Provisioning;

/// One customer with one trunk that admits the loopback interface, one vendor behind some gateways, one partition
/// that sends everything there.
#[derive(Clone, Debug)]
pub(crate) struct SipProvision {
    /// The simulated vendor's sockets.
    pub(crate) gateways: Vec<SocketAddr>,
}

impl Provisioning for SipProvision {
    fn node_toml(&self, data_dir: &Path, store_url: &str) -> String {
        format!(
            r#"[node]
id = 0
data_dir = "{data_dir}"

[api]
listen = "127.0.0.1:0"
metrics_listen = "127.0.0.1:0"

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
        let mut gateways = String::new();
        for gateway in &self.gateways {
            // Writing to a String cannot fail.
            let _ = write!(gateways, "\"sip:{gateway};transport=udp\", ");
        }
        let gateways = gateways.trim_end_matches([',', ' ']);
        format!(
            r#"[[customers]]
ban = "TB-000000001"
company_name = "Bench"
status = "ACTIVE"
type = "POSTPAID"
services = ["Voice"]

[[sip_vendors]]
name = "bench-vendor"
status = "ACTIVE"
gateways = [{gateways}]
cps = 0
channels = 0
priority = 1
weight = 1

[[partitions]]
name = "bench"

[[voice_rates]]
partition = "bench"
vendor = "bench-vendor"
prefix = "44"
rate = "0.0100"

[[trunks]]
name = "bench"
customer = "TB-000000001"
auth_type = "IP_ACL"
active = true
partition = "bench"
cps = 0
channels = 0
acl = ["127.0.0.1/32"]
"#
        )
    }
}
