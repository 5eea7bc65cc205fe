//! Passwords that people choose.

use std::ops::RangeInclusive;

use runtime::password::{self, PasswordHash, SecretString};

use crate::context::Api;
use crate::problem::{Code, Problem};

/// Characters of a password. Length is what makes one hard to guess (NIST SP 800-63B, 3.1.1).
pub(crate) const LENGTH: RangeInclusive<usize> = 12..=200;

/// Refuses a password that is too short, or too long to be hashed for everybody who asks.
pub(crate) fn check(pointer: &str, secret: &SecretString) -> Result<(), Problem> {
    if LENGTH.contains(&secret.expose().chars().count()) {
        return Ok(());
    }
    let (least, most) = (LENGTH.start(), LENGTH.end());
    Err(Problem::invalid(pointer, format!("it is not {least} to {most} characters")))
}

/// Argon2 takes tens of milliseconds and as many megabytes: few at a time, on no thread that others wait for.
pub(crate) async fn hash(api: &Api, secret: SecretString) -> Result<PasswordHash, Problem> {
    let _place = api.hashing.acquire().await.map_err(|_| busy())?;
    let hashed = tokio::task::spawn_blocking(move || password::hash(secret.expose())).await;
    hashed.map_err(|_| busy())
}

/// Whether it is the password; as much work is done where there is none.
pub(crate) async fn verify(
    api: &Api,
    hash: Option<PasswordHash>,
    secret: SecretString,
) -> Result<bool, Problem> {
    let _place = api.hashing.acquire().await.map_err(|_| busy())?;
    let fits = move || password::verify(hash.as_ref(), secret.expose().as_bytes());
    tokio::task::spawn_blocking(fits).await.map_err(|_| busy())
}

fn busy() -> Problem {
    Problem::new(Code::Internal, "a password could not be hashed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_have_a_length() {
        let (longest, longer) = ("a".repeat(200), "a".repeat(201));
        for (secret, fits) in [
            ("", false),
            ("elevenchars", false),
            ("twelve chars", true),
            ("zwölf Zeich…", true),
            (longest.as_str(), true),
            (longer.as_str(), false),
        ] {
            assert_eq!(check("/password", &SecretString::new(secret)).is_ok(), fits, "{secret}");
        }
    }
}
