//! One file per resource; this is the list of them.

mod actors;
mod calls;
mod cdrs;
mod control;
mod explain_call;
mod explain_sms;
mod health;
mod metrics;
mod ready;
mod smpp_stats;
mod smpp_vendors;

use crate::table::Route;

/// Every route of every surface.
pub(crate) fn all() -> impl Iterator<Item = &'static Route> {
    let resources: [&'static [Route]; 11] = [
        health::ROUTES,
        ready::ROUTES,
        metrics::ROUTES,
        smpp_vendors::ROUTES,
        smpp_stats::ROUTES,
        actors::ROUTES,
        explain_sms::ROUTES,
        calls::ROUTES,
        cdrs::ROUTES,
        explain_call::ROUTES,
        control::ROUTES,
    ];
    resources.into_iter().flatten()
}

#[cfg(test)]
mod tests;
