//! Writes voice.

use super::super::document::{
    DedicatedAddressEntry, MediaNodeEntry, PartitionEntry, SipVendorEntry, TrunkEntry, VoiceRateEntry,
};
use super::super::voice::Sources;
use super::{Changed, Document, Error, Writer};
use crate::config::HumanDuration;
use crate::model::Voice;
use crate::store::trunk::TrunkRow;
use crate::store::voice_rate::{self, RateRow};
use crate::store::{
    self, ErrorKind, Sql, Tx, dedicated_ip, high_cost, media_node, partition, statements, trunk,
    trunk_credential, trunk_ip, vendor_account, voice_vendor,
};

statements! {
    NEXT_NUMBER = Sql::both(
        "UPDATE voice.numbering SET last_number = last_number + 1 WHERE kind = $1 RETURNING last_number");
}

impl Writer<'_> {
    /// Everything of voice that changed, what is named before what names it.
    pub(super) async fn voice(
        &mut self,
        document: &Document,
        changed: &Changed<'_>,
        current: &Voice,
    ) -> Result<(), Error> {
        for entry in document.media_nodes.iter().filter(|entry| changed.has("media_node", &entry.name)) {
            let stored = current.media_nodes.iter().find(|stored| stored.name == entry.name);
            self.media_node(entry, stored.map(|stored| stored.number)).await?;
        }
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
        self.digests(&trunks, current).await?;
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
        Ok(next_number(&mut self.tx, kind).await?)
    }

    async fn media_node(&mut self, entry: &MediaNodeEntry, stored: Option<u8>) -> Result<(), Error> {
        let number = match stored {
            Some(number) => number,
            None => media_node::next_number(&mut self.tx).await?.ok_or_else(|| {
                store::Error::new(ErrorKind::Constraint, "every number of a media node is some node's")
            })?,
        };
        let id = self.ids.get_or_make("media_node", &entry.name);
        Ok(media_node::put(&mut self.tx, (id, number), entry, self.now).await?)
    }

    async fn partition(&mut self, entry: &PartitionEntry, stored: Option<u32>) -> Result<(), Error> {
        let number = self.number("partition", stored).await?;
        let id = self.ids.get_or_make("partition", &entry.name);
        Ok(partition::put(&mut self.tx, (id, number), entry, self.now).await?)
    }

    async fn sip_vendor(&mut self, entry: &SipVendorEntry, stored: Option<u32>) -> Result<(), Error> {
        let number = self.number("vendor", stored).await?;
        let id = self.ids.get_or_make("sip_vendor", &entry.name);
        voice_vendor::put(&mut self.tx, (id, number), entry, self.now).await?;
        let Some(account) = &entry.account else {
            return Ok(vendor_account::delete(&mut self.tx, id).await?);
        };
        // Without a password it stays what it was.
        let seal =
            |password| vendor_account::seal(self.key, id, (&account.username, &account.realm), password);
        let sealed = account.password.as_ref().map(seal).transpose().map_err(store::Error::from)?;
        Ok(vendor_account::put(&mut self.tx, id, (account, sealed), self.now).await?)
    }

    async fn trunk(&mut self, entry: &TrunkEntry, stored: Option<u32>) -> Result<(), Error> {
        let number = self.number("trunk", stored).await?;
        let form = entry.form();
        let row = TrunkRow {
            id: self.ids.get_or_make("trunk", &entry.name),
            number,
            customer: self.ids.get("customer", entry.customer.as_str()),
            partition: self.ids.get("partition", &entry.partition),
            form: &form,
        };
        Ok(trunk::put(&mut self.tx, &row, self.now).await?)
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
        trunk_ip::remove(&mut self.tx, &surplus).await?;
        Ok(trunk_ip::add(&mut self.tx, &added, self.now).await?)
    }

    /// Deletes first: a username may go from one trunk to another.
    async fn digests(&mut self, trunks: &[&TrunkEntry], current: &Voice) -> Result<(), Error> {
        for entry in trunks {
            let stored = current.trunks.iter().find(|stored| stored.name == entry.name);
            let Some((id, digest)) = stored.and_then(|stored| Some((stored.id, stored.digest.as_ref()?)))
            else {
                continue;
            };
            if entry.digest.as_ref().is_none_or(|wanted| wanted.username != digest.username) {
                trunk_credential::delete(&mut self.tx, id).await?;
            }
        }
        for entry in trunks {
            // Without a password it stays what it was.
            let wanted = entry.digest.as_ref().and_then(|digest| Some((digest, digest.password.as_ref()?)));
            let Some((digest, password)) = wanted else { continue };
            let id = self.ids.get_or_make("trunk", &entry.name);
            let sealed = trunk_credential::seal(self.key, id, (&digest.username, password));
            let sealed = sealed.map_err(store::Error::from)?;
            trunk_credential::put(&mut self.tx, id, (&digest.username, sealed), self.now).await?;
        }
        Ok(())
    }

    async fn rates(&mut self, rates: &[&VoiceRateEntry]) -> Result<(), Error> {
        let rows = rates.iter().map(|rate| RateRow {
            partition: self.ids.get("partition", &rate.partition),
            vendor: self.ids.get("sip_vendor", &rate.vendor),
            rate,
        });
        let rows: Vec<RateRow<'_>> = rows.collect();
        Ok(voice_rate::put(&mut self.tx, &rows, self.now).await?)
    }

    async fn high_cost(&mut self, wanted: &[String], current: &Voice) -> Result<(), Error> {
        let stored: Vec<&str> = current.high_cost.iter().map(|stored| stored.prefix.as_str()).collect();
        Ok(high_cost::replace(&mut self.tx, &stored, wanted).await?)
    }

    async fn dedicated_address(&mut self, entry: &DedicatedAddressEntry) -> Result<(), Error> {
        let customer = self.ids.get("customer", &entry.customer);
        Ok(dedicated_ip::put(&mut self.tx, entry.address, customer, self.now).await?)
    }
}

/// The next number of a kind of entity: `trunk`, `vendor` or `partition`.
pub(crate) async fn next_number(tx: &mut Tx, kind: &'static str) -> Result<i64, store::Error> {
    let next: Result<(i64,), sqlx::Error> = match tx {
        Tx::Pg(tx) => sqlx::query_as(NEXT_NUMBER.pg()).bind(kind).fetch_one(&mut **tx).await,
        Tx::Lite(tx) => sqlx::query_as(NEXT_NUMBER.lite()).bind(kind).fetch_one(&mut **tx).await,
    };
    Ok(next.map_err(store::Error::from)?.0)
}

/// A time as it is stored.
pub(crate) fn milliseconds(duration: HumanDuration) -> i64 {
    i64::try_from(duration.get().as_millis()).unwrap_or(i64::MAX)
}
