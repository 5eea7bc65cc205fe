//! Whoever was let in: what he may do, and for which customers.

use std::sync::Arc;

use runtime::store::auth::UserType;
use runtime::store::auth::user::{Access, User};
use uuid::Uuid;

use crate::permission::{Permission, Permissions};

/// Somebody who was let in. Made by the gate alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Principal {
    /// As the audit names it: `user:maria@example.net`, `key:warp_k3J9…`, `bootstrap`, `control`.
    pub(crate) name: String,
    /// One of the platform's own people or programs.
    pub(crate) operator: bool,
    /// Who it is, where it is a user.
    pub(crate) user: Option<Uuid>,
    /// Its login, where it is a user.
    pub(crate) session: Option<Uuid>,
    /// The type of the user; of programs that of their like.
    pub(crate) user_type: String,
    pub(super) grants: Grants,
}

/// Where a principal may do what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Grants {
    /// The platform and all its customers.
    Everywhere(Permissions),
    /// These customers alone.
    For(Vec<(Uuid, Permissions)>),
}

/// The customers whose data a request may touch. Only a principal gives one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tenant(Customers);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Customers {
    All,
    These(Arc<[Uuid]>),
}

impl Tenant {
    /// Whether a customer's data may be touched.
    pub(crate) fn has(&self, customer: Uuid) -> bool {
        match &self.0 {
            Customers::All => true,
            Customers::These(ids) => ids.contains(&customer),
        }
    }

    /// Whether something of this customer, or of the platform, may be touched.
    pub(crate) fn has_maybe(&self, customer: Option<Uuid>) -> bool {
        match customer {
            Some(customer) => self.has(customer),
            None => self.0 == Customers::All,
        }
    }

    /// Which customers; None is all.
    pub(crate) fn customers(&self) -> Option<&[Uuid]> {
        match &self.0 {
            Customers::All => None,
            Customers::These(ids) => Some(ids),
        }
    }
}

impl Principal {
    /// The node's own user, by the control socket.
    pub(crate) fn control() -> Self {
        Self::superuser("control")
    }

    /// Who has the token of the data directory.
    pub(crate) fn bootstrap() -> Self {
        Self::superuser("bootstrap")
    }

    /// Who asks where nobody needs to be known.
    pub(crate) fn nobody() -> Self {
        let grants = Grants::For(Vec::new());
        Self { grants, operator: false, user_type: String::new(), ..Self::superuser("nobody") }
    }

    /// A user, by its type and the customers that it may work for. Who has such customers has no other.
    pub(super) fn user(user: &User, session: Uuid, user_type: &UserType, access: &[Access]) -> Self {
        let own = if user_type.name == SUPER_ADMIN {
            Permissions::all()
        } else {
            Permissions::named(&user_type.permissions)
        };
        let of = |access: &Access| {
            let narrowed = Permissions::named(&access.permissions);
            (access.customer, if access.permissions.is_empty() { own } else { narrowed })
        };
        let everywhere = user_type.operator && access.is_empty();
        let grants =
            if everywhere { Grants::Everywhere(own) } else { Grants::For(access.iter().map(of).collect()) };
        Self {
            name: format!("user:{}", user.email),
            operator: user_type.operator,
            user: Some(user.id),
            session: Some(session),
            user_type: user_type.name.clone(),
            grants,
        }
    }

    fn superuser(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            operator: true,
            user: None,
            session: None,
            user_type: SUPER_ADMIN.to_owned(),
            grants: Grants::Everywhere(Permissions::all()),
        }
    }

    /// Whether it may do something to the platform itself.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.operator
            && matches!(&self.grants, Grants::Everywhere(permissions) if permissions.has(permission))
    }

    /// Whether it may do something for this customer.
    pub(crate) fn may_for(&self, customer: Uuid, permission: Permission) -> bool {
        self.permissions_for(customer).has(permission)
    }

    /// What it may do for this customer.
    pub(crate) fn permissions_for(&self, customer: Uuid) -> Permissions {
        match &self.grants {
            Grants::Everywhere(permissions) => *permissions,
            Grants::For(customers) => {
                let own = customers.iter().find(|(id, _)| *id == customer);
                own.map_or(Permissions::NONE, |(_, permissions)| *permissions)
            }
        }
    }

    /// What it may do on the platform and for every customer.
    pub(crate) fn everywhere(&self) -> Permissions {
        if let Grants::Everywhere(permissions) = self.grants { permissions } else { Permissions::NONE }
    }

    /// What it may do for single customers.
    pub(crate) fn customers(&self) -> impl Iterator<Item = (Uuid, Permissions)> {
        let customers: &[(Uuid, Permissions)] =
            if let Grants::For(customers) = &self.grants { customers } else { &[] };
        customers.iter().copied()
    }

    /// What it may do at all, somewhere.
    pub(crate) fn permissions(&self) -> Permissions {
        match &self.grants {
            Grants::Everywhere(permissions) => *permissions,
            Grants::For(customers) => {
                customers.iter().fold(Permissions::NONE, |all, (_, permissions)| all.with(*permissions))
            }
        }
    }

    /// The customers for which it may do this; none where there is none.
    pub(crate) fn tenant(&self, permission: Permission) -> Option<Tenant> {
        match &self.grants {
            Grants::Everywhere(permissions) => permissions.has(permission).then_some(Tenant(Customers::All)),
            Grants::For(customers) => {
                let own = customers.iter().filter(|(_, permissions)| permissions.has(permission));
                let own: Arc<[Uuid]> = own.map(|(id, _)| *id).collect();
                (!own.is_empty()).then_some(Tenant(Customers::These(own)))
            }
        }
    }
}

/// The type that may do everything.
pub(crate) const SUPER_ADMIN: &str = "superAdmin";
