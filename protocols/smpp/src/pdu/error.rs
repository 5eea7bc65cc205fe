//! What can be wrong with a field, on the way in and on the way out.

use crate::status::CommandStatus;

/// A field that cannot be accepted: answer the request's response with `command_status` and go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} refused with {command_status}")]
pub struct FieldError {
    /// The specification's field name.
    pub field: &'static str,
    /// What to answer.
    pub command_status: CommandStatus,
}

/// A PDU that we may not send. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The value is longer than the field allows.
    #[error("{field} is {octets} octets, {octets_max} are allowed")]
    TooLong {
        /// The specification's field name.
        field: &'static str,
        /// Octets of the value, its NUL not counted.
        octets: usize,
        /// Octets allowed, the NUL not counted.
        octets_max: usize,
    },
    /// A C-octet string contains the NUL that ends it.
    #[error("{field} contains a NUL octet")]
    Nul {
        /// The specification's field name.
        field: &'static str,
    },
    /// The value is outside what the specification allows.
    #[error("{field} has a value that the specification does not allow")]
    Value {
        /// The specification's field name.
        field: &'static str,
    },
}
