//! 32 secret bytes and the only things done with them: MAC, seal, open.
use crate::random;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, Tag, UnboundKey},
    hmac,
};
use secrecy::{ExposeSecret as _, SecretBox, SecretSlice};
use settings_domain::ports::tokens::NoEntropy;
use std::fmt;
use zeroize::Zeroizing;

/// Length of every key here.
pub(crate) const KEY_LEN: usize = 32;

/// Length of the tag behind a ciphertext.
const TAG_LEN: usize = 16;

/// A key. Zeroized when dropped; never shown, never compared, never cloned. Each key has one purpose.
///
/// ring's own key types are made for each use, because they are not zeroized: nothing of them outlives the call.
pub(crate) struct Key(SecretBox<[u8; KEY_LEN]>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Every part behind its length: `["ab", "c"]` and `["a", "bc"]` differ.
pub(crate) fn encode<'a>(parts: impl Iterator<Item = &'a [u8]> + Clone) -> Vec<u8> {
    // All at once: growing was a tenth of what it costs to open a value.
    let mut out = Vec::with_capacity(parts.clone().map(|part| size_of::<u64>() + part.len()).sum());
    for part in parts {
        out.extend_from_slice(&length(part));
        out.extend_from_slice(part);
    }
    out
}

/// A part's length, as it stands before the part in everything hashed.
pub(crate) const fn length(part: &[u8]) -> [u8; 8] {
    (part.len() as u64).to_be_bytes()
}

impl Key {
    /// A fresh key.
    pub(crate) fn random() -> Result<Self, NoEntropy> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        random::fill(bytes.as_mut())?;
        Ok(Self::new(&bytes))
    }
    /// A key of these bytes.
    pub(crate) fn new(bytes: &[u8; KEY_LEN]) -> Self {
        Self(SecretBox::init_with_mut(|key: &mut [u8; KEY_LEN]| key.copy_from_slice(bytes)))
    }
    /// A key of these bytes, where they are as many as a key has.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::new)
    }
    /// The bytes, to be handed over in the words of a port.
    pub(crate) fn to_secret(&self) -> SecretSlice<u8> {
        SecretSlice::from(self.0.expose_secret().to_vec())
    }
    /// The bytes, to be encrypted under another key or written to a keyring.
    pub(crate) fn expose(&self) -> &[u8; KEY_LEN] {
        self.0.expose_secret()
    }

    fn hmac(&self, parts: &[&[u8]]) -> hmac::Tag {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.expose_secret());
        let mut mac = hmac::Context::with_key(&key);
        for part in parts {
            mac.update(&length(part));
            mac.update(part);
        }
        mac.sign()
    }
    /// HMAC-SHA256 over the parts.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(self.hmac(parts).as_ref());
        out
    }
    /// A key that only the holder of this one can make: the MAC over the parts.
    pub(crate) fn derive(&self, parts: &[&[u8]]) -> Self {
        Self(SecretBox::init_with_mut(|key: &mut [u8; KEY_LEN]| key.copy_from_slice(self.hmac(parts).as_ref())))
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, self.0.expose_secret()).ok().map(LessSafeKey::new)
    }
    /// Encrypts with AES-256-GCM under a random nonce. Output: `header | nonce | ciphertext | tag`. Header and context
    /// are authenticated; the context is not part of the output.
    ///
    /// A key must not seal more than 2³² times (NIST SP 800-38D): whoever seals often does it under a derived key.
    pub(crate) fn seal(&self, header: &[u8], context: &[&[u8]], plain: &[u8]) -> Result<Vec<u8>, NoEntropy> {
        let mut nonce = [0; NONCE_LEN];
        random::fill(&mut nonce)?;
        // Room for all of it, so that no reallocation leaves a copy of the plaintext behind.
        let mut out = Vec::with_capacity(header.len() + NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
        out.extend_from_slice(header);
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(plain);
        let aad = Aad::from(associated(header, context));
        // Beside the generator only lengths could fail here (a key of 32 bytes, less than 64 GiB): they do not.
        let tag = self
            .cipher()
            .zip(out.get_mut(start..))
            .and_then(|(key, plain)| {
                key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, plain).ok()
            })
            .ok_or(NoEntropy)?;
        out.extend_from_slice(tag.as_ref());
        Ok(out)
    }
    /// Decrypts what [`Key::seal`] made under the same header and context; `None` for everything else.
    pub(crate) fn open(&self, header: &[u8], context: &[&[u8]], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.opener()?.open(header, context, sealed)
    }
    /// The key made ready to open several values one after the other. Not to be kept: ring's key is not zeroized.
    pub(crate) fn opener(&self) -> Option<Opener> {
        self.cipher().map(Opener)
    }
}

/// A key made ready, for as long as a call lasts.
pub(crate) struct Opener(LessSafeKey);

impl Opener {
    /// Decrypts what [`Key::seal`] made under the same header and context; `None` for everything else. The plaintext is the
    /// one copy there is, in a buffer of just its size: whoever takes it over without another copy leaves nothing behind.
    pub(crate) fn open(&self, header: &[u8], context: &[&[u8]], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.strip_prefix(header)?.split_first_chunk::<NONCE_LEN>()?;
        let (ciphertext, tag) = sealed.split_last_chunk::<TAG_LEN>()?;
        let mut plain = Zeroizing::new(ciphertext.to_vec());
        let (nonce, aad) = (Nonce::assume_unique_for_key(*nonce), Aad::from(associated(header, context)));
        self.0.open_in_place_separate_tag(nonce, aad, Tag::from(*tag), &mut plain, 0..).ok()?;
        Some(plain)
    }
}

fn associated(header: &[u8], context: &[&[u8]]) -> Vec<u8> {
    encode(std::iter::once(header).chain(context.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_join_to_the_same_bytes_differ() {
        let key = Key::new(&[1; 32]);
        let splits: [&[&[u8]]; 5] = [&[b"abc"], &[b"ab", b"c"], &[b"a", b"bc"], &[b"", b"abc"], &[b"abc", b""]];
        for (i, a) in splits.iter().enumerate() {
            for b in &splits[i + 1..] {
                assert_ne!(key.mac(a), key.mac(b));
                assert_ne!(encode(a.iter().copied()), encode(b.iter().copied()));
            }
        }
    }

    #[test]
    fn only_the_same_key_header_and_context_open_and_no_bit_may_change() {
        let key = Key::new(&[1; 32]);
        let sealed = key.seal(&[1, 2], &[b"tenant", b"row"], b"value").unwrap();
        assert_eq!(key.open(&[1, 2], &[b"tenant", b"row"], &sealed).unwrap().as_slice(), b"value");
        assert!(Key::new(&[2; 32]).open(&[1, 2], &[b"tenant", b"row"], &sealed).is_none());
        assert!(key.open(&[1], &[b"tenant", b"row"], &sealed).is_none());
        assert!(key.open(&[1, 2], &[b"tenantrow"], &sealed).is_none());
        for bit in 0..sealed.len() * 8 {
            let mut bad = sealed.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(key.open(&[1, 2], &[b"tenant", b"row"], &bad).is_none(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(key.open(&[1, 2], &[b"tenant", b"row"], &sealed[..length]).is_none(), "{length} bytes");
        }
    }

    #[test]
    fn the_same_value_never_seals_to_the_same_bytes() {
        let key = Key::new(&[1; 32]);
        assert_ne!(key.seal(&[], &[], b"value").unwrap(), key.seal(&[], &[], b"value").unwrap());
    }

    #[test]
    fn nothing_of_a_key_is_shown() {
        assert_eq!(format!("{:?}", Key::new(&[7; 32])), "Key(..)");
    }
}
