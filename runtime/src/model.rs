//! Passive domain types that the store, the actors and the API share. Values that have a form exist only
//! parsed.

mod entity;
mod id;
mod value;

pub use self::entity::{Account, Customer, CustomerConfig, Did, Messaging, Route, Vendor};
pub use self::id::{IdGenerator, MessageId};
pub use self::value::{
    Alphabet, Ban, BindModes, BindType, Cidr, Invalid, MessageIdFormat, Money, SystemId, Transport,
};
