//! Entries of voice as they describe entities.

use super::{Names, name};
use crate::config::HumanDuration;
use crate::model::{
    DedicatedAddress, DigestCredential, MediaNode, Offer, Partition, SipVendor, Trunk, VendorAccount,
};
use crate::store::provisioning::document::{
    DedicatedAddressEntry, MediaNodeEntry, PartitionEntry, SipVendorEntry, TrunkDigest, TrunkEntry,
    VendorAccountEntry, VoiceRateEntry,
};

pub(super) fn partition(partition: &Partition) -> PartitionEntry {
    PartitionEntry { name: partition.name.clone() }
}

pub(super) fn media_node(node: &MediaNode) -> MediaNodeEntry {
    MediaNodeEntry { name: node.name.clone(), address: node.address, weight: node.weight, state: node.state }
}

impl SipVendorEntry {
    pub(in crate::store) fn of(vendor: &SipVendor) -> Self {
        Self {
            name: vendor.name.clone(),
            status: vendor.status,
            gateways: vendor.gateways.clone(),
            networks: vendor.networks.clone(),
            cps: vendor.cps,
            channels: vendor.channels,
            priority: vendor.priority,
            weight: vendor.weight,
            pdd_timeout: HumanDuration::from(vendor.pdd_timeout),
            ring_timeout: HumanDuration::from(vendor.ring_timeout),
            session_expires: HumanDuration::from(vendor.session_expires),
            failover_statuses: vendor.failover_statuses.clone(),
            failover_after_early_media: vendor.failover_after_early_media,
            probe_interval: HumanDuration::from(vendor.probe_interval),
            oversize: vendor.oversize,
            callee_rules: vendor.callee_rules.clone(),
            caller_rules: vendor.caller_rules.clone(),
            header_rules: vendor.header_rules.clone(),
            trusted: vendor.trusted,
            identity: vendor.identity.clone(),
            hide_topology: vendor.hide_topology,
            media: vendor.media.clone(),
            account: vendor.account.as_ref().map(account),
            verify_identity: vendor.verify_identity,
            sign_calls: vendor.sign_calls,
        }
    }
}

fn account(stored: &VendorAccount) -> VendorAccountEntry {
    VendorAccountEntry {
        username: stored.username.clone(),
        realm: stored.realm.clone(),
        password: None,
        register: stored.register.clone(),
    }
}

/// None while its customer is not known, which is the case between two reads of a database that is written.
pub(super) fn trunk(trunk: &Trunk, names: &Names<'_>) -> Option<TrunkEntry> {
    Some(TrunkEntry {
        name: trunk.name.clone(),
        customer: (*names.customers.get(&trunk.customer)?).clone(),
        auth_type: trunk.auth_type,
        digest: trunk.digest.as_ref().map(digest),
        active: trunk.active,
        acl: Vec::new(),
        cps: trunk.cps,
        channels: trunk.channels,
        partition: name(&names.partitions, trunk.partition),
        allow: trunk.allow.clone(),
        deny: trunk.deny.clone(),
        opened: trunk.opened.clone(),
        rate_max: trunk.rate_max,
        trusted: trunk.trusted,
        identity: trunk.identity.clone(),
        hide_topology: trunk.hide_topology,
        max_duration: HumanDuration::from(trunk.max_duration),
        session_expires: HumanDuration::from(trunk.session_expires),
        callee_rules: trunk.callee_rules.clone(),
        caller_rules: trunk.caller_rules.clone(),
        header_rules: trunk.header_rules.clone(),
        gateways: trunk.gateways.clone(),
        media: trunk.media.clone(),
        verify_identity: trunk.verify_identity,
        attestation_max: trunk.attestation_max,
        fork: trunk.fork,
    })
}

fn digest(stored: &DigestCredential) -> TrunkDigest {
    TrunkDigest { username: stored.username.clone(), password: None }
}

pub(super) fn rate(offer: &Offer, names: &Names<'_>) -> VoiceRateEntry {
    VoiceRateEntry {
        partition: name(&names.partitions, Some(offer.partition)),
        prefix: offer.prefix.clone(),
        vendor: name(&names.sip_vendors, Some(offer.vendor)),
        rate: offer.rate,
        priority: offer.priority,
        weight: offer.weight,
        blocked: offer.blocked,
    }
}

pub(super) fn dedicated(dedicated: &DedicatedAddress, names: &Names<'_>) -> DedicatedAddressEntry {
    DedicatedAddressEntry { address: dedicated.address, customer: names.customer(Some(dedicated.customer)) }
}
