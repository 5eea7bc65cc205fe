//! What vendors are told who calls.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::HumanDuration;

/// An account of ours at a vendor that asks by digest who calls (RFC 3261, 22; RFC 7616).
#[derive(Clone, PartialEq, Eq)]
pub struct VendorAccount {
    /// The name that is said.
    pub username: String,
    /// The realm that the password is for: challenges of another one are not answered.
    pub realm: String,
    /// In place of the password: a [`Ha1`](crate::password::Ha1), sealed for the vendor.
    pub ha1_sealed: Vec<u8>,
    /// How it is registered; None: not at all.
    pub register: Option<VendorRegister>,
}

impl fmt::Debug for VendorAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VendorAccount")
            .field("username", &self.username)
            .field("realm", &self.realm)
            .field("register", &self.register)
            .finish_non_exhaustive()
    }
}

/// A registration at each gateway of a vendor (RFC 3261, 10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VendorRegister {
    /// The user that is registered, also in Contact: whom the vendor calls here. Empty is the username.
    #[serde(default)]
    #[schema(example = "+15550001000", pattern = "^[A-Za-z0-9._~+-]{0,64}$")]
    pub user: String,
    /// The domain of that user; empty is the gateway's host.
    #[serde(default)]
    #[schema(example = "sip.atlantic.example", pattern = "^[A-Za-z0-9.-]{0,253}$")]
    pub domain: String,
    /// For how long it is asked, 60s to 24h.
    #[serde(default = "hour")]
    #[schema(
        value_type = String,
        example = "1h",
        pattern = "^(([6-9][0-9]|[1-9][0-9]{2,3})s|([1-9]|[1-9][0-9]{1,2})m|([1-9]|1[0-9]|2[0-4])h)$"
    )]
    pub expires: HumanDuration,
    /// Calls go to a gateway only while it has the registration.
    #[serde(default)]
    pub required: bool,
}

const fn hour() -> HumanDuration {
    HumanDuration::from_secs(3600)
}

impl VendorAccount {
    /// The user that is registered.
    #[must_use]
    pub fn user<'a>(&'a self, register: &'a VendorRegister) -> &'a str {
        if register.user.is_empty() { &self.username } else { &register.user }
    }
}
