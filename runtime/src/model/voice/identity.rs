//! Which number counts as the caller's, and what peers are told of who calls.

use serde::{Deserialize, Serialize};

use crate::model::{CallerSource, Diversions, ForeignNumbers, IdentityHeaders};

/// Who calls, as a trunk or a vendor says it and is told it. What a file, a request or a stored row leaves
/// out is the default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityProfile {
    /// Where the number stands that calls, in its own calls; the first that has one counts, From behind all
    /// others.
    pub caller_from: Vec<CallerSource>,
    /// What becomes of its calls from a number that is none of its customer's; of trunks only.
    pub foreign_numbers: ForeignNumbers,
    /// The number that stands in place of such a one; empty: there is none.
    pub default_number: String,
    /// The identity headers of calls that go to it.
    pub send: IdentityHeaders,
    /// How calls that go to it tell who was called before.
    pub diversions: Diversions,
}

impl Default for IdentityProfile {
    fn default() -> Self {
        Self {
            caller_from: vec![CallerSource::From],
            foreign_numbers: ForeignNumbers::Pass,
            default_number: String::new(),
            send: IdentityHeaders::AsReceived,
            diversions: Diversions::AsReceived,
        }
    }
}

#[cfg(test)]
mod tests;
