//! What the configuration of voice asks of nodes, and this one has no files for: `[stir]` is each node's own.

use std::collections::BTreeSet;

use runtime::model::VerifyIdentity;

use super::Identities;
use crate::sip::snapshot::Snapshot;

/// Who wants what cannot be done here, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unmet {
    /// Vendors whose calls are to be signed, where there is no key.
    unsigned: BTreeSet<String>,
    /// Trunks whose calls are to be checked, where nobody is believed.
    trunks: BTreeSet<String>,
    /// Vendors likewise.
    vendors: BTreeSet<String>,
}

impl Unmet {
    /// What this snapshot asks for in vain.
    pub fn of(snapshot: &Snapshot, identities: &Identities) -> Self {
        let mut unmet = Self::default();
        let (signs, believes) = (identities.signs(), !identities.authorities().is_empty());
        let is_checked = |policy: VerifyIdentity| !believes && policy != VerifyIdentity::Off;
        for vendor in &snapshot.vendors {
            if vendor.config.sign_calls && !signs {
                unmet.unsigned.insert(vendor.config.name.clone());
            }
            if is_checked(vendor.config.verify_identity) {
                unmet.vendors.insert(vendor.config.name.clone());
            }
        }
        let trunks = snapshot.trunks.iter().filter(|trunk| is_checked(trunk.config.verify_identity));
        unmet.trunks = trunks.map(|trunk| trunk.config.name.clone()).collect();
        unmet
    }

    /// Says what was not so before.
    pub fn say_after(&self, before: &Self) {
        for vendor in self.unsigned.difference(&before.unsigned) {
            tracing::warn!(vendor, "a vendor wants calls signed, and this node has no stir.key_file");
        }
        for trunk in self.trunks.difference(&before.trunks) {
            tracing::warn!(
                trunk,
                "calls of a trunk are to be checked, and this node has no stir.authorities_file"
            );
        }
        for vendor in self.vendors.difference(&before.vendors) {
            tracing::warn!(
                vendor,
                "calls of a vendor are to be checked, and this node has no stir.authorities_file"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use runtime::config::StirOptions;
    use runtime::model::Voice;

    use super::*;
    use crate::sip::identities::testing::Pki;

    fn unmet(voice: &Voice, identities: &Identities) -> (Vec<String>, Vec<String>, Vec<String>) {
        let now = tokio::time::Instant::now().into_std();
        let snapshot = Snapshot::new(voice.clone(), None, &|_| Vec::new(), now);
        let Unmet { unsigned, trunks, vendors } = Unmet::of(&snapshot, identities);
        let list = |names: BTreeSet<String>| Vec::from_iter(names);
        (list(unsigned), list(trunks), list(vendors))
    }

    #[test]
    fn what_a_node_has_no_files_for() {
        let pki = Pki::new();
        let nothing = Identities::default();
        let all = Identities::open(&pki.options()).unwrap();
        let no_key = StirOptions { key_file: "".into(), certificate_file: "".into(), ..pki.options() };
        let no_key = Identities::open(&no_key).unwrap();
        let no_authorities = StirOptions { authorities_file: "".into(), ..pki.options() };
        let no_authorities = Identities::open(&no_authorities).unwrap();
        let mut voice = crate::sip::testing::voice();
        let none = || (Vec::new(), Vec::new(), Vec::new());
        assert_eq!(unmet(&voice, &nothing), none(), "nobody wants any of it");
        voice.vendors[0].sign_calls = true;
        voice.vendors[1].verify_identity = VerifyIdentity::Note;
        voice.trunks[0].verify_identity = VerifyIdentity::Refuse;
        let name = |at: usize| vec![voice.vendors[at].name.clone()];
        let trunk = vec![voice.trunks[0].name.clone()];
        for (identities, expected) in [
            (&nothing, (name(0), trunk.clone(), name(1))),
            (&no_key, (name(0), Vec::new(), Vec::new())),
            (&no_authorities, (Vec::new(), trunk, name(1))),
            (&all, none()),
        ] {
            assert_eq!(unmet(&voice, identities), expected, "{identities:?}");
        }
    }
}
