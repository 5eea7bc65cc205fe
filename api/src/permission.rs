//! What may be done: `resource:action`.

use std::fmt;

macro_rules! permissions {
    ($($variant:ident = $name:literal, $description:literal;)+) => {
        /// One thing that may be done. Denied unless it is granted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Permission {
            $(#[doc = $description] $variant,)+
        }

        impl Permission {
            /// All of them, in the order of their names.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)+];

            /// `resource:action`.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// For people.
            pub(crate) const fn description(self) -> &'static str {
                match self { $(Self::$variant => $description,)+ }
            }
        }
    };
}

permissions! {
    AccountsManage = "accounts:manage", "Make, change and delete ESME accounts";
    AccountsRead = "accounts:read", "See ESME accounts";
    ActorsManage = "actors:manage", "Restart and drain actors";
    ActorsRead = "actors:read", "See the tree of actors";
    ApiKeysManage = "api_keys:manage", "Make and revoke API keys";
    ApiKeysRead = "api_keys:read", "See API keys";
    AuditRead = "audit:read", "See who changed what";
    CallsManage = "calls:manage", "End calls";
    CallsRead = "calls:read", "See calls and their records";
    CrmManage = "crm:manage", "Synchronise with the CRM";
    CrmRead = "crm:read", "See the state of the CRM's synchronisation";
    CustomersManage = "customers:manage", "Make and change customers";
    CustomersRead = "customers:read", "See customers";
    DashboardRead = "dashboard:read", "See the dashboard";
    DidsManage = "dids:manage", "Stock, assign and release numbers";
    DidsRead = "dids:read", "See numbers";
    ExplainRead = "explain:read", "Ask where a call or message would go";
    MediaManage = "media:manage", "Make, change and delete media nodes";
    MediaRead = "media:read", "See media nodes";
    MessagesRead = "messages:read", "See messages and their records";
    MessagesSend = "messages:send", "Send messages";
    NetworkRead = "network:read", "See addresses that peers must allow";
    PartitionsManage = "partitions:manage", "Change partitions and their vendors";
    PartitionsRead = "partitions:read", "See partitions and their vendors";
    RoutesManage = "routes:manage", "Change routes of messages";
    RoutesRead = "routes:read", "See routes of messages";
    SmppManage = "smpp:manage", "Close SMPP sessions, reconnect vendors";
    SmppRead = "smpp:read", "See SMPP sessions and vendors' binds";
    TrunksManage = "trunks:manage", "Make, change and delete trunks and dedicated addresses";
    TrunksRead = "trunks:read", "See trunks and their sources";
    TrunksWrite = "trunks:write", "Change the sources of trunks";
    UsersManage = "users:manage", "Invite users, change what they may do";
    UsersRead = "users:read", "See users and what they may do";
    VendorsManage = "vendors:manage", "Change vendors and rates";
    VendorsRead = "vendors:read", "See vendors and rates";
    WebhooksManage = "webhooks:manage", "Say where receipts and messages are posted to";
    WebhooksRead = "webhooks:read", "See where receipts and messages are posted to";
}

impl Permission {
    /// The permission of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|permission| permission.name() == name)
    }

    const fn bit(self) -> u64 {
        1 << (self as u8)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Permissions(u64);

impl Permissions {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn all() -> Self {
        Permission::ALL.iter().copied().collect()
    }

    /// Names that no permission has are left out: a later program may have written them.
    pub(crate) fn named<'a>(names: impl IntoIterator<Item = &'a String>) -> Self {
        names.into_iter().filter_map(|name| Permission::named(name)).collect()
    }

    pub(crate) const fn has(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether everything of `other` is in it.
    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) fn names(self) -> Vec<&'static str> {
        let own = Permission::ALL.iter().filter(|permission| self.has(**permission));
        own.map(|permission| permission.name()).collect()
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | permission.bit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_read_back() {
        assert!(Permission::ALL.is_sorted_by_key(|permission| permission.name()));
        assert!(Permission::ALL.len() <= 64, "they are bits of one number");
        for permission in Permission::ALL {
            assert_eq!(Permission::named(permission.name()), Some(*permission));
            assert!(Permissions::all().has(*permission));
            assert!(!Permissions::NONE.has(*permission));
        }
    }

    #[test]
    fn a_name_of_a_later_program_grants_nothing() {
        let names = ["calls:read".to_owned(), "calls:listen".to_owned()];
        assert_eq!(Permissions::named(&names).names(), ["calls:read"]);
    }
}
