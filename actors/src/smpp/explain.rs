//! Why a message would go where: the routing decision, told step by step, with nothing sent.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Smpp;
use super::routing::Query;

/// The message that might be sent.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Question {
    /// Account that would submit it.
    pub system_id: String,
    /// Source address.
    pub from: String,
    /// Destination address.
    pub to: String,
}

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such account.
    #[error("no ESME account has the system_id {0:?}")]
    UnknownAccount(String),
}

/// What would happen.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The question.
    pub question: Question,
    /// BAN of the customer.
    pub customer: String,
    /// `accept`, `queue` or the status of the refusal.
    pub outcome: &'static str,
    /// Candidates in the order in which they would be tried; equal ones are drawn by weight.
    pub candidates: Vec<Candidate>,
}

/// A route that matches.
#[derive(Debug, Serialize)]
pub struct Candidate {
    /// Name of the route.
    pub route: String,
    /// Prefix that matched.
    pub prefix: String,
    /// Name of the vendor.
    pub vendor: String,
    /// Priority, lower first.
    pub priority: i32,
    /// Cost of a segment.
    pub cost: String,
    /// Share among equals.
    pub weight: u32,
    /// True when only this customer has the route.
    pub own: bool,
    /// Binds that are up, of those configured.
    pub binds_up: usize,
    /// Binds configured.
    pub binds: usize,
    /// Messages that wait for the vendor.
    pub queued: usize,
}

/// Explains where a message would go now.
///
/// # Errors
/// When the account does not exist.
pub fn sms(smpp: &Smpp, question: &Question) -> Result<Explanation, Error> {
    let accounts = smpp.accounts.load();
    let account = accounts.by_system_id(&question.system_id);
    let account = account.ok_or_else(|| Error::UnknownAccount(question.system_id.clone()))?;
    let settings = account.settings.load();
    let query = Query { customer: settings.customer.id, source: &question.from, destination: &question.to };
    let (routes, vendors) = (smpp.routes.load(), smpp.vendors.load());
    let candidates: Vec<Candidate> = routes
        .matching(&query)
        .into_iter()
        .filter_map(|route| {
            let vendor = vendors.get(&route.vendor)?;
            let (binds_up, binds) = vendor.binds();
            Some(Candidate {
                route: route.name.clone(),
                prefix: route.prefix.clone(),
                vendor: vendor.name(),
                priority: route.priority,
                cost: route.cost.to_string(),
                weight: route.weight,
                own: route.customer.is_some(),
                binds_up,
                binds,
                queued: vendor.queue.lock().len(),
            })
        })
        .collect();
    let outcome = match candidates.iter().any(|candidate| candidate.binds_up > 0) {
        _ if !settings.may_bind() => "ESME_RINVPASWD: the account or its customer is not active",
        _ if candidates.is_empty() => "ESME_RINVDSTADR: no route",
        true => "accept",
        false => "queue: no vendor of these routes is bound",
    };
    Ok(Explanation {
        question: question.clone(),
        customer: settings.customer.ban.to_string(),
        outcome,
        candidates,
    })
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Question { system_id, from, to } = &self.question;
        writeln!(f, "{system_id} ({}) from {from} to {to}: {}", self.customer, self.outcome)?;
        for (at, candidate) in self.candidates.iter().enumerate() {
            writeln!(
                f,
                "  {}. route {} (prefix {:?}, priority {}, cost {}, weight {}{}) -> vendor {}, {} of {} binds up, {} queued",
                at + 1,
                candidate.route,
                candidate.prefix,
                candidate.priority,
                candidate.cost,
                candidate.weight,
                if candidate.own { ", own" } else { "" },
                candidate.vendor,
                candidate.binds_up,
                candidate.binds,
                candidate.queued,
            )?;
        }
        Ok(())
    }
}
