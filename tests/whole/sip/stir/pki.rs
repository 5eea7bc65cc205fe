//! An authority of STIR/SHAKEN, and carriers whose certificates say what they may speak for (RFC 8226).

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, IsCa, KeyPair,
    date_time_ymd,
};

/// The list that a certificate has of what it may speak for: of a carrier its code.
const TN_AUTH_LIST: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 26];
pub(super) const CARRIER: &[u8] = &[0x30, 0x08, 0xA0, 0x06, 0x16, 0x04, b'7', b'0', b'9', b'J'];
/// The year that certificates end with which are good.
pub(super) const UNTIL: i32 = 2049;

pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
    /// Its own, in PEM.
    pub(super) certificate: PathBuf,
}

/// A key and its certificate, in PEM.
pub(super) struct Carrier {
    pub(super) key: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) pem: String,
}

impl Authority {
    /// Its files, and those of its carriers, are in `folder`.
    pub(super) fn new(folder: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let certificate = folder.join(format!("{name}.pem"));
        fs::write(&certificate, issuer.pem()).unwrap();
        Self { issuer, folder: folder.to_owned(), certificate }
    }

    /// A carrier with such a list, until the end of that year.
    pub(super) fn carrier(&self, name: &str, list: Option<&[u8]>, until: i32) -> Carrier {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, format!("SHAKEN {name}"));
        let extension = |list: &[u8]| CustomExtension::from_oid_content(TN_AUTH_LIST, list.to_vec());
        params.custom_extensions.extend(list.map(extension));
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 12, 31);
        let key = KeyPair::generate().unwrap();
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        let write = |kind: &str, pem: &str| {
            let path = self.folder.join(format!("{name}.{kind}"));
            fs::write(&path, pem).unwrap();
            path
        };
        Carrier { key: write("key", &key.serialize_pem()), certificate: write("pem", &pem), pem }
    }
}
