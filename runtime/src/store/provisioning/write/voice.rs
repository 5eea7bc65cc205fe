//! Writes voice.

use std::collections::HashSet;
use std::net::IpAddr;

use serde_json::json;
use uuid::Uuid;

use super::super::document::{
    DedicatedAddressEntry, PartitionEntry, SipVendorEntry, TrunkEntry, VoiceRateEntry,
};
use super::super::voice::Sources;
use super::{Changed, Document, Error, Writer};
use crate::config::HumanDuration;
use crate::model::{AclSource, Voice};
use crate::store::messaging::stored_time;
use crate::store::{self, Bulk, Sql, Tx, execute, execute_rows, statements};

statements! {
    NEXT_NUMBER = Sql::both(
        "UPDATE voice.numbering SET last_number = last_number + 1 WHERE kind = $1 RETURNING last_number");
    UPSERT_PARTITION = Sql::both(
        "INSERT INTO voice.partitions (id, number, name, created_at, updated_at) VALUES ($1, $2, $3, $4, $4) \
         ON CONFLICT (name) DO UPDATE SET updated_at = excluded.updated_at");
    UPSERT_VENDOR = Sql::both(
        "INSERT INTO voice.vendors (id, number, name, status, gateways, networks, cps, channels, priority, weight, \
         pdd_timeout, ring_timeout, session_expires, failover_statuses, failover_after_early_media, probe_interval, \
         oversize, callee_rules, caller_rules, header_rules, trusted, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
         $22, $22) \
         ON CONFLICT (name) DO UPDATE SET status = excluded.status, gateways = excluded.gateways, \
         networks = excluded.networks, cps = excluded.cps, channels = excluded.channels, \
         priority = excluded.priority, weight = excluded.weight, pdd_timeout = excluded.pdd_timeout, \
         ring_timeout = excluded.ring_timeout, session_expires = excluded.session_expires, \
         failover_statuses = excluded.failover_statuses, \
         failover_after_early_media = excluded.failover_after_early_media, \
         probe_interval = excluded.probe_interval, oversize = excluded.oversize, \
         callee_rules = excluded.callee_rules, caller_rules = excluded.caller_rules, \
         header_rules = excluded.header_rules, trusted = excluded.trusted, updated_at = excluded.updated_at");
    UPSERT_TRUNK = Sql::both(
        "INSERT INTO accounts.trunk_groups (id, number, name, customer_id, auth_type, active, cps, channels, \
         partition_id, allow_prefixes, deny_prefixes, opened_prefixes, rate_max, trusted, max_duration, \
         session_expires, callee_rules, caller_rules, header_rules, gateways, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $21) \
         ON CONFLICT (name) DO UPDATE SET customer_id = excluded.customer_id, auth_type = excluded.auth_type, \
         active = excluded.active, cps = excluded.cps, channels = excluded.channels, \
         partition_id = excluded.partition_id, allow_prefixes = excluded.allow_prefixes, \
         deny_prefixes = excluded.deny_prefixes, opened_prefixes = excluded.opened_prefixes, \
         rate_max = excluded.rate_max, trusted = excluded.trusted, max_duration = excluded.max_duration, \
         session_expires = excluded.session_expires, callee_rules = excluded.callee_rules, caller_rules = excluded.caller_rules, \
         header_rules = excluded.header_rules, gateways = excluded.gateways, updated_at = excluded.updated_at");
    UPSERT_DEDICATED = Sql::both(
        "INSERT INTO accounts.customer_dedicated_ips (id, address, customer_id, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $4) ON CONFLICT (address) DO UPDATE SET customer_id = excluded.customer_id, \
         updated_at = excluded.updated_at");
    DELETE_DEDICATED = Sql::both("DELETE FROM accounts.customer_dedicated_ips WHERE address = $1");
}

pub(crate) static DELETE_SOURCES: Bulk = Bulk::new("DELETE FROM accounts.trunk_ips WHERE id IN (", 1, ")");
pub(crate) static INSERT_SOURCES: Bulk = Bulk::new(
    "INSERT INTO accounts.trunk_ips (id, trunk_group_id, network, lo, hi, port, transport, created_at) VALUES ",
    8,
    "",
);
pub(crate) static UPSERT_RATES: Bulk = Bulk::new(
    "INSERT INTO voice.vendor_rates (id, partition_id, prefix, vendor_id, rate, priority, weight, blocked, \
     created_at, updated_at) VALUES ",
    10,
    " ON CONFLICT (partition_id, prefix, vendor_id) DO UPDATE SET rate = excluded.rate, \
     priority = excluded.priority, weight = excluded.weight, blocked = excluded.blocked, \
     updated_at = excluded.updated_at",
);
pub(crate) static DELETE_HIGH_COST: Bulk = Bulk::new("DELETE FROM voice.high_cost WHERE prefix IN (", 1, ")");
pub(crate) static INSERT_HIGH_COST: Bulk = Bulk::new("INSERT INTO voice.high_cost (prefix) VALUES ", 1, "");

impl Writer<'_> {
    /// Everything of voice that changed, what is named before what names it.
    pub(super) async fn voice(
        &mut self,
        document: &Document,
        changed: &Changed<'_>,
        current: &Voice,
    ) -> Result<(), Error> {
        for entry in document.partitions.iter().filter(|entry| changed.has("partition", &entry.name)) {
            let stored = current.partitions.iter().find(|stored| stored.name == entry.name);
            self.partition(entry, stored.map(|stored| stored.number)).await?;
        }
        for entry in document.sip_vendors.iter().filter(|entry| changed.has("sip_vendor", &entry.name)) {
            let stored = current.vendors.iter().find(|stored| stored.name == entry.name);
            self.sip_vendor(entry, stored.map(|stored| stored.number)).await?;
        }
        let trunks = document.trunks.iter().filter(|entry| changed.has("trunk", &entry.name));
        let trunks: Vec<&TrunkEntry> = trunks.collect();
        for entry in &trunks {
            let stored = current.trunks.iter().find(|stored| stored.name == entry.name);
            self.trunk(entry, stored.map(|stored| stored.number)).await?;
        }
        self.sources(&trunks, &Sources::of(current)).await?;
        let rates = document.voice_rates.iter().filter(|entry| changed.has("voice_rate", &entry.key()));
        self.rates(&rates.collect::<Vec<_>>()).await?;
        if let Some(wanted) = document.high_cost.as_ref().filter(|_| changed.has("high_cost", "list")) {
            self.high_cost(wanted, current).await?;
        }
        for entry in &document.dedicated_addresses {
            if changed.has("dedicated_address", &entry.address.to_string()) {
                self.dedicated_address(entry).await?;
            }
        }
        Ok(())
    }

    /// The number of an entity: its own, or the next of its kind.
    async fn number(&mut self, kind: &'static str, stored: Option<u32>) -> Result<i64, Error> {
        if let Some(stored) = stored {
            return Ok(stored.into());
        }
        let next: Result<(i64,), sqlx::Error> = match &mut self.tx {
            Tx::Pg(tx) => sqlx::query_as(NEXT_NUMBER.pg()).bind(kind).fetch_one(&mut **tx).await,
            Tx::Lite(tx) => sqlx::query_as(NEXT_NUMBER.lite()).bind(kind).fetch_one(&mut **tx).await,
        };
        Ok(next.map_err(store::Error::from)?.0)
    }

    async fn partition(&mut self, entry: &PartitionEntry, stored: Option<u32>) -> Result<(), Error> {
        let number = self.number("partition", stored).await?;
        let id = self.ids.get_or_make("partition", &entry.name);
        let now = stored_time(self.now);
        execute!(&mut self.tx, UPSERT_PARTITION, id, number, entry.name.clone(), now)?;
        Ok(())
    }

    async fn sip_vendor(&mut self, entry: &SipVendorEntry, stored: Option<u32>) -> Result<(), Error> {
        let number = self.number("vendor", stored).await?;
        let id = self.ids.get_or_make("sip_vendor", &entry.name);
        execute!(
            &mut self.tx,
            UPSERT_VENDOR,
            id,
            number,
            entry.name.clone(),
            entry.status.as_str(),
            json!(entry.gateways),
            json!(entry.networks),
            i64::from(entry.cps),
            i64::from(entry.channels),
            i64::from(entry.priority),
            i64::from(entry.weight),
            milliseconds(entry.pdd_timeout),
            milliseconds(entry.ring_timeout),
            milliseconds(entry.session_expires),
            json!(entry.failover_statuses),
            entry.failover_after_early_media,
            milliseconds(entry.probe_interval),
            entry.oversize.as_str(),
            json!(entry.callee_rules),
            json!(entry.caller_rules),
            json!(entry.header_rules),
            entry.trusted,
            stored_time(self.now),
        )?;
        Ok(())
    }

    async fn trunk(&mut self, entry: &TrunkEntry, stored: Option<u32>) -> Result<(), Error> {
        let number = self.number("trunk", stored).await?;
        let id = self.ids.get_or_make("trunk", &entry.name);
        execute!(
            &mut self.tx,
            UPSERT_TRUNK,
            id,
            number,
            entry.name.clone(),
            self.ids.get("customer", entry.customer.as_str()),
            entry.auth_type.as_str(),
            entry.active,
            i64::from(entry.cps),
            i64::from(entry.channels),
            self.ids.get("partition", &entry.partition),
            json!(entry.allow),
            json!(entry.deny),
            json!(entry.opened),
            entry.rate_max.map(crate::model::Money::nanos),
            entry.trusted,
            milliseconds(entry.max_duration),
            milliseconds(entry.session_expires),
            json!(entry.callee_rules),
            json!(entry.caller_rules),
            json!(entry.header_rules),
            json!(entry.gateways),
            stored_time(self.now),
        )?;
        Ok(())
    }

    /// Deletes first: a source may go from one trunk to another.
    async fn sources(&mut self, trunks: &[&TrunkEntry], stored: &Sources<'_>) -> Result<(), Error> {
        let (mut added, mut surplus) = (Vec::new(), Vec::new());
        for entry in trunks {
            let (sources, ids) = stored.difference(entry);
            let trunk = self.ids.get("trunk", &entry.name);
            added.extend(sources.into_iter().map(|source| (trunk, source)));
            surplus.extend(ids);
        }
        let now = stored_time(self.now);
        execute_rows!(&mut self.tx, DELETE_SOURCES, surplus, |id| (*id));
        execute_rows!(&mut self.tx, INSERT_SOURCES, added, |(trunk, source)| (
            Uuid::new_v4(),
            *trunk,
            source.network.to_string(),
            octets(source.network.first()),
            octets(source.network.last()),
            i64::from(source.port.unwrap_or(0)),
            transport(source),
            now,
        ));
        Ok(())
    }

    async fn rates(&mut self, rates: &[&VoiceRateEntry]) -> Result<(), Error> {
        let now = stored_time(self.now);
        execute_rows!(&mut self.tx, UPSERT_RATES, rates, |rate| (
            Uuid::new_v4(),
            self.ids.get("partition", &rate.partition),
            rate.prefix.clone(),
            self.ids.get("sip_vendor", &rate.vendor),
            rate.rate.nanos(),
            i64::from(rate.priority),
            i64::from(rate.weight),
            rate.blocked,
            now,
            now,
        ));
        Ok(())
    }

    async fn high_cost(&mut self, wanted: &[String], current: &Voice) -> Result<(), Error> {
        let stored: HashSet<&String> = current.high_cost.iter().map(|stored| &stored.prefix).collect();
        let wanted: HashSet<&String> = wanted.iter().collect();
        let surplus: Vec<&String> = stored.difference(&wanted).copied().collect();
        let added: Vec<&String> = wanted.difference(&stored).copied().collect();
        execute_rows!(&mut self.tx, DELETE_HIGH_COST, surplus, |prefix| ((*prefix).clone()));
        execute_rows!(&mut self.tx, INSERT_HIGH_COST, added, |prefix| ((*prefix).clone()));
        Ok(())
    }

    async fn dedicated_address(&mut self, entry: &DedicatedAddressEntry) -> Result<(), Error> {
        let address = entry.address.to_string();
        let Some(customer) = self.ids.get("customer", &entry.customer) else {
            execute!(&mut self.tx, DELETE_DEDICATED, address.clone())?;
            return Ok(());
        };
        let now = stored_time(self.now);
        execute!(&mut self.tx, UPSERT_DEDICATED, Uuid::new_v4(), address.clone(), customer, now)?;
        Ok(())
    }
}

fn milliseconds(duration: HumanDuration) -> i64 {
    i64::try_from(duration.get().as_millis()).unwrap_or(i64::MAX)
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn transport(source: &AclSource) -> &'static str {
    source.transport.map_or("", crate::model::Transport::as_str)
}
