//! What `jsonwebtoken` signs and verifies with: ring, and only what the platform uses of it.
//!
//! EdDSA (Ed25519, RFC 8037) is signed and verified, RS256 (RFC 7518, 3.3) is verified. Every other algorithm
//! is an error here, whatever a header or a caller asks for: `none` and the HMAC family do not exist.

use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::signature::{
    ED25519, Ed25519KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};

/// Octets of an Ed25519 seed, which is what an `EncodingKey` of ours holds (RFC 8032, 5.1.5).
pub(crate) const SEED_OCTETS: usize = 32;
/// Octets of an Ed25519 public key.
pub(crate) const PUBLIC_OCTETS: usize = 32;

/// Makes ring the cryptography of `jsonwebtoken` in this process. Any number of calls is one.
///
/// Without it the crate panics at the first token, so whatever makes or checks tokens calls this as it is made.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // An error means that another provider is there, which no code of this program installs.
        if PROVIDER.install_default().is_err() {
            tracing::error!("another cryptography of tokens was installed first");
        }
    });
}

/// The public key of an Ed25519 seed; none when the seed has another length.
pub(crate) fn public_key(seed: &[u8]) -> Option<[u8; PUBLIC_OCTETS]> {
    use ring::signature::KeyPair as _;
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
    pair.public_key().as_ref().try_into().ok()
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    // Only the thumbprints and conversions of the crate's own key types need them; ours are made elsewhere.
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| Err(unsupported()),
        rsa_pub_components_from_public_key: |_| Err(unsupported()),
        ec_pub_components_from_private_key: |_, _| Err(unsupported()),
        ed_pub_components_from_private_key: |_, _| Err(unsupported()),
        compute_digest: |_, _| Err(unsupported()),
    },
};

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    if *algorithm != Algorithm::EdDSA || key.family() != AlgorithmFamily::Ed {
        return Err(unsupported());
    }
    let pair = Ed25519KeyPair::from_seed_unchecked(key.as_bytes())
        .map_err(|_| Error::from(ErrorKind::InvalidEddsaKey))?;
    Ok(Box::new(EdDsaSigner(pair)))
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    // The key decides, not the header: a key of one family never verifies an algorithm of another.
    match (algorithm, key.family(), key.kind()) {
        (Algorithm::EdDSA, AlgorithmFamily::Ed, DecodingKeyKind::SecretOrDer(public)) => {
            let public: [u8; PUBLIC_OCTETS] =
                public.as_slice().try_into().map_err(|_| Error::from(ErrorKind::InvalidEddsaKey))?;
            Ok(Box::new(EdDsaVerifier(public)))
        }
        (Algorithm::RS256, AlgorithmFamily::Rsa, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            Ok(Box::new(Rs256Verifier { n: n.clone(), e: e.clone() }))
        }
        _ => Err(unsupported()),
    }
}

fn unsupported() -> Error {
    ErrorKind::UnsupportedAlgorithm.into()
}

struct EdDsaSigner(Ed25519KeyPair);

impl Signer<Vec<u8>> for EdDsaSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

impl JwtSigner for EdDsaSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

struct EdDsaVerifier([u8; PUBLIC_OCTETS]);

impl Verifier<Vec<u8>> for EdDsaVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        UnparsedPublicKey::new(&ED25519, self.0)
            .verify(message, signature)
            .map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for EdDsaVerifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

struct Rs256Verifier {
    n: Vec<u8>,
    e: Vec<u8>,
}

impl Verifier<Vec<u8>> for Rs256Verifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        RsaPublicKeyComponents { n: &self.n, e: &self.e }
            .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            .map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Rs256Verifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::crypto::{sign, verify};

    use super::*;

    fn octets(hex: &str) -> Vec<u8> {
        hex.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    /// RFC 8032, 7.1, test 2.
    #[test]
    fn eddsa_is_that_of_the_rfc() {
        install();
        install();
        let seed = octets("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let public = octets("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let expected = octets(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        );
        assert_eq!(public_key(&seed).unwrap().to_vec(), public);
        let text = sign(&[0x72], &EncodingKey::from_ed_der(&seed), Algorithm::EdDSA).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(&text).unwrap(), expected);
        let key = DecodingKey::from_ed_der(&public);
        assert!(verify(&text, &[0x72], &key, Algorithm::EdDSA).unwrap());
        assert!(!verify(&text, &[0x73], &key, Algorithm::EdDSA).unwrap());
        assert!(!verify(text.get(..20).unwrap(), &[0x72], &key, Algorithm::EdDSA).unwrap());
    }

    #[test]
    fn nothing_else_is_signed_or_verified() {
        install();
        let seed = [7; SEED_OCTETS];
        let public = public_key(&seed).unwrap();
        assert!(public_key(&seed[1..]).is_none());
        let ed = DecodingKey::from_ed_der(&public);
        let rsa = DecodingKey::from_rsa_raw_components(&[0xff; 256], &[1, 0, 1]);
        let hmac = DecodingKey::from_secret(&public);
        use Algorithm::*;
        for algorithm in [HS256, HS384, HS512, ES256, ES384, RS256, RS384, RS512, PS256, PS384, PS512] {
            assert!(verify("AA", b"x", &ed, algorithm).is_err(), "{algorithm:?} with an Ed25519 key");
            assert!(verify("AA", b"x", &hmac, algorithm).is_err(), "{algorithm:?} with a secret");
            assert!(sign(b"x", &EncodingKey::from_ed_der(&seed), algorithm).is_err(), "{algorithm:?}");
            if algorithm != RS256 {
                assert!(verify("AA", b"x", &rsa, algorithm).is_err(), "{algorithm:?} with an RSA key");
            }
        }
        assert!(verify("AA", b"x", &rsa, EdDSA).is_err());
        assert!(verify("AA", b"x", &hmac, EdDSA).is_err());
        assert!(verify("AA", b"x", &DecodingKey::from_ed_der(&public[1..]), EdDSA).is_err());
        assert!(sign(b"x", &EncodingKey::from_secret(&seed), EdDSA).is_err());
        assert!(sign(b"x", &EncodingKey::from_secret(&seed), HS256).is_err());
        assert!(!verify("AA", b"x", &rsa, RS256).unwrap(), "a wrong signature is false, not an error");
    }
}
