//! How much of everything there is, for the dashboard.

use uuid::Uuid;

use super::{Db, Error, Sql, fetch_all, fetch_optional, statements};

statements! {
    CUSTOMERS = Sql::both("SELECT status, count(*) FROM accounts.customers GROUP BY status");
    TRUNKS = Sql::both("SELECT active, count(*) FROM accounts.trunk_groups GROUP BY active");
    OF_CUSTOMER = Sql::both(
        "SELECT (SELECT count(*) FROM accounts.trunk_groups WHERE customer_id = $1), \
         (SELECT count(*) FROM messaging.esme_accounts WHERE customer_id = $1), \
         (SELECT count(*) FROM voice.dids WHERE customer_id = $1)");
}

/// Customers by what they are to us, trunks by whether they take calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Platform {
    /// Customers that are ACTIVE.
    pub customers_active: u64,
    /// Customers on TRIAL.
    pub customers_trial: u64,
    /// Customers that are SUSPENDED.
    pub customers_suspended: u64,
    /// Trunks that take calls.
    pub trunks_active: u64,
    /// Trunks that take none.
    pub trunks_inactive: u64,
}

/// What one customer has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Owned {
    /// Trunks.
    pub trunks: u64,
    /// ESME accounts.
    pub accounts: u64,
    /// Numbers.
    pub dids: u64,
}

/// Counts over the platform.
///
/// # Errors
/// When the database cannot be asked.
pub async fn platform(db: &Db) -> Result<Platform, Error> {
    let mut counts = Platform::default();
    let customers: Vec<(String, i64)> = fetch_all!(db, (String, i64), CUSTOMERS)?;
    for (status, count) in customers {
        let place = match status.as_str() {
            "ACTIVE" => &mut counts.customers_active,
            "TRIAL" => &mut counts.customers_trial,
            _ => &mut counts.customers_suspended,
        };
        *place += count.unsigned_abs();
    }
    let trunks: Vec<(bool, i64)> = fetch_all!(db, (bool, i64), TRUNKS)?;
    for (active, count) in trunks {
        let place = if active { &mut counts.trunks_active } else { &mut counts.trunks_inactive };
        *place += count.unsigned_abs();
    }
    Ok(counts)
}

/// Counts of one customer.
///
/// # Errors
/// When the database cannot be asked.
pub async fn of_customer(db: &Db, customer: Uuid) -> Result<Owned, Error> {
    type Row = (i64, i64, i64);
    let row: Option<Row> = fetch_optional!(db, Row, OF_CUSTOMER, customer)?;
    let (trunks, accounts, dids) = row.unwrap_or_default();
    Ok(Owned { trunks: trunks.unsigned_abs(), accounts: accounts.unsigned_abs(), dids: dids.unsigned_abs() })
}
