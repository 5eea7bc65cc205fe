//! Database errors, mapped in one place.

use std::fmt;

use sqlx::migrate::MigrateError;

/// What went wrong, as far as a caller can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The database cannot be reached now; trying again may help.
    Unavailable,
    /// The disk is full.
    DiskFull,
    /// The disk failed: what was written may not be there. Never retried on the same file.
    DiskFailed,
    /// A unique, foreign key or check constraint refused the row.
    Constraint,
    /// Anything else: a bug, or a schema that does not fit this program.
    Other,
}

/// A failed database call.
#[derive(Debug, Clone)]
pub struct Error {
    kind: Kind,
    text: String,
}

impl Error {
    /// An error that the program itself found.
    #[must_use]
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// What a caller can do about it.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self { kind: classify(&error), text: error.to_string() }
    }
}

impl From<MigrateError> for Error {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others are about migrations, not the database")]
    fn from(error: MigrateError) -> Self {
        let kind = match &error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => classify(error),
            _ => Kind::Other,
        };
        Self { kind, text: format!("migration: {error}") }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "sqlx adds kinds; what we do not know is Other")]
fn classify(error: &sqlx::Error) -> Kind {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Kind::Unavailable,
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            match database.kind() {
                sqlx::error::ErrorKind::Other => classify_code(&code),
                _ => Kind::Constraint,
            }
        }
        _ => Kind::Other,
    }
}

/// SQLSTATE has five characters, SQLite's extended result codes are decimal numbers.
fn classify_code(code: &str) -> Kind {
    if code.len() == 5 {
        return match code.get(..2) {
            // A lock was not had in time; the transaction stood still for too long.
            Some("55" | "25") if matches!(code, "55P03" | "25P03") => Kind::Unavailable,
            Some("53") if code == "53100" => Kind::DiskFull,
            Some("08" | "53" | "57") => Kind::Unavailable,
            Some("58") => Kind::DiskFailed,
            _ => Kind::Other,
        };
    }
    match code.parse::<u32>().unwrap_or(0) & 0xff {
        5 | 6 => Kind::Unavailable,
        10 | 11 | 26 => Kind::DiskFailed,
        13 => Kind::DiskFull,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_map_to_what_a_caller_can_do() {
        for (code, kind) in [
            ("08006", Kind::Unavailable),
            ("57P01", Kind::Unavailable),
            ("53300", Kind::Unavailable),
            ("53100", Kind::DiskFull),
            ("58030", Kind::DiskFailed),
            ("55P03", Kind::Unavailable),
            ("25P03", Kind::Unavailable),
            ("25001", Kind::Other),
            ("42601", Kind::Other),
            ("5", Kind::Unavailable),
            ("13", Kind::DiskFull),
            ("1034", Kind::DiskFailed),
            ("1", Kind::Other),
        ] {
            assert_eq!(classify_code(code), kind, "{code}");
        }
    }
}
