//! The context of an INVITE, whichever way it is forked.

use super::{BranchId, ForkContext, Input, Options, ResponseContext, Step};
use crate::status::StatusCode;

/// The context of one INVITE.
#[derive(Clone, Debug)]
pub enum Context {
    /// One branch after the other.
    Serial(ResponseContext),
    /// Several at once.
    Parallel(ForkContext),
}

impl Context {
    /// Begins, with the first [`Step::NextVendor`]; this many branches are begun at once.
    pub fn start(wave: u8, out: &mut Vec<Step>) -> Self {
        if wave > 1 {
            Self::Parallel(ForkContext::start(wave, out))
        } else {
            Self::Serial(ResponseContext::start(out))
        }
    }

    /// Advances the context; `out` is appended to.
    pub fn handle(&mut self, input: Input, options: &Options, out: &mut Vec<Step>) {
        match self {
            Self::Serial(context) => context.handle(input, options, out),
            Self::Parallel(context) => context.handle(input, options, out),
        }
    }

    /// Whether a final response went upstream.
    pub fn is_done(&self) -> bool {
        match self {
            Self::Serial(context) => context.is_done(),
            Self::Parallel(context) => context.is_done(),
        }
    }

    /// Whether a branch that is asked for is not to be begun any more.
    pub fn is_closed(&self) -> bool {
        match self {
            Self::Serial(context) => context.is_done(),
            Self::Parallel(context) => context.is_closed(),
        }
    }

    /// Whether several branches may be tried at once.
    pub const fn is_parallel(&self) -> bool {
        matches!(self, Self::Parallel(_))
    }

    /// Whether the branch that is asked for is begun beside others.
    pub fn is_opening(&self) -> bool {
        match self {
            Self::Serial(_) => false,
            Self::Parallel(context) => context.is_opening(),
        }
    }

    /// Whether a response of this branch, a provisional one or a 2xx, would go upstream.
    pub fn passes(&self, branch: BranchId, status: StatusCode) -> bool {
        match self {
            Self::Serial(context) => context.passes(branch, status),
            Self::Parallel(context) => context.passes(branch, status),
        }
    }

    /// Whether this branch is tried, and is not given up.
    pub fn is_trying(&self, branch: BranchId) -> bool {
        match self {
            Self::Serial(context) => context.is_trying(branch),
            Self::Parallel(context) => context.is_trying(branch),
        }
    }
}
