//! Every supervised actor of the carrier, its pure decisions beside it.
//!
//! | Actor | Key | Restart | Owns |
//! |---|---|---|---|
//! | [`smpp::message_log`] | `message_log:main` | permanent | the committer of the message log |
//! | [`smpp::message_router`] | `message_router:main` | permanent | the configuration snapshot, vendors, routes |
//! | [`smpp::dlr_tracker`] | `dlr_tracker:main` | permanent | receipts without a message, deadlines |
//! | [`smpp::outbox_loader`] | `outbox_loader:main` | permanent | deliveries that memory does not hold |
//! | [`smpp::retention`] | `retention:main` | permanent | deletion of old rows |
//! | [`smpp::vendor_bind`] | `vendor_bind:<instance>:<n>` | permanent | one session towards a vendor |
//! | [`smpp::listener`] | `listener:<address>` | permanent | one listening socket |
//! | [`smpp::esme_session`] | `esme_session:<system_id>:<n>` | temporary | one customer session |
//! | [`sip::configuration`] | `sip_configuration:main` | permanent | the snapshot that calls are routed by |
//! | [`sip::registrar`] | `registrar:main` | permanent | where trunks are reached that register |
//! | [`sip::finder`] | `dialog_finder:main` | permanent | look-ups of calls that other nodes have served |
//! | [`sip::keep_alive`] | `keep_alive:main` | permanent | when contacts behind NATs are asked something |
//! | [`sip::vendor_actor`] | `sip_vendor:<name>` | permanent | when a vendor's addresses are probed and registered at |
//! | [`sip::dialog_actor`] | `dialog:<id>` | transient | time and money of one call |
//! | [`sip::worker_thread`] | `sip_worker:<n>` | permanent | sockets and transactions of its calls |
//! | [`sip::transport::stream::listener`] | `sip_listener:<address>` | permanent | one listening socket |
//! | [`media::rtpengine_node`] | `rtpengine_node:<name>` | permanent | the socket towards a media node |
//! | [`media::discovery`] | `media_discovery:main` | permanent | the connection to Redis that lists media nodes |
//! | [`sip::transport::hep`] | `hep_mirror:<collector>` | permanent | the socket towards a collector |
//!
//! This crate knows no web framework, no SQL and no Redis command.

pub mod media;
pub mod redis;
pub mod sip;
pub mod smpp;
mod weighted;
