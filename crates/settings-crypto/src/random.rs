//! The system's randomness, behind one seam.
use ring::rand::{SecureRandom as _, SystemRandom};
use settings_domain::ports::tokens::NoEntropy;

/// Fills a buffer with unpredictable bytes.
#[expect(clippy::disallowed_methods, reason = "the one seam to the system's randomness")]
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), NoEntropy> {
    SystemRandom::new().fill(bytes).map_err(|_| NoEntropy)
}
