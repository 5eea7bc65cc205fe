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
    /// The ng addresses of media nodes; without any, media is not touched.
    pub(crate) media: Vec<SocketAddr>,
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
        let mut media = String::new();
        for (number, address) in (1..).zip(&self.media) {
            // As above.
            let _ = write!(media, "\n[[media_nodes]]\nname = \"media-{number}\"\naddress = \"{address}\"\n");
        }
        format!(
            r#"[[customers]]
ban = "TB-000000001"
company_name = "Bench"
status = "ACTIVE"
type = "POSTPAID"
services = ["Voice"]

[[partitions]]
name = "bench"

[[sip_vendors]]
name = "bench-vendor"
gateways = [{gateways}]
cps = 0
channels = 0
oversize = "fragment"

[[trunks]]
name = "bench"
customer = "TB-000000001"
auth_type = "IP_ACL"
acl = ["127.0.0.1/32"]
cps = 0
channels = 0
partition = "bench"

[[voice_rates]]
partition = "bench"
prefix = "44"
vendor = "bench-vendor"
rate = "0.0100"
{media}"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_toml_of_the_expected_shape() {
        let gateways = vec![SocketAddr::from(([127, 0, 0, 1], 1)), SocketAddr::from(([127, 0, 0, 1], 2))];
        let provision = SipProvision { gateways, media: vec![SocketAddr::from(([127, 0, 0, 1], 3))] };
        let provisioning = provision.to_toml();
        let media = "\n[[media_nodes]]\nname = \"media-1\"\naddress = \"127.0.0.1:3\"\n";
        assert!(provisioning.ends_with(media), "{provisioning}");
        let without = SipProvision { media: Vec::new(), ..provision.clone() };
        assert_eq!(Some(without.to_toml().as_str()), provisioning.strip_suffix(media));
        let line = "gateways = [\"sip:127.0.0.1:1;transport=udp\", \"sip:127.0.0.1:2;transport=udp\"]";
        assert!(provisioning.lines().any(|found| found == line), "{provisioning}");
        assert!(provision.node_toml(Path::new("/data"), "").contains("data_dir = \"/data\""));
    }
}
