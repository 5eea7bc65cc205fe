//! Passive domain types that the store, the actors and the API share. Values that have a form exist only
//! parsed.

mod email;
mod entity;
mod id;
mod parts;
mod value;
mod voice;

pub use self::email::Email;
pub use self::entity::{Account, Customer, CustomerConfig, Did, Messaging, Route, Vendor, Webhook};
pub use self::id::{IdGenerator, MessageId};
pub use self::parts::{Parts, Versions};
pub use self::value::{
    Alphabet, Attestation, AuthType, Ban, BindModes, BindType, CallerSource, Cidr, Diversions, Dtmf,
    EndpointLearning, ForeignNumbers, Fork, HeaderAction, IdentityHeaders, Invalid, MediaNodeState,
    MediaPath, MediaSecurity, MessageIdFormat, Money, Oversize, SystemId, T38, Transport, VendorStatus,
    VerifyIdentity,
};
pub use self::voice::{
    AclEntry, AclSource, DedicatedAddress, DigestCredential, Gateway, HeaderRule, HighCost, IdentityProfile,
    MediaNode, MediaProfile, NumberRule, Offer, Partition, SIP_REALM, SipVendor, Trunk, VendorAccount,
    VendorRegister, Voice,
};
