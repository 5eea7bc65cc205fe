//! Why a command ended, for people: one line on standard error and an exit code.

use std::fmt;
use std::process::ExitCode;

/// EX_USAGE of sysexits.h: what was asked for means nothing, asking again will not help.
const USAGE: u8 = 64;

/// A command that could not do what it was asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The command line, the configuration or an input file is wrong.
    Usage(String),
    /// Everything was understood, yet it did not work.
    Run(String),
}

impl Failure {
    pub(crate) fn usage(reason: impl fmt::Display) -> Self {
        Self::Usage(reason.to_string())
    }

    pub(crate) fn run(reason: impl fmt::Display) -> Self {
        Self::Run(reason.to_string())
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(USAGE),
            Self::Run(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    /// One line, whatever those who wrote the reason thought.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(reason) | Self::Run(reason)) = self;
        let mut lines = reason.lines().map(str::trim).filter(|line| !line.is_empty());
        f.write_str(lines.next().unwrap_or("failed without a reason"))?;
        lines.try_for_each(|line| write!(f, " {line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line() {
        for (reason, line) in
            [("no", "no"), ("TOML\n  | port = x\n", "TOML | port = x"), ("", "failed without a reason")]
        {
            assert_eq!(Failure::run(reason).to_string(), line);
        }
        assert_eq!(Failure::usage("x").exit_code(), ExitCode::from(64));
        assert_eq!(Failure::run("x").exit_code(), ExitCode::FAILURE);
    }
}
