//! Reads all of messaging's configuration at one version.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx_macros::FromRow;
use uuid::Uuid;

use super::version::versions;
use super::{Db, Error, ErrorKind, Sql, fetch_all, statements, webhook};
use crate::log::Uncertain;
use crate::model::{
    Account, Cidr, Customer, CustomerConfig, Did, Invalid, Messaging, Money, Parts, Route, Vendor,
};
use crate::password::SecretString;
use crate::seal::RootKey;

statements! {
    // In one order, so that two readings of the same customers are equal.
    CUSTOMERS = Sql::both(
        "SELECT id, ban, company_name, status, type AS kind, services FROM accounts.customers ORDER BY id");
    CUSTOMER_CONFIGS = Sql::both("SELECT customer_id, throughput, outbox_max FROM messaging.customer_config");
    ACCOUNTS = Sql::both(
        "SELECT id, system_id, customer_id, password_hash, active, binds_max, bind_modes, \"window\", \
         throughput, ip_whitelist, default_alphabet, message_id_format, transcode FROM messaging.esme_accounts");
    VENDORS = Sql::both(
        "SELECT id, instance_name, display_name, provider_type, host, port, tls, tls_ca, bind_type, system_id, \
         password_sealed, system_type, binds, \"window\", throughput_limit, priority, active, default_alphabet, \
         queue_depth_max, receipts, long_messages, retryable_statuses FROM messaging.vendors");
    ROUTES = Sql::both(
        "SELECT id, name, prefix, source_prefix, customer_id, vendor_id, priority, cost, weight, uncertain, \
         active FROM messaging.routes");
    DIDS = Sql::both("SELECT id, number, customer_id, esme_account_id, trunk_id FROM voice.dids");
}

/// Reads everything.
///
/// # Errors
/// As [`reload`].
pub async fn load(db: &Db, key: &RootKey) -> Result<Messaging, Error> {
    reload(db, key, Messaging::default()).await
}

/// Reads what changed since `known` was read. The version is read first: a change that comes in between is read again
/// later.
///
/// A vendor whose password does not open is inactive, and named in the log and in
/// [`Messaging::vendors_sealed`]: it must not keep the others from their work.
///
/// # Errors
/// When the database cannot be asked, or a row holds what this program does not know.
pub async fn reload(db: &Db, key: &RootKey, known: Messaging) -> Result<Messaging, Error> {
    let (version, parts) = versions(db).await?;
    let changed = parts.changed_since(&known.parts);
    let mut config = Messaging { version, parts, ..known };
    if changed.has(Parts::CUSTOMERS) {
        config.customers = customers(db).await?;
    }
    if changed.has(Parts::ACCOUNTS) {
        let accounts: Vec<AccountRecord> = fetch_all!(db, AccountRecord, ACCOUNTS)?;
        config.accounts = collect(accounts, account)?;
    }
    if changed.has(Parts::ROUTES) {
        let routes: Vec<RouteRecord> = fetch_all!(db, RouteRecord, ROUTES)?;
        config.routes = collect(routes, route)?;
    }
    if changed.has(Parts::NUMBERS) {
        config.dids = dids(db).await?;
    }
    if changed.has(Parts::OTHERS) {
        let limits: Vec<(Uuid, i64, i64)> = fetch_all!(db, (Uuid, i64, i64), CUSTOMER_CONFIGS)?;
        config.customer_configs = limits.into_iter().map(customer_config).collect();
        let vendors: Vec<VendorRecord> = fetch_all!(db, VendorRecord, VENDORS)?;
        (config.vendors, config.vendors_sealed) = open_vendors(vendors, key)?;
        config.webhooks = webhook::load(db, key).await?;
    }
    let closed = config.webhooks.iter().any(|webhook| webhook.secret.is_none());
    if closed || !config.vendors_sealed.is_empty() {
        // The root key may be another at the next change, whatever that changes.
        config.parts.forget(Parts::OTHERS);
    }
    Ok(config)
}

fn customer_config((customer, throughput, outbox_max): (Uuid, i64, i64)) -> CustomerConfig {
    CustomerConfig { customer, throughput: number(throughput), outbox_max: number(outbox_max) }
}

/// Every customer.
pub(super) async fn customers(db: &Db) -> Result<Vec<Customer>, Error> {
    let rows: Vec<CustomerRecord> = fetch_all!(db, CustomerRecord, CUSTOMERS)?;
    collect(rows, customer)
}

/// Every number.
pub(super) async fn dids(db: &Db) -> Result<Vec<Did>, Error> {
    let rows: Vec<DidRecord> = fetch_all!(db, DidRecord, DIDS)?;
    let did = |row: DidRecord| Did {
        id: row.id,
        number: row.number,
        customer: row.customer_id,
        account: row.esme_account_id,
        trunk: row.trunk_id,
    };
    Ok(rows.into_iter().map(did).collect())
}

#[derive(FromRow)]
struct DidRecord {
    id: Uuid,
    number: String,
    customer_id: Option<Uuid>,
    esme_account_id: Option<Uuid>,
    trunk_id: Option<Uuid>,
}

pub(super) fn collect<R, T>(rows: Vec<R>, make: impl Fn(R) -> Result<T, Error>) -> Result<Vec<T>, Error> {
    rows.into_iter().map(make).collect()
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::new(ErrorKind::Other, format!("configuration data: {invalid}"))
    }
}

impl From<crate::seal::Error> for Error {
    fn from(error: crate::seal::Error) -> Self {
        Self::new(ErrorKind::Other, error.to_string())
    }
}

#[derive(FromRow)]
struct CustomerRecord {
    id: Uuid,
    ban: String,
    company_name: String,
    status: String,
    kind: String,
    services: Json<Vec<String>>,
}

fn customer(row: CustomerRecord) -> Result<Customer, Error> {
    Ok(Customer {
        id: row.id,
        ban: row.ban.parse()?,
        company_name: row.company_name,
        status: row.status,
        kind: row.kind,
        services: row.services.0,
    })
}

#[derive(FromRow)]
pub(super) struct AccountRecord {
    id: Uuid,
    system_id: String,
    customer_id: Uuid,
    password_hash: String,
    active: bool,
    binds_max: i64,
    bind_modes: String,
    window: i64,
    throughput: i64,
    ip_whitelist: Json<Vec<Cidr>>,
    default_alphabet: String,
    message_id_format: String,
    transcode: bool,
}

pub(super) fn account(row: AccountRecord) -> Result<Account, Error> {
    Ok(Account {
        id: row.id,
        system_id: row.system_id.parse()?,
        customer: row.customer_id,
        password: row.password_hash.parse().map_err(|_| {
            Error::new(ErrorKind::Other, format!("the password hash of {} is not one", row.system_id))
        })?,
        active: row.active,
        binds_max: number(row.binds_max),
        bind_modes: row.bind_modes.parse()?,
        window: number(row.window),
        throughput: number(row.throughput),
        ip_whitelist: row.ip_whitelist.0,
        default_alphabet: row.default_alphabet.parse()?,
        message_id_format: row.message_id_format.parse()?,
        transcode: row.transcode,
    })
}

#[derive(FromRow)]
pub(super) struct VendorRecord {
    id: Uuid,
    instance_name: String,
    display_name: String,
    provider_type: String,
    host: String,
    port: i64,
    tls: bool,
    tls_ca: String,
    bind_type: String,
    system_id: String,
    pub(super) password_sealed: Vec<u8>,
    system_type: String,
    binds: i64,
    window: i64,
    throughput_limit: i64,
    priority: i64,
    active: bool,
    default_alphabet: String,
    queue_depth_max: i64,
    receipts: String,
    long_messages: String,
    retryable_statuses: Json<Vec<u32>>,
}

type Sealed = Vec<(Uuid, String)>;

fn open_vendors(rows: Vec<VendorRecord>, key: &RootKey) -> Result<(Vec<Vendor>, Sealed), Error> {
    let (mut open, mut sealed) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        match key.open(row.id, &row.password_sealed) {
            Ok(password) => open.push(vendor(row, password)?),
            Err(error) => {
                tracing::error!(
                    vendor = row.instance_name,
                    %error,
                    "vendor without its password, no bind of it: apply its entry with its password again"
                );
                sealed.push((row.id, row.instance_name.clone()));
                // It stays known, so that what waits for it goes on waiting.
                open.push(Vendor { active: false, ..vendor(row, SecretString::new(""))? });
            }
        }
    }
    Ok((open, sealed))
}

pub(super) fn vendor(row: VendorRecord, password: SecretString) -> Result<Vendor, Error> {
    Ok(Vendor {
        id: row.id,
        instance_name: row.instance_name,
        display_name: row.display_name,
        provider_type: row.provider_type,
        host: row.host,
        port: u16::try_from(row.port).unwrap_or(0),
        tls: row.tls,
        tls_ca: row.tls_ca,
        bind_type: row.bind_type.parse()?,
        system_id: row.system_id.parse()?,
        password,
        system_type: row.system_type,
        binds: number(row.binds),
        window: number(row.window),
        throughput_limit: number(row.throughput_limit),
        priority: i32::try_from(row.priority).unwrap_or(i32::MAX),
        active: row.active,
        default_alphabet: row.default_alphabet.parse()?,
        queue_depth_max: number(row.queue_depth_max),
        receipts_always: row.receipts == "always",
        long_as_payload: row.long_messages == "payload",
        retryable_statuses: row.retryable_statuses.0,
    })
}

#[derive(FromRow)]
pub(super) struct RouteRecord {
    id: Uuid,
    name: String,
    prefix: String,
    source_prefix: String,
    customer_id: Option<Uuid>,
    vendor_id: Uuid,
    priority: i64,
    cost: i64,
    weight: i64,
    uncertain: String,
    active: bool,
}

pub(super) fn route(row: RouteRecord) -> Result<Route, Error> {
    Ok(Route {
        id: row.id,
        name: row.name,
        prefix: row.prefix,
        source_prefix: row.source_prefix,
        customer: row.customer_id,
        vendor: row.vendor_id,
        priority: i32::try_from(row.priority).unwrap_or(i32::MAX),
        cost: Money::from_nanos(row.cost),
        weight: number(row.weight),
        uncertain: if row.uncertain == "retry" { Uncertain::Retry } else { Uncertain::Hold },
        active: row.active,
    })
}

pub(super) fn number(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

/// The time of a change as the database keeps it.
pub(crate) fn stored_time(now: crate::clock::Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(now.micros()).unwrap_or_default()
}
