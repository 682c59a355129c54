//! Signed notes about audit chains: whoever keeps one can tell later whether the log still is the one it speaks of.
//!
//! The format is C2SP's signed note with a checkpoint for its text (`c2sp.org/signed-note`, `c2sp.org/tlog-checkpoint`),
//! so that other witnesses can read and countersign it: origin, place of the last event, its hash in Base64, a blank line,
//! and a signature that begins with a dash and the key's name. Ed25519, so the same state always gives the same note.
use crate::key::Key;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use ring::{
    digest::{SHA256, digest},
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use settings_domain::{
    ids::WorkspaceId,
    ports::audit::{Link, SealError},
};
use std::fmt;

/// The name of the key, as it stands in every note.
const NAME: &str = "settings-audit";
/// C2SP's number of Ed25519.
const ALGORITHM: u8 = 1;
/// What stands before the 32 bytes of an Ed25519 key in a `SubjectPublicKeyInfo` (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

fn pair(key: &Key) -> Result<Ed25519KeyPair, SealError> {
    // Derived for this purpose alone, so there is no public key that it could fail to fit.
    Ed25519KeyPair::from_seed_unchecked(key.expose()).map_err(|_| SealError("the checkpoint key is none"))
}

/// Signs the state of a chain.
pub(super) fn sign(key: &Key, workspace: WorkspaceId, link: &Link) -> Result<String, SealError> {
    note(key, &format!("{NAME}/{workspace}\n{}\n{}\n", link.seq, BASE64_STANDARD.encode(link.hash)))
}

/// A text with a signature below it. It ends with a line end and has no blank line.
pub(super) fn note(key: &Key, text: &str) -> Result<String, SealError> {
    let pair = pair(key)?;
    let public = public_of(&pair)?;
    let mut signature = public.key_id().to_vec();
    signature.extend_from_slice(pair.sign(text.as_bytes()).as_ref());
    Ok(format!("{text}\n\u{2014} {NAME} {}\n", BASE64_STANDARD.encode(signature)))
}

/// The public half.
pub(super) fn public(key: &Key) -> Result<CheckpointKey, SealError> {
    public_of(&pair(key)?)
}

fn public_of(pair: &Ed25519KeyPair) -> Result<CheckpointKey, SealError> {
    let bytes = pair.public_key().as_ref().try_into().map_err(|_| SealError("the checkpoint key is none"))?;
    Ok(CheckpointKey(bytes))
}

/// The public key that notes are checked with. It is no secret, and no note can be made with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointKey([u8; 32]);

impl CheckpointKey {
    /// As C2SP's tools read it: name, key id in hex, and the key behind the number of its algorithm in Base64.
    #[must_use]
    pub fn verifier(&self) -> String {
        let mut key = vec![ALGORITHM];
        key.extend_from_slice(&self.0);
        format!("{NAME}+{}+{}", hex::encode(self.key_id()), BASE64_STANDARD.encode(key))
    }
    /// As other tools read it, such as `openssl pkeyutl -verify -pubin`.
    #[must_use]
    pub fn pem(&self) -> String {
        let mut key = SPKI.to_vec();
        key.extend_from_slice(&self.0);
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64_STANDARD.encode(key))
    }
    /// Reads what [`CheckpointKey::verifier`] wrote.
    #[must_use]
    pub fn parse(verifier: &str) -> Option<Self> {
        let [NAME, id, key] = verifier.splitn(3, '+').collect::<Vec<_>>()[..] else { return None };
        let bytes = BASE64_STANDARD.decode(key).ok()?;
        let (algorithm, bytes) = bytes.split_first()?;
        let key = Self(bytes.try_into().ok()?);
        (*algorithm == ALGORITHM && hex::encode(key.key_id()) == id).then_some(key)
    }
    /// Tells keys of one name apart.
    fn key_id(&self) -> [u8; 4] {
        let mut input = format!("{NAME}\n").into_bytes();
        input.push(ALGORITHM);
        input.extend_from_slice(&self.0);
        let mut id = [0; 4];
        id.iter_mut().zip(digest(&SHA256, &input).as_ref()).for_each(|(to, from)| *to = *from);
        id
    }
    /// Checks a note: what it says about which chain, where its signature is this key's. Signatures of others, such as
    /// witnesses, are left alone. Needs nothing but the key, so it works offline and anywhere.
    pub fn verify(&self, note: &str) -> Result<(WorkspaceId, Link), CheckpointError> {
        read(&self.text_of(note)?).ok_or(CheckpointError::Malformed)
    }
    /// The text of a note, where its signature is this key's.
    pub(super) fn text_of(&self, note: &str) -> Result<String, CheckpointError> {
        // The last blank line parts text and signatures; the text keeps its own line end.
        let (before, signatures) = note.rsplit_once("\n\n").ok_or(CheckpointError::Malformed)?;
        let text = format!("{before}\n");
        if !signatures.ends_with('\n') {
            return Err(CheckpointError::Malformed);
        }
        let mut found = false;
        for line in signatures.lines() {
            let (name, signature) =
                line.strip_prefix("\u{2014} ").and_then(|l| l.split_once(' ')).ok_or(CheckpointError::Malformed)?;
            let signature = BASE64_STANDARD.decode(signature).map_err(|_| CheckpointError::Malformed)?;
            let (id, signature) = signature.split_first_chunk::<4>().ok_or(CheckpointError::Malformed)?;
            if name != NAME || *id != self.key_id() {
                continue;
            }
            let key = UnparsedPublicKey::new(&ED25519, self.0);
            key.verify(text.as_bytes(), signature).map_err(|_| CheckpointError::Forged)?;
            found = true;
        }
        if found { Ok(text) } else { Err(CheckpointError::UnknownKey) }
    }
}

fn read(text: &str) -> Option<(WorkspaceId, Link)> {
    let mut lines = text.lines();
    let workspace = lines.next()?.strip_prefix(NAME)?.strip_prefix('/')?.parse().ok()?;
    let seq = lines.next().filter(|n| !n.starts_with(['+', '0']))?.parse().ok().filter(|n| *n > 0)?;
    let hash = BASE64_STANDARD.decode(lines.next()?).ok()?.try_into().ok()?;
    Some((workspace, Link { seq, hash }))
}

/// Why a note proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointError {
    /// It is no signed note about an audit log.
    Malformed,
    /// It carries no signature of this key.
    UnknownKey,
    /// Its signature is not that of its text.
    Forged,
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "this is no signed note about an audit log",
            Self::UnknownKey => "the note is not signed with this key",
            Self::Forged => "the note was changed after it was signed",
        })
    }
}
impl std::error::Error for CheckpointError {}
