//! How `jsonwebtoken` checks signatures: with ring. Neither aws-lc nor the `rsa` crate (RUSTSEC-2023-0071) is wanted.
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind,
    crypto::{CryptoProvider, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result},
    signature::{Error as Mismatch, Verifier},
};
use ring::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use std::sync::OnceLock;

/// Public keys only: nothing here signs, and HMAC is not to be had even by mistake.
///
/// The key utilities answer with an error rather than with `KeyUtils::new_unimplemented`, which panics.
static RING: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: |alg, key| verifier(*alg, key),
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| Err(ErrorKind::UnsupportedAlgorithm.into()),
        rsa_pub_components_from_public_key: |_| Err(ErrorKind::UnsupportedAlgorithm.into()),
        ec_pub_components_from_private_key: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
        ed_pub_components_from_private_key: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
        compute_digest: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    },
};

/// Makes ring the process' choice for `jsonwebtoken`. False where somebody else has chosen before.
pub(crate) fn install() -> bool {
    static OURS: OnceLock<bool> = OnceLock::new();
    *OURS.get_or_init(|| RING.install_default().is_ok())
}

/// What one algorithm means to ring.
#[derive(Clone, Copy)]
enum Scheme {
    Rsa(&'static RsaParameters),
    /// EC and Edwards keys are plain bytes.
    Point(&'static dyn VerificationAlgorithm),
}

impl Scheme {
    fn of(alg: Algorithm) -> Option<Self> {
        Some(match alg {
            Algorithm::RS256 => Self::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::RS384 => Self::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            Algorithm::RS512 => Self::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            Algorithm::PS256 => Self::Rsa(&signature::RSA_PSS_2048_8192_SHA256),
            Algorithm::PS384 => Self::Rsa(&signature::RSA_PSS_2048_8192_SHA384),
            Algorithm::PS512 => Self::Rsa(&signature::RSA_PSS_2048_8192_SHA512),
            Algorithm::ES256 => Self::Point(&signature::ECDSA_P256_SHA256_FIXED),
            Algorithm::ES384 => Self::Point(&signature::ECDSA_P384_SHA384_FIXED),
            Algorithm::EdDSA => Self::Point(&signature::ED25519),
            _ => return None,
        })
    }

    const fn fits(self, family: AlgorithmFamily) -> bool {
        match self {
            Self::Rsa(_) => matches!(family, AlgorithmFamily::Rsa),
            Self::Point(_) => matches!(family, AlgorithmFamily::Ec | AlgorithmFamily::Ed),
        }
    }
}

fn verifier(alg: Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    match Scheme::of(alg) {
        Some(scheme) if scheme.fits(key.family()) && alg.family() == key.family() => {
            Ok(Box::new(RingVerifier { alg, scheme, key: key.clone() }))
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

struct RingVerifier {
    alg: Algorithm,
    scheme: Scheme,
    key: DecodingKey,
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Mismatch> {
        let verdict = match (self.scheme, self.key.kind()) {
            (Scheme::Rsa(params), DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(params, message, signature)
            }
            (Scheme::Point(alg), DecodingKeyKind::SecretOrDer(point)) => {
                UnparsedPublicKey::new(alg, point).verify(message, signature)
            }
            _ => return Err(Mismatch::new()),
        };
        verdict.map_err(|_| Mismatch::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.alg
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_key_is_never_taken_for_an_hmac_secret() {
        let key = DecodingKey::from_secret(b"public key bytes");
        for alg in
            [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA]
        {
            assert!(verifier(alg, &key).is_err(), "{alg:?}");
        }
    }

    #[test]
    fn an_algorithm_of_another_family_than_the_key_is_refused() {
        let key = DecodingKey::from_ed_der(&[0; 32]);
        assert!(verifier(Algorithm::EdDSA, &key).is_ok());
        assert!(verifier(Algorithm::ES256, &key).is_err());
        assert!(verifier(Algorithm::RS256, &key).is_err());
    }
}
