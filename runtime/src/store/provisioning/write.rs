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
use crate::store::announce::announce_in;
use crate::store::did::{self, DidRow};
use crate::store::messaging::stored_time;
use crate::store::messaging_config::{self, MessagingConfig};
use crate::store::version::raise_from;
use crate::store::{Db, Sql, Tx, esme_account, execute, sms_route, sms_vendor, statements};

statements! {
    UPSERT_CUSTOMER = Sql::both(
        "INSERT INTO accounts.customers (id, ban, company_name, status, type, services, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (ban) DO UPDATE SET \
         company_name = excluded.company_name, status = excluded.status, type = excluded.type, \
         services = excluded.services, updated_at = excluded.updated_at");
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
    if !raise_from(&mut writer.tx, messaging.version).await? {
        return Err(Error::Changed);
    }
    announce_in(&mut writer.tx).await?;
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
        let Current { messaging: current, voice, .. } = current;
        let mut ids = HashMap::new();
        ids.extend(current.customers.iter().map(|found| (("customer", found.ban.to_string()), found.id)));
        ids.extend(current.accounts.iter().map(|found| (("account", found.system_id.to_string()), found.id)));
        ids.extend(current.vendors.iter().map(|found| (("vendor", found.instance_name.clone()), found.id)));
        ids.extend(current.vendors_sealed.iter().map(|(id, name)| (("vendor", name.clone()), *id)));
        ids.extend(current.routes.iter().map(|found| (("route", found.name.clone()), found.id)));
        ids.extend(current.dids.iter().map(|found| (("did", found.number.clone()), found.id)));
        ids.extend(voice.media_nodes.iter().map(|found| (("media_node", found.name.clone()), found.id)));
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
        let config = MessagingConfig { throughput: entry.throughput, outbox_max: entry.outbox_max };
        messaging_config::put(&mut self.tx, id, config, self.now).await?;
        Ok(())
    }

    async fn account(&mut self, entry: &EsmeAccountEntry, hash: &PasswordHash) -> Result<(), Error> {
        let id = self.ids.get_or_make("account", entry.system_id.as_str());
        let customer = self.ids.get("customer", entry.customer.as_str());
        Ok(esme_account::put(&mut self.tx, (id, customer), (entry, hash), self.now).await?)
    }

    async fn vendor(&mut self, entry: &SmsVendorEntry, current: &Messaging) -> Result<(), Error> {
        let stored = current.vendors.iter().find(|vendor| vendor.instance_name == entry.instance_name);
        let password = entry.password.as_ref().or_else(|| stored.map(|stored| &stored.password));
        let Some(password) = password else {
            return Err(Error::NoPassword { kind: "sms_vendor", key: entry.instance_name.clone() });
        };
        let id = self.ids.get_or_make("vendor", &entry.instance_name);
        let sealed = self.key.seal(id, password).map_err(crate::store::Error::from)?;
        Ok(sms_vendor::put(&mut self.tx, id, (entry, &sealed), self.now).await?)
    }

    async fn route(&mut self, entry: &SmsRouteEntry) -> Result<(), Error> {
        let id = self.ids.get_or_make("route", &entry.name);
        let named = (self.ids.get("customer", &entry.customer), self.ids.get("vendor", &entry.vendor));
        Ok(sms_route::put(&mut self.tx, id, named, entry, self.now).await?)
    }

    async fn did(&mut self, entry: &DidEntry) -> Result<(), Error> {
        let row = DidRow {
            id: self.ids.get_or_make("did", &entry.number),
            number: &entry.number,
            customer: self.ids.get("customer", &entry.customer),
            account: self.ids.get("account", &entry.system_id),
            trunk: self.ids.get("trunk", &entry.trunk),
        };
        Ok(did::put(&mut self.tx, &row, self.now).await?)
    }
}
