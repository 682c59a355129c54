//! The issuer's public keys, and which of them a token may have been signed with.
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The keys of one key set. Keys of unknown kinds are left out, as RFC 7517 (5) wants.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KeySet(Vec<Key>);

#[derive(Debug)]
struct Key {
    jwk: Jwk,
    /// What this key may verify. Empty where it is not for signatures.
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
}

/// Why no key was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoKey {
    /// The named key is not in the set; it may be newer than the set.
    Unknown,
    /// The key is there, but not for this algorithm.
    Unfit,
    /// More than one key would do.
    Ambiguous,
}

/// The rest of a [`Key`] follows from its JWK.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.jwk == other.jwk
    }
}
impl Eq for Key {}

impl KeySet {
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one key that a token with this header may have been signed with.
    pub(crate) fn find(&self, kid: Option<&str>, alg: Algorithm) -> Result<&DecodingKey, NoKey> {
        let named = || self.0.iter().filter(|key| kid.is_none() || key.jwk.common.key_id.as_deref() == kid);
        let mut fitting = named().filter(|key| key.algorithms.contains(&alg));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(&key.decoding),
            (Some(_), Some(_)) => Err(NoKey::Ambiguous),
            // A token without a key id never asks for newer keys: which ones would it be asking for?
            (None, _) if kid.is_none() || named().next().is_some() => Err(NoKey::Unfit),
            (None, _) => Err(NoKey::Unknown),
        }
    }
}

impl<'de> Deserialize<'de> for KeySet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Raw {
            keys: Vec<Value>,
        }
        // One by one, so that a key of a kind we do not know does not take the others with it.
        Ok(Self(Raw::deserialize(deserializer)?.keys.into_iter().filter_map(Key::parse).collect()))
    }
}

impl Key {
    fn parse(raw: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(raw).ok()?;
        let by_type = algorithms_of(&jwk.algorithm);
        if by_type.is_empty() {
            return None;
        }
        let algorithms =
            by_type.iter().copied().filter(|alg| is_for_signatures(&jwk) && declares(&jwk, *alg)).collect();
        Some(Self { algorithms, decoding: DecodingKey::from_jwk(&jwk).ok()?, jwk })
    }
}

const fn algorithms_of(parameters: &AlgorithmParameters) -> &'static [Algorithm] {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    match parameters {
        AlgorithmParameters::RSA(_) => &[RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => &[ES256],
            EllipticCurve::P384 => &[ES384],
            _ => &[],
        },
        AlgorithmParameters::OctetKeyPair(key) if matches!(key.curve, EllipticCurve::Ed25519) => &[EdDSA],
        _ => &[],
    }
}

fn is_for_signatures(jwk: &Jwk) -> bool {
    let used = jwk.common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
    let verifies = jwk.common.key_operations.as_ref().is_none_or(|ops| ops.contains(&KeyOperations::Verify));
    used && verifies
}

/// A key that declares an algorithm is for that one only.
fn declares(jwk: &Jwk, alg: Algorithm) -> bool {
    jwk.common.key_algorithm.is_none_or(|declared| declared == alg.into())
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "json! makes values")]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(keys: Value) -> KeySet {
        serde_json::from_value(json!({ "keys": keys })).unwrap()
    }
    fn find(keys: &Value, kid: Option<&str>, alg: Algorithm) -> Option<NoKey> {
        set(keys.clone()).find(kid, alg).err()
    }
    fn rsa(more: Value) -> Value {
        let mut key = json!({"kty": "RSA", "kid": "a", "n": "AQAB", "e": "AQAB"});
        key.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
        key
    }

    #[test]
    fn a_key_verifies_only_what_it_declares() {
        let keys = json!([rsa(json!({"alg": "RS256", "use": "sig"}))]);
        assert_eq!(find(&keys, Some("a"), Algorithm::RS256), None);
        for alg in [Algorithm::RS512, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
            assert_eq!(find(&keys, Some("a"), alg), Some(NoKey::Unfit), "{alg:?}");
        }
        assert_eq!(find(&json!([rsa(json!({}))]), Some("a"), Algorithm::PS512), None);
    }

    #[test]
    fn encryption_keys_and_keys_for_unknown_algorithms_verify_nothing() {
        for more in [
            json!({"use": "enc"}),
            json!({"use": "tls"}),
            json!({"key_ops": ["encrypt"]}),
            json!({"alg": "RSA-OAEP"}),
            json!({"alg": "HS256"}),
            json!({"alg": "new"}),
        ] {
            assert_eq!(find(&json!([rsa(more.clone())]), Some("a"), Algorithm::RS256), Some(NoKey::Unfit), "{more}");
        }
    }

    #[test]
    fn a_curve_goes_with_its_own_algorithm() {
        let ec = |crv: &str| json!([{"kty": "EC", "kid": "a", "crv": crv, "x": "AA", "y": "AA"}]);
        assert_eq!(find(&ec("P-256"), Some("a"), Algorithm::ES256), None);
        assert_eq!(find(&ec("P-256"), Some("a"), Algorithm::ES384), Some(NoKey::Unfit));
        assert_eq!(find(&ec("P-384"), Some("a"), Algorithm::ES384), None);
        let okp = |crv: &str| json!([{"kty": "OKP", "kid": "a", "crv": crv, "x": "AA"}]);
        assert_eq!(find(&okp("Ed25519"), Some("a"), Algorithm::EdDSA), None);
        for unknown in [ec("P-521"), ec("secp256k1"), ec("Ed25519"), okp("Ed448"), okp("X25519"), okp("P-256")] {
            assert_eq!(find(&unknown, Some("a"), Algorithm::EdDSA), Some(NoKey::Unknown), "{unknown}");
        }
    }

    #[test]
    fn symmetric_keys_are_never_keys() {
        let keys =
            json!([{"kty": "oct", "kid": "a", "k": "AAAA"}, {"kty": "oct", "kid": "b", "k": "AAAA", "alg": "RS256"}]);
        assert!(set(keys).is_empty());
    }

    #[test]
    fn keys_that_make_no_sense_do_not_take_the_others_with_them() {
        let keys = json!([
            7, null, {}, {"kty": "RSA"}, {"kty": "RSA", "n": 1, "e": "AQAB"}, {"kty": "RSA", "kid": "x", "n": "!", "e": "AQAB"},
            {"kty": "new", "kid": "y"}, rsa(json!({}))
        ]);
        assert_eq!(set(keys.clone()).len(), 1);
        assert_eq!(find(&keys, Some("a"), Algorithm::RS256), None);
    }

    #[test]
    fn a_token_without_a_key_id_or_with_a_shared_one_needs_exactly_one_fitting_key() {
        let ec = json!({"kty": "EC", "kid": "a", "crv": "P-256", "x": "AA", "y": "AA"});
        let two = json!([rsa(json!({})), ec]);
        assert_eq!(find(&two, None, Algorithm::RS256), None);
        assert_eq!(find(&two, Some("a"), Algorithm::ES256), None);
        assert_eq!(find(&two, None, Algorithm::EdDSA), Some(NoKey::Unfit));
        let same = json!([rsa(json!({})), rsa(json!({"n": "AAAB"}))]);
        assert_eq!(find(&same, Some("a"), Algorithm::RS256), Some(NoKey::Ambiguous));
        assert_eq!(find(&same, None, Algorithm::RS256), Some(NoKey::Ambiguous));
        assert_eq!(find(&json!([]), None, Algorithm::RS256), Some(NoKey::Unfit));
    }

    #[test]
    fn a_key_without_an_id_does_not_answer_to_one() {
        let keys = json!([{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]);
        assert_eq!(find(&keys, Some("a"), Algorithm::RS256), Some(NoKey::Unknown));
        assert_eq!(find(&keys, Some(""), Algorithm::RS256), Some(NoKey::Unknown));
        assert_eq!(find(&keys, None, Algorithm::RS256), None);
    }
}
