//! Entries as they describe entities.

mod voice;

use std::collections::HashMap;

use uuid::Uuid;

use super::{
    Ban, CustomerEntry, DidEntry, Document, EsmeAccountEntry, SipVendorEntry, SmsRouteEntry, SmsVendorEntry,
};
use crate::model::{Account, Customer, Did, Messaging, Route, Vendor};
use crate::store::provisioning::Current;

impl Document {
    /// The document that describes what is in the database, without passwords and the sources of trunks.
    #[must_use]
    pub fn of(current: &Current) -> Self {
        let (messaging, voice) = (&current.messaging, &current.voice);
        let names = Names::of(current);
        let ban = |id: Uuid| names.customers.get(&id).map(|ban| (*ban).clone());
        Self {
            customers: messaging
                .customers
                .iter()
                .map(|customer| CustomerEntry::of(customer, messaging))
                .collect(),
            esme_accounts: messaging
                .accounts
                .iter()
                .filter_map(|account| Some(EsmeAccountEntry::of(account, ban(account.customer)?)))
                .collect(),
            sms_vendors: messaging.vendors.iter().map(SmsVendorEntry::of).collect(),
            sms_routes: messaging
                .routes
                .iter()
                .map(|route| {
                    let vendor = messaging.vendors.iter().find(|vendor| vendor.id == route.vendor);
                    let vendor = vendor.map_or_else(String::new, |vendor| vendor.instance_name.clone());
                    SmsRouteEntry::of(route, vendor, names.customer(route.customer))
                })
                .collect(),
            media_nodes: voice.media_nodes.iter().map(voice::media_node).collect(),
            partitions: voice.partitions.iter().map(voice::partition).collect(),
            sip_vendors: voice.vendors.iter().map(SipVendorEntry::of).collect(),
            trunks: voice.trunks.iter().filter_map(|trunk| voice::trunk(trunk, &names)).collect(),
            voice_rates: voice.offers.iter().map(|offer| voice::rate(offer, &names)).collect(),
            high_cost: Some(voice.high_cost.iter().map(|one| one.prefix.clone()).collect()),
            dedicated_addresses: voice.dedicated.iter().map(|one| voice::dedicated(one, &names)).collect(),
            dids: messaging.dids.iter().map(|did| DidEntry::of(did, &names)).collect(),
        }
    }
}

/// Natural keys by primary key.
struct Names<'a> {
    customers: HashMap<Uuid, &'a Ban>,
    accounts: HashMap<Uuid, &'a str>,
    sip_vendors: HashMap<Uuid, &'a str>,
    partitions: HashMap<Uuid, &'a str>,
    trunks: HashMap<Uuid, &'a str>,
}

impl<'a> Names<'a> {
    fn of(current: &'a Current) -> Self {
        let (messaging, voice) = (&current.messaging, &current.voice);
        Self {
            customers: messaging.customers.iter().map(|found| (found.id, &found.ban)).collect(),
            accounts: messaging.accounts.iter().map(|found| (found.id, found.system_id.as_str())).collect(),
            sip_vendors: voice.vendors.iter().map(|found| (found.id, found.name.as_str())).collect(),
            partitions: voice.partitions.iter().map(|found| (found.id, found.name.as_str())).collect(),
            trunks: voice.trunks.iter().map(|found| (found.id, found.name.as_str())).collect(),
        }
    }

    /// Empty for none.
    fn customer(&self, id: Option<Uuid>) -> String {
        id.and_then(|id| self.customers.get(&id)).map_or_else(String::new, ToString::to_string)
    }
}

/// Empty for none.
fn name(names: &HashMap<Uuid, &str>, id: Option<Uuid>) -> String {
    id.and_then(|id| names.get(&id)).map_or_else(String::new, |name| (*name).to_owned())
}

impl DidEntry {
    fn of(did: &Did, names: &Names<'_>) -> Self {
        Self {
            number: did.number.clone(),
            customer: names.customer(did.customer),
            system_id: name(&names.accounts, did.account),
            trunk: name(&names.trunks, did.trunk),
        }
    }
}

impl CustomerEntry {
    pub(super) fn of(customer: &Customer, current: &Messaging) -> Self {
        let config = current.customer_configs.iter().find(|config| config.customer == customer.id);
        Self {
            ban: customer.ban.clone(),
            company_name: customer.company_name.clone(),
            status: customer.status.clone(),
            kind: customer.kind.clone(),
            services: customer.services.clone(),
            throughput: config.map_or(0, |config| config.throughput),
            outbox_max: config.map_or_else(super::outbox_max, |config| config.outbox_max),
        }
    }
}

impl EsmeAccountEntry {
    pub(in crate::store) fn of(account: &Account, customer: Ban) -> Self {
        Self {
            system_id: account.system_id.clone(),
            customer,
            password: None,
            active: account.active,
            binds_max: account.binds_max,
            bind_modes: account.bind_modes,
            window: account.window,
            throughput: account.throughput,
            ip_whitelist: account.ip_whitelist.clone(),
            default_alphabet: account.default_alphabet,
            message_id_format: account.message_id_format,
            transcode: account.transcode,
        }
    }
}

impl SmsVendorEntry {
    pub(in crate::store) fn of(vendor: &Vendor) -> Self {
        Self {
            instance_name: vendor.instance_name.clone(),
            display_name: vendor.display_name.clone(),
            provider_type: vendor.provider_type.clone(),
            host: vendor.host.clone(),
            port: vendor.port,
            tls: vendor.tls,
            tls_ca: vendor.tls_ca.clone(),
            bind_type: vendor.bind_type,
            system_id: vendor.system_id.clone(),
            password: None,
            system_type: vendor.system_type.clone(),
            binds: vendor.binds,
            window: vendor.window,
            throughput_limit: vendor.throughput_limit,
            priority: vendor.priority,
            active: vendor.active,
            default_alphabet: vendor.default_alphabet,
            queue_depth_max: vendor.queue_depth_max,
            receipts_always: vendor.receipts_always,
            long_as_payload: vendor.long_as_payload,
            retryable_statuses: vendor.retryable_statuses.clone(),
        }
    }
}

impl SmsRouteEntry {
    /// With the names of its vendor and of its customer, if it is one customer's.
    pub(in crate::store) fn of(route: &Route, vendor: String, customer: String) -> Self {
        Self {
            name: route.name.clone(),
            prefix: route.prefix.clone(),
            source_prefix: route.source_prefix.clone(),
            customer,
            vendor,
            priority: route.priority,
            cost: route.cost,
            weight: route.weight,
            uncertain: route.uncertain.into(),
            active: route.active,
        }
    }
}
