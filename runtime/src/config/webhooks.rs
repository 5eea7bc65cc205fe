//! `[webhooks]`

use std::time::Duration;

use serde::Deserialize;

use super::{Error, HumanDuration, check};
use crate::http_client::AddressPolicy;

/// `[webhooks]`: how receipts and messages are posted to customers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookOptions {
    /// Time for one post, from the name's resolution to the end of the answer.
    pub timeout: HumanDuration,
    /// True: posts also go to addresses that are not public, those of this machine among them. For laboratories:
    /// customers choose the addresses.
    pub private_addresses: bool,
}

impl Default for WebhookOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10).into(), private_addresses: false }
    }
}

impl WebhookOptions {
    /// Where customers may have something posted to.
    #[must_use]
    pub const fn policy(&self) -> AddressPolicy {
        if self.private_addresses { AddressPolicy::Any } else { AddressPolicy::PublicOnly }
    }

    /// Refuses what cannot work; names the key.
    pub(super) fn check(&self) -> Result<(), Error> {
        let most = Duration::from_secs(60);
        if self.timeout.get().is_zero() || self.timeout.get() > most {
            return check::refused("webhooks.timeout", "it is above zero and at most 60s");
        }
        Ok(())
    }
}
