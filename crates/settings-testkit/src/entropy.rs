//! Ids, tokens and a clock that are the same in every run.
use crate::bytes::{hash, hex, unhex};
use secrecy::{ExposeSecret as _, SecretString};
use settings_domain::{
    api_keys::ApiKey,
    ids::{ApiKeyId, InvitationId, SessionId, SignInId},
    ports::{
        Clock, Entropy,
        tokens::{NoEntropy, TokenMint},
    },
    tokens::{Digest, Minted, MintedKey, Seal},
};
use std::sync::atomic::{AtomicU64, Ordering};
use time::OffsetDateTime;
use uuid::Uuid;

/// Where [`SeededEntropy`]'s ids begin to count: milliseconds of some day in 2026.
const EPOCH_MILLIS: u64 = 1_767_600_000_000;

/// Ids that are counted, in the shape of `UUIDv7`: each is greater than all before, and two seeds never share one.
#[derive(Debug)]
pub struct SeededEntropy {
    seed: u32,
    count: AtomicU64,
}

impl SeededEntropy {
    /// Counts from the start. The seed stands in every id.
    #[must_use]
    pub const fn new(seed: u32) -> Self {
        Self { seed, count: AtomicU64::new(0) }
    }
}

impl Entropy for SeededEntropy {
    fn uuid(&self) -> Uuid {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let mut random = [0; 10];
        let tail = [&self.seed.to_be_bytes()[..], &count.to_be_bytes()[4..]].concat();
        random.iter_mut().skip(2).zip(tail).for_each(|(to, from)| *to = from);
        uuid::Builder::from_unix_timestamp_millis(EPOCH_MILLIS + count, &random).into_uuid()
    }
}

/// A clock that stands still, for what never meets a store.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub OffsetDateTime);

impl Clock for FixedClock {
    fn now(&self) -> OffsetDateTime {
        self.0
    }
}

/// Tokens for tests: readable, different for different things, and recognised by the same type. No secrets.
#[derive(Debug, Clone, Copy, Default)]
pub struct FixedMint;

const API_KEY: &str = "sk_test_";
const INVITATION: &str = "inv_test_";
const SIGN_IN: &str = "link_test_";
const SESSION: &str = "ses_test_";

fn digest(text: &str) -> Digest {
    Digest::new(hash(&[b"token", text.as_bytes()]))
}
/// `<prefix><id>_<tail>`: the tail is a function of both, so that a wrong one shows only in the digest.
fn text(prefix: &str, id: Uuid, extra: &str) -> String {
    let tail = hex(hash(&[prefix.as_bytes(), id.as_bytes(), extra.as_bytes()]).split_at(12).0);
    format!("{prefix}{}_{tail}", id.simple())
}
fn minted(text: String) -> Minted {
    Minted { digest: digest(&text), text: SecretString::from(text) }
}
fn parse(prefix: &str, text: &str) -> Option<(Uuid, Digest)> {
    let (id, tail) = text.strip_prefix(prefix)?.split_once('_')?;
    let well_formed = id.len() == 32 && tail.len() == 24 && tail.bytes().all(|b| b.is_ascii_alphanumeric());
    Uuid::try_parse(id).ok().filter(|_| well_formed).map(|id| (id, digest(text)))
}

impl TokenMint for FixedMint {
    fn api_key(&self, id: ApiKeyId) -> Result<MintedKey, NoEntropy> {
        let text = text(API_KEY, id.as_uuid(), "");
        let last4 = text.chars().skip(text.len() - 4).collect();
        Ok(MintedKey { digest: digest(&text), prefix: API_KEY.to_owned(), last4, text: SecretString::from(text) })
    }
    fn parse_api_key(&self, text: &str) -> Option<(ApiKeyId, Digest)> {
        parse(API_KEY, text).map(|(id, digest)| (ApiKeyId::from_uuid(id), digest))
    }
    fn looks_like_api_key(&self, text: &str) -> bool {
        text.starts_with(API_KEY)
    }
    fn seal_api_key(&self, key: &ApiKey, digest: &Digest) -> Seal {
        let ends = key.expires_at.map(settings_domain::micros::from_time);
        Seal::new(hash(&[
            key.workspace.as_uuid().as_bytes(),
            key.id.as_uuid().as_bytes(),
            key.scopes.names().as_bytes(),
            format!("{ends:?}").as_bytes(),
            digest.as_bytes(),
        ]))
    }
    fn invitation(&self, id: InvitationId, generation: i64) -> Minted {
        minted(text(INVITATION, id.as_uuid(), &generation.to_string()))
    }
    fn parse_invitation(&self, text: &str) -> Option<(InvitationId, Digest)> {
        parse(INVITATION, text).map(|(id, digest)| (InvitationId::from_uuid(id), digest))
    }
    fn sign_in(&self, id: SignInId) -> Minted {
        minted(text(SIGN_IN, id.as_uuid(), ""))
    }
    fn parse_sign_in(&self, text: &str) -> Option<(SignInId, Digest)> {
        parse(SIGN_IN, text).map(|(id, digest)| (SignInId::from_uuid(id), digest))
    }
    fn session(&self, id: SessionId) -> Result<Minted, NoEntropy> {
        Ok(minted(text(SESSION, id.as_uuid(), "")))
    }
    fn parse_session(&self, text: &str) -> Option<(SessionId, Digest)> {
        parse(SESSION, text).map(|(id, digest)| (SessionId::from_uuid(id), digest))
    }
    fn webhook_secret(&self) -> Result<SecretString, NoEntropy> {
        // 32 bytes of nothing, in the shape of a real one.
        Ok(SecretString::from(format!("whsec_{}=", "A".repeat(43))))
    }
    fn fingerprint(&self, parts: &[&[u8]]) -> [u8; 32] {
        hash(parts)
    }
    fn seal_cursor(&self, context: &[u8], position: &[u8]) -> Result<String, NoEntropy> {
        Ok(format!("{}.{}", hex(position), hex(&hash(&[b"cursor", context, position]))))
    }
    fn open_cursor(&self, context: &[u8], cursor: &str) -> Option<Vec<u8>> {
        let (position, tag) = cursor.split_once('.')?;
        let position = unhex(position)?;
        (tag == hex(&hash(&[b"cursor", context, &position]))).then_some(position)
    }
    fn seal_draft(&self, context: &[u8], value: &SecretString) -> Result<String, NoEntropy> {
        self.seal_cursor(&[b"draft", context].concat(), value.expose_secret().as_bytes())
    }
    fn open_draft(&self, context: &[u8], draft: &str) -> Option<SecretString> {
        let value = self.open_cursor(&[b"draft", context].concat(), draft)?;
        String::from_utf8(value).ok().map(SecretString::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_rise_and_two_seeds_share_none() {
        let (a, b) = (SeededEntropy::new(1), SeededEntropy::new(2));
        let ids: Vec<_> = (0..1_000).map(|_| a.uuid()).collect();
        assert!(ids.windows(2).all(|w| w[0] < w[1]));
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
        let all: BTreeSet<_> = ids.into_iter().chain((0..1_000).map(|_| b.uuid())).collect();
        assert_eq!(all.len(), 2_000);
    }

    #[test]
    fn a_token_is_recognised_as_what_it_is_and_as_nothing_else() {
        use secrecy::ExposeSecret as _;
        let (mint, ids) = (FixedMint, SeededEntropy::new(1));
        let id = ids.uuid();
        let invitation = mint.invitation(InvitationId::from_uuid(id), 1);
        let next = mint.invitation(InvitationId::from_uuid(id), 2);
        assert_ne!(invitation.digest, next.digest);
        let text = invitation.text.expose_secret();
        assert_eq!(mint.parse_invitation(text), Some((InvitationId::from_uuid(id), invitation.digest)));
        assert_eq!(mint.parse_sign_in(text), None);
        assert_eq!(mint.parse_api_key(text), None);
        assert_eq!(mint.parse_invitation(&format!("{text}x")), None);
        let key = mint.api_key(ApiKeyId::from_uuid(id)).unwrap();
        assert!(mint.looks_like_api_key(key.text.expose_secret()));
        assert!(key.text.expose_secret().ends_with(&key.last4));
    }

    #[test]
    fn a_cursor_opens_in_its_own_context_only() {
        let cursor = FixedMint.seal_cursor(b"members of a", b"17").unwrap();
        assert_eq!(FixedMint.open_cursor(b"members of a", &cursor), Some(b"17".to_vec()));
        assert_eq!(FixedMint.open_cursor(b"members of b", &cursor), None);
        assert_eq!(FixedMint.open_cursor(b"members of a", &format!("31{cursor}")), None);
        assert_eq!(FixedMint.open_cursor(b"", "zz.é"), None);
    }
}
