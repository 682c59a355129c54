//! Bearer material: made here, recognised here, stored only as a keyed digest.
use crate::{
    key::Key,
    random,
    root::RootKey,
    token_text::{self, Kind, Token},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use secrecy::{ExposeSecret as _, SecretString};
use settings_domain::{
    api_keys::ApiKey,
    ids::{ApiKeyId, InvitationId, SessionId, SignInId},
    micros,
    ports::tokens::{NoEntropy, TokenMint},
    tokens::{Digest, Minted, MintedKey, Seal},
};
use std::{fmt, sync::Arc};
use uuid::Uuid;
use zeroize::Zeroizing;

/// How much of a key's text is shown to recognise it by: `wsk_` and 12 of the id's 22 digits. The first 8 would be
/// little more than the time stamp of the version 7 UUID, which keys made together share; 12 reach past the counter
/// that [`SystemEntropy`](crate::SystemEntropy) puts behind it. A true beginning, so that a search for it finds the key.
const SHOWN: std::ops::Range<usize> = 0..16;
/// Where the last four characters of the secret part stand.
const LAST4: std::ops::Range<usize> = 66..70;
/// What tells people, and programs that search for leaks, what a webhook's secret is (Standard Webhooks).
const WEBHOOK_SECRET: &str = "whsec_";
/// Longest cursor that is looked at.
const MAX_CURSOR: usize = 1024;
/// Version of the cursor's format.
const CURSOR: &[u8] = &[1];
/// Longest draft that is looked at: it comes in a form of at most as much.
const MAX_DRAFT: usize = 256 * 1024;
/// Version of the draft's format; a cursor never opens as a draft.
const DRAFT: &[u8] = &[2];

/// Makes and recognises tokens, seals and cursors: the service's [`TokenMint`].
pub struct Tokens {
    digest: Arc<Key>,
    invitation: Arc<Key>,
    sign_in: Arc<Key>,
    api_key_seal: Arc<Key>,
    cursor: Arc<Key>,
    fingerprint: Arc<Key>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(..)")
    }
}

impl Tokens {
    /// With the keys that come from this root.
    #[must_use]
    pub fn new(root: &RootKey) -> Self {
        Self {
            digest: Arc::clone(&root.token_digest),
            invitation: Arc::clone(&root.invitation),
            sign_in: Arc::clone(&root.sign_in),
            api_key_seal: Arc::clone(&root.api_key_seal),
            cursor: Arc::clone(&root.cursor),
            fingerprint: Arc::clone(&root.fingerprint),
        }
    }

    fn digest(&self, kind: Kind, token: &Token) -> Digest {
        Digest::new(self.digest.mac(&[kind.label, token.id.as_bytes(), token.secret.as_ref()]))
    }
    fn mint(&self, kind: Kind, token: &Token) -> (Zeroizing<String>, Digest) {
        (token_text::write(kind, token), self.digest(kind, token))
    }
    fn minted(&self, kind: Kind, token: &Token) -> Minted {
        let (text, digest) = self.mint(kind, token);
        Minted { text: secret(text), digest }
    }
    fn parse(&self, kind: Kind, text: &str) -> Option<(Uuid, Digest)> {
        let token = token_text::read(kind, text)?;
        Some((token.id, self.digest(kind, &token)))
    }
    /// Every context has a key of its own, so that none of them seals often enough for a nonce to come twice.
    fn cursor_key(&self, context: &[u8]) -> Key {
        self.cursor.derive(&[context])
    }
}

/// Moves the text out of its buffer: no copy is made and none is left.
fn secret(mut text: Zeroizing<String>) -> SecretString {
    SecretString::from(std::mem::take(&mut *text))
}

fn random_token(id: Uuid) -> Result<Token, NoEntropy> {
    let mut token = Token { id, secret: Zeroizing::new([0; 32]) };
    random::fill(token.secret.as_mut())?;
    Ok(token)
}

impl TokenMint for Tokens {
    fn api_key(&self, id: ApiKeyId) -> Result<MintedKey, NoEntropy> {
        let (text, digest) = self.mint(Kind::API_KEY, &random_token(id.as_uuid())?);
        let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default().to_owned();
        let (prefix, last4) = (part(SHOWN), part(LAST4));
        Ok(MintedKey { text: secret(text), digest, prefix, last4 })
    }

    fn parse_api_key(&self, text: &str) -> Option<(ApiKeyId, Digest)> {
        self.parse(Kind::API_KEY, text).map(|(id, digest)| (ApiKeyId::from_uuid(id), digest))
    }

    fn looks_like_api_key(&self, text: &str) -> bool {
        text.starts_with(Kind::API_KEY.prefix)
    }

    /// The name is not part of it because it grants nothing, the time of revocation because it only takes away; both
    /// change without the key.
    fn seal_api_key(&self, key: &ApiKey, digest: &Digest) -> Seal {
        let expires_at = key.expires_at.map(|at| micros::from_time(at).to_be_bytes());
        Seal::new(self.api_key_seal.mac(&[
            key.workspace.as_uuid().as_bytes(),
            key.id.as_uuid().as_bytes(),
            key.scopes.names().as_bytes(),
            // Empty for "never": an instant always takes 8 bytes.
            expires_at.as_ref().map_or(&[], <[u8; 8]>::as_slice),
            digest.as_bytes(),
        ]))
    }

    fn invitation(&self, id: InvitationId, generation: i64) -> Minted {
        let id = id.as_uuid();
        let secret = Zeroizing::new(self.invitation.mac(&[id.as_bytes(), &generation.to_be_bytes()]));
        self.minted(Kind::INVITATION, &Token { id, secret })
    }

    fn parse_invitation(&self, text: &str) -> Option<(InvitationId, Digest)> {
        self.parse(Kind::INVITATION, text).map(|(id, digest)| (InvitationId::from_uuid(id), digest))
    }

    fn sign_in(&self, id: SignInId) -> Minted {
        let id = id.as_uuid();
        let secret = Zeroizing::new(self.sign_in.mac(&[id.as_bytes()]));
        self.minted(Kind::SIGN_IN, &Token { id, secret })
    }

    fn parse_sign_in(&self, text: &str) -> Option<(SignInId, Digest)> {
        self.parse(Kind::SIGN_IN, text).map(|(id, digest)| (SignInId::from_uuid(id), digest))
    }

    fn session(&self, id: SessionId) -> Result<Minted, NoEntropy> {
        Ok(self.minted(Kind::SESSION, &random_token(id.as_uuid())?))
    }

    fn parse_session(&self, text: &str) -> Option<(SessionId, Digest)> {
        self.parse(Kind::SESSION, text).map(|(id, digest)| (SessionId::from_uuid(id), digest))
    }

    fn webhook_secret(&self) -> Result<SecretString, NoEntropy> {
        let mut bytes = Zeroizing::new([0; 32]);
        random::fill(bytes.as_mut())?;
        // Room for all of it from the start: what grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(WEBHOOK_SECRET.len() + 44));
        text.push_str(WEBHOOK_SECRET);
        STANDARD.encode_string(bytes.as_ref(), &mut text);
        Ok(secret(text))
    }

    fn fingerprint(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.fingerprint.mac(parts)
    }

    fn seal_cursor(&self, context: &[u8], position: &[u8]) -> Result<String, NoEntropy> {
        Ok(URL_SAFE_NO_PAD.encode(self.cursor_key(context).seal(CURSOR, &[context], position)?))
    }

    fn open_cursor(&self, context: &[u8], cursor: &str) -> Option<Vec<u8>> {
        if cursor.len() > MAX_CURSOR {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        self.cursor_key(context).open(CURSOR, &[context], &sealed).map(|position| position.to_vec())
    }

    fn seal_draft(&self, context: &[u8], value: &SecretString) -> Result<String, NoEntropy> {
        let value = value.expose_secret().as_bytes();
        Ok(URL_SAFE_NO_PAD.encode(self.cursor_key(context).seal(DRAFT, &[context], value)?))
    }

    fn open_draft(&self, context: &[u8], draft: &str) -> Option<SecretString> {
        if draft.len() > MAX_DRAFT {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(draft).ok()?;
        let value = self.cursor_key(context).open(DRAFT, &[context], &sealed)?;
        std::str::from_utf8(&value).ok().map(SecretString::from)
    }
}
