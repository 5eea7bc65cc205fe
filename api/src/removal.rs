//! What is taken away only when nothing needs it.

use runtime::store::{Error, ErrorKind};

use crate::problem::{Code, Problem};
use crate::query::{Kind, Param};

/// Whether something is taken away although it carries traffic.
pub(crate) const DRAIN: Param = Param::new(
    "drain",
    Kind::Flag,
    "Take it away although it carries traffic: nothing new goes there, what is under way goes on or elsewhere",
);

/// Something else needs it; `what` says what.
pub(crate) fn in_use(what: impl Into<String>) -> Problem {
    Problem::new(Code::InUse, what)
}

/// What the database says of something that cannot be taken away: somebody has named it a moment ago.
pub(crate) fn refused(error: Error) -> Problem {
    match error.kind() {
        ErrorKind::Constraint => in_use("something else names it"),
        ErrorKind::Unavailable | ErrorKind::DiskFull | ErrorKind::DiskFailed | ErrorKind::Other => {
            error.into()
        }
    }
}
