//! What entries may say about who calls.

use std::collections::HashSet;

use super::Entry;
use crate::model::{ForeignNumbers, IdentityProfile};
use crate::store::provisioning::Error;

impl Entry<'_> {
    /// Who calls, by a trunk.
    pub(super) fn identity(&self, identity: &IdentityProfile) -> Result<(), Error> {
        let mut seen = HashSet::new();
        if let Some(twice) = identity.caller_from.iter().find(|source| !seen.insert(**source)) {
            return Err(
                self.refused("identity.caller_from", format!("{} stands in it twice", twice.as_str()))
            );
        }
        let number = &identity.default_number;
        if !number.is_empty() {
            let digits = number.strip_prefix('+').unwrap_or(number);
            self.digits("identity.default_number", digits, 1)?;
        } else if identity.foreign_numbers == ForeignNumbers::Replace {
            let text = "replace needs the number that is to stand in the place of others";
            return Err(self.refused("identity.default_number", text));
        }
        Ok(())
    }

    /// The same by a vendor, whose callers have numbers of all the world.
    pub(super) fn vendor_identity(&self, identity: &IdentityProfile) -> Result<(), Error> {
        self.identity(identity)?;
        if identity.foreign_numbers != ForeignNumbers::Pass {
            return Err(self.refused("identity.foreign_numbers", "a vendor has no numbers of its own"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
