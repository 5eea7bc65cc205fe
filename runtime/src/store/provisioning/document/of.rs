//! Entries as they describe entities.

use super::{Ban, CustomerEntry, EsmeAccountEntry, Messaging, SmsRouteEntry, SmsVendorEntry};
use crate::model::{Account, Customer, Route, Vendor};

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
    pub(super) fn of(account: &Account, customer: Ban) -> Self {
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
    pub(super) fn of(vendor: &Vendor) -> Self {
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
    pub(super) fn of(route: &Route, current: &Messaging, customer: String) -> Self {
        let open = current.vendors.iter().map(|vendor| (vendor.id, &vendor.instance_name));
        let sealed = current.vendors_sealed.iter().map(|(id, name)| (*id, name));
        let vendor = open.chain(sealed).find(|(id, _)| *id == route.vendor);
        Self {
            name: route.name.clone(),
            prefix: route.prefix.clone(),
            source_prefix: route.source_prefix.clone(),
            customer,
            vendor: vendor.map_or_else(String::new, |(_, name)| name.clone()),
            priority: route.priority,
            cost: route.cost,
            weight: route.weight,
            uncertain: route.uncertain.into(),
            active: route.active,
        }
    }
}
