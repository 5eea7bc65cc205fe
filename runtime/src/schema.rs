//! How values with a form are described in the OpenAPI document.

use std::borrow::Cow;

use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, OneOfBuilder, RefOr, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::clock::Timestamp;
use crate::config::HumanDuration;
use crate::model::{
    Ban, BindModes, CallerSource, Cidr, Diversions, Dtmf, Email, EndpointLearning, ForeignNumbers, Gateway,
    HeaderRule, IdentityHeaders, IdentityProfile, MediaPath, MediaProfile, MediaSecurity, Money, NumberRule,
    SystemId, T38,
};
use crate::store::esme_account::EsmeAccount;
use crate::store::provisioning::{
    EsmeAccountEntry, SipVendorEntry, SmsRouteEntry, SmsVendorEntry, VoiceRateEntry,
};
use crate::store::sms_route::SmsRoute;
use crate::store::sms_vendor::SmsVendor;
use crate::store::voice_rate::VoiceRate;
use crate::store::voice_vendor::VoiceVendor;

/// RFC 3986, 3.2.2.
macro_rules! ipv4 {
    () => {
        "((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\\.){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
    };
}

/// RFC 4291, 2.2, without an IPv4 address at its end.
macro_rules! ipv6 {
    () => {
        "(([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|([0-9a-f]{1,4}:){1,7}:|([0-9a-f]{1,4}:){1,6}:[0-9a-f]{1,4}\
         |([0-9a-f]{1,4}:){1,5}(:[0-9a-f]{1,4}){1,2}|([0-9a-f]{1,4}:){1,4}(:[0-9a-f]{1,4}){1,3}\
         |([0-9a-f]{1,4}:){1,3}(:[0-9a-f]{1,4}){1,4}|([0-9a-f]{1,4}:){1,2}(:[0-9a-f]{1,4}){1,5}\
         |[0-9a-f]{1,4}:(:[0-9a-f]{1,4}){1,6}|::([0-9a-f]{1,4}(:[0-9a-f]{1,4}){0,6})?)"
    };
}

macro_rules! text {
    ($type:ty, $name:literal, $description:literal, $pattern:expr, $example:literal) => {
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                let object = ObjectBuilder::new().schema_type(Type::String).description(Some($description));
                object.pattern(Some($pattern)).examples([$example]).build().into()
            }
        }

        impl ToSchema for $type {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($name)
            }
        }
    };
}

text!(Ban, "Ban", "Billing account number of a customer", "^[A-Z0-9-]{3,20}$", "TB-071161708");
text!(SystemId, "SystemId", "system_id of an SMPP account", "^[!-~]{1,15}$", "acme");
text!(
    Money,
    "Money",
    "An amount of money: a decimal number as text, at most 9 decimals",
    "^-?[0-9]{1,9}(\\.[0-9]{1,9})?$",
    "0.0045"
);
text!(
    Cidr,
    "Cidr",
    "An IP network, or an address alone",
    concat!("^(", ipv4!(), "(/(3[0-2]|[12]?[0-9]))?|", ipv6!(), "(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?)$"),
    "198.51.100.0/24"
);

/// 1 to 65535.
macro_rules! port {
    () => {
        "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
    };
}

/// A host name with a letter in its last part, an address, or an IPv6 address in brackets; with a port or without.
macro_rules! place {
    () => {
        concat!(
            "(",
            ipv4!(),
            "|\\[",
            ipv6!(),
            "\\]|([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\\.){0,9}[A-Za-z_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)\
             (:",
            port!(),
            ")?"
        )
    };
}

text!(
    Gateway,
    "Gateway",
    "A SIP element that takes calls; without port or transport DNS decides (RFC 3263)",
    concat!("^(sips:", place!(), "(;transport=tls)?|(sip:)?", place!(), "(;transport=(udp|tcp|tls))?)$"),
    "sip:192.0.2.1:5060;transport=udp"
);
text!(HumanDuration, "HumanDuration", "A time", "^[0-9]{1,9}(ms|s|m|h|d)$", "30s");

/// The form of single addresses.
pub(crate) enum Address {}

text!(Address, "Address", "An IP address", concat!("^(", ipv4!(), "|", ipv6!(), ")$"), "198.51.100.200");

/// The form of addresses with a port.
pub(crate) enum SocketAddress {}

text!(
    SocketAddress,
    "SocketAddress",
    "An IP address and a port; IPv6 stands in brackets",
    concat!("^(", ipv4!(), "|\\[", ipv6!(), "\\]):", port!(), "$"),
    "192.0.2.20:2223"
);

/// The form of names of things.
pub(crate) enum Name {}

impl PartialSchema for Name {
    fn schema() -> RefOr<Schema> {
        let printable = "^[^\\x00-\\x1f\\x7f-\\x9f]*[^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$";
        let object = ObjectBuilder::new().schema_type(Type::String).pattern(Some(printable));
        let object = object.description(Some("Printable characters, not all of them blank"));
        object.min_length(Some(1)).max_length(Some(100)).examples(["atlantic"]).build().into()
    }
}

impl ToSchema for Name {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Name")
    }
}

impl PartialSchema for BindModes {
    fn schema() -> RefOr<Schema> {
        let word = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["TX", "RX", "TRX"]));
        let list = ArrayBuilder::new().items(word).min_items(Some(1)).max_items(Some(3));
        list.description(Some("Binds that an ESME account may make")).build().into()
    }
}

impl ToSchema for BindModes {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("BindModes")
    }
}

impl PartialSchema for NumberRule {
    fn schema() -> RefOr<Schema> {
        let text = |about: &'static str| {
            let object = ObjectBuilder::new().schema_type(Type::String).description(Some(about));
            object.pattern(Some("^[+]?[0-9*#]{0,32}$"))
        };
        let strip = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(32));
        ObjectBuilder::new()
            .description(Some("Rewrites numbers that begin with `prefix`"))
            .property("prefix", text("What the number begins with; empty is any number"))
            .property("strip", strip.description(Some("Characters taken off the front")))
            .property("add", text("Characters put in front"))
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .examples([serde_json::json!({"prefix": "011", "strip": 3, "add": "+"})])
            .build()
            .into()
    }
}

impl ToSchema for NumberRule {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("NumberRule")
    }
}

impl PartialSchema for HeaderRule {
    fn schema() -> RefOr<Schema> {
        // The one-letter names that are left out are compact forms of headers that the proxy owns.
        let name = "^([abdeghjknopqrsuwxyzABDEGHJKNOPQRSUWXYZ0-9.!%*_+`'~-]|[A-Za-z0-9.!%*_+`'~-]{2,64})$";
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let form = |actions: &[&'static str], value_max: usize| {
            ObjectBuilder::new()
                .property("action", text().enum_values(Some(actions.iter().copied())))
                .property("name", text().pattern(Some(name)))
                .property(
                    "value",
                    text().pattern(Some("^[^\\x00-\\x1f\\x7f-\\x9f]*$")).max_length(Some(value_max)),
                )
                .required("action")
                .required("name")
                .additional_properties(Some(AdditionalProperties::FreeForm(false)))
        };
        let forms = OneOfBuilder::new()
            .description(Some("Changes a header of requests"))
            .item(form(&["set", "add"], 1024))
            .item(form(&["remove"], 0))
            .examples([serde_json::json!({"action": "set", "name": "X-Carrier", "value": "warp"})])
            .build();
        RefOr::T(Schema::OneOf(forms))
    }
}

impl ToSchema for HeaderRule {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("HeaderRule")
    }
}

/// Ten milliseconds to two hundred, in tens.
const PTIME: &str = "^(0s|([1-9]|1[0-9]|20)0ms)$";
/// Ten years have no more digits than this.
const RETENTION: &str = "^([0-9]{1,12}ms|[0-9]{1,9}s|[0-9]{1,7}m|[0-9]{1,5}h|[0-9]{1,4}d)$";

impl PartialSchema for MediaProfile {
    fn schema() -> RefOr<Schema> {
        let flag =
            |about: &'static str| ObjectBuilder::new().schema_type(Type::Boolean).description(Some(about));
        let text = |about: &'static str, pattern: &'static str, example: &'static str| {
            let object = ObjectBuilder::new().schema_type(Type::String).description(Some(about));
            object.pattern(Some(pattern)).examples([example])
        };
        let codecs = |about: &'static str| {
            let codec = text("Name of a codec", "^[A-Za-z0-9._/-]{1,32}$", "PCMA");
            let list = ArrayBuilder::new().items(codec).max_items(Some(16)).unique_items(true);
            list.description(Some(about))
        };
        ObjectBuilder::new()
            .description(Some("What is done with the media on this side of calls"))
            .property("path", MediaPath::schema())
            .property("learning", EndpointLearning::schema())
            .property("strict_source", flag("What comes from another source than the peer's is dropped"))
            .property("codecs", codecs("Codecs that may be offered, in this order; empty: as offered"))
            .property("transcode", codecs("Codecs that are offered beside, by transcoding"))
            .property("security", MediaSecurity::schema())
            .property("dtmf", Dtmf::schema())
            .property("ptime", text("Time of one packet; 0s: as offered", PTIME, "20ms"))
            .property(
                "interface",
                text(
                    "Name of the media node's interface that faces the peer; empty is the node's default",
                    "^[A-Za-z0-9_-]{0,32}$",
                    "public",
                ),
            )
            .property("t38", T38::schema())
            .property("recording", flag("The calls are recorded"))
            .property(
                "recording_retention",
                text("How long whoever keeps recordings is to keep them; 0s: for ever", RETENTION, "90d"),
            )
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .build()
            .into()
    }
}

impl ToSchema for MediaProfile {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("MediaProfile")
    }
}

impl PartialSchema for IdentityProfile {
    fn schema() -> RefOr<Schema> {
        let sources = ArrayBuilder::new().items(CallerSource::schema()).unique_items(true).max_items(Some(4));
        let sources = sources.description(Some(
            "Where the number stands that calls, in this order; From is behind all others",
        ));
        let number = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^([+]?[0-9]{1,20})?$"));
        let number = number.description(Some("The number that stands in place of foreign ones"));
        ObjectBuilder::new()
            .description(Some("Who calls, as this side says it and is told it"))
            .property("caller_from", sources)
            .property("foreign_numbers", ForeignNumbers::schema())
            .property("default_number", number.examples(["+15550100"]))
            .property("send", IdentityHeaders::schema())
            .property("diversions", Diversions::schema())
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .build()
            .into()
    }
}

impl ToSchema for IdentityProfile {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("IdentityProfile")
    }
}

/// Atoms before the at sign, labels behind it.
const EMAIL: &str = "^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64})*\
                     @([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]$";

impl PartialSchema for Email {
    fn schema() -> RefOr<Schema> {
        let object = ObjectBuilder::new().schema_type(Type::String).description(Some("A mail address"));
        let object = object.pattern(Some(EMAIL)).max_length(Some(254));
        object.examples(["maria@example.net"]).build().into()
    }
}

impl ToSchema for Email {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Email")
    }
}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        let object = ObjectBuilder::new().schema_type(Type::String);
        let object = object.format(Some(SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::DateTime)));
        object.examples(["2026-01-02T03:04:05.000006Z"]).build().into()
    }
}

impl ToSchema for Timestamp {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Timestamp")
    }
}

/// What is kept of an entry of provisioning: the entry, and what else is shown of the thing.
macro_rules! kept {
    ($type:ty, $name:literal, $entry:ty, $description:literal $(, $field:literal: $schema:expr)*) => {
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                kept(<$entry>::schema(), $description, vec![$(($field, $schema)),*])
            }
        }

        impl ToSchema for $type {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($name)
            }

            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                <$entry>::schemas(schemas);
            }
        }
    };
}

kept!(EsmeAccount, "EsmeAccount", EsmeAccountEntry, "An ESME account");
kept!(SmsRoute, "SmsRoute", SmsRouteEntry, "A route of messages");
kept!(
    SmsVendor,
    "SmsVendor",
    SmsVendorEntry,
    "An SMS vendor",
    "health_status": described(Type::String, "How it was when it was looked at last; unknown before that"),
    "last_health_check": nullable(Timestamp::schema())
);
kept!(VoiceRate, "VoiceRate", VoiceRateEntry, "What a vendor takes for a destination, within a partition");
kept!(VoiceVendor, "VoiceVendor", SipVendorEntry, "A SIP vendor");

/// One object of an entry's fields and others. `allOf` of both would fit nothing: neither takes what the other has.
fn kept(entry: RefOr<Schema>, about: &str, others: Vec<(&str, RefOr<Schema>)>) -> RefOr<Schema> {
    let RefOr::T(Schema::Object(mut object)) = entry else { return entry };
    let id = ObjectBuilder::new().schema_type(Type::String).description(Some("Primary key"));
    let id = id.format(Some(SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::Uuid)));
    object.properties.insert("id".to_owned(), id.build().into());
    for name in ["created_at", "updated_at"] {
        object.properties.insert(name.to_owned(), Timestamp::schema());
    }
    for (name, schema) in others {
        object.properties.insert(name.to_owned(), schema);
    }
    // What is only written is not shown.
    object.properties.remove("password");
    // An account at a vendor is where there is one.
    object.required = object.properties.keys().filter(|name| *name != "account").cloned().collect();
    object.additional_properties = None;
    object.description = Some(about.to_owned());
    Schema::Object(object).into()
}

fn described(kind: Type, about: &str) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(kind).description(Some(about)).build().into()
}

fn nullable(schema: RefOr<Schema>) -> RefOr<Schema> {
    let forms = OneOfBuilder::new().item(ObjectBuilder::new().schema_type(Type::Null)).item(schema);
    RefOr::T(Schema::OneOf(forms.build()))
}
