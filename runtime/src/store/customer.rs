//! Customers and the notes about them, as the interface shows them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use sqlx_macros::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

use super::messaging::stored_time;
use super::{Db, Error, ErrorKind, Sql, Tx, execute, fetch_all, fetch_optional, statements, tx_optional};
use crate::clock::Timestamp;
use crate::model::{Ban, Money};

/// Columns of a customer, in the order of `Record`.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, ban, company_name, status, type AS kind, services, credit_limit, current_balance, currency, \
             tier, hubspot_company_id, created_at, updated_at FROM accounts.customers ",
            $rest
        )
    };
}

statements! {
    ALL_CUSTOMERS = Sql::both(select!(""));
    SINCE = Sql::both(select!("WHERE updated_at >= $1"));
    BY_ID = Sql::both(select!("WHERE id = $1"));
    INSERT = Sql::both(
        "INSERT INTO accounts.customers (id, ban, company_name, status, type, services, credit_limit, \
         current_balance, currency, tier, hubspot_company_id, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)");
    INSERT_CONFIG = Sql::both(
        "INSERT INTO messaging.customer_config (customer_id, throughput, outbox_max, updated_at) \
         VALUES ($1, 0, 1000000, $2)");
    UPDATE = Sql::both(
        "UPDATE accounts.customers SET company_name = $2, status = $3, type = $4, services = $5, credit_limit = $6, \
         currency = $7, tier = $8, hubspot_company_id = $9, updated_at = $10 WHERE id = $1");
    NOTES = Sql::both(
        "SELECT id, author, text, created_at FROM accounts.customer_notes WHERE customer_id = $1 AND id < $2 \
         ORDER BY id DESC LIMIT $3");
    INSERT_NOTE = Sql::both(
        "INSERT INTO accounts.customer_notes (id, customer_id, author, text, created_at) VALUES ($1, $2, $3, $4, $5)");
    NOTE = Sql::both(
        "SELECT id, author, text, created_at FROM accounts.customer_notes WHERE id = $1 AND customer_id = $2");
    DELETE_NOTE = Sql::both("DELETE FROM accounts.customer_notes WHERE id = $1 AND customer_id = $2");
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        pub enum $name {
            // utoipa does not see serde's word where a macro hands it on.
            $(#[doc = $word] #[serde(rename = $word)] #[schema(rename = $word)] $variant,)+
        }

        impl $name {
            /// The word in JSON and the database.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            fn read(word: &str) -> Result<Self, Error> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    other => Err(Error::new(ErrorKind::Other, format!("a customer's {other:?} is not known here"))),
                }
            }
        }
    };
}

words! {
    /// Whether a customer is served.
    Status { Active = "ACTIVE", Trial = "TRIAL", Suspended = "SUSPENDED", }
}
words! {
    /// How a customer pays.
    PaymentType { Prepaid = "PREPAID", Postpaid = "POSTPAID", }
}
words! {
    /// What a customer buys.
    Service { Voice = "Voice", Messaging = "Messaging", TelecomData = "Telecom Data", }
}
words! {
    /// Premium customers have addresses of their own.
    Tier { Standard = "STANDARD", Premium = "PREMIUM", }
}

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Customer {
    /// Primary key.
    pub id: Uuid,
    /// Billing account number; it never changes.
    pub ban: Ban,
    /// Name for people.
    #[schema(example = "Acme Telecom")]
    pub company_name: String,
    /// ACTIVE and TRIAL customers are served.
    pub status: Status,
    /// How it pays.
    #[serde(rename = "type")]
    pub kind: PaymentType,
    /// What it buys.
    pub services: Vec<Service>,
    /// What it may owe.
    pub credit_limit: Money,
    /// What it has left; below zero is what it owes.
    pub current_balance: Money,
    /// ISO 4217.
    #[schema(example = "USD", pattern = "^[A-Z]{3}$")]
    pub currency: String,
    /// Whether it may have addresses of its own.
    pub tier: Tier,
    /// Its company in HubSpot.
    pub hubspot_company_id: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

#[derive(FromRow)]
struct Record {
    id: Uuid,
    ban: String,
    company_name: String,
    status: String,
    kind: String,
    services: Json<Vec<String>>,
    credit_limit: i64,
    current_balance: i64,
    currency: String,
    tier: String,
    hubspot_company_id: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Record> for Customer {
    type Error = Error;

    fn try_from(row: Record) -> Result<Self, Error> {
        // A provisioning file may name services that are no product of ours.
        let services = row.services.0.iter().filter_map(|service| Service::read(service).ok());
        Ok(Self {
            id: row.id,
            ban: row.ban.parse()?,
            company_name: row.company_name,
            status: Status::read(&row.status)?,
            kind: PaymentType::read(&row.kind)?,
            services: services.collect(),
            credit_limit: Money::from_nanos(row.credit_limit),
            current_balance: Money::from_nanos(row.current_balance),
            currency: row.currency,
            tier: Tier::read(&row.tier)?,
            hubspot_company_id: row.hubspot_company_id,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        })
    }
}

/// Every customer.
///
/// # Errors
/// When the database cannot be asked, or a row holds what this program does not know.
pub async fn all(db: &Db) -> Result<Vec<Customer>, Error> {
    let rows: Vec<Record> = fetch_all!(db, Record, ALL_CUSTOMERS)?;
    rows.into_iter().map(Customer::try_from).collect()
}

/// Customers that were written at this time or later.
///
/// # Errors
/// As [`all`].
pub async fn since(db: &Db, at: Timestamp) -> Result<Vec<Customer>, Error> {
    let rows: Vec<Record> = fetch_all!(db, Record, SINCE, stored_time(at))?;
    rows.into_iter().map(Customer::try_from).collect()
}

/// One customer as it is in this transaction.
///
/// # Errors
/// As [`all`].
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<Customer>, Error> {
    let row: Option<Record> = tx_optional!(tx, Record, BY_ID, id)?;
    row.map(Customer::try_from).transpose()
}

/// Adds a customer, with the messaging limits that a new one has.
///
/// # Errors
/// [`ErrorKind::Constraint`] when its BAN is taken.
pub async fn insert(tx: &mut Tx, customer: &Customer) -> Result<(), Error> {
    let services: Vec<&str> = customer.services.iter().map(|service| service.as_str()).collect();
    execute!(
        tx,
        INSERT,
        customer.id,
        customer.ban.as_str().to_owned(),
        customer.company_name.clone(),
        customer.status.as_str(),
        customer.kind.as_str(),
        Json(services.clone()),
        customer.credit_limit.nanos(),
        customer.current_balance.nanos(),
        customer.currency.clone(),
        customer.tier.as_str(),
        customer.hubspot_company_id.clone(),
        stored_time(customer.created_at),
        stored_time(customer.updated_at),
    )?;
    execute!(tx, INSERT_CONFIG, customer.id, stored_time(customer.updated_at))?;
    Ok(())
}

/// Writes a customer as it is to be; BAN and balance stay what they are.
///
/// # Errors
/// When the database refuses.
pub async fn update(tx: &mut Tx, customer: &Customer) -> Result<(), Error> {
    let services: Vec<&str> = customer.services.iter().map(|service| service.as_str()).collect();
    execute!(
        tx,
        UPDATE,
        customer.id,
        customer.company_name.clone(),
        customer.status.as_str(),
        customer.kind.as_str(),
        Json(services.clone()),
        customer.credit_limit.nanos(),
        customer.currency.clone(),
        customer.tier.as_str(),
        customer.hubspot_company_id.clone(),
        stored_time(customer.updated_at),
    )?;
    Ok(())
}

/// What somebody wrote about a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Note {
    /// Primary key, a UUID of version 7: notes are in order of time.
    pub id: Uuid,
    /// Who wrote it.
    #[schema(example = "user:maria@example.net")]
    pub author: String,
    /// What.
    #[schema(example = "Wants a second trunk in March.")]
    pub text: String,
    /// When.
    pub created_at: Timestamp,
}

type NoteRecord = (Uuid, String, String, DateTime<Utc>);

fn note((id, author, text, created_at): NoteRecord) -> Note {
    Note { id, author, text, created_at: created_at.into() }
}

/// Notes about a customer before the note `before`, the newest first.
///
/// # Errors
/// When the database cannot be asked.
pub async fn notes(db: &Db, customer: Uuid, before: Option<Uuid>, limit: u32) -> Result<Vec<Note>, Error> {
    let before = before.unwrap_or(Uuid::max());
    let rows: Vec<NoteRecord> = fetch_all!(db, NoteRecord, NOTES, customer, before, i64::from(limit))?;
    Ok(rows.into_iter().map(note).collect())
}

/// One note about this customer.
///
/// # Errors
/// When the database cannot be asked.
pub async fn get_note(db: &Db, customer: Uuid, id: Uuid) -> Result<Option<Note>, Error> {
    let row: Option<NoteRecord> = fetch_optional!(db, NoteRecord, NOTE, id, customer)?;
    Ok(row.map(note))
}

/// Adds a note.
///
/// # Errors
/// When the database refuses.
pub async fn insert_note(tx: &mut Tx, customer: Uuid, note: &Note) -> Result<(), Error> {
    let Note { id, author, text, created_at } = note;
    execute!(tx, INSERT_NOTE, *id, customer, author.clone(), text.clone(), stored_time(*created_at))?;
    Ok(())
}

/// Takes a note away; gives it, or none when there is no such note about this customer.
///
/// # Errors
/// When the database refuses.
pub async fn delete_note(tx: &mut Tx, customer: Uuid, id: Uuid) -> Result<Option<Note>, Error> {
    let row: Option<NoteRecord> = tx_optional!(tx, NoteRecord, NOTE, id, customer)?;
    if row.is_some() {
        execute!(tx, DELETE_NOTE, id, customer)?;
    }
    Ok(row.map(note))
}
