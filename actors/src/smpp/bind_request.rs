//! Who may bind: system_id, password, address, mode. Every refusal for a reason of identity is the same answer
//! after the same work, so that neither text nor time tells which of them it was.

use std::collections::HashMap;
use std::net::IpAddr;

use parking_lot::Mutex;
use runtime::password::{self, PasswordHash};
use runtime::random::secret_bytes;
use smpp::CommandStatus;
use smpp::pdu::{Bind, BindMode};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::Smpp;
use super::account::BoundAccount;

/// Password hashes computed at one time: each takes a core for tens of milliseconds and 19 MiB.
const HASHES_MAX: usize = 2;

/// Checks bind requests of one listener.
pub struct Gate {
    hashes: Semaphore,
    /// Passwords that were right, keyed by account, under a keyed digest of this process: a customer that
    /// binds a hundred sessions pays for the slow hash once.
    known: Mutex<HashMap<Uuid, (PasswordHash, [u8; 32])>>,
    secret: [u8; 32],
}

impl Default for Gate {
    fn default() -> Self {
        Self { hashes: Semaphore::new(HASHES_MAX), known: Mutex::new(HashMap::new()), secret: secret_bytes() }
    }
}

impl Gate {
    /// The account that binds, with one bind taken.
    ///
    /// # Errors
    /// ESME_RINVPASWD for a wrong name, password or address and for a suspended account, ESME_RBINDFAIL for
    /// a mode that the account may not use or a bind too many.
    pub async fn admit(
        &self,
        smpp: &Smpp,
        bind: &Bind<'_>,
        peer: IpAddr,
    ) -> Result<BoundAccount, CommandStatus> {
        let name = std::str::from_utf8(bind.system_id).unwrap_or_default();
        let account = smpp.accounts.load().by_system_id(name).cloned();
        let settings = account.as_ref().map(|account| account.settings.load_full());
        let hash = settings.as_ref().map(|settings| settings.account.password.clone());
        let welcome = settings.as_ref().is_some_and(|settings| {
            let whitelist = &settings.account.ip_whitelist;
            let listed = whitelist.is_empty() || whitelist.iter().any(|network| network.contains(peer));
            listed && settings.may_bind()
        });
        // Who is not welcome gets the slow way whatever the password, or time would tell that it is right.
        let shortcut = account.as_ref().filter(|_| welcome).map(|account| account.id);
        let password_is_right = self.verify(shortcut, hash, bind.password).await;
        let admitted = account.zip(settings).filter(|_| password_is_right && welcome);
        let (account, settings) = admitted.ok_or(CommandStatus::ESME_RINVPASWD)?;
        let modes = settings.account.bind_modes;
        let allowed = match bind.mode {
            BindMode::Transmitter => modes.tx,
            BindMode::Receiver => modes.rx,
            BindMode::Transceiver => modes.trx,
        };
        if !allowed {
            return Err(CommandStatus::ESME_RBINDFAIL);
        }
        BoundAccount::take(account).ok_or_else(|| {
            smpp.metrics.rate_limit_exceeded.with_label_values(&["binds"]).inc();
            CommandStatus::ESME_RBINDFAIL
        })
    }

    async fn verify(&self, account: Option<Uuid>, hash: Option<PasswordHash>, password: &[u8]) -> bool {
        let digest = self.digest(password);
        if let Some((account, hash)) = account.zip(hash.as_ref()) {
            let known = self.known.lock();
            if known
                .get(&account)
                .is_some_and(|(of, right)| of == hash && password::digests_equal(right, &digest))
            {
                return true;
            }
        }
        let Ok(_permit) = self.hashes.acquire().await else { return false };
        let (checked, tried) = (hash.clone(), password.to_vec());
        let verified = tokio::task::spawn_blocking(move || password::verify(checked.as_ref(), &tried)).await;
        let right = verified.unwrap_or(false);
        if let (true, Some(account), Some(hash)) = (right, account, hash) {
            self.known.lock().insert(account, (hash, digest));
        }
        right
    }

    fn digest(&self, password: &[u8]) -> [u8; 32] {
        password::keyed_digest(&self.secret, password)
    }
}
