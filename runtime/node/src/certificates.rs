//! Certificates of the TLS listeners: read at the start, and again whenever their files change.

use std::time::Duration;

use runtime::config::{ApiOptions, Config, SipOptions};
use runtime::model::Transport;
use runtime::registry::ActorName;
use runtime::supervision::{ChildSpec, Restart, Seat, Start};
use runtime::tls::{ClientAuthority, ClientTls, ServerTls};

use crate::failure::Failure;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What TLS listeners show; of a protocol without one there is none.
pub(crate) struct Certificates {
    /// To ESMEs.
    pub(crate) smpp: Option<ServerTls>,
    /// To SIP peers.
    pub(crate) sip: Option<ServerTls>,
    /// To the API's callers.
    pub(crate) api: Option<ServerTls>,
    /// Those of SMPP and SIP are one: the same files, read once.
    shared: bool,
}

impl Certificates {
    /// Reads every file that the configuration names for TLS.
    ///
    /// # Errors
    /// Names the keys whose files cannot be used.
    pub(crate) fn load(config: &Config) -> Result<Self, Failure> {
        let smpp = of_smpp(config)?;
        let shared = smpp.is_some() && sip_speaks_tls(&config.sip) && is_shared(config);
        let sip = if shared { smpp.clone() } else { of_sip(&config.sip)? };
        if !config.sip.listen.is_empty() {
            authorities(config)?;
        }
        Ok(Self { smpp, sip, api: of_api(&config.api)?, shared })
    }

    /// The actors that read the files again; connections that are up keep what they were shown.
    pub(crate) fn watches(self) -> impl Iterator<Item = ChildSpec> {
        let sip = self.sip.filter(|_| !self.shared);
        let watched = [("smpp", self.smpp), ("sip", sip), ("api", self.api)];
        watched.into_iter().filter_map(|(name, tls)| Some(watch(name, tls?)))
    }
}

fn sip_speaks_tls(options: &SipOptions) -> bool {
    options.listen.iter().any(|listener| listener.transport == Transport::Tls)
}

/// Whether SIP shows what SMPP shows, and asks peers for as little.
fn is_shared(config: &Config) -> bool {
    let (smpp, sip) = (&config.smpp, &config.sip);
    let same = smpp.tls_certificate == sip.tls_certificate && smpp.tls_key == sip.tls_key;
    same && sip.tls_client_ca.as_os_str().is_empty()
}

fn of_smpp(config: &Config) -> Result<Option<ServerTls>, Failure> {
    if config.smpp.tls_listen.is_empty() {
        return Ok(None);
    }
    let loaded = ServerTls::load(&config.smpp.tls_certificate, &config.smpp.tls_key);
    loaded.map(Some).map_err(|error| Failure::run(format!("smpp.tls_certificate, smpp.tls_key: {error}")))
}

fn of_api(options: &ApiOptions) -> Result<Option<ServerTls>, Failure> {
    if options.tls_listen.is_empty() {
        return Ok(None);
    }
    let loaded = ServerTls::load_http(&options.tls_certificate, &options.tls_key);
    loaded.map(Some).map_err(|error| Failure::run(format!("api.tls_certificate, api.tls_key: {error}")))
}

fn of_sip(options: &SipOptions) -> Result<Option<ServerTls>, Failure> {
    if !sip_speaks_tls(options) {
        return Ok(None);
    }
    let clients = (!options.tls_client_ca.as_os_str().is_empty())
        .then(|| ClientAuthority { ca_pem: options.tls_client_ca.clone(), required: true });
    let loaded = ServerTls::load_with_clients(&options.tls_certificate, &options.tls_key, clients);
    loaded.map(Some).map_err(|error| Failure::run(format!("sip.tls_certificate, sip.tls_key: {error}")))
}

/// Vendors may be called, and certificates of callers fetched, by TLS where nobody calls us so: whom we believe must be
/// readable all the same.
fn authorities(config: &Config) -> Result<(), Failure> {
    let (vendors, servers) = (&config.sip.tls_client_ca, &config.stir.fetch_ca);
    for (key, own) in [("sip.tls_client_ca", vendors), ("stir.fetch_ca", servers)] {
        let read = ClientTls::new((!own.as_os_str().is_empty()).then_some(own));
        read.map(drop).map_err(|error| Failure::run(format!("{key}: {error}")))?;
    }
    Ok(())
}

fn watch(name: &'static str, tls: ServerTls) -> ChildSpec {
    let start = Start::task(move |seat: Seat| {
        let tls = tls.clone();
        async move {
            tokio::select! {
                () = tls.watch(LOOK_EVERY) => {}
                () = seat.shutdown.requested() => {}
            }
            Ok(())
        }
    });
    ChildSpec::new(ActorName::new("tls_reload", name), Restart::Permanent, start)
}

#[cfg(test)]
mod tests {
    use runtime::config::SipListener;

    use super::*;

    /// Configuration with TLS listeners of either protocol, with these files.
    fn config(smpp: Option<&str>, sip: Option<&str>, client_ca: &str, folder: &std::path::Path) -> Config {
        let mut config = Config::default();
        let address = "127.0.0.1:0".parse().unwrap();
        let [of_smpp, of_sip] = [smpp, sip].map(|name| folder.join(name.unwrap_or_default()));
        (config.smpp.tls_certificate, config.smpp.tls_key) =
            (of_smpp.join("cert.pem"), of_smpp.join("key.pem"));
        (config.sip.tls_certificate, config.sip.tls_key) = (of_sip.join("cert.pem"), of_sip.join("key.pem"));
        config.smpp.tls_listen.extend(smpp.map(|_| address));
        let listener = SipListener { transport: Transport::Tls, address, advertise: String::new() };
        config.sip.listen.extend(sip.map(|_| listener));
        if !client_ca.is_empty() {
            config.sip.tls_client_ca = folder.join(client_ca);
        }
        config
    }

    #[test]
    fn each_pair_of_files_is_watched_once() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["one", "two"] {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            let of = folder.path().join(name);
            std::fs::create_dir(&of).unwrap();
            std::fs::write(of.join("cert.pem"), made.cert.pem()).unwrap();
            std::fs::write(of.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        }
        for (smpp, sip, client_ca, expected) in [
            (None, None, "", 0),
            (Some("one"), None, "", 1),
            (None, Some("one"), "", 1),
            (Some("one"), Some("one"), "", 1),
            (Some("one"), Some("two"), "", 2),
            (Some("one"), Some("one"), "two/cert.pem", 2),
        ] {
            let mut config = config(smpp, sip, client_ca, folder.path());
            let loaded = Certificates::load(&config).unwrap();
            assert_eq!((loaded.smpp.is_some(), loaded.sip.is_some()), (smpp.is_some(), sip.is_some()));
            assert_eq!(loaded.watches().count(), expected, "{smpp:?} {sip:?} {client_ca:?}");
            // The API offers protocols that the others do not: its own, whatever the files.
            config.api.tls_listen.push("127.0.0.1:0".parse().unwrap());
            let one = folder.path().join("one");
            (config.api.tls_certificate, config.api.tls_key) = (one.join("cert.pem"), one.join("key.pem"));
            let loaded = Certificates::load(&config).unwrap();
            assert!(loaded.api.is_some());
            assert_eq!(loaded.watches().count(), expected + 1, "{smpp:?} {sip:?} {client_ca:?}");
        }
    }
}
