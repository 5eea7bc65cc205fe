//! RTPEngine nodes, one by one.

use std::net::SocketAddr;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx_macros::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

use super::messaging::{collect, number, stored_time};
use super::provisioning::MediaNodeEntry;
use super::{
    Db, Error, ErrorKind, Sql, Tx, containing, execute, fetch_all, fetch_optional, statements, tx_all,
    tx_optional,
};
use crate::clock::Timestamp;
use crate::model::{self, MediaNodeState};
use crate::schema::SocketAddress;

/// Columns of a node, by the names in `Record`.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, number, name, address, weight, state, created_at, updated_at FROM voice.media_nodes ",
            $rest
        )
    };
}

statements! {
    LIST = Sql::both(select!("ORDER BY number"));
    PAGE = Sql::both(select!(
        "WHERE name > $1 AND lower(name) LIKE $2 ESCAPE '!' AND ($3 = '' OR state = $3) ORDER BY name LIMIT $4"));
    ONE = Sql::both(select!("WHERE id = $1"));
    NAMED = Sql::both("SELECT id FROM voice.media_nodes WHERE name = $1");
    AT = Sql::both("SELECT name FROM voice.media_nodes WHERE address = $1");
    NUMBERS = Sql::both("SELECT number FROM voice.media_nodes");
    UPSERT = Sql::both(
        "INSERT INTO voice.media_nodes (id, number, name, address, weight, state, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (name) DO UPDATE SET address = excluded.address, \
         weight = excluded.weight, state = excluded.state, updated_at = excluded.updated_at");
    DELETE = Sql::both("DELETE FROM voice.media_nodes WHERE id = $1");
}

/// An RTPEngine node, which the media of calls goes through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MediaNode {
    /// Primary key.
    pub id: Uuid,
    /// Short number that cookies of calls name it by.
    #[schema(minimum = 1, maximum = 255, example = 1)]
    pub number: u8,
    /// Unique name; it never changes.
    #[schema(example = "media-1")]
    pub name: String,
    /// Where it listens for the ng protocol.
    #[schema(value_type = SocketAddress)]
    pub address: SocketAddr,
    /// Its share of new calls; 0 gets none.
    #[schema(maximum = 10000, example = 50)]
    pub weight: u32,
    /// Whether it gets calls.
    pub state: MediaNodeState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

#[derive(FromRow)]
struct Record {
    id: Uuid,
    number: i16,
    name: String,
    address: String,
    weight: i64,
    state: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Record> for MediaNode {
    type Error = Error;

    fn try_from(row: Record) -> Result<Self, Error> {
        let address = row.address.parse().map_err(|_| {
            let text = format!("configuration data: {:?} is not an IP address and a port", row.address);
            Error::new(ErrorKind::Other, text)
        })?;
        Ok(Self {
            id: row.id,
            number: octet(row.number),
            name: row.name,
            address,
            weight: number(row.weight),
            state: row.state.parse()?,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        })
    }
}

fn octet(number: i16) -> u8 {
    u8::try_from(number).unwrap_or(0)
}

/// Every node, as those see them that send calls there.
pub(super) async fn all(db: &Db) -> Result<Vec<model::MediaNode>, Error> {
    let rows: Vec<Record> = fetch_all!(db, Record, LIST)?;
    collect(rows, |row| {
        let MediaNode { id, number, name, address, weight, state, .. } = MediaNode::try_from(row)?;
        Ok(model::MediaNode { id, number, name, address, weight, state })
    })
}

/// Which nodes of a list.
#[derive(Debug, Default)]
pub struct Filter<'a> {
    /// Part of the name, in any case.
    pub search: Option<&'a str>,
    /// Only those in this state.
    pub state: Option<MediaNodeState>,
    /// The name behind which the page begins; empty is from the first.
    pub after: &'a str,
}

/// Nodes in the order of their names.
///
/// # Errors
/// When the database cannot be asked, or a row holds what this program does not know.
pub async fn page(db: &Db, filter: &Filter<'_>, limit: u32) -> Result<Vec<MediaNode>, Error> {
    let rows: Vec<Record> = fetch_all!(
        db,
        Record,
        PAGE,
        filter.after.to_owned(),
        containing(filter.search),
        filter.state.map_or("", MediaNodeState::as_str),
        i64::from(limit),
    )?;
    collect(rows, MediaNode::try_from)
}

/// One node.
///
/// # Errors
/// As [`page`].
pub async fn get(db: &Db, id: Uuid) -> Result<Option<MediaNode>, Error> {
    let row: Option<Record> = fetch_optional!(db, Record, ONE, id)?;
    row.map(MediaNode::try_from).transpose()
}

/// One node as it is in this transaction.
///
/// # Errors
/// As [`page`].
pub async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<MediaNode>, Error> {
    let row: Option<Record> = tx_optional!(tx, Record, ONE, id)?;
    row.map(MediaNode::try_from).transpose()
}

/// Whether a node has this name.
///
/// # Errors
/// When the database cannot be asked.
pub async fn is_taken(tx: &mut Tx, name: &str) -> Result<bool, Error> {
    let row: Option<(Uuid,)> = tx_optional!(tx, (Uuid,), NAMED, name.to_owned())?;
    Ok(row.is_some())
}

/// Name of the node at this address.
///
/// # Errors
/// When the database cannot be asked.
pub async fn at(tx: &mut Tx, address: SocketAddr) -> Result<Option<String>, Error> {
    let row: Option<(String,)> = tx_optional!(tx, (String,), AT, address.to_string())?;
    Ok(row.map(|(name,)| name))
}

/// The number that the next node gets; None when each of the 127 is some node's.
///
/// # Errors
/// When the database cannot be asked.
pub async fn next_number(tx: &mut Tx) -> Result<Option<u8>, Error> {
    let rows: Vec<(i16,)> = tx_all!(tx, (i16,), NUMBERS)?;
    let used: Vec<u8> = rows.into_iter().map(|(number,)| octet(number)).collect();
    Ok(free_number(&used))
}

/// One above the greatest, so that a number which calls may still name is given again as late as can be; the smallest
/// that is free where the greatest is the last.
fn free_number(used: &[u8]) -> Option<u8> {
    let above = used.iter().max().map_or(Some(1), |greatest| greatest.checked_add(1));
    let above = above.filter(|number| *number <= model::MediaNode::NUMBER_MAX);
    above.or_else(|| (1..=model::MediaNode::NUMBER_MAX).find(|number| !used.contains(number)))
}

/// Writes a node; one of this name that is there already is made equal to it, and keeps its id and its number.
///
/// # Errors
/// [`ErrorKind::Constraint`] when another node has the address or the number.
pub async fn put(
    tx: &mut Tx,
    (id, number): (Uuid, u8),
    entry: &MediaNodeEntry,
    now: Timestamp,
) -> Result<(), Error> {
    execute!(
        tx,
        UPSERT,
        id,
        i16::from(number),
        entry.name.clone(),
        entry.address.to_string(),
        i64::from(entry.weight),
        entry.state.as_str(),
        stored_time(now),
    )?;
    Ok(())
}

/// Takes a node away.
///
/// # Errors
/// When the database refuses.
pub async fn delete(tx: &mut Tx, id: Uuid) -> Result<(), Error> {
    execute!(tx, DELETE, id)?;
    Ok(())
}

#[cfg(test)]
mod tests;
