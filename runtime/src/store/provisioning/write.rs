//! Writes a document.

pub(super) mod voice;

use std::collections::{HashMap, HashSet};

use serde_json::json;
use uuid::Uuid;

use super::{
    Change, Current, CustomerEntry, DidEntry, Document, Error, EsmeAccountEntry, SmsRouteEntry,
    SmsVendorEntry,
};
use crate::clock::Timestamp;
use crate::model::Messaging;
use crate::password::{self, PasswordHash};
use crate::seal::RootKey;
use crate::store::messaging::stored_time;
use crate::store::{Db, Sql, Tx, execute, statements};

statements! {
    RAISE_VERSION = Sql::both(
        "UPDATE accounts.config_version SET version = version + 1 WHERE id = 1 AND version = $1");
    UPSERT_CUSTOMER = Sql::both(
        "INSERT INTO accounts.customers (id, ban, company_name, status, type, services, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (ban) DO UPDATE SET \
         company_name = excluded.company_name, status = excluded.status, type = excluded.type, \
         services = excluded.services, updated_at = excluded.updated_at");
    UPSERT_CUSTOMER_CONFIG = Sql::both(
        "INSERT INTO messaging.customer_config (customer_id, throughput, outbox_max, updated_at) \
         VALUES ($1, $2, $3, $4) ON CONFLICT (customer_id) DO UPDATE SET throughput = excluded.throughput, \
         outbox_max = excluded.outbox_max, updated_at = excluded.updated_at");
    UPSERT_ACCOUNT = Sql::both(
        "INSERT INTO messaging.esme_accounts (id, system_id, customer_id, password_hash, active, binds_max, \
         bind_modes, \"window\", throughput, ip_whitelist, default_alphabet, message_id_format, transcode, \
         created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14) \
         ON CONFLICT (system_id) DO UPDATE SET customer_id = excluded.customer_id, \
         password_hash = excluded.password_hash, active = excluded.active, binds_max = excluded.binds_max, \
         bind_modes = excluded.bind_modes, \"window\" = excluded.\"window\", throughput = excluded.throughput, \
         ip_whitelist = excluded.ip_whitelist, default_alphabet = excluded.default_alphabet, \
         message_id_format = excluded.message_id_format, transcode = excluded.transcode, \
         updated_at = excluded.updated_at");
    UPSERT_VENDOR = Sql::both(
        "INSERT INTO messaging.vendors (id, instance_name, display_name, provider_type, host, port, tls, tls_ca, \
         bind_type, system_id, password_sealed, system_type, binds, \"window\", throughput_limit, priority, \
         active, default_alphabet, queue_depth_max, receipts, long_messages, retryable_statuses, capabilities, \
         health_status, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
         $22, $23, 'unknown', $24, $24) \
         ON CONFLICT (instance_name) DO UPDATE SET display_name = excluded.display_name, \
         provider_type = excluded.provider_type, host = excluded.host, port = excluded.port, \
         tls = excluded.tls, tls_ca = excluded.tls_ca, bind_type = excluded.bind_type, \
         system_id = excluded.system_id, password_sealed = excluded.password_sealed, \
         system_type = excluded.system_type, binds = excluded.binds, \"window\" = excluded.\"window\", \
         throughput_limit = excluded.throughput_limit, priority = excluded.priority, \
         active = excluded.active, default_alphabet = excluded.default_alphabet, \
         queue_depth_max = excluded.queue_depth_max, receipts = excluded.receipts, \
         long_messages = excluded.long_messages, retryable_statuses = excluded.retryable_statuses, \
         updated_at = excluded.updated_at");
    UPSERT_ROUTE = Sql::both(
        "INSERT INTO messaging.routes (id, name, prefix, source_prefix, customer_id, vendor_id, priority, cost, \
         weight, uncertain, active, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12) ON CONFLICT (name) DO UPDATE SET \
         prefix = excluded.prefix, source_prefix = excluded.source_prefix, customer_id = excluded.customer_id, \
         vendor_id = excluded.vendor_id, priority = excluded.priority, cost = excluded.cost, \
         weight = excluded.weight, uncertain = excluded.uncertain, active = excluded.active, \
         updated_at = excluded.updated_at");
    UPSERT_DID = Sql::both(
        "INSERT INTO voice.dids (id, number, customer_id, esme_account_id, trunk_id, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (number) DO UPDATE SET \
         customer_id = excluded.customer_id, esme_account_id = excluded.esme_account_id, \
         trunk_id = excluded.trunk_id, updated_at = excluded.updated_at");
}

/// Writes the entities that `changes` names, in one transaction, and raises the configuration version.
/// Hashes new passwords first, which takes tens of milliseconds each.
///
/// # Errors
/// [`Error::Changed`] when the configuration is no longer the `current` one that `changes` was made from: ids
/// would be wrong, and passwords sealed for rows that are not. When the database refuses. Nothing was written
/// then.
pub async fn apply(
    db: &Db,
    key: &RootKey,
    (document, changes): (&Document, &[Change]),
    current: &Current,
    now: Timestamp,
) -> Result<(), Error> {
    if changes.is_empty() {
        return Ok(());
    }
    let changed = Changed(changes.iter().map(|change| (change.kind, change.key.as_str())).collect());
    let messaging = &current.messaging;
    let accounts = document.esme_accounts.iter();
    let accounts: Vec<_> = accounts
        .filter(|entry| changed.has("esme_account", entry.system_id.as_str()))
        .map(|entry| Ok((entry, password_hash(entry, messaging)?)))
        .collect::<Result<_, Error>>()?;
    // From here on the database is locked: nothing slow, nothing that can be done before.
    let mut writer = Writer { tx: db.begin().await?, key, ids: Ids::of(current), now };
    if execute!(&mut writer.tx, RAISE_VERSION, messaging.version)? == 0 {
        return Err(Error::Changed);
    }
    for entry in document.customers.iter().filter(|entry| changed.has("customer", entry.ban.as_str())) {
        writer.customer(entry).await?;
    }
    for (entry, hash) in accounts {
        writer.account(entry, &hash).await?;
    }
    for entry in document.sms_vendors.iter().filter(|entry| changed.has("sms_vendor", &entry.instance_name)) {
        writer.vendor(entry, messaging).await?;
    }
    for entry in document.sms_routes.iter().filter(|entry| changed.has("sms_route", &entry.name)) {
        writer.route(entry).await?;
    }
    writer.voice(document, &changed, &current.voice).await?;
    for entry in document.dids.iter().filter(|entry| changed.has("did", &entry.number)) {
        writer.did(entry).await?;
    }
    writer.tx.commit().await?;
    Ok(())
}

/// Kind and key of what differs.
struct Changed<'a>(HashSet<(&'static str, &'a str)>);

impl Changed<'_> {
    fn has(&self, kind: &'static str, key: &str) -> bool {
        self.0.contains(&(kind, key))
    }
}

/// The stored hash while it is of the wanted password, else a new one.
fn password_hash(entry: &EsmeAccountEntry, current: &Messaging) -> Result<PasswordHash, Error> {
    let stored = current.accounts.iter().find(|account| account.system_id == entry.system_id);
    match (&entry.password, stored) {
        (Some(wanted), Some(stored))
            if password::verify(Some(&stored.password), wanted.expose().as_bytes()) =>
        {
            Ok(stored.password.clone())
        }
        (Some(wanted), _) => Ok(password::hash(wanted.expose())),
        (None, Some(stored)) => Ok(stored.password.clone()),
        (None, None) => Err(Error::NoPassword { kind: "esme_account", key: entry.system_id.to_string() }),
    }
}

/// Primary keys by natural key, those given in this transaction included.
struct Ids(HashMap<(&'static str, String), Uuid>);

impl Ids {
    fn of(current: &Current) -> Self {
        let Current { messaging: current, voice } = current;
        let mut ids = HashMap::new();
        ids.extend(current.customers.iter().map(|found| (("customer", found.ban.to_string()), found.id)));
        ids.extend(current.accounts.iter().map(|found| (("account", found.system_id.to_string()), found.id)));
        ids.extend(current.vendors.iter().map(|found| (("vendor", found.instance_name.clone()), found.id)));
        ids.extend(current.vendors_sealed.iter().map(|(id, name)| (("vendor", name.clone()), *id)));
        ids.extend(current.routes.iter().map(|found| (("route", found.name.clone()), found.id)));
        ids.extend(current.dids.iter().map(|found| (("did", found.number.clone()), found.id)));
        ids.extend(voice.partitions.iter().map(|found| (("partition", found.name.clone()), found.id)));
        ids.extend(voice.vendors.iter().map(|found| (("sip_vendor", found.name.clone()), found.id)));
        ids.extend(voice.trunks.iter().map(|found| (("trunk", found.name.clone()), found.id)));
        Self(ids)
    }

    fn get(&self, kind: &'static str, name: &str) -> Option<Uuid> {
        self.0.get(&(kind, name.to_owned())).copied()
    }

    fn get_or_make(&mut self, kind: &'static str, name: &str) -> Uuid {
        *self.0.entry((kind, name.to_owned())).or_insert_with(Uuid::new_v4)
    }
}

struct Writer<'a> {
    tx: Tx,
    key: &'a RootKey,
    ids: Ids,
    now: Timestamp,
}

impl Writer<'_> {
    async fn customer(&mut self, entry: &CustomerEntry) -> Result<(), Error> {
        let id = self.ids.get_or_make("customer", entry.ban.as_str());
        let now = stored_time(self.now);
        execute!(
            &mut self.tx,
            UPSERT_CUSTOMER,
            id,
            entry.ban.as_str().to_owned(),
            entry.company_name.clone(),
            entry.status.clone(),
            entry.kind.clone(),
            json!(entry.services),
            now,
        )?;
        let (throughput, outbox_max) = (i64::from(entry.throughput), i64::from(entry.outbox_max));
        execute!(&mut self.tx, UPSERT_CUSTOMER_CONFIG, id, throughput, outbox_max, now)?;
        Ok(())
    }

    async fn account(&mut self, entry: &EsmeAccountEntry, hash: &PasswordHash) -> Result<(), Error> {
        let id = self.ids.get_or_make("account", entry.system_id.as_str());
        execute!(
            &mut self.tx,
            UPSERT_ACCOUNT,
            id,
            entry.system_id.as_str().to_owned(),
            self.ids.get("customer", entry.customer.as_str()),
            hash.as_str().to_owned(),
            entry.active,
            i64::from(entry.binds_max),
            entry.bind_modes.to_string(),
            i64::from(entry.window),
            i64::from(entry.throughput),
            json!(entry.ip_whitelist),
            entry.default_alphabet.as_str(),
            entry.message_id_format.as_str(),
            entry.transcode,
            stored_time(self.now),
        )?;
        Ok(())
    }

    async fn vendor(&mut self, entry: &SmsVendorEntry, current: &Messaging) -> Result<(), Error> {
        let stored = current.vendors.iter().find(|vendor| vendor.instance_name == entry.instance_name);
        let password = entry.password.as_ref().or_else(|| stored.map(|stored| &stored.password));
        let Some(password) = password else {
            return Err(Error::NoPassword { kind: "sms_vendor", key: entry.instance_name.clone() });
        };
        let id = self.ids.get_or_make("vendor", &entry.instance_name);
        let sealed = self.key.seal(id, password).map_err(crate::store::Error::from)?;
        execute!(
            &mut self.tx,
            UPSERT_VENDOR,
            id,
            entry.instance_name.clone(),
            entry.display_name.clone(),
            entry.provider_type.clone(),
            entry.host.clone(),
            i64::from(entry.port),
            entry.tls,
            entry.tls_ca.clone(),
            entry.bind_type.as_str(),
            entry.system_id.as_str().to_owned(),
            sealed.clone(),
            entry.system_type.clone(),
            i64::from(entry.binds),
            i64::from(entry.window),
            i64::from(entry.throughput_limit),
            i64::from(entry.priority),
            entry.active,
            entry.default_alphabet.as_str(),
            i64::from(entry.queue_depth_max),
            if entry.receipts_always { "always" } else { "asked" },
            if entry.long_as_payload { "payload" } else { "split" },
            json!(entry.retryable_statuses),
            json!({"sms": true, "mms": false, "unicode": true}),
            stored_time(self.now),
        )?;
        Ok(())
    }

    async fn route(&mut self, entry: &SmsRouteEntry) -> Result<(), Error> {
        let id = self.ids.get_or_make("route", &entry.name);
        execute!(
            &mut self.tx,
            UPSERT_ROUTE,
            id,
            entry.name.clone(),
            entry.prefix.clone(),
            entry.source_prefix.clone(),
            self.ids.get("customer", &entry.customer),
            self.ids.get("vendor", &entry.vendor),
            i64::from(entry.priority),
            entry.cost.nanos(),
            i64::from(entry.weight),
            entry.uncertain.word(),
            entry.active,
            stored_time(self.now),
        )?;
        Ok(())
    }

    async fn did(&mut self, entry: &DidEntry) -> Result<(), Error> {
        let id = self.ids.get_or_make("did", &entry.number);
        execute!(
            &mut self.tx,
            UPSERT_DID,
            id,
            entry.number.clone(),
            self.ids.get("customer", &entry.customer),
            self.ids.get("account", &entry.system_id),
            self.ids.get("trunk", &entry.trunk),
            stored_time(self.now),
        )?;
        Ok(())
    }
}
