//! Parts of the configuration data, read again one by one.

/// Parts of the configuration data, a bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parts(i64);

impl Parts {
    /// Nothing.
    pub const NOTHING: Self = Self(0);
    /// `accounts.customers`.
    pub const CUSTOMERS: Self = Self(1);
    /// `accounts.trunk_ips`.
    pub const ACL: Self = Self(1 << 1);
    /// `voice.vendor_rates`.
    pub const RATES: Self = Self(1 << 2);
    /// `voice.dids`.
    pub const NUMBERS: Self = Self(1 << 3);
    /// `messaging.esme_accounts`.
    pub const ACCOUNTS: Self = Self(1 << 4);
    /// `messaging.routes`.
    pub const ROUTES: Self = Self(1 << 5);
    /// Everything else, of which there is little: trunks, vendors, partitions, webhooks, limits.
    pub const OTHERS: Self = Self(1 << 6);
    /// `voice.media_nodes`.
    pub const MEDIA_NODES: Self = Self(1 << 7);
    /// Everything. For what changes several tables, or one with others that go with it.
    pub const ALL: Self = Self((1 << COUNT) - 1);

    /// These and those.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The bits, as the database has them.
    #[must_use]
    pub const fn bits(self) -> i64 {
        self.0
    }

    /// Whether all of `other` are among these.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Whether any of `other` is among these.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

const COUNT: usize = 8;

/// At which version each part changed last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions([i64; COUNT]);

/// Of who knows nothing yet.
impl Default for Versions {
    fn default() -> Self {
        Self([-1; COUNT])
    }
}

/// From rows of a part and its version; parts that this program does not know are none.
impl FromIterator<(i64, i64)> for Versions {
    fn from_iter<T: IntoIterator<Item = (i64, i64)>>(rows: T) -> Self {
        let mut versions = Self::default();
        for (part, version) in rows {
            let known = versions.0.iter_mut().enumerate().find(|(bit, _)| 1 << bit == part);
            known.into_iter().for_each(|(_, known)| *known = version);
        }
        versions
    }
}

impl Versions {
    /// Has these parts read again, whether they change or not.
    pub fn forget(&mut self, parts: Parts) {
        let of = |bit: usize| parts.has(Parts(1 << bit));
        let known = self.0.iter_mut().enumerate().filter(|(bit, _)| of(*bit));
        known.for_each(|(_, known)| *known = -1);
    }

    /// Whether the version of every part is known.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.0.iter().all(|version| *version >= 0)
    }

    /// Which parts are others than they were at `known`.
    #[must_use]
    pub fn changed_since(&self, known: &Self) -> Parts {
        let pairs = self.0.iter().zip(known.0).enumerate();
        let bits = pairs.map(|(bit, (now, before))| if *now == before { 0 } else { 1 << bit });
        Parts(bits.fold(0, |all, bit: i64| all | bit))
    }
}
