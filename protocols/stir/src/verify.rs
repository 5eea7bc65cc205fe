//! What an Identity says of a call, held against the call (RFC 8224, 6.2).

use crate::attestation::Attestation;
use crate::certificate::Certificate;
use crate::failure::Failure;
use crate::identity::Identity;
use crate::passport::{self, Claims, Header, Party, SIGNATURE_LEN, signing_input};

/// What the time of a PASSporT and ours may differ by, in seconds (RFC 8224, 6.2, step 4).
pub const FRESH_FOR: u64 = 60;

/// A call, as far as a PASSporT speaks of it.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Numbers that it is said to come from, in their canonical form; any of them may be signed.
    pub orig: &'a [String],
    /// Numbers that it goes to, likewise.
    pub dest: &'a [String],
    /// Its Date, in seconds since 1970; the short form of a PASSporT is of that time.
    pub date: Option<u64>,
    /// Now, in seconds since 1970.
    pub now: u64,
}

/// An Identity that fits its call; whether its signature is right is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    header: Header,
    claims: Claims,
    /// What it is the signature of.
    input: String,
    signature: [u8; SIGNATURE_LEN],
}

/// An Identity that is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The number that calls.
    pub number: String,
    /// What its signer says of the caller; none where it is not of `shaken`.
    pub attestation: Option<Attestation>,
}

impl Signed {
    /// Reads an Identity and holds it against its call. The signature and its certificate come last: they cost the most.
    ///
    /// # Errors
    /// [`Failure::Malformed`], [`Failure::Credential`] for another algorithm, [`Failure::Numbers`], [`Failure::Stale`].
    pub fn read(identity: &Identity<'_>, about: &About<'_>) -> Result<Self, Failure> {
        if identity.alg != "ES256" {
            return Err(Failure::Credential);
        }
        let mut parts = identity.token.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Failure::Malformed);
        };
        let signature = passport::signature(signature)?;
        if header.is_empty() && claims.is_empty() {
            return Self::rebuilt(identity, about, signature);
        }
        let input = format!("{header}.{claims}");
        let (header, claims) = (Header::decode(header)?, Claims::decode(claims)?);
        let kind = header.ppt.as_deref().map(str::to_ascii_lowercase);
        // What stands in clear beside it is not signed: it may say nothing else.
        let is_same = header.x5u == identity.info && kind == identity.ppt.map(str::to_ascii_lowercase);
        let is_shaken = kind.as_deref() == Some("shaken");
        if !is_same || kind.is_some() != is_shaken || is_shaken != claims.shaken.is_some() {
            return Err(Failure::Malformed);
        }
        let signed = Self { header, claims, input, signature };
        signed.fits(about)?;
        Ok(signed)
    }

    /// The short form has no header and no claims: they are what the call says (RFC 8225, 7; RFC 8224, 4.1.1).
    fn rebuilt(
        identity: &Identity<'_>,
        about: &About<'_>,
        signature: [u8; SIGNATURE_LEN],
    ) -> Result<Self, Failure> {
        // What `shaken` adds stands nowhere else.
        if identity.ppt.is_some() {
            return Err(Failure::Malformed);
        }
        let iat = about.date.ok_or(Failure::Stale)?;
        let (Some(orig), Some(dest)) = (about.orig.first(), about.dest.first()) else {
            return Err(Failure::Numbers);
        };
        let header = Header { x5u: identity.info.to_owned(), ppt: None };
        let claims = Claims {
            orig: Party::Number(orig.clone()),
            dest_tn: vec![dest.clone()],
            dest_uri: Vec::new(),
            iat,
            shaken: None,
        };
        let input = signing_input(&header, &claims);
        let signed = Self { header, claims, input, signature };
        signed.fits(about)?;
        Ok(signed)
    }

    fn fits(&self, about: &About<'_>) -> Result<(), Failure> {
        let Party::Number(orig) = &self.claims.orig else { return Err(Failure::Numbers) };
        let is_called = self.claims.dest_tn.iter().any(|number| about.dest.contains(number));
        if !about.orig.contains(orig) || !is_called {
            return Err(Failure::Numbers);
        }
        if self.claims.iat.abs_diff(about.now) > FRESH_FOR {
            return Err(Failure::Stale);
        }
        Ok(())
    }

    /// Where its certificate is.
    #[must_use]
    pub fn x5u(&self) -> &str {
        &self.header.x5u
    }

    /// What is signed: it is the same for nobody else's call.
    #[must_use]
    pub fn input(&self) -> &str {
        &self.input
    }

    /// Whether it is of `shaken`, and says how much its signer knows of the caller.
    #[must_use]
    pub const fn is_shaken(&self) -> bool {
        self.claims.shaken.is_some()
    }

    /// Whether a number, in its canonical form, is one that it was signed for. Where To alone is, the call was diverted.
    #[must_use]
    pub fn is_for(&self, number: &str) -> bool {
        self.claims.dest_tn.iter().any(|dest| dest == number)
    }

    /// Checks its signature by its certificate.
    ///
    /// # Errors
    /// [`Failure::Credential`] where the certificate is not valid at that time, or not for this number;
    /// [`Failure::Signature`].
    pub fn check(&self, certificate: &Certificate, now: u64) -> Result<Verified, Failure> {
        let Party::Number(number) = &self.claims.orig else { return Err(Failure::Numbers) };
        let is_valid = certificate.is_valid_at(now) && certificate.is_valid_at(self.claims.iat);
        if !is_valid || !certificate.may_sign(number) {
            return Err(Failure::Credential);
        }
        if !certificate.has_signed(self.input.as_bytes(), &self.signature) {
            return Err(Failure::Signature);
        }
        let attestation = self.claims.shaken.as_ref().map(|shaken| shaken.attest);
        Ok(Verified { number: number.clone(), attestation })
    }
}

#[cfg(test)]
mod tests;
