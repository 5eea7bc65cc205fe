//! Several things in one request, each with an answer of its own.

use crate::problem::{Code, Document, Problem};

/// Things of one request.
pub(crate) const ITEMS_MAX: usize = 1000;

/// Refuses too many things, and none.
pub(crate) fn check_count(pointer: &str, items: usize) -> Result<(), Problem> {
    if (1..=ITEMS_MAX).contains(&items) {
        return Ok(());
    }
    Err(Problem::invalid(pointer, format!("it is not 1 to {ITEMS_MAX} of them")))
}

/// The status and the refusal of one thing that leaves the others be; what would befall them too ends the whole.
pub(crate) fn refusal(problem: Problem, request: &str) -> Result<(u16, Document), Problem> {
    if !matches!(problem.code, Code::Invalid | Code::AlreadyExists | Code::InUse) {
        return Err(problem);
    }
    let (status, ..) = problem.code.describe();
    Ok((status.as_u16(), problem.document(request)))
}
