//! Who asks, and what he may do.

pub(crate) mod authority;
pub(crate) mod crypto;
pub(crate) mod gate;
pub(crate) mod google;
pub(crate) mod jwt;
pub(crate) mod key;
pub(crate) mod login;
pub(crate) mod principal;
pub(crate) mod secret;
pub(crate) mod tokens;
