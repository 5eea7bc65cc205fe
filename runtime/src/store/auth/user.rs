//! Users and the customers that they may work for.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx_macros::FromRow;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::password::PasswordHash;
use crate::store::messaging::stored_time;
use crate::store::{
    Db, Error, ErrorKind, Sql, Tx, execute, fetch_all, fetch_optional, statements, tx_optional,
};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, email, name, user_type, active, password_hash, google_subject, last_login_at, created_at, \
             updated_at FROM auth.users ",
            $rest
        )
    };
}

statements! {
    PAGE = Sql::both(select!(
        "WHERE email > $1 AND (user_type = $2 OR $3) AND (active = $4 OR $5) \
         AND (email LIKE $6 ESCAPE '!' OR lower(name) LIKE $6 ESCAPE '!') ORDER BY email LIMIT $7"));
    BY_ID = Sql::both(select!("WHERE id = $1"));
    BY_EMAIL = Sql::both(select!("WHERE email = $1"));
    BY_GOOGLE = Sql::both(select!("WHERE google_subject = $1"));
    INSERT = Sql::both(
        "INSERT INTO auth.users (id, email, name, user_type, active, password_hash, google_subject, last_login_at, \
         created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
    UPDATE = Sql::both(
        "UPDATE auth.users SET name = $2, user_type = $3, active = $4, password_hash = $5, google_subject = $6, \
         last_login_at = $7, updated_at = $8 WHERE id = $1");
    ENTER = Sql::both(
        "UPDATE auth.users SET last_login_at = $2, google_subject = $3 WHERE id = $1 AND active AND updated_at = $4");
    /// Taken by whoever may take the last of something away: so that two nodes do not both find one left.
    TURN = Sql::both("UPDATE auth.version SET version = version WHERE id = 1");
    SUPER_ADMINS = Sql::both(
        "SELECT count(*) FROM auth.users u WHERE u.user_type = 'superAdmin' AND u.active \
         AND NOT EXISTS (SELECT 1 FROM auth.user_customer_access a WHERE a.user_id = u.id)");
    ACCESS_COUNT = Sql::both("SELECT count(*) FROM auth.user_customer_access WHERE user_id = $1");
    ACCESS_TO = Sql::both(
        "SELECT permissions FROM auth.user_customer_access WHERE user_id = $1 AND customer_id = $2");
    ACCESS = Sql::both(
        "SELECT customer_id, permissions FROM auth.user_customer_access WHERE user_id = $1 ORDER BY customer_id");
    GRANT = Sql::both(
        "INSERT INTO auth.user_customer_access (user_id, customer_id, permissions, created_at) \
         VALUES ($1, $2, $3, $4) ON CONFLICT (user_id, customer_id) DO UPDATE SET permissions = excluded.permissions");
    REVOKE = Sql::both("DELETE FROM auth.user_customer_access WHERE user_id = $1 AND customer_id = $2");
}

/// Somebody who may log in.
#[derive(Debug, Clone)]
pub struct User {
    /// Primary key.
    pub id: Uuid,
    /// Lowercase; the name at login.
    pub email: String,
    /// For people.
    pub name: String,
    /// Its type's name.
    pub user_type: String,
    /// False: every login and token is refused.
    pub active: bool,
    /// None: it logs in by Google alone.
    pub password: Option<PasswordHash>,
    /// Google's id of it, known after its first login there.
    pub google_subject: Option<String>,
    /// Its last login.
    pub last_login_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// A customer that a user may work for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The customer.
    pub customer: Uuid,
    /// What it may do there; empty is what its type may.
    pub permissions: Vec<String>,
}

#[derive(FromRow)]
struct Record {
    id: Uuid,
    email: String,
    name: String,
    user_type: String,
    active: bool,
    password_hash: Option<String>,
    google_subject: Option<String>,
    last_login_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Record> for User {
    type Error = Error;

    fn try_from(row: Record) -> Result<Self, Error> {
        let password = row.password_hash.map(|hash| hash.parse::<PasswordHash>()).transpose();
        let password = password.map_err(|_| {
            Error::new(ErrorKind::Other, format!("the password hash of user {} is not one", row.id))
        })?;
        Ok(Self {
            id: row.id,
            email: row.email,
            name: row.name,
            user_type: row.user_type,
            active: row.active,
            password,
            google_subject: row.google_subject,
            last_login_at: row.last_login_at.map(Timestamp::from),
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        })
    }
}

/// Which users of a list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    /// Part of the address or the name, in any case.
    pub search: Option<&'a str>,
    /// Of this type.
    pub user_type: Option<&'a str>,
    /// Active, or not.
    pub active: Option<bool>,
    /// The address after which the page begins.
    pub after: Option<&'a str>,
}

/// Users in the order of their addresses, at most `limit`.
///
/// # Errors
/// When the database cannot be asked, or a row holds what this program does not know.
pub async fn page(db: &Db, filter: &Filter<'_>, limit: u32) -> Result<Vec<User>, Error> {
    let rows: Vec<Record> = fetch_all!(
        db,
        Record,
        PAGE,
        filter.after.unwrap_or_default().to_owned(),
        filter.user_type.unwrap_or_default().to_owned(),
        filter.user_type.is_none(),
        filter.active.unwrap_or_default(),
        filter.active.is_none(),
        containing(filter.search.unwrap_or_default()),
        i64::from(limit),
    )?;
    rows.into_iter().map(User::try_from).collect()
}

/// What LIKE finds this text by, wherever it stands; an exclamation mark escapes.
fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for character in text.to_lowercase().chars() {
        if matches!(character, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

/// One user.
///
/// # Errors
/// As [`page`].
pub async fn by_id(db: &Db, id: Uuid) -> Result<Option<User>, Error> {
    let row: Option<Record> = fetch_optional!(db, Record, BY_ID, id)?;
    row.map(User::try_from).transpose()
}

/// One user as it is in this transaction.
///
/// # Errors
/// As [`page`].
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<User>, Error> {
    let row: Option<Record> = tx_optional!(tx, Record, BY_ID, id)?;
    row.map(User::try_from).transpose()
}

/// The user of an address, which is lowercase.
///
/// # Errors
/// As [`page`].
pub async fn by_email(db: &Db, email: &str) -> Result<Option<User>, Error> {
    let row: Option<Record> = fetch_optional!(db, Record, BY_EMAIL, email.to_owned())?;
    row.map(User::try_from).transpose()
}

/// Whether a user has this address, as it is in this transaction.
///
/// # Errors
/// When the database cannot be asked.
pub async fn is_known(tx: &mut Tx, email: &str) -> Result<bool, Error> {
    let row: Option<Record> = tx_optional!(tx, Record, BY_EMAIL, email.to_owned())?;
    Ok(row.is_some())
}

/// The user whom Google knows by this id.
///
/// # Errors
/// As [`page`].
pub async fn by_google_subject(db: &Db, subject: &str) -> Result<Option<User>, Error> {
    let row: Option<Record> = fetch_optional!(db, Record, BY_GOOGLE, subject.to_owned())?;
    row.map(User::try_from).transpose()
}

/// Adds a user.
///
/// # Errors
/// [`ErrorKind::Constraint`] when its address is taken.
pub async fn insert(tx: &mut Tx, user: &User) -> Result<(), Error> {
    execute!(
        tx,
        INSERT,
        user.id,
        user.email.clone(),
        user.name.clone(),
        user.user_type.clone(),
        user.active,
        user.password.as_ref().map(|hash| hash.as_str().to_owned()),
        user.google_subject.clone(),
        user.last_login_at.map(stored_time),
        stored_time(user.created_at),
        stored_time(user.updated_at),
    )?;
    Ok(())
}

/// Writes a user as it is to be; its address stays.
///
/// # Errors
/// When the database refuses.
pub async fn update(tx: &mut Tx, user: &User) -> Result<(), Error> {
    execute!(
        tx,
        UPDATE,
        user.id,
        user.name.clone(),
        user.user_type.clone(),
        user.active,
        user.password.as_ref().map(|hash| hash.as_str().to_owned()),
        user.google_subject.clone(),
        user.last_login_at.map(stored_time),
        stored_time(user.updated_at),
    )?;
    Ok(())
}

/// Notes a login, and Google's id of the user where it is new; false when the user was changed after it was read, or
/// may not log in.
///
/// # Errors
/// When the database refuses.
pub async fn enter(tx: &mut Tx, user: &User, now: Timestamp) -> Result<bool, Error> {
    let (now, read) = (stored_time(now), stored_time(user.updated_at));
    Ok(execute!(tx, ENTER, user.id, now, user.google_subject.clone(), read)? > 0)
}

/// How many active superAdmins there are that no row of access narrows. Until its end no other transaction is told.
///
/// # Errors
/// When the database refuses.
pub async fn super_admins(tx: &mut Tx) -> Result<i64, Error> {
    execute!(tx, TURN)?;
    let row: Option<(i64,)> = tx_optional!(tx, (i64,), SUPER_ADMINS)?;
    Ok(row.map_or(0, |(count,)| count))
}

/// Whether a user works for single customers.
///
/// # Errors
/// When the database refuses.
pub async fn is_narrowed(tx: &mut Tx, user: Uuid) -> Result<bool, Error> {
    let row: Option<(i64,)> = tx_optional!(tx, (i64,), ACCESS_COUNT, user)?;
    Ok(row.is_some_and(|(count,)| count > 0))
}

/// What a user may do for one customer, as it is in this transaction.
///
/// # Errors
/// When the database refuses.
pub async fn access_to(tx: &mut Tx, user: Uuid, customer: Uuid) -> Result<Option<Access>, Error> {
    type Row = (Json<Vec<String>>,);
    let row: Option<Row> = tx_optional!(tx, Row, ACCESS_TO, user, customer)?;
    Ok(row.map(|(Json(permissions),)| Access { customer, permissions }))
}

/// The customers that a user may work for.
///
/// # Errors
/// When the database cannot be asked.
pub async fn access(db: &Db, user: Uuid) -> Result<Vec<Access>, Error> {
    type Row = (Uuid, Json<Vec<String>>);
    let rows: Vec<Row> = fetch_all!(db, Row, ACCESS, user)?;
    Ok(rows.into_iter().map(|(customer, Json(permissions))| Access { customer, permissions }).collect())
}

/// Lets a user work for a customer, or changes what it may do there.
///
/// # Errors
/// [`ErrorKind::Constraint`] when there is no such user or customer.
pub async fn grant(tx: &mut Tx, user: Uuid, access: &Access, now: Timestamp) -> Result<(), Error> {
    execute!(tx, GRANT, user, access.customer, Json(access.permissions.clone()), stored_time(now))?;
    Ok(())
}

/// Ends a user's work for a customer; false when it did not work for it.
///
/// # Errors
/// When the database refuses.
pub async fn revoke(tx: &mut Tx, user: Uuid, customer: Uuid) -> Result<bool, Error> {
    Ok(execute!(tx, REVOKE, user, customer)? > 0)
}
