//! The text of a token: `<kind>_<id>_<secret>_<checksum>`, all of fixed width, one spelling per token.
//!
//! `wsk_` + 22 digits for the id + `_` + 43 for 32 secret bytes + `_` + 6 for the CRC-32 of everything before that last
//! underscore: 77 characters. The checksum is no protection; it tells a typo or a cut-off copy from a wrong key without
//! any query, and lets scanners for leaked secrets know a real one.
use crate::base62;
use uuid::Uuid;
use zeroize::Zeroizing;

const ID: usize = 22;
const SECRET: usize = 43;
const CHECKSUM: usize = 6;
/// Length of a kind's prefix, underscore included.
const PREFIX: usize = 4;
/// Everything but the checksum and its underscore.
const BODY: usize = PREFIX + ID + 1 + SECRET;
/// Length of every token.
pub(crate) const LENGTH: usize = BODY + 1 + CHECKSUM;

/// A kind of token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// What its text begins with.
    pub(crate) prefix: &'static str,
    /// What its digest begins with, so that a token of one kind never passes for another's.
    pub(crate) label: &'static [u8],
}

impl Kind {
    pub(crate) const API_KEY: Self = Self { prefix: "wsk_", label: b"api-key" };
    pub(crate) const INVITATION: Self = Self { prefix: "inv_", label: b"invitation" };
    pub(crate) const SIGN_IN: Self = Self { prefix: "sgn_", label: b"sign-in" };
    pub(crate) const SESSION: Self = Self { prefix: "ses_", label: b"session" };
}

/// What a token says.
pub(crate) struct Token {
    /// Whose token it is.
    pub(crate) id: Uuid,
    /// What only its holder knows.
    pub(crate) secret: Zeroizing<[u8; 32]>,
}

/// Writes a token. The buffer is exactly as large as the text, so that no reallocation leaves a copy behind.
pub(crate) fn write(kind: Kind, token: &Token) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(LENGTH));
    text.push_str(kind.prefix);
    base62::push(&mut text, ID, limbs::<4>(token.id.as_bytes()));
    text.push('_');
    base62::push(&mut text, SECRET, *Zeroizing::new(limbs::<8>(token.secret.as_ref())));
    let checksum = crc32fast::hash(text.as_bytes());
    text.push('_');
    base62::push(&mut text, CHECKSUM, [checksum]);
    text
}

/// Reads a token of this kind; `None` for everything that [`write()`] does not write.
pub(crate) fn read(kind: Kind, text: &str) -> Option<Token> {
    let text = text.as_bytes();
    if text.len() != LENGTH {
        return None;
    }
    let (body, checksum) = text.split_at_checked(BODY)?;
    let [checksum] = base62::read::<1>(checksum.strip_prefix(b"_")?)?;
    if checksum != crc32fast::hash(body) {
        return None;
    }
    let (id, secret) = body.strip_prefix(kind.prefix.as_bytes())?.split_at_checked(ID)?;
    let id = base62::read::<4>(id)?;
    let secret = Zeroizing::new(base62::read::<8>(secret.strip_prefix(b"_")?)?);
    let mut token = Token { id: Uuid::nil(), secret: Zeroizing::new([0; 32]) };
    let mut bytes = [0; 16];
    fill(&mut bytes, &id);
    token.id = Uuid::from_bytes(bytes);
    fill(token.secret.as_mut(), secret.as_ref());
    Some(token)
}

fn limbs<const LIMBS: usize>(bytes: &[u8]) -> [u32; LIMBS] {
    let mut out = [0; LIMBS];
    out.iter_mut().zip(bytes.as_chunks().0).for_each(|(limb, chunk)| *limb = u32::from_be_bytes(*chunk));
    out
}
fn fill(bytes: &mut [u8], limbs: &[u32]) {
    bytes.as_chunks_mut().0.iter_mut().zip(limbs).for_each(|(chunk, limb)| *chunk = limb.to_be_bytes());
}
