//! One file per resource; this is the list of them.

mod actors;
mod api_keys;
mod audit;
mod auth;
mod call_records;
mod calls;
mod cdrs;
mod control;
mod crm;
mod customers;
mod dashboard;
mod dedicated_ips;
mod dids;
mod docs;
mod esme_accounts;
mod explain_call;
mod explain_sms;
mod gatekeeper;
mod health;
mod high_cost;
mod invitations;
mod media_nodes;
mod message_records;
mod messages;
mod messaging_config;
mod metrics;
mod network;
mod notes;
mod own_trunks;
mod partitions;
mod ready;
mod registrations;
mod smpp_sessions;
mod smpp_stats;
mod smpp_vendors;
mod sms_routes;
mod sms_vendors;
mod sync_redis;
mod trunk_ips;
mod trunks;
mod user_access;
mod user_credentials;
mod user_types;
mod users;
mod voice_rates;
mod voice_vendors;
mod webhooks;

use crate::table::Route;

/// Every route of every surface.
pub(crate) fn all() -> impl Iterator<Item = &'static Route> {
    let resources: [&'static [Route]; 47] = [
        health::ROUTES,
        ready::ROUTES,
        metrics::ROUTES,
        smpp_vendors::ROUTES,
        smpp_stats::ROUTES,
        actors::ROUTES,
        explain_sms::ROUTES,
        calls::ROUTES,
        cdrs::ROUTES,
        call_records::ROUTES,
        message_records::ROUTES,
        explain_call::ROUTES,
        control::ROUTES,
        customers::ROUTES,
        notes::ROUTES,
        docs::ROUTES,
        auth::ROUTES,
        api_keys::ROUTES,
        audit::ROUTES,
        gatekeeper::ROUTES,
        users::ROUTES,
        user_types::ROUTES,
        user_access::ROUTES,
        user_credentials::ROUTES,
        invitations::ROUTES,
        network::ROUTES,
        dashboard::ROUTES,
        crm::ROUTES,
        smpp_sessions::ROUTES,
        trunks::ROUTES,
        trunk_ips::ROUTES,
        own_trunks::ROUTES,
        registrations::ROUTES,
        dedicated_ips::ROUTES,
        dids::ROUTES,
        sync_redis::ROUTES,
        voice_vendors::ROUTES,
        voice_rates::ROUTES,
        sms_vendors::ROUTES,
        sms_routes::ROUTES,
        partitions::ROUTES,
        media_nodes::ROUTES,
        high_cost::ROUTES,
        esme_accounts::ROUTES,
        messaging_config::ROUTES,
        messages::ROUTES,
        webhooks::ROUTES,
    ];
    resources.into_iter().flatten()
}

#[cfg(test)]
mod tests;
