//! Accounts of ours at vendors that ask by digest who calls, opened.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use runtime::model::{SipVendor, VendorAccount, Voice};
use runtime::password::Ha1;
use runtime::seal::RootKey;
use runtime::store::vendor_account;
use sip::digest::Hash;
use uuid::Uuid;

use super::digest::ha1_by;

/// What one vendor's challenges are answered with.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The name that is said.
    pub username: String,
    /// The realm that is answered, and no other one.
    pub realm: String,
    ha1: Ha1,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (username, realm) = (&self.username, &self.realm);
        f.debug_struct("Account").field("username", username).field("realm", realm).finish_non_exhaustive()
    }
}

impl Account {
    /// An account that is known by these digests.
    #[must_use]
    pub const fn new(username: String, realm: String, ha1: Ha1) -> Self {
        Self { username, realm, ha1 }
    }

    /// H(username:realm:password) by a hash function, in digits.
    #[must_use]
    pub fn secret(&self, hash: Hash) -> &str {
        ha1_by(&self.ha1, hash)
    }
}

/// The accounts of a configuration, by the place of their vendor.
#[derive(Debug, Default)]
pub struct Accounts {
    by_place: HashMap<u32, Arc<Account>>,
    closed: Vec<Uuid>,
}

impl Accounts {
    /// Those whose secret opens. The challenges of other vendors are not answered, and the log says so.
    #[must_use]
    pub fn open(voice: &Voice, root_key: &RootKey) -> Self {
        let mut closed = Vec::new();
        let opened = stored(voice).filter_map(|(vendor, place, account)| {
            match vendor_account::open(root_key, vendor.id, account) {
                Ok(ha1) => Some((place, Account::new(account.username.clone(), account.realm.clone(), ha1))),
                Err(error) => {
                    tracing::error!(
                        vendor = vendor.name,
                        %error,
                        "the challenges of a vendor are not answered, its secret does not open: restore the root \
                         key, or give its password again"
                    );
                    closed.push(vendor.id);
                    None
                }
            }
        });
        let accounts = Self::of(opened);
        Self { closed, ..accounts }
    }

    /// These, by the place of their vendor.
    pub fn of(accounts: impl IntoIterator<Item = (u32, Account)>) -> Self {
        let by_place = accounts.into_iter().map(|(place, account)| (place, Arc::new(account)));
        Self { by_place: by_place.collect(), closed: Vec::new() }
    }

    /// The vendors whose secrets did not open.
    #[must_use]
    pub fn closed(&self) -> &[Uuid] {
        &self.closed
    }

    /// Whether the secret of one of these vendors opens by now: the key that it was sealed with may have come since.
    #[must_use]
    pub fn opens_one(voice: &Voice, root_key: &RootKey, closed: &[Uuid]) -> bool {
        let mut tried = stored(voice).filter(|(vendor, ..)| closed.contains(&vendor.id));
        tried.any(|(vendor, _, account)| vendor_account::open(root_key, vendor.id, account).is_ok())
    }

    /// That of the vendor at a place.
    #[must_use]
    pub fn get(&self, place: u32) -> Option<Arc<Account>> {
        self.by_place.get(&place).map(Arc::clone)
    }
}

/// The vendors of a configuration that have an account, each with its place, and what is stored of that.
fn stored(voice: &Voice) -> impl Iterator<Item = (&SipVendor, u32, &VendorAccount)> {
    let vendors = voice.vendors.iter().zip(0_u32..);
    vendors.filter_map(|(vendor, place)| Some((vendor, place, vendor.account.as_ref()?)))
}

#[cfg(test)]
mod tests {
    use runtime::password::SecretString;

    use super::*;
    use crate::sip::testing::voice;

    /// A key that comes later than what was sealed with it opens it then.
    #[test]
    fn a_secret_that_opens_later() {
        let dir = tempfile::tempdir().unwrap();
        let [own, other] = ["own.key", "other.key"].map(|name| dir.path().join(name));
        let key = RootKey::load_or_create(&own).unwrap();
        let sealing = RootKey::load_or_create(&other).unwrap();
        let mut configured = voice();
        let id = configured.vendors[1].id;
        let (names, password) = (("warp", "a.example"), SecretString::new("correct horse"));
        configured.vendors[1].account = Some(VendorAccount {
            username: names.0.to_owned(),
            realm: names.1.to_owned(),
            ha1_sealed: vendor_account::seal(&sealing, id, names, &password).unwrap(),
            register: None,
        });
        let accounts = Accounts::open(&configured, &key);
        assert!(accounts.get(1).is_none() && accounts.closed() == [id]);
        assert!(!Accounts::opens_one(&configured, &key, accounts.closed()), "nothing has changed");
        std::fs::copy(&other, &own).unwrap();
        assert!(!Accounts::opens_one(&configured, &key, &[]), "of those alone that were closed");
        assert!(Accounts::opens_one(&configured, &key, accounts.closed()));
        let accounts = Accounts::open(&configured, &key);
        assert!(accounts.closed().is_empty() && accounts.get(0).is_none());
        let made = Ha1::of("warp", "a.example", &password);
        assert_eq!(accounts.get(1).unwrap().secret(Hash::Sha256), made.sha256);
    }
}
