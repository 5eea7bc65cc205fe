//! The habits of the code: who may know whom, how long a file may be, what every actor file says, which names
//! are a contract.

mod contract;
mod graph;
mod habits;
mod source;
