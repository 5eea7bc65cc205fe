//! What trunks say who they are by.

use std::fmt;

/// The realm of all challenges: who is asked is not known before it has answered, so that there is one for all.
pub const SIP_REALM: &str = "warp";

/// What a trunk says who it is by (RFC 7616).
#[derive(Clone, PartialEq, Eq)]
pub struct DigestCredential {
    /// Unique name that it says.
    pub username: String,
    /// The realm that its password is for.
    pub realm: String,
    /// In place of the password: a [`Ha1`](crate::password::Ha1), sealed for the trunk.
    pub ha1_sealed: Vec<u8>,
}

impl fmt::Debug for DigestCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (username, realm) = (&self.username, &self.realm);
        f.debug_struct("DigestCredential")
            .field("username", username)
            .field("realm", realm)
            .finish_non_exhaustive()
    }
}
