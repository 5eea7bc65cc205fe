//! The REST interface as programs use it, on the built program.

mod effect;
mod schemathesis;
