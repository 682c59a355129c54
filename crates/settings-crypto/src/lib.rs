//! Keys, tokens, seals and signatures over ring.
//!
//! A safe surface over few primitives: AES-256-GCM, HMAC-SHA256, HKDF-SHA256, SHA-256. One secret rules all others: the
//! *root key*, which lies in the database wrapped by the [keyring](LocalKeyring) and is unwrapped once, at the start
//! ([`load_root`]). From it come the keys of [`Tokens`] and [`AuditKeys`]; none of them is ever stored.
//!
//! Whoever can only write to the database can therefore make no token, widen no API key, forge no list position and
//! append to no audit chain; whoever can only read it can use none of what lies there.
//!
//! Everything that goes into a hash, a MAC or the associated data of a cipher is length-prefixed and begins with a
//! fixed word for its purpose, so no two inputs share an encoding and no output passes for that of another purpose.
mod audit;
mod base62;
mod clock;
mod entropy;
mod key;
mod keyring;
mod random;
mod root;
mod token_text;
mod tokens;
mod vault;

pub use audit::{
    AuditKeys, Checked, CheckpointError, CheckpointKey, ExportFault, ExportVerifier, Witness, fault, found_notes,
    verify_public,
};
pub use clock::SystemClock;
pub use entropy::SystemEntropy;
pub use keyring::{KeyringFileError, LocalKeyring};
pub use root::{RootKey, RootKeyError, load_root, rewrap_root, root_is_current};
pub use settings_domain::ports::tokens::NoEntropy;
pub use tokens::Tokens;
pub use vault::{EnvelopeVault, SEALS_FOR, UNWRAPPED_FOR};
