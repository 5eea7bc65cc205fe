//! What a customer's messaging is limited to, over all its accounts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::messaging::{number, stored_time};
use super::{Db, Error, Sql, Tx, execute, fetch_optional, statements, tx_optional};
use crate::clock::Timestamp;

statements! {
    ONE = Sql::both("SELECT throughput, outbox_max FROM messaging.customer_config WHERE customer_id = $1");
    UPSERT = Sql::both(
        "INSERT INTO messaging.customer_config (customer_id, throughput, outbox_max, updated_at) \
         VALUES ($1, $2, $3, $4) ON CONFLICT (customer_id) DO UPDATE SET throughput = excluded.throughput, \
         outbox_max = excluded.outbox_max, updated_at = excluded.updated_at");
}

/// Limits over all accounts of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MessagingConfig {
    /// Segments per second; 0 is no limit.
    #[serde(default)]
    #[schema(example = 1000, maximum = 4294967295u32, default = 0)]
    pub throughput: u32,
    /// `deliver_sm` kept while an account is away; beyond it the oldest are given up.
    #[serde(default = "outbox_max")]
    #[schema(minimum = 1, maximum = 100000000, default = 1000000)]
    pub outbox_max: u32,
}

impl MessagingConfig {
    /// The most that may be kept for a customer.
    pub const OUTBOX_MAX: u32 = 100_000_000;
}

impl Default for MessagingConfig {
    fn default() -> Self {
        Self { throughput: 0, outbox_max: outbox_max() }
    }
}

const fn outbox_max() -> u32 {
    1_000_000
}

fn config((throughput, outbox_max): (i64, i64)) -> MessagingConfig {
    MessagingConfig { throughput: number(throughput), outbox_max: number(outbox_max) }
}

/// The limits of a customer.
///
/// # Errors
/// When the database cannot be asked.
pub async fn get(db: &Db, customer: Uuid) -> Result<MessagingConfig, Error> {
    let row: Option<(i64, i64)> = fetch_optional!(db, (i64, i64), ONE, customer)?;
    Ok(row.map(config).unwrap_or_default())
}

/// The limits of a customer as they are in this transaction.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find(tx: &mut Tx, customer: Uuid) -> Result<MessagingConfig, Error> {
    let row: Option<(i64, i64)> = tx_optional!(tx, (i64, i64), ONE, customer)?;
    Ok(row.map(config).unwrap_or_default())
}

/// Writes the limits of a customer.
///
/// # Errors
/// When the database refuses.
pub async fn put(tx: &mut Tx, customer: Uuid, config: MessagingConfig, now: Timestamp) -> Result<(), Error> {
    let (throughput, outbox_max) = (i64::from(config.throughput), i64::from(config.outbox_max));
    execute!(tx, UPSERT, customer, throughput, outbox_max, stored_time(now))?;
    Ok(())
}
