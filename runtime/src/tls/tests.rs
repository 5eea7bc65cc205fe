use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

struct Pki {
    dir: TempDir,
    ca: CertifiedIssuer<'static, KeyPair>,
}

impl Pki {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("ca.pem"), ca.pem()).unwrap();
        Self { dir, ca }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    /// Writes `cert.pem` and `key.pem` for `host`.
    fn issue(&self, host: &str) {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new([host.to_owned()]).unwrap().signed_by(&key, &self.ca).unwrap();
        fs::write(self.path("cert.pem"), certificate.pem()).unwrap();
        fs::write(self.path("key.pem"), key.serialize_pem()).unwrap();
    }

    fn server(&self) -> Result<ServerTls, Error> {
        ServerTls::load(&self.path("cert.pem"), &self.path("key.pem"))
    }
}

async fn shake(server: &ServerTls, client: &ClientTls, host: &str) -> io::Result<()> {
    let (here, there) = tokio::io::duplex(64 * 1024);
    let acceptor = server.acceptor();
    let serving = async move {
        let Ok(mut stream) = acceptor.accept(Box::new(here) as Stream).await else { return };
        let _ = stream.write_all(b"hello").await;
        let _ = stream.shutdown().await;
    };
    let asking = async {
        let mut stream = client.connect(Box::new(there), host).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        assert_eq!(text, "hello");
        Ok(())
    };
    tokio::join!(serving, asking).1
}

#[tokio::test]
async fn trust_and_name_decide() {
    let pki = Pki::new();
    pki.issue("smsc.example");
    let server = pki.server().unwrap();
    let private = ClientTls::new(Some(&pki.path("ca.pem"))).unwrap();
    shake(&server, &private, "smsc.example").await.unwrap();
    assert!(shake(&server, &private, "other.example").await.is_err());
    assert!(shake(&server, &private, "not a name").await.is_err());
    let public = ClientTls::new(None).unwrap();
    assert!(shake(&server, &public, "smsc.example").await.is_err());
}

/// A client that shows the certificate that was issued last.
fn showing(pki: &Pki) -> ClientTls {
    let [cert, key] = ["cert.pem", "key.pem"].map(|file| pki.path(file));
    let mut roots = RootCertStore::empty();
    add_authorities(&mut roots, &cert, pki.ca.pem().as_bytes()).unwrap();
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            certificates(&cert, &fs::read(&cert).unwrap()).unwrap(),
            private_key(&key, &fs::read(&key).unwrap()).unwrap(),
        )
        .unwrap();
    ClientTls(TlsConnector::from(Arc::new(config)))
}

#[tokio::test]
async fn clients_are_asked_for_a_certificate() {
    let (ours, theirs) = (Pki::new(), Pki::new());
    ours.issue("sip.example");
    let without = ClientTls::new(Some(&ours.path("ca.pem"))).unwrap();
    let with = showing(&ours);
    // (authority of clients, whether one is required, whether each client gets in)
    let table = [(&ours, true, [false, true]), (&ours, false, [true, true]), (&theirs, false, [true, false])];
    for (authority, required, expected) in table {
        let clients = ClientAuthority { ca_pem: authority.path("ca.pem"), required };
        let [cert, key] = ["cert.pem", "key.pem"].map(|file| ours.path(file));
        let server = ServerTls::load_with_clients(&cert, &key, Some(clients)).unwrap();
        for (client, expected) in [&without, &with].into_iter().zip(expected) {
            assert_eq!(shake(&server, client, "sip.example").await.is_ok(), expected, "{required}");
        }
    }
}

#[tokio::test]
async fn a_reload_swaps_and_a_bad_file_keeps_the_old() {
    let pki = Pki::new();
    pki.issue("one.example");
    let server = pki.server().unwrap();
    let client = ClientTls::new(Some(&pki.path("ca.pem"))).unwrap();
    assert!(!server.reload().unwrap());

    pki.issue("two.example");
    assert!(server.reload().unwrap());
    shake(&server, &client, "two.example").await.unwrap();
    assert!(shake(&server, &client, "one.example").await.is_err());

    fs::write(pki.path("cert.pem"), "nonsense").unwrap();
    let error = server.reload().unwrap_err().to_string();
    assert!(error.ends_with("cert.pem holds no PEM certificate"), "{error}");
    shake(&server, &client, "two.example").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_watch_finds_a_new_certificate() {
    let pki = Pki::new();
    pki.issue("one.example");
    let server = pki.server().unwrap();
    let watch = tokio::spawn(server.clone().watch(Duration::from_secs(10)));
    let client = ClientTls::new(Some(&pki.path("ca.pem"))).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    pki.issue("two.example");
    while shake(&server, &client, "two.example").await.is_err() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    watch.abort();
}

#[test]
fn errors_name_the_file() {
    let pki = Pki::new();
    let missing = pki.server().err().unwrap().to_string();
    assert!(missing.starts_with("cannot read ") && missing.contains("cert.pem"), "{missing}");

    pki.issue("a.example");
    let cert = fs::read(pki.path("cert.pem")).unwrap();
    fs::write(pki.path("key.pem"), &cert).unwrap();
    let no_key = pki.server().err().unwrap().to_string();
    assert!(no_key.ends_with("key.pem holds no PEM private key"), "{no_key}");

    fs::write(pki.path("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let mismatch = pki.server().err().unwrap().to_string();
    assert!(mismatch.starts_with("cannot use certificate "), "{mismatch}");
    assert!(!mismatch.contains('\n'));

    fs::write(pki.path("bad.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let authority = ClientTls::new(Some(&pki.path("bad.pem"))).err().unwrap().to_string();
    assert!(authority.contains("bad.pem is not a usable certificate authority"), "{authority}");
}
