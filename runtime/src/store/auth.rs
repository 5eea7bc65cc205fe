//! Who may use the interface: users and their types, sessions, API keys, invitations, the keys of access tokens.

pub mod api_key;
pub mod invitation;
pub mod session;
pub mod signing_key;
pub mod user;

use super::{Db, Error, Sql, Tx, execute, fetch_all, fetch_optional, statements};

statements! {
    VERSION = Sql::both("SELECT version FROM auth.version WHERE id = 1");
    TYPES = Sql::both("SELECT name, operator, description FROM auth.user_types ORDER BY name");
    TYPE_PERMISSIONS = Sql::both("SELECT user_type, permission FROM auth.user_type_permissions");
    FORGET_TYPE_PERMISSIONS = Sql::both("DELETE FROM auth.user_type_permissions WHERE user_type = $1");
    INSERT_TYPE_PERMISSION = Sql::both(
        "INSERT INTO auth.user_type_permissions (user_type, permission) VALUES ($1, $2)");
    PERMISSIONS = Sql::both("SELECT permission, description FROM auth.permission_metadata ORDER BY permission");
}

/// Grows with every change of who may do what: nodes that see another one forget the tokens that they know.
///
/// # Errors
/// When the database cannot be asked.
pub async fn version(db: &Db) -> Result<i64, Error> {
    let row: Option<(i64,)> = fetch_optional!(db, (i64,), VERSION)?;
    Ok(row.map_or(0, |(version,)| version))
}

/// A type of users: what they may do unless a customer's row says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserType {
    /// `superAdmin`, `admin`, `user`.
    pub name: String,
    /// True: of the platform's own people; sees every customer that no row of access narrows it to.
    pub operator: bool,
    /// For people.
    pub description: String,
    /// What it may do.
    pub permissions: Vec<String>,
}

/// Every type of users.
///
/// # Errors
/// When the database cannot be asked.
pub async fn user_types(db: &Db) -> Result<Vec<UserType>, Error> {
    let types: Vec<(String, bool, String)> = fetch_all!(db, (String, bool, String), TYPES)?;
    let permissions: Vec<(String, String)> = fetch_all!(db, (String, String), TYPE_PERMISSIONS)?;
    let of = |name: &str| {
        let own = permissions.iter().filter(|(of, _)| of == name);
        own.map(|(_, permission)| permission.clone()).collect()
    };
    let types = types.into_iter().map(|(name, operator, description)| UserType {
        permissions: of(&name),
        name,
        operator,
        description,
    });
    Ok(types.collect())
}

/// Says what a type may do from now on.
///
/// # Errors
/// [`super::ErrorKind::Constraint`] when there is no such type, or a permission is named twice.
pub async fn set_permissions(tx: &mut Tx, user_type: &str, permissions: &[String]) -> Result<(), Error> {
    execute!(tx, FORGET_TYPE_PERMISSIONS, user_type.to_owned())?;
    for permission in permissions {
        execute!(tx, INSERT_TYPE_PERMISSION, user_type.to_owned(), permission.clone())?;
    }
    Ok(())
}

/// Every permission that the database knows, with its description.
///
/// # Errors
/// When the database cannot be asked.
pub async fn permissions(db: &Db) -> Result<Vec<(String, String)>, Error> {
    fetch_all!(db, (String, String), PERMISSIONS)
}

#[cfg(test)]
pub(super) fn statements() -> [&'static [(&'static str, &'static Sql)]; 6] {
    [ALL, api_key::ALL, invitation::ALL, session::ALL, signing_key::ALL, user::ALL]
}
