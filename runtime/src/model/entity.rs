//! Configuration entities of messaging, as the actors see them.

use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use super::{Alphabet, Ban, BindModes, BindType, Cidr, MessageIdFormat, Money, SystemId, Versions};
use crate::log::Uncertain;
use crate::password::{PasswordHash, SecretString};

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Customer {
    /// Primary key.
    pub id: Uuid,
    /// Billing account number.
    pub ban: Ban,
    /// Name for people.
    pub company_name: String,
    /// ACTIVE, TRIAL or SUSPENDED.
    pub status: String,
    /// PREPAID or POSTPAID.
    #[serde(rename = "type")]
    pub kind: String,
    /// Voice, Messaging, Telecom Data.
    pub services: Vec<String>,
}

impl Customer {
    /// ACTIVE and TRIAL customers are served.
    #[must_use]
    pub fn is_served(&self) -> bool {
        self.status != "SUSPENDED"
    }
}

/// Limits over all accounts of one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerConfig {
    /// The customer.
    pub customer: Uuid,
    /// Segments per second over all accounts; 0 is no limit.
    pub throughput: u32,
    /// `deliver_sm` kept for an account that is away; the oldest go first.
    pub outbox_max: u32,
}

/// An ESME account: what a customer binds with.
#[derive(Debug, Clone)]
pub struct Account {
    /// Primary key.
    pub id: Uuid,
    /// Name at bind.
    pub system_id: SystemId,
    /// Who pays.
    pub customer: Uuid,
    /// Hash of the password.
    pub password: PasswordHash,
    /// False: binds are refused, sessions closed.
    pub active: bool,
    /// Binds at one time.
    pub binds_max: u32,
    /// Binds that are allowed.
    pub bind_modes: BindModes,
    /// Requests outstanding each way on one bind.
    pub window: u32,
    /// Segments per second; 0 is no limit.
    pub throughput: u32,
    /// Source networks; empty is any.
    pub ip_whitelist: Vec<Cidr>,
    /// Meaning of data_coding 0.
    pub default_alphabet: Alphabet,
    /// How our message ids look.
    pub message_id_format: MessageIdFormat,
    /// Re-encode text for vendors with another data_coding 0; else octets pass as they are.
    pub transcode: bool,
}

/// Where receipts and messages of an ESME account are posted to, instead of to its sessions.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// The account.
    pub account: Uuid,
    /// `https` or `http`.
    pub url: Arc<str>,
    /// What signs the posts; none when it does not open: nothing is posted then.
    pub secret: Option<SecretString>,
}

/// An SMS vendor account.
#[derive(Debug, Clone)]
pub struct Vendor {
    /// Primary key.
    pub id: Uuid,
    /// Unique short name.
    pub instance_name: String,
    /// Name for people.
    pub display_name: String,
    /// Kind of provider.
    pub provider_type: String,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// TLS from the first octet.
    pub tls: bool,
    /// File with the vendor's own CA; empty for the public ones.
    pub tls_ca: String,
    /// How we bind.
    pub bind_type: BindType,
    /// Our name at bind.
    pub system_id: SystemId,
    /// Our password at bind.
    pub password: SecretString,
    /// system_type at bind.
    pub system_type: String,
    /// Sessions that we hold.
    pub binds: u32,
    /// Requests outstanding on one bind.
    pub window: u32,
    /// Segments per second on one bind; 0 is no limit.
    pub throughput_limit: u32,
    /// Order among vendors of equal routes.
    pub priority: i32,
    /// False: no binds.
    pub active: bool,
    /// Meaning of data_coding 0.
    pub default_alphabet: Alphabet,
    /// Messages that may wait for this vendor.
    pub queue_depth_max: u32,
    /// Ask for a receipt even when the customer did not.
    pub receipts_always: bool,
    /// Send long messages whole as message_payload, instead of split.
    pub long_as_payload: bool,
    /// Vendor statuses (0x400-0x4FF and others) that this vendor means as temporary.
    pub retryable_statuses: Vec<u32>,
}

/// A route from destination prefix to vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Primary key.
    pub id: Uuid,
    /// Unique name; the label of routing metrics.
    pub name: String,
    /// Destination prefix, digits; empty is every destination.
    pub prefix: String,
    /// Source prefix that the message must have; empty is any.
    pub source_prefix: String,
    /// Only this customer; None is every customer.
    pub customer: Option<Uuid>,
    /// Where it leads.
    pub vendor: Uuid,
    /// Lower first.
    pub priority: i32,
    /// Cost of a segment.
    pub cost: Money,
    /// Share among routes of equal priority and cost.
    pub weight: u32,
    /// What to do when the vendor's answer is lost.
    pub uncertain: Uncertain,
    /// False: never chosen.
    pub active: bool,
}

/// A number of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Did {
    /// Primary key.
    pub id: Uuid,
    /// Digits of the E.164 number.
    pub number: String,
    /// The customer who has it.
    pub customer: Option<Uuid>,
    /// The ESME account that gets its messages.
    pub account: Option<Uuid>,
    /// The trunk that gets its calls.
    pub trunk: Option<Uuid>,
}

/// Everything that messaging is configured with, at one version.
#[derive(Debug, Clone, Default)]
pub struct Messaging {
    /// The version read; it grows with every change.
    pub version: i64,
    /// When its parts changed last, for who reads only what changed since.
    pub parts: Versions,
    /// Customers.
    pub customers: Vec<Customer>,
    /// Their limits.
    pub customer_configs: Vec<CustomerConfig>,
    /// ESME accounts.
    pub accounts: Vec<Account>,
    /// Vendors.
    pub vendors: Vec<Vendor>,
    /// Vendors whose password does not open, among the others as inactive ones: id and instance_name.
    pub vendors_sealed: Vec<(Uuid, String)>,
    /// Routes.
    pub routes: Vec<Route>,
    /// Numbers.
    pub dids: Vec<Did>,
    /// Webhooks of ESME accounts.
    pub webhooks: Vec<Webhook>,
}
