//! A SIP vendor as it is shown: what is kept of it, and how our registrations at its gateways are.

use std::borrow::Cow;
use std::net::SocketAddr;

use actors::sip::calls::Calls;
use actors::sip::registration::{Said, Seen};
use actors::sip::transactions::Now;
use actors::sip::vendor_actor::{self, Registered};
use runtime::clock::Timestamp;
use runtime::model::Transport;
use runtime::store::voice_vendor::VoiceVendor;
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, Ref, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::context::Api;

/// A SIP vendor, and how it is.
#[derive(Serialize)]
pub(super) struct Shown {
    /// What is kept: its entity tag is this one's.
    #[serde(flatten)]
    pub(super) vendor: VoiceVendor,
    registrations: Vec<Registration>,
}

/// Our registration at a gateway of a vendor, by the node that answers.
#[derive(Serialize, ToSchema)]
#[schema(as = VendorRegistration)]
struct Registration {
    /// Address of the gateway.
    #[schema(value_type = String, example = "192.0.2.10:5060")]
    gateway: SocketAddr,
    /// How it is reached.
    transport: Transport,
    /// Where that address comes from: what requests to the gateway are for.
    #[schema(example = "sip:192.0.2.10")]
    uri: String,
    /// Until when the registrar has us; null where it has not.
    registered_until: Option<Timestamp>,
    /// What came of the last REGISTER; null before the first one.
    #[schema(example = "registered for 3600 s")]
    last_outcome: Option<String>,
    /// Whether an answer to it is waited for.
    under_way: bool,
    /// When the next one is sent, where nothing is heard before; null where none is to be sent.
    next_attempt_at: Option<Timestamp>,
}

impl Shown {
    /// The vendor with what this node knows of it. A node that speaks no SIP registers nowhere.
    pub(super) fn of(api: &Api, vendor: VoiceVendor) -> Self {
        let registrations = api.calls.as_deref().map(|calls| registrations(calls, &vendor));
        Self { registrations: registrations.unwrap_or_default(), vendor }
    }
}

fn registrations(calls: &Calls, vendor: &VoiceVendor) -> Vec<Registration> {
    let now = calls.now();
    let found = vendor_actor::registrations(calls, vendor.id, now.instant);
    found.into_iter().map(|registered| Registration::of(registered, now)).collect()
}

impl Registration {
    fn of(registered: Registered, now: Now) -> Self {
        let Registered { gateway, transport, uri, seen } = registered;
        let Seen { until, last, asking, next_at } = seen;
        let at = |instant: std::time::Instant| now.wall.plus(instant.saturating_duration_since(now.instant));
        Self {
            gateway,
            transport,
            uri,
            registered_until: until.map(at),
            last_outcome: last.map(Said::text),
            under_way: asking,
            next_attempt_at: next_at.map(at),
        }
    }
}

/// By hand: one object of both. `allOf` would not fit, since neither takes what the other has.
impl PartialSchema for Shown {
    fn schema() -> RefOr<Schema> {
        let kept = VoiceVendor::schema();
        let RefOr::T(Schema::Object(mut object)) = kept else { return kept };
        let list = ArrayBuilder::new().items(Ref::from_schema_name(Registration::name()));
        let about = "How our registration at each of its gateways is; empty where we do not register";
        object.properties.insert("registrations".to_owned(), list.description(Some(about)).into());
        object.required.push("registrations".to_owned());
        object.description = Some("A SIP vendor, and how our registrations there are".to_owned());
        Schema::Object(object).into()
    }
}

impl ToSchema for Shown {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ShownVoiceVendor")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Registration::name().into_owned(), Registration::schema()));
        Registration::schemas(schemas);
        VoiceVendor::schemas(schemas);
    }
}
