//! SMPP load: simulators of both ends, and the measurements that are made with them.

pub mod esme;
pub mod idle;
pub mod load;
pub mod restart;
pub mod run;
pub mod smsc;
pub mod suite;
