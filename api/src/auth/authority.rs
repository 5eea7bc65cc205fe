//! Who may make and change whom: nobody gives what he has not, and nobody touches who may do more than he.

use runtime::store::auth::UserType;
use runtime::store::auth::user::Access;

use super::principal::{Principal, SUPER_ADMIN};
use crate::permission::Permissions;
use crate::problem::{Code, Problem};

/// Whether a principal may make, or change, a user of this type with these customers.
pub(crate) fn over(principal: &Principal, user_type: &UserType, access: &[Access]) -> Result<(), Problem> {
    if principal.user_type == SUPER_ADMIN && principal.everywhere() == Permissions::all() {
        return Ok(());
    }
    if user_type.name == SUPER_ADMIN {
        return Err(Problem::new(Code::Forbidden, "a superAdmin is made and changed by a superAdmin alone"));
    }
    let theirs = Permissions::named(&user_type.permissions);
    let theirs = access.iter().fold(theirs, |all, one| all.with(Permissions::named(&one.permissions)));
    if principal.everywhere().contains(theirs) {
        return Ok(());
    }
    Err(Problem::new(Code::Forbidden, "nobody gives what he has not, or changes who may do more than he"))
}

#[cfg(test)]
mod tests {
    use runtime::clock::Timestamp;
    use runtime::store::auth::user::User;
    use uuid::Uuid;

    use super::*;

    fn user_type(name: &str, permissions: &[&str]) -> UserType {
        UserType {
            name: name.to_owned(),
            operator: name != "user",
            description: String::new(),
            permissions: permissions.iter().map(|permission| (*permission).to_owned()).collect(),
        }
    }

    fn access(permissions: &[&str]) -> Access {
        let permissions = permissions.iter().map(|permission| (*permission).to_owned()).collect();
        Access { customer: Uuid::from_u128(1), permissions }
    }

    fn principal(user_type: &UserType, access: &[Access]) -> Principal {
        let user = User {
            id: Uuid::from_u128(2),
            email: "maria@example.net".to_owned(),
            name: "Maria".to_owned(),
            user_type: user_type.name.clone(),
            active: true,
            password: None,
            google_subject: None,
            last_login_at: None,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
        };
        Principal::user(&user, Uuid::from_u128(3), user_type, access)
    }

    #[test]
    fn nobody_rises_by_another() {
        let root = user_type(SUPER_ADMIN, &[]);
        let admin = user_type("admin", &["calls:read", "users:manage"]);
        let user = user_type("user", &["calls:read"]);
        let stronger = user_type("user", &["calls:read", "vendors:manage"]);
        let narrowed = principal(&root, &[access(&[])]);
        for (who, whom, with, may) in [
            (&principal(&root, &[]), &root, vec![], true),
            (&principal(&root, &[]), &admin, vec![], true),
            (&Principal::bootstrap(), &root, vec![], true),
            (&principal(&admin, &[]), &root, vec![], false),
            (&principal(&admin, &[]), &admin, vec![], true),
            (&principal(&admin, &[]), &user, vec![], true),
            (&principal(&admin, &[]), &stronger, vec![], false),
            (&principal(&admin, &[]), &user, vec![access(&["users:manage"])], true),
            (&principal(&admin, &[]), &user, vec![access(&["vendors:manage"])], false),
            (&principal(&user, &[access(&[])]), &user, vec![], false),
            (&narrowed, &root, vec![], false),
            (&narrowed, &user, vec![], false),
            (&Principal::nobody(), &user, vec![], false),
        ] {
            let verdict = over(who, whom, &with);
            assert_eq!(verdict.is_ok(), may, "{} over {} {with:?}", who.user_type, whom.name);
        }
    }
}
