//! The system's randomness, behind one seam.
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom as _, SystemRandom};

/// The system has no randomness to give.
#[derive(Debug, thiserror::Error)]
#[error("the system's random number generator failed")]
pub(crate) struct NoRandomness;

/// Fills a buffer with unpredictable bytes.
#[expect(clippy::disallowed_methods, reason = "the one seam of this crate to the system's randomness")]
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    SystemRandom::new().fill(bytes).map_err(|_| NoRandomness)
}

/// 256 unpredictable bits as text of the alphabet that `state`, `nonce` and a PKCE verifier share (RFC 7636, 4.1).
pub(crate) fn text() -> Result<String, NoRandomness> {
    let mut bytes = [0; 32];
    fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
