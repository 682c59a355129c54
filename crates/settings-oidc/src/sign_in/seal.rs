//! What a browser keeps while its owner is at the provider: sealed, so that only this service can make or read it.
use crate::random::{self, NoRandomness};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
};
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use serde::{Deserialize, Serialize};

/// Keeps the key apart from any other that somebody derives from the same secret.
const SALT: &[u8] = b"settings-sign-in-v1";
/// A browser keeps 4 KiB per cookie.
const MAX: usize = 4096;

/// A sign-in under way. Short names: it travels in a cookie.
#[derive(Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Id of the session to open.
    #[serde(rename = "i")]
    pub(crate) session: String,
    /// Where to go afterwards.
    #[serde(rename = "b")]
    pub(crate) back: String,
    #[serde(rename = "s")]
    pub(crate) state: String,
    #[serde(rename = "n")]
    pub(crate) nonce: String,
    /// PKCE: proves to the provider that who brings the code is who asked for it.
    #[serde(rename = "v")]
    pub(crate) verifier: String,
    /// When it began, in seconds since the epoch.
    #[serde(rename = "t")]
    pub(crate) begun_at: i64,
}

/// Seals with AES-256-GCM. The key comes from `AUTH0_SECRET` (HKDF-SHA-256) and is zeroized when dropped.
pub(crate) struct Sealer {
    key: SecretBox<[u8; 32]>,
    /// Issuer and client: what was sealed for another registration does not open.
    context: Vec<u8>,
}

impl Sealer {
    pub(crate) fn new(secret: &SecretString, context: &str) -> Self {
        let key = SecretBox::init_with_mut(|key: &mut [u8; 32]| {
            let derived = Salt::new(HKDF_SHA256, SALT).extract(secret.expose_secret().as_bytes());
            // 32 bytes are always to be had: HKDF's limit is 255 times the length of the hash.
            if let Ok(okm) = derived.expand(&[b"cookie"], HKDF_SHA256) {
                let _ = okm.fill(key);
            }
        });
        Self { key, context: context.as_bytes().to_vec() }
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, self.key.expose_secret()).ok().map(LessSafeKey::new)
    }

    pub(crate) fn seal(&self, kept: &Kept) -> Result<SecretString, NoRandomness> {
        let mut nonce = [0; NONCE_LEN];
        random::fill(&mut nonce)?;
        let mut sealed = serde_json::to_vec(kept).map_err(|_| NoRandomness)?;
        let cipher = self.cipher().ok_or(NoRandomness)?;
        cipher
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&self.context), &mut sealed)
            .map_err(|_| NoRandomness)?;
        sealed.splice(..0, nonce);
        Ok(URL_SAFE_NO_PAD.encode(sealed).into())
    }

    /// `None` for whatever this service did not seal.
    pub(crate) fn open(&self, sealed: &SecretString) -> Option<Kept> {
        let text = sealed.expose_secret();
        if text.len() > MAX {
            return None;
        }
        let mut sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = sealed.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = self.cipher()?.open_in_place(nonce, Aad::from(&self.context), sealed).ok()?;
        serde_json::from_slice(plain).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(secret: &str, context: &str) -> Sealer {
        Sealer::new(&secret.to_owned().into(), context)
    }
    fn kept(back: &str) -> Kept {
        let text = || random::text().unwrap();
        Kept {
            session: "0".repeat(36),
            back: back.to_owned(),
            state: text(),
            nonce: text(),
            verifier: text(),
            begun_at: i64::MAX,
        }
    }

    #[test]
    fn what_was_sealed_opens_under_the_same_secret_for_the_same_client_alone() {
        let ours = sealer("a secret", "https://i/ client");
        let kept = kept("/acme/settings/members");
        let sealed = ours.seal(&kept).unwrap();
        let open = ours.open(&sealed).unwrap();
        assert_eq!((open.state, open.nonce, open.verifier), (kept.state, kept.nonce, kept.verifier));
        assert_eq!((open.back, open.begun_at), (kept.back, kept.begun_at));
        assert!(sealer("a secret", "https://i/ other").open(&sealed).is_none());
        assert!(sealer("another secret", "https://i/ client").open(&sealed).is_none());
        assert!(!sealed.expose_secret().contains("acme"));
    }

    #[test]
    fn whatever_else_is_sent_opens_to_nothing() {
        let ours = sealer("a secret", "c");
        let sealed = ours.seal(&kept("/")).unwrap().expose_secret().to_owned();
        for n in 0..sealed.len() {
            let mut bytes = sealed.clone().into_bytes();
            bytes[n] = if bytes[n] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            // The last character holds bits that no byte needs; the decoder refuses those.
            assert!(ours.open(&changed.into()).is_none(), "{n}");
        }
        for other in ["", "A", "é", &"A".repeat(16), &"A".repeat(64), &"A".repeat(MAX + 1)] {
            assert!(ours.open(&other.to_owned().into()).is_none());
        }
    }

    #[test]
    fn the_longest_one_fits_into_a_cookie() {
        let sealed = sealer("s", "c").seal(&kept(&format!("/{}", "\\".repeat(499)))).unwrap();
        assert!(sealed.expose_secret().len() < 2048);
    }
}
