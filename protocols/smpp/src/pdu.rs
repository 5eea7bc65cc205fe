//! PDU bodies (section 4): borrowed structs that both decode and encode.
//!
//! `decode(body)` is liberal: it refuses what cannot be read and what exceeds a field's maximum, with the
//! status to answer. Responses cannot be answered, so their decoders also take a missing body, a missing NUL
//! and broken TLVs. `encode(.., out)` is strict, appends one whole PDU to `out`, and on an error leaves `out`
//! as it was.

mod address;
mod alert;
mod bind;
mod data_sm;
mod error;
mod field;
mod manage;
mod multi;
mod nul;
mod query;
mod reader;
mod sm;
mod sm_resp;
mod writer;

pub use crate::data_coding::DataCoding;
pub use crate::esm_class::{EsmClass, MessageType};
pub use crate::registered_delivery::RegisteredDelivery;
pub use address::Address;
pub use alert::{AlertNotification, Outbind};
pub use bind::{Bind, BindMode, BindResp};
pub use data_sm::DataSm;
pub use error::{EncodeError, FieldError};
pub use manage::{CancelSm, ReplaceSm};
pub use multi::{
    Destination, Destinations, SubmitMulti, SubmitMultiResp, Unsuccess, Unsuccesses, write_destination,
    write_unsuccess,
};
pub use query::{QuerySm, QuerySmResp};
pub use sm::Sm;
pub use sm_resp::SmResp;
pub use writer::{encode_request_header, encode_resp_header};

#[cfg(test)]
mod tests;
