//! What was done by the interface, and the answers that are given again to a repeated request.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Json;
use sqlx_macros::FromRow;
use uuid::{Builder, Uuid};

use super::messaging::stored_time;
use super::{Db, Error, Sql, Tx, execute, fetch_all, fetch_optional, statements};
use crate::clock::Timestamp;

statements! {
    INSERT = Sql::both(
        "INSERT INTO auth.audit (id, at, principal, address, request_id, action, resource, customer_id, state_before, \
         state_after) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
    RECENT = Sql::both(
        "SELECT id, at, principal, address, request_id, action, resource, customer_id, state_before, state_after \
         FROM auth.audit WHERE id < $1 AND id >= $2 AND (customer_id = $3 OR $3 IS NULL) \
         AND (principal = $4 OR $4 IS NULL) AND (action = $5 OR $5 IS NULL) AND (at >= $6 OR $6 IS NULL) \
         AND (at < $7 OR $7 IS NULL) ORDER BY id DESC LIMIT $8");
    REMEMBER = Sql::both(
        "INSERT INTO auth.idempotency_keys (principal, key, request_hash, status, location, body, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)");
    REMEMBERED = Sql::both(
        "SELECT request_hash, status, location, body FROM auth.idempotency_keys WHERE principal = $1 AND key = $2 \
         AND created_at > $3");
    FORGET = Sql::both("DELETE FROM auth.idempotency_keys WHERE created_at <= $1");
}

/// One write by the interface.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// A UUID of version 7 of the time `at`: entries are in order of time.
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// Who: `user:…`, `key:…`, `bootstrap`, `control`.
    pub principal: String,
    /// From where.
    pub address: String,
    /// The request.
    pub request_id: String,
    /// What: `create`, `update`, `delete` or the word of a command.
    pub action: String,
    /// On what: its path in the interface.
    pub resource: String,
    /// The customer whose it is.
    pub customer: Option<Uuid>,
    /// As it was shown before; never a secret.
    pub before: Option<Value>,
    /// As it is shown now.
    pub after: Option<Value>,
}

/// Which entries are asked for. The default is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// That touched this customer.
    pub customer: Option<Uuid>,
    /// Of what this one did.
    pub principal: Option<String>,
    /// Of this kind.
    pub action: Option<String>,
    /// Of this time or later.
    pub since: Option<Timestamp>,
    /// Of before this time.
    pub until: Option<Timestamp>,
}

impl Filter {
    /// Ids that are asked for: from the first, and below the second. They carry the time to the millisecond, and bound
    /// what is read; the times decide.
    fn ids(&self, before: Option<Uuid>) -> (Uuid, Uuid) {
        let behind = |until: Timestamp| first_id_at(until.plus(Duration::from_millis(1)));
        let first = self.since.map_or(Uuid::nil(), first_id_at);
        (first, before.unwrap_or(Uuid::max()).min(self.until.map_or(Uuid::max(), behind)))
    }
}

/// The lowest id of a millisecond.
fn first_id_at(time: Timestamp) -> Uuid {
    let ms = u64::try_from(time.micros() / 1000).unwrap_or(0);
    Builder::from_unix_timestamp_millis(ms, &[0; 10]).into_uuid()
}

#[derive(FromRow)]
struct Record {
    id: Uuid,
    at: DateTime<Utc>,
    principal: String,
    address: String,
    request_id: String,
    action: String,
    resource: String,
    customer_id: Option<Uuid>,
    state_before: Option<Json<Value>>,
    state_after: Option<Json<Value>>,
}

impl From<Record> for Entry {
    fn from(row: Record) -> Self {
        Self {
            id: row.id,
            at: row.at.into(),
            principal: row.principal,
            address: row.address,
            request_id: row.request_id,
            action: row.action,
            resource: row.resource,
            customer: row.customer_id,
            before: row.state_before.map(|json| json.0),
            after: row.state_after.map(|json| json.0),
        }
    }
}

/// Adds an entry to the write that it tells of.
///
/// # Errors
/// When the database refuses.
pub async fn record(tx: &mut Tx, entry: Entry) -> Result<(), Error> {
    execute!(
        tx,
        INSERT,
        entry.id,
        stored_time(entry.at),
        entry.principal.clone(),
        entry.address.clone(),
        entry.request_id.clone(),
        entry.action.clone(),
        entry.resource.clone(),
        entry.customer,
        entry.before.clone().map(Json),
        entry.after.clone().map(Json),
    )?;
    Ok(())
}

/// Entries that the filter takes, with ids below `before` (none: the newest), the newest first.
///
/// # Errors
/// When the database cannot be asked.
pub async fn recent(db: &Db, filter: &Filter, before: Option<Uuid>, limit: u32) -> Result<Vec<Entry>, Error> {
    let (first, before) = filter.ids(before);
    let rows: Vec<Record> = fetch_all!(
        db,
        Record,
        RECENT,
        before,
        first,
        filter.customer,
        filter.principal.clone(),
        filter.action.clone(),
        filter.since.map(stored_time),
        filter.until.map(stored_time),
        i64::from(limit)
    )?;
    Ok(rows.into_iter().map(Entry::from).collect())
}

/// An answer that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// SHA-256 of the request: method, path and body.
    pub request_hash: Vec<u8>,
    /// HTTP status.
    pub status: u16,
    /// Location header; empty for none.
    pub location: String,
    /// Body.
    pub body: String,
}

/// Keeps an answer in the transaction of the write.
///
/// # Errors
/// [`super::ErrorKind::Constraint`] when another request with this key came first.
pub async fn remember(
    tx: &mut Tx,
    (principal, key): (&str, &str),
    answer: &Answer,
    now: Timestamp,
) -> Result<(), Error> {
    execute!(
        tx,
        REMEMBER,
        principal.to_owned(),
        key.to_owned(),
        answer.request_hash.clone(),
        i16::try_from(answer.status).unwrap_or(i16::MAX),
        answer.location.clone(),
        answer.body.clone(),
        stored_time(now),
    )?;
    Ok(())
}

/// The answer that was given to this key after `since`.
///
/// # Errors
/// When the database cannot be asked.
pub async fn remembered(
    db: &Db,
    (principal, key): (&str, &str),
    since: Timestamp,
) -> Result<Option<Answer>, Error> {
    type Row = (Vec<u8>, i16, String, String);
    let row: Option<Row> =
        fetch_optional!(db, Row, REMEMBERED, principal.to_owned(), key.to_owned(), stored_time(since))?;
    Ok(row.map(|(request_hash, status, location, body)| Answer {
        request_hash,
        status: u16::try_from(status).unwrap_or(0),
        location,
        body,
    }))
}

/// Forgets answers that were given before `until`.
///
/// # Errors
/// When the database refuses.
pub async fn forget(tx: &mut Tx, until: Timestamp) -> Result<u64, Error> {
    execute!(tx, FORGET, stored_time(until))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::testing::{Engine, each_engine};

    const BEGUN: i64 = 1_790_000_000_000_000;
    /// When the entries were made, in microseconds: whole seconds, parts of one, and three within a millisecond.
    const AT: [i64; 7] = [0, 1, 999, 1000, 1_000_000, 1_000_123, 1_500_000];

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(BEGUN + micros)
    }

    /// The entry of a place in [`AT`].
    fn entry(place: usize) -> Entry {
        let (at, number) = (at(AT[place]), u8::try_from(place).unwrap());
        let ms = u64::try_from(at.micros() / 1000).unwrap();
        Entry {
            id: Builder::from_unix_timestamp_millis(ms, &[number; 10]).into_uuid(),
            at,
            principal: if place.is_multiple_of(2) { "user:maria@example.net" } else { "key:0123" }.to_owned(),
            address: "198.51.100.7".to_owned(),
            request_id: place.to_string(),
            action: if place.is_multiple_of(3) { "update" } else { "create" }.to_owned(),
            resource: "/v1/customers".to_owned(),
            customer: (place < 4).then_some(Uuid::from_u128(9)),
            before: None,
            after: Some(json!({"place": place})),
        }
    }

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    async fn by_pages(db: &Db, filter: &Filter, size: u32) -> Vec<Entry> {
        let mut paged: Vec<Entry> = Vec::new();
        loop {
            let before = paged.last().map(|entry| entry.id);
            let page = recent(db, filter, before, size).await.unwrap();
            if page.is_empty() {
                return paged;
            }
            paged.extend(page);
        }
    }

    #[tokio::test]
    async fn entries_are_found_by_who_did_what_when_and_page_by_page() {
        let all = Filter::default;
        let cases: [(Filter, &[usize]); 16] = [
            (all(), &[6, 5, 4, 3, 2, 1, 0]),
            (Filter { customer: Some(Uuid::from_u128(9)), ..all() }, &[3, 2, 1, 0]),
            (Filter { customer: Some(Uuid::from_u128(8)), ..all() }, &[]),
            (Filter { principal: text("key:0123"), ..all() }, &[5, 3, 1]),
            (Filter { principal: text("key:012"), ..all() }, &[]),
            (Filter { action: text("update"), ..all() }, &[6, 3, 0]),
            (Filter { action: text("%"), ..all() }, &[]),
            (Filter { since: Some(at(1)), ..all() }, &[6, 5, 4, 3, 2, 1]),
            (Filter { since: Some(at(2)), ..all() }, &[6, 5, 4, 3, 2]),
            (Filter { since: Some(at(1_000_001)), ..all() }, &[6, 5]),
            (Filter { until: Some(at(999)), ..all() }, &[1, 0]),
            (Filter { until: Some(at(1_000_000)), ..all() }, &[3, 2, 1, 0]),
            (Filter { until: Some(at(1_000_001)), ..all() }, &[4, 3, 2, 1, 0]),
            (Filter { since: Some(at(1000)), until: Some(at(1_500_000)), ..all() }, &[5, 4, 3]),
            (Filter { since: Some(at(1000)), until: Some(at(1000)), ..all() }, &[]),
            (
                Filter {
                    customer: Some(Uuid::from_u128(9)),
                    principal: text("key:0123"),
                    action: text("create"),
                    since: Some(at(0)),
                    until: Some(at(2_000_000)),
                },
                &[1],
            ),
        ];
        each_engine(async |engine: Engine| {
            let mut tx = engine.store.begin().await.unwrap();
            for place in 0..AT.len() {
                record(&mut tx, entry(place)).await.unwrap();
            }
            tx.commit().await.unwrap();
            for ((filter, expected), size) in
                cases.iter().flat_map(|case| [1, 2, 3, 10].map(|size| (case, size)))
            {
                let expected: Vec<Entry> = expected.iter().map(|place| entry(*place)).collect();
                let found = by_pages(&engine.store, filter, size).await;
                assert_eq!(found, expected, "{filter:?} by {size}");
            }
        })
        .await;
    }
}
