//! A customer's trunk: in a file, in a request, in an answer.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::voice::without_plus;
use super::yes;
use crate::clock::Timestamp;
use crate::config::HumanDuration;
use crate::model::{
    AclSource, Attestation, AuthType, Ban, Fork, Gateway, HeaderRule, IdentityProfile, MediaProfile, Money,
    NumberRule, VerifyIdentity,
};
use crate::password::SecretString;
use crate::schema::Name;

/// One list of what a trunk is made of for the three forms of it: a flattened form would allow no unknown field to be
/// refused.
macro_rules! trunk_forms {
    ($($(#[$about:meta])* $field:ident: $kind:ty,)+) => {
        /// A trunk in a file.
        #[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct TrunkEntry {
            /// BAN of its customer.
            pub customer: Ban,
            /// Sources of its calls; made equal to the file. Compared apart: it may be long.
            #[serde(default, skip_serializing)]
            pub acl: Vec<AclSource>,
            $($(#[$about])* pub $field: $kind,)+
        }

        /// A trunk as it is to be, of a customer who is known otherwise; its sources are things of their own.
        #[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct TrunkForm {
            $($(#[$about])* pub $field: $kind,)+
        }

        /// A trunk as it is.
        #[derive(Debug, Clone, Serialize, ToSchema)]
        #[schema(as = Trunk)]
        pub struct StoredTrunk {
            /// Primary key.
            pub id: Uuid,
            /// Short number that call records name it by.
            pub number: u32,
            /// Whose it is.
            #[serde(skip)]
            pub customer: Uuid,
            /// When it was made.
            pub created_at: Timestamp,
            /// When it was changed last.
            pub updated_at: Timestamp,
            $($(#[$about])* pub $field: $kind,)+
        }

        impl TrunkEntry {
            /// What it says of the trunk itself.
            #[must_use]
            pub fn form(&self) -> TrunkForm {
                TrunkForm { $($field: self.$field.clone(),)+ }
            }
        }

        impl TrunkForm {
            /// The trunk of this form.
            pub(crate) fn stored(self, identity: TrunkIdentity) -> StoredTrunk {
                let TrunkIdentity { id, number, customer, created_at, updated_at } = identity;
                StoredTrunk { id, number, customer, created_at, updated_at, $($field: self.$field,)+ }
            }
        }
    };
}

/// What of a trunk nobody chooses.
pub(crate) struct TrunkIdentity {
    pub(crate) id: Uuid,
    pub(crate) number: u32,
    pub(crate) customer: Uuid,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

trunk_forms! {
    /// Unique name.
    #[schema(value_type = Name)]
    name: String,
    /// IP_ACL, DIGEST or BOTH.
    #[serde(default = "ip_acl")]
    auth_type: AuthType,
    /// What it says who it is by, with DIGEST and BOTH.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<TrunkDigest>,
    /// False: no call either way.
    #[serde(default = "yes")]
    active: bool,
    /// New calls per second, both ways together; 0 is no limit.
    #[serde(default)]
    #[schema(maximum = 4294967295u32, default = 0)]
    cps: u32,
    /// Calls at one time, both ways together; 0 is no limit.
    #[serde(default)]
    #[schema(maximum = 4294967295u32, default = 0)]
    channels: u32,
    /// Name of the partition that its calls choose from; empty: it may not call out.
    #[serde(default)]
    #[schema(example = "wholesale", max_length = 100)]
    partition: String,
    /// Digit prefixes that it may call, a plus before them is dropped; empty is any.
    #[serde(default)]
    #[schema(max_items = 10000, pattern = "^[+]?[0-9]{1,20}$")]
    allow: Vec<String>,
    /// Digit prefixes that it may not call, whatever `allow` says.
    #[serde(default)]
    #[schema(max_items = 10000, pattern = "^[+]?[0-9]{1,20}$")]
    deny: Vec<String>,
    /// High-cost prefixes that it may call all the same.
    #[serde(default)]
    #[schema(max_items = 10000, pattern = "^[+]?[0-9]{1,20}$")]
    opened: Vec<String>,
    /// Highest rate per minute that its calls may take; without it any.
    #[schema(value_type = Option<String>, example = "0.25", pattern = r"^[0-9]{1,9}(\.[0-9]{1,9})?$")]
    rate_max: Option<Money>,
    /// Its identity headers are believed and pass to others that are trusted; else they are taken off.
    #[serde(default)]
    trusted: bool,
    /// Who calls, as it says it and is told it.
    #[serde(default)]
    identity: IdentityProfile,
    /// What it is sent names us in place of the vendors: Call-ID, Contact, Via, Record-Route, From.
    #[serde(default)]
    hide_topology: bool,
    /// Longest call, up to 7d; zero is no limit of the trunk's own.
    #[serde(default = "no_time")]
    #[schema(
        value_type = String,
        example = "4h",
        pattern = "^([0-9]{1,8}ms|[0-9]{1,5}s|[0-9]{1,4}m|[0-9]{1,2}h|[0-7]d)$"
    )]
    max_duration: HumanDuration,
    /// Time within which its calls are to be refreshed (RFC 4028), 90s to 24h; zero asks for nothing.
    #[serde(default = "no_time")]
    #[schema(
        value_type = String,
        example = "30m",
        pattern = "^(0s|(9[0-9]|[1-9][0-9]{2,3})s|([2-9]|[1-9][0-9]{1,2})m|([1-9]|1[0-9]|2[0-4])h)$"
    )]
    session_expires: HumanDuration,
    /// How called numbers are rewritten as they come in from it.
    #[serde(default)]
    #[schema(max_items = 64)]
    callee_rules: Vec<NumberRule>,
    /// How calling numbers are rewritten as they come in from it.
    #[serde(default)]
    #[schema(max_items = 64)]
    caller_rules: Vec<NumberRule>,
    /// Changes to the headers of requests that go to it.
    #[serde(default)]
    #[schema(max_items = 64)]
    header_rules: Vec<HeaderRule>,
    /// Where calls to its numbers go, in this order.
    #[serde(default)]
    #[schema(max_items = 32)]
    gateways: Vec<Gateway>,
    /// What is done with the media on its side of calls.
    #[serde(default)]
    media: MediaProfile,
    /// What is done with the Identity that its calls come with (RFC 8224): off, note or refuse.
    #[serde(default = "verify_off")]
    verify_identity: VerifyIdentity,
    /// The most that is said of its callers when its calls are signed: A; B for who sells on to others; C for calls
    /// that it only passes on.
    #[serde(default = "attestation_full")]
    attestation_max: Attestation,
    /// How calls to its numbers go to what it has registered: serial, to one contact after the other, or parallel, to all
    /// of them at once.
    #[serde(default = "one_by_one")]
    fork: Fork,
}

/// What a trunk says who it is by (RFC 7616). Its password is written and never read.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrunkDigest {
    /// Unique name that it says.
    #[schema(example = "acme-east", pattern = "^[A-Za-z0-9._~@+-]{1,64}$")]
    pub username: String,
    /// Its password; needed once, and with another username.
    #[serde(serialize_with = "super::never", skip_serializing_if = "super::unseen")]
    #[schema(value_type = Option<String>, write_only, min_length = 12, max_length = 128, pattern = "^[ -~]*$")]
    pub password: Option<SecretString>,
}

super::defaults! {
    ip_acl: AuthType = AuthType::IpAcl;
    no_time: HumanDuration = HumanDuration::from(Duration::ZERO);
    verify_off: VerifyIdentity = VerifyIdentity::Off;
    attestation_full: Attestation = Attestation::A;
    one_by_one: Fork = Fork::Serial;
}

impl TrunkEntry {
    pub(super) fn normalize(&mut self) {
        for list in [&mut self.allow, &mut self.deny, &mut self.opened] {
            list.iter_mut().for_each(without_plus);
        }
    }
}

impl TrunkForm {
    /// A trunk that admits calls by source and may not call out.
    #[must_use]
    pub fn closed(name: String, (cps, channels): (u32, u32)) -> Self {
        Self {
            name,
            auth_type: AuthType::IpAcl,
            digest: None,
            active: true,
            cps,
            channels,
            partition: String::new(),
            allow: Vec::new(),
            deny: Vec::new(),
            opened: Vec::new(),
            rate_max: None,
            trusted: false,
            identity: IdentityProfile::default(),
            hide_topology: false,
            max_duration: no_time(),
            session_expires: no_time(),
            callee_rules: Vec::new(),
            caller_rules: Vec::new(),
            header_rules: Vec::new(),
            gateways: Vec::new(),
            media: MediaProfile::default(),
            verify_identity: verify_off(),
            attestation_max: attestation_full(),
            fork: one_by_one(),
        }
    }

    /// Writes numbers as they are kept.
    pub fn normalize(&mut self) {
        for list in [&mut self.allow, &mut self.deny, &mut self.opened] {
            list.iter_mut().for_each(without_plus);
        }
    }
}
