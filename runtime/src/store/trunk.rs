//! Trunks of customers, as the interface shows and changes them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::types::Json;
use sqlx_macros::FromRow;
use uuid::Uuid;

use super::messaging::{number, stored_time};
use super::provisioning::{StoredTrunk, TrunkDigest, TrunkForm, TrunkIdentity, milliseconds, next_number};
use super::{
    Db, Error, ErrorKind, Sql, Tx, containing, execute, fetch_all, fetch_optional, statements,
    trunk_credential, tx_optional,
};
use crate::clock::Timestamp;
use crate::config::HumanDuration;
use crate::model::{Gateway, HeaderRule, IdentityProfile, MediaProfile, Money, NumberRule};

/// Columns of a trunk, in the order of `Record`.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT t.id, t.number, t.name, t.customer_id, t.auth_type, t.active, t.cps, t.channels, \
             COALESCE(p.name, '') AS partition_name, t.allow_prefixes, t.deny_prefixes, t.opened_prefixes, \
             t.rate_max, t.trusted, t.hide_topology, t.max_duration, t.session_expires, t.callee_rules, \
             t.caller_rules, t.header_rules, t.gateways, t.media, t.identity, t.verify_identity, t.attestation_max, \
             t.fork, c.username, t.created_at, t.updated_at \
             FROM accounts.trunk_groups t LEFT JOIN voice.partitions p ON p.id = t.partition_id \
             LEFT JOIN accounts.trunk_credentials c ON c.trunk_group_id = t.id ",
            $rest
        )
    };
}

statements! {
    PAGE = Sql::both(select!(
        "WHERE (t.customer_id = $1 OR $2) AND t.name > $3 AND lower(t.name) LIKE $4 ESCAPE '!' \
         AND (t.active = $5 OR $6) ORDER BY t.name LIMIT $7"));
    BY_ID = Sql::both(select!("WHERE t.id = $1"));
    UPSERT = Sql::both(
        "INSERT INTO accounts.trunk_groups (id, number, name, customer_id, auth_type, active, cps, channels, \
         partition_id, allow_prefixes, deny_prefixes, opened_prefixes, rate_max, trusted, max_duration, \
         session_expires, callee_rules, caller_rules, header_rules, gateways, media, identity, verify_identity, \
         attestation_max, hide_topology, fork, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
         $22, $23, $24, $25, $26, $27, $27) \
         ON CONFLICT (name) DO UPDATE SET customer_id = excluded.customer_id, auth_type = excluded.auth_type, \
         active = excluded.active, cps = excluded.cps, channels = excluded.channels, \
         partition_id = excluded.partition_id, allow_prefixes = excluded.allow_prefixes, \
         deny_prefixes = excluded.deny_prefixes, opened_prefixes = excluded.opened_prefixes, \
         rate_max = excluded.rate_max, trusted = excluded.trusted, max_duration = excluded.max_duration, \
         session_expires = excluded.session_expires, callee_rules = excluded.callee_rules, \
         caller_rules = excluded.caller_rules, header_rules = excluded.header_rules, \
         gateways = excluded.gateways, media = excluded.media, identity = excluded.identity, \
         verify_identity = excluded.verify_identity, attestation_max = excluded.attestation_max, \
         hide_topology = excluded.hide_topology, fork = excluded.fork, \
         updated_at = excluded.updated_at");
    ID_OF = Sql::both("SELECT id FROM accounts.trunk_groups WHERE name = $1");
    PARTITION = Sql::both("SELECT id FROM voice.partitions WHERE name = $1");
    COUNT = Sql::both("SELECT COUNT(*) FROM accounts.trunk_groups WHERE customer_id = $1");
    FIRST_DID = Sql::both("SELECT number FROM voice.dids WHERE trunk_id = $1 ORDER BY number LIMIT 1");
    DELETE_SOURCES = Sql::both("DELETE FROM accounts.trunk_ips WHERE trunk_group_id = $1");
    DELETE = Sql::both("DELETE FROM accounts.trunk_groups WHERE id = $1");
}

#[derive(FromRow)]
struct Record {
    id: Uuid,
    number: i64,
    name: String,
    customer_id: Uuid,
    auth_type: String,
    active: bool,
    cps: i64,
    channels: i64,
    partition_name: String,
    allow_prefixes: Json<Vec<String>>,
    deny_prefixes: Json<Vec<String>>,
    opened_prefixes: Json<Vec<String>>,
    rate_max: Option<i64>,
    trusted: bool,
    hide_topology: bool,
    max_duration: i64,
    session_expires: i64,
    callee_rules: Json<Vec<NumberRule>>,
    caller_rules: Json<Vec<NumberRule>>,
    header_rules: Json<Vec<HeaderRule>>,
    gateways: Json<Vec<Gateway>>,
    media: Json<MediaProfile>,
    identity: Json<IdentityProfile>,
    verify_identity: String,
    attestation_max: String,
    fork: String,
    username: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Record> for StoredTrunk {
    type Error = Error;

    fn try_from(row: Record) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            number: number(row.number),
            customer: row.customer_id,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
            name: row.name,
            auth_type: row.auth_type.parse()?,
            digest: row.username.map(|username| TrunkDigest { username, password: None }),
            active: row.active,
            cps: number(row.cps),
            channels: number(row.channels),
            partition: row.partition_name,
            allow: row.allow_prefixes.0,
            deny: row.deny_prefixes.0,
            opened: row.opened_prefixes.0,
            rate_max: row.rate_max.map(Money::from_nanos),
            trusted: row.trusted,
            identity: row.identity.0,
            hide_topology: row.hide_topology,
            max_duration: duration(row.max_duration),
            session_expires: duration(row.session_expires),
            callee_rules: row.callee_rules.0,
            caller_rules: row.caller_rules.0,
            header_rules: row.header_rules.0,
            gateways: row.gateways.0,
            media: row.media.0,
            verify_identity: row.verify_identity.parse()?,
            attestation_max: row.attestation_max.parse()?,
            fork: row.fork.parse()?,
        })
    }
}

fn duration(milliseconds: i64) -> HumanDuration {
    HumanDuration::from(Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0)))
}

/// Which trunks of a list.
#[derive(Debug, Default)]
pub struct Filter<'a> {
    /// Of this customer; none: of all.
    pub customer: Option<Uuid>,
    /// Part of the name, in any case.
    pub search: Option<&'a str>,
    /// Only active ones, or only others.
    pub active: Option<bool>,
    /// The name after which the page begins; empty: the first page.
    pub after: &'a str,
}

/// Trunks in the order of their names.
///
/// # Errors
/// When the database cannot be asked, or a row holds what this program does not know.
pub async fn page(db: &Db, filter: &Filter<'_>, limit: u32) -> Result<Vec<StoredTrunk>, Error> {
    let rows: Vec<Record> = fetch_all!(
        db,
        Record,
        PAGE,
        filter.customer,
        filter.customer.is_none(),
        filter.after.to_owned(),
        containing(filter.search),
        filter.active,
        filter.active.is_none(),
        i64::from(limit),
    )?;
    rows.into_iter().map(StoredTrunk::try_from).collect()
}

/// One trunk.
///
/// # Errors
/// As [`page`].
pub async fn get(db: &Db, id: Uuid) -> Result<Option<StoredTrunk>, Error> {
    let row: Option<Record> = fetch_optional!(db, Record, BY_ID, id)?;
    row.map(StoredTrunk::try_from).transpose()
}

/// One trunk as it is in this transaction.
///
/// # Errors
/// As [`page`].
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<StoredTrunk>, Error> {
    let row: Option<Record> = tx_optional!(tx, Record, BY_ID, id)?;
    row.map(StoredTrunk::try_from).transpose()
}

/// How many trunks a customer has.
///
/// # Errors
/// When the database cannot be asked.
pub async fn count(tx: &mut Tx, customer: Uuid) -> Result<i64, Error> {
    let row: Option<(i64,)> = tx_optional!(tx, (i64,), COUNT, customer)?;
    Ok(row.map_or(0, |(count,)| count))
}

/// The partition of a name.
///
/// # Errors
/// When the database cannot be asked.
pub async fn partition(tx: &mut Tx, name: &str) -> Result<Option<Uuid>, Error> {
    let row: Option<(Uuid,)> = tx_optional!(tx, (Uuid,), PARTITION, name.to_owned())?;
    Ok(row.map(|(id,)| id))
}

/// One of the numbers whose calls go to a trunk.
///
/// # Errors
/// When the database cannot be asked.
pub async fn first_did(tx: &mut Tx, id: Uuid) -> Result<Option<String>, Error> {
    let row: Option<(String,)> = tx_optional!(tx, (String,), FIRST_DID, id)?;
    Ok(row.map(|(number,)| number))
}

/// A trunk as it is to be stored.
pub(super) struct TrunkRow<'a> {
    pub(super) id: Uuid,
    pub(super) number: i64,
    pub(super) customer: Option<Uuid>,
    pub(super) partition: Option<Uuid>,
    pub(super) form: &'a TrunkForm,
}

/// Writes a trunk; one of its name that is there already is made equal to it, and keeps its id.
pub(super) async fn put(tx: &mut Tx, row: &TrunkRow<'_>, now: Timestamp) -> Result<(), Error> {
    let TrunkRow { id, number, customer, partition, form } = *row;
    execute!(
        tx,
        UPSERT,
        id,
        number,
        form.name.clone(),
        customer,
        form.auth_type.as_str(),
        form.active,
        i64::from(form.cps),
        i64::from(form.channels),
        partition,
        json!(form.allow),
        json!(form.deny),
        json!(form.opened),
        form.rate_max.map(Money::nanos),
        form.trusted,
        milliseconds(form.max_duration),
        milliseconds(form.session_expires),
        json!(form.callee_rules),
        json!(form.caller_rules),
        json!(form.header_rules),
        json!(form.gateways),
        json!(form.media),
        json!(form.identity),
        form.verify_identity.as_str(),
        form.attestation_max.as_str(),
        form.hide_topology,
        form.fork.as_str(),
        stored_time(now),
    )?;
    Ok(())
}

/// A trunk that is to be.
#[derive(Debug)]
pub struct NewTrunk {
    /// Primary key.
    pub id: Uuid,
    /// Whose it will be.
    pub customer: Uuid,
    /// The partition that its form names.
    pub partition: Option<Uuid>,
    /// What it will be.
    pub form: TrunkForm,
}

/// Adds a trunk.
///
/// # Errors
/// [`ErrorKind::Constraint`] when its name is taken.
pub async fn insert(tx: &mut Tx, new: NewTrunk, now: Timestamp) -> Result<StoredTrunk, Error> {
    let NewTrunk { id, customer, partition, form } = new;
    let next = next_number(tx, "trunk").await?;
    let row = TrunkRow { id, number: next, customer: Some(customer), partition, form: &form };
    put(tx, &row, now).await?;
    // A trunk of this name that was there has kept its id; who began this takes it back.
    let stored: Option<(Uuid,)> = tx_optional!(tx, (Uuid,), ID_OF, form.name.clone())?;
    if stored != Some((id,)) {
        return Err(Error::new(
            ErrorKind::Constraint,
            format!("a trunk has the name {:?} already", form.name),
        ));
    }
    let number = number(next);
    Ok(form.stored(TrunkIdentity { id, number, customer, created_at: now, updated_at: now }))
}

/// Makes a trunk what `form` says; its name stays what it is.
///
/// # Errors
/// When the database refuses.
pub async fn update(
    tx: &mut Tx,
    before: &StoredTrunk,
    (form, partition): (TrunkForm, Option<Uuid>),
    now: Timestamp,
) -> Result<StoredTrunk, Error> {
    let StoredTrunk { id, number, customer, created_at, .. } = *before;
    let form = TrunkForm { name: before.name.clone(), ..form };
    let row = TrunkRow { id, number: number.into(), customer: Some(customer), partition, form: &form };
    put(tx, &row, now).await?;
    Ok(form.stored(TrunkIdentity { id, number, customer, created_at, updated_at: now }))
}

/// Takes a trunk away, with its sources and what it says who it is by.
///
/// # Errors
/// [`ErrorKind::Constraint`] while something leads to it.
pub async fn delete(tx: &mut Tx, id: Uuid) -> Result<(), Error> {
    execute!(tx, DELETE_SOURCES, id)?;
    trunk_credential::delete(tx, id).await?;
    execute!(tx, DELETE, id)?;
    Ok(())
}
