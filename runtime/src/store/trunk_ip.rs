//! Sources of trunks, one by one: what a file makes equal as a list is added and taken away here.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{AssertSqlSafe, Postgres, Sqlite};
use sqlx_macros::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

use super::messaging::stored_time;
use super::{
    Bulk, Db, Error, Sql, Tx, execute, execute_rows, fetch_all, fetch_optional, statements, tx_optional,
};
use crate::clock::Timestamp;
use crate::model::{AclSource, Cidr, Transport};

/// Columns of a source, in the order of `Record`.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, trunk_group_id, network, port, transport, note, created_at FROM accounts.trunk_ips ",
            $rest
        )
    };
}

/// Columns of another's source, in the order of `TakenRecord`.
macro_rules! select_taken {
    ($rest:literal) => {
        concat!(
            "SELECT i.id, i.network, i.port, i.transport, t.name AS trunk, c.id AS customer_id, c.ban \
             FROM accounts.trunk_ips i JOIN accounts.trunk_groups t ON t.id = i.trunk_group_id \
             JOIN accounts.customers c ON c.id = t.customer_id ",
            $rest
        )
    };
}

statements! {
    PAGE = Sql::both(select!("WHERE trunk_group_id = $1 AND id > $2 ORDER BY id LIMIT $3"));
    BY_ID = Sql::both(select!("WHERE id = $1 AND trunk_group_id = $2"));
    COUNT = Sql::both("SELECT COUNT(*) FROM accounts.trunk_ips WHERE trunk_group_id = $1");
    INSERT = Sql::both(
        "INSERT INTO accounts.trunk_ips (id, trunk_group_id, network, lo, hi, port, transport, note, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
    UPDATE = Sql::both(
        "UPDATE accounts.trunk_ips SET network = $2, lo = $3, hi = $4, port = $5, transport = $6, note = $7 \
         WHERE id = $1");
    DELETE = Sql::both("DELETE FROM accounts.trunk_ips WHERE id = $1");
    EQUAL = Sql::both(select_taken!(
        "WHERE i.lo = $1 AND i.hi = $2 AND i.port = $3 AND i.transport = $4 AND i.id <> $5"));
    // Networks lie within each other or apart: what begins within one and is no wider lies in it. An IPv6 address may
    // stand between two of IPv4 as octets are compared.
    WITHIN = Sql::both(select_taken!(
        "WHERE i.lo >= $1 AND i.lo <= $2 AND i.hi <= $2 AND length(i.lo) = length($1) AND c.id <> $3 AND i.id <> $4 \
         AND (i.port = 0 OR $5 = 0 OR i.port = $5) AND (i.transport = '' OR $6 = '' OR i.transport = $6) LIMIT 1"));
}

pub(crate) static DELETE_SOURCES: Bulk = Bulk::new("DELETE FROM accounts.trunk_ips WHERE id IN (", 1, ")");
pub(crate) static INSERT_SOURCES: Bulk = Bulk::new(
    "INSERT INTO accounts.trunk_ips (id, trunk_group_id, network, lo, hi, port, transport, created_at) VALUES ",
    8,
    "",
);

/// What begins where one of the networks around a network begins.
pub(crate) static AROUND: Bulk = Bulk::new(select_taken!("WHERE i.lo IN ("), 1, ")");

/// A source of a trunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TrunkIp)]
pub struct StoredSource {
    /// Primary key.
    pub id: Uuid,
    /// Whose it is.
    #[serde(skip)]
    pub trunk: Uuid,
    /// Addresses that its calls come from.
    pub network: Cidr,
    /// Port that they come from; null is any.
    pub port: Option<u16>,
    /// How they come; null is any way.
    pub transport: Option<Transport>,
    /// What it is, for people.
    #[schema(example = "SBC in Atlanta")]
    pub note: String,
    /// When it was added.
    pub created_at: Timestamp,
}

impl StoredSource {
    /// What is compared.
    #[must_use]
    pub const fn source(&self) -> AclSource {
        AclSource { network: self.network, port: self.port, transport: self.transport }
    }
}

#[derive(FromRow)]
struct Record {
    id: Uuid,
    trunk_group_id: Uuid,
    network: String,
    port: i64,
    transport: String,
    note: String,
    created_at: DateTime<Utc>,
}

impl TryFrom<Record> for StoredSource {
    type Error = Error;

    fn try_from(row: Record) -> Result<Self, Error> {
        let AclSource { network, port, transport } = source(&row.network, row.port, &row.transport)?;
        Ok(Self {
            id: row.id,
            trunk: row.trunk_group_id,
            network,
            port,
            transport,
            note: row.note,
            created_at: row.created_at.into(),
        })
    }
}

fn source(network: &str, port: i64, transport: &str) -> Result<AclSource, Error> {
    Ok(AclSource {
        network: network.parse()?,
        port: u16::try_from(port).ok().filter(|port| *port != 0),
        transport: if transport.is_empty() { None } else { Some(transport.parse()?) },
    })
}

/// Sources of a trunk after the source `after`.
///
/// # Errors
/// When the database cannot be asked, or a row holds what this program does not know.
pub async fn page(db: &Db, trunk: Uuid, after: Option<Uuid>, limit: u32) -> Result<Vec<StoredSource>, Error> {
    let after = after.unwrap_or(Uuid::nil());
    let rows: Vec<Record> = fetch_all!(db, Record, PAGE, trunk, after, i64::from(limit))?;
    rows.into_iter().map(StoredSource::try_from).collect()
}

/// One source of a trunk.
///
/// # Errors
/// As [`page`].
pub async fn get(db: &Db, trunk: Uuid, id: Uuid) -> Result<Option<StoredSource>, Error> {
    let row: Option<Record> = fetch_optional!(db, Record, BY_ID, id, trunk)?;
    row.map(StoredSource::try_from).transpose()
}

/// One source of a trunk as it is in this transaction.
///
/// # Errors
/// As [`page`].
pub async fn find(tx: &mut Tx, trunk: Uuid, id: Uuid) -> Result<Option<StoredSource>, Error> {
    let row: Option<Record> = tx_optional!(tx, Record, BY_ID, id, trunk)?;
    row.map(StoredSource::try_from).transpose()
}

/// How many sources a trunk has.
///
/// # Errors
/// When the database cannot be asked.
pub async fn count(tx: &mut Tx, trunk: Uuid) -> Result<i64, Error> {
    let row: Option<(i64,)> = tx_optional!(tx, (i64,), COUNT, trunk)?;
    Ok(row.map_or(0, |(count,)| count))
}

/// Adds a source.
///
/// # Errors
/// [`super::ErrorKind::Constraint`] when there is an equal one.
pub async fn insert(tx: &mut Tx, source: &StoredSource) -> Result<(), Error> {
    execute!(
        tx,
        INSERT,
        source.id,
        source.trunk,
        source.network.to_string(),
        octets(source.network.first()),
        octets(source.network.last()),
        i64::from(source.port.unwrap_or(0)),
        transport_word(source.transport),
        source.note.clone(),
        stored_time(source.created_at),
    )?;
    Ok(())
}

/// Writes a source as it is to be; it stays its trunk's.
///
/// # Errors
/// As [`insert`].
pub async fn update(tx: &mut Tx, source: &StoredSource) -> Result<(), Error> {
    execute!(
        tx,
        UPDATE,
        source.id,
        source.network.to_string(),
        octets(source.network.first()),
        octets(source.network.last()),
        i64::from(source.port.unwrap_or(0)),
        transport_word(source.transport),
        source.note.clone(),
    )?;
    Ok(())
}

/// Takes a source away.
///
/// # Errors
/// When the database refuses.
pub async fn delete(tx: &mut Tx, id: Uuid) -> Result<(), Error> {
    execute!(tx, DELETE, id)?;
    Ok(())
}

/// Adds sources to trunks.
pub(super) async fn add(
    tx: &mut Tx,
    sources: &[(Option<Uuid>, AclSource)],
    now: Timestamp,
) -> Result<(), Error> {
    let now = stored_time(now);
    execute_rows!(tx, INSERT_SOURCES, sources, |(trunk, source)| (
        Uuid::new_v4(),
        *trunk,
        source.network.to_string(),
        octets(source.network.first()),
        octets(source.network.last()),
        i64::from(source.port.unwrap_or(0)),
        transport_word(source.transport),
        now,
    ));
    Ok(())
}

/// Takes sources away, by their ids.
pub(super) async fn remove(tx: &mut Tx, ids: &[Uuid]) -> Result<(), Error> {
    execute_rows!(tx, DELETE_SOURCES, ids, |id| (*id));
    Ok(())
}

/// A source that stands in the way of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The source.
    pub source: AclSource,
    /// Name of its trunk.
    pub trunk: String,
    /// Its customer.
    pub customer: Uuid,
    /// BAN of that.
    pub ban: String,
}

#[derive(FromRow)]
struct TakenRecord {
    id: Uuid,
    network: String,
    port: i64,
    transport: String,
    trunk: String,
    customer_id: Uuid,
    ban: String,
}

impl TryFrom<TakenRecord> for Taken {
    type Error = Error;

    fn try_from(row: TakenRecord) -> Result<Self, Error> {
        let source = source(&row.network, row.port, &row.transport)?;
        Ok(Self { source, trunk: row.trunk, customer: row.customer_id, ban: row.ban })
    }
}

/// The source that is equal, whosever it is; none of the id `except`.
///
/// # Errors
/// As [`page`].
pub async fn equal(tx: &mut Tx, source: &AclSource, except: Option<Uuid>) -> Result<Option<Taken>, Error> {
    let row: Option<TakenRecord> = tx_optional!(
        tx,
        TakenRecord,
        EQUAL,
        octets(source.network.first()),
        octets(source.network.last()),
        i64::from(source.port.unwrap_or(0)),
        transport_word(source.transport),
        except.unwrap_or(Uuid::nil()),
    )?;
    row.map(Taken::try_from).transpose()
}

/// A source of somebody else than `customer` from which the same call could come; none of the id `except`.
///
/// # Errors
/// As [`page`].
pub async fn overlapping(
    tx: &mut Tx,
    source: &AclSource,
    customer: Uuid,
    except: Option<Uuid>,
) -> Result<Option<Taken>, Error> {
    let except = except.unwrap_or(Uuid::nil());
    let row: Option<TakenRecord> = tx_optional!(
        tx,
        TakenRecord,
        WITHIN,
        octets(source.network.first()),
        octets(source.network.last()),
        customer,
        except,
        i64::from(source.port.unwrap_or(0)),
        transport_word(source.transport),
    )?;
    if let Some(row) = row {
        return Taken::try_from(row).map(Some);
    }
    for row in around(tx, source.network).await? {
        let id = row.id;
        let taken = Taken::try_from(row)?;
        let theirs = taken.customer != customer && id != except;
        if theirs && taken.source.network.contains(source.network.first()) && meet(&taken.source, source) {
            return Ok(Some(taken));
        }
    }
    Ok(None)
}

/// What begins where a wider network begins: few rows, and each found by the index, however many sources there are.
async fn around(tx: &mut Tx, network: Cidr) -> Result<Vec<TakenRecord>, Error> {
    let mut places: Vec<IpAddr> = network.around().map(|wider| wider.first()).collect();
    places.dedup();
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let rows = match tx {
        Tx::Pg(tx) => {
            let text = AssertSqlSafe(AROUND.pg(places.len()));
            let mut query = sqlx::query_as::<Postgres, TakenRecord>(text).persistent(false);
            for place in places {
                query = query.bind(octets(place));
            }
            query.fetch_all(&mut **tx).await
        }
        Tx::Lite(tx) => {
            let text = AssertSqlSafe(AROUND.lite(places.len()));
            let mut query = sqlx::query_as::<Sqlite, TakenRecord>(text).persistent(false);
            for place in places {
                query = query.bind(octets(place));
            }
            query.fetch_all(&mut **tx).await
        }
    };
    Ok(rows?)
}

/// Whether one port and one transport fit both.
fn meet(left: &AclSource, right: &AclSource) -> bool {
    let port = left.port.is_none() || right.port.is_none() || left.port == right.port;
    let transport =
        left.transport.is_none() || right.transport.is_none() || left.transport == right.transport;
    port && transport
}

/// An address as it is stored: in the order of addresses.
fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// A transport as it is stored; any is empty.
fn transport_word(transport: Option<Transport>) -> &'static str {
    transport.map_or("", Transport::as_str)
}

#[cfg(test)]
mod tests;
