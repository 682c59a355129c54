//! The public half: whoever has it can check what the service signed about audit chains, without the service.
use super::checkpoint::{NAME, PREVIOUS, RECEIPT, TIME, place};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use ring::{
    digest::{SHA256, digest},
    signature::{ED25519, UnparsedPublicKey},
};
use settings_domain::{
    ids::WorkspaceId,
    ports::audit::{Link, Statement},
};
use std::fmt;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// C2SP's number of Ed25519.
const ALGORITHM: u8 = 1;
/// What stands before the 32 bytes of an Ed25519 key in a `SubjectPublicKeyInfo` (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const PEM: [&str; 2] = ["-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"];

/// The public key that notes are checked with. It is no secret, and no note can be made with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointKey([u8; 32]);

impl CheckpointKey {
    pub(super) const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
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
        let [begin, end] = PEM;
        format!("{begin}\n{}\n{end}\n", BASE64_STANDARD.encode(key))
    }
    /// Finds the key in a text that holds it in either form, such as what `audit public-key` prints.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        if let Some(key) = text.split_whitespace().find_map(Self::parse) {
            return Some(key);
        }
        let [begin, end] = PEM;
        let (base64, _) = text.split_once(begin)?.1.split_once(end)?;
        let der = BASE64_STANDARD.decode(base64.split_whitespace().collect::<String>()).ok()?;
        Some(Self(der.strip_prefix(&SPKI)?.try_into().ok()?))
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
    pub(super) fn key_id(&self) -> [u8; 4] {
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
        self.read(note).map(|s| (s.workspace, s.link))
    }
    /// As [`CheckpointKey::verify`], with all that the note says.
    pub fn read(&self, note: &str) -> Result<Statement, CheckpointError> {
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
            self.check(&text, signature)?;
            found = true;
        }
        if found { Ok(text) } else { Err(CheckpointError::UnknownKey) }
    }
    /// Checks a receipt: which event stands at which place of which chain.
    pub fn read_receipt(&self, receipt: &str) -> Result<(WorkspaceId, Link), CheckpointError> {
        let [origin, seq, hash, signature] = receipt.trim().splitn(4, ' ').collect::<Vec<_>>()[..] else {
            return Err(CheckpointError::Malformed);
        };
        let (workspace, link) =
            read_place(RECEIPT, [origin, seq, hash].into_iter()).ok_or(CheckpointError::Malformed)?;
        let signature = BASE64_STANDARD.decode(signature).map_err(|_| CheckpointError::Malformed)?;
        let (id, signature) = signature.split_first_chunk::<4>().ok_or(CheckpointError::Malformed)?;
        if *id != self.key_id() {
            return Err(CheckpointError::UnknownKey);
        }
        self.check(&place(RECEIPT, workspace, &link), signature)?;
        Ok((workspace, link))
    }
    fn check(&self, text: &str, signature: &[u8]) -> Result<(), CheckpointError> {
        let key = UnparsedPublicKey::new(&ED25519, self.0);
        key.verify(text.as_bytes(), signature).map_err(|_| CheckpointError::Forged)
    }
}

fn read_place<'a>(name: &str, mut lines: impl Iterator<Item = &'a str>) -> Option<(WorkspaceId, Link)> {
    let workspace = lines.next()?.strip_prefix(name)?.strip_prefix('/')?.parse().ok()?;
    Some((workspace, read_link(lines.next()?, lines.next()?)?))
}

fn read_link(seq: &str, hash: &str) -> Option<Link> {
    let seq = Some(seq).filter(|n| !n.starts_with(['+', '0']))?.parse().ok().filter(|n| *n > 0)?;
    Some(Link { seq, hash: BASE64_STANDARD.decode(hash).ok()?.try_into().ok()? })
}

fn read(text: &str) -> Option<Statement> {
    let (workspace, link) = read_place(NAME, text.lines())?;
    let (mut previous, mut at) = (None, None);
    // Lines of a later version, whatever they say, are signed too and take nothing away.
    for line in text.lines().skip(3) {
        if let Some((seq, hash)) = line.strip_prefix(PREVIOUS).and_then(|l| l.split_once(' ')) {
            previous = Some(read_link(seq, hash)?);
        } else if let Some(time) = line.strip_prefix(TIME) {
            at = Some(OffsetDateTime::parse(time, &Rfc3339).ok()?);
        }
    }
    Some(Statement { workspace, link, previous, at })
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
