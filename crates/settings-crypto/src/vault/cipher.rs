//! One data key at work.
use crate::key::{Key, Opener};
use secrecy::SecretString;
use settings_domain::{
    ids::WorkspaceId,
    ports::{
        keyring::KeyringError,
        vault::{ValueCipher, VaultError},
    },
    sealed::{Binding, Opening, Sealed},
};

/// Version of the format of a sealed value: version, nonce, ciphertext, tag.
const FORMAT: &[u8] = &[1];
/// Keeps these ciphertexts apart from any others.
const PURPOSE: &[u8] = b"settings-value";

/// An unwrapped data key of a workspace. Zeroized when dropped.
pub(super) struct DataCipher {
    workspace: WorkspaceId,
    generation: i64,
    key: Key,
}

impl DataCipher {
    pub(super) fn new(workspace: WorkspaceId, generation: i64, bytes: &[u8]) -> Result<Self, VaultError> {
        let key = Key::from_slice(bytes).ok_or(VaultError::Keyring(KeyringError::Foreign))?;
        Ok(Self { workspace, generation, key })
    }

    fn open_with(&self, opener: &Opener, opening: Opening<'_>) -> Result<SecretString, VaultError> {
        let (binding, sealed) = (opening.binding(), opening.sealed());
        if sealed.generation() != self.generation || binding.workspace() != self.workspace {
            return Err(VaultError::Altered);
        }
        let plain = Bound::new(binding, self.generation).with(|context| opener.open(FORMAT, context, sealed.bytes()));
        let mut plain = plain.ok_or(VaultError::Altered)?;
        // What was sealed was text. The plaintext's buffer becomes the secret's: it is just as long, so nothing moves.
        match String::from_utf8(std::mem::take(&mut *plain)) {
            Ok(text) => Ok(SecretString::from(text)),
            Err(e) => {
                *plain = e.into_bytes();
                Err(VaultError::Altered)
            }
        }
    }
}

/// The parts that a value is bound to, in the order that never changes.
struct Bound<'a> {
    binding: &'a Binding,
    version: [u8; 8],
    generation: [u8; 8],
}

impl<'a> Bound<'a> {
    fn new(binding: &'a Binding, generation: i64) -> Self {
        Self { binding, version: binding.version().to_be_bytes(), generation: generation.to_be_bytes() }
    }
    fn with<T>(&self, f: impl FnOnce(&[&[u8]]) -> T) -> T {
        f(&[
            PURPOSE,
            self.binding.workspace().as_uuid().as_bytes(),
            self.binding.kind().name().as_bytes(),
            self.binding.record().as_bytes(),
            &self.version,
            self.binding.place().as_bytes(),
            &self.generation,
        ])
    }
}

impl ValueCipher for DataCipher {
    fn generation(&self) -> i64 {
        self.generation
    }

    fn seal(&self, binding: &Binding, value: &[u8]) -> Result<Sealed, VaultError> {
        if binding.workspace() != self.workspace {
            return Err(VaultError::Altered);
        }
        let bytes = Bound::new(binding, self.generation).with(|context| self.key.seal(FORMAT, context, value))?;
        Ok(Sealed::new(self.generation, bytes))
    }

    fn open(&self, opening: Opening<'_>) -> Result<SecretString, VaultError> {
        self.open_with(&self.key.opener().ok_or(VaultError::Altered)?, opening)
    }

    fn open_all(&self, openings: &[Opening<'_>]) -> Result<Vec<SecretString>, (usize, VaultError)> {
        let opener = self.key.opener().ok_or((0, VaultError::Altered))?;
        let open = |(place, opening): (usize, &Opening<'_>)| self.open_with(&opener, *opening).map_err(|e| (place, e));
        openings.iter().enumerate().map(open).collect()
    }
}
