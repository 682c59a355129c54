//! A vault, a vetter and a prober for tests of everything around them. Nothing here is a cipher: values are only shuffled,
//! and bound to their place by a plain hash.
use crate::bytes::hash;
use async_trait::async_trait;
use secrecy::SecretString;
use settings_domain::{
    ids::WorkspaceId,
    policy::TenantScope,
    ports::{
        Clock,
        keyring::Rotation,
        outbound::{Outbound, OutboundRefusal, OutboundUrl},
        probe::{ModelProber, Probe, ProbeReport},
        vault::{DataKeyStore, OldWrapping, Rewrapped, ValueCipher, Vault, VaultError, WrappedDataKey},
    },
    sealed::{Binding, Opening, Sealed, SecretValue},
    tokens::Digest,
};
use std::sync::Arc;

/// A vault whose data keys are in the store and open nothing but what belongs there.
#[derive(Clone)]
pub struct FixedVault {
    keys: Arc<dyn DataKeyStore>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for FixedVault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FixedVault(..)")
    }
}

impl FixedVault {
    /// Over a store of data keys.
    #[must_use]
    pub fn new(keys: Arc<dyn DataKeyStore>, clock: Arc<dyn Clock>) -> Self {
        Self { keys, clock }
    }
}

struct FixedCipher {
    workspace: WorkspaceId,
    generation: i64,
}

fn tag(binding: &Binding, generation: i64) -> [u8; 32] {
    hash(&[format!("{binding:?} {generation}").as_bytes()])
}

impl ValueCipher for FixedCipher {
    fn generation(&self) -> i64 {
        self.generation
    }
    fn seal(&self, binding: &Binding, value: &[u8]) -> Result<Sealed, VaultError> {
        assert_eq!(binding.workspace(), self.workspace, "a value of another workspace");
        let shuffled = value.iter().map(|b| b ^ 0xa5);
        Ok(Sealed::new(self.generation, tag(binding, self.generation).into_iter().chain(shuffled).collect()))
    }
    fn open(&self, opening: Opening<'_>) -> Result<SecretString, VaultError> {
        let shuffled = opening.sealed().bytes().strip_prefix(&tag(opening.binding(), self.generation));
        let text = shuffled.map(|s| s.iter().map(|b| b ^ 0xa5).collect());
        text.and_then(|t| String::from_utf8(t).ok()).map(SecretString::from).ok_or(VaultError::Altered)
    }
    fn open_all(&self, openings: &[Opening<'_>]) -> Result<Vec<SecretString>, (usize, VaultError)> {
        openings.iter().enumerate().map(|(i, o)| self.open(*o).map_err(|e| (i, e))).collect()
    }
}

#[async_trait]
impl Vault for FixedVault {
    async fn current(&self, scope: TenantScope) -> Result<Arc<dyn ValueCipher>, VaultError> {
        let key = match self.keys.data_keys(scope).await?.pop() {
            Some(key) => key,
            None => {
                let created_at = self.clock.now();
                let fresh =
                    WrappedDataKey { generation: 1, wrapped: vec![1], wrapped_by: "one".to_owned(), created_at };
                self.keys.keep_data_key(scope, &fresh).await?
            }
        };
        self.unwrapped(scope, &key).await
    }
    async fn generation(&self, scope: TenantScope, generation: i64) -> Result<Arc<dyn ValueCipher>, VaultError> {
        let known = self.keys.data_keys(scope).await?.iter().any(|k| k.generation == generation);
        if !known {
            return Err(VaultError::Altered);
        }
        Ok(Arc::new(FixedCipher { workspace: scope.workspace(), generation }))
    }
    async fn unwrapped(&self, scope: TenantScope, key: &WrappedDataKey) -> Result<Arc<dyn ValueCipher>, VaultError> {
        Ok(Arc::new(FixedCipher { workspace: scope.workspace(), generation: key.generation }))
    }
    fn sweep(&self) {}
    async fn wrapped_by(&self) -> Result<String, VaultError> {
        Ok("one".to_owned())
    }
    async fn rotate(&self) -> Result<Rotation, VaultError> {
        Ok(Rotation::Elsewhere("nobody does"))
    }
    async fn rewrap(&self, old: OldWrapping) -> Result<Rewrapped, VaultError> {
        Ok(Rewrapped { wrapped: old.wrapped.clone(), wrapped_by: "one".to_owned(), old })
    }
    fn digest(&self, scope: TenantScope, value: &SecretValue) -> Digest {
        Digest::new(hash(&[scope.workspace().as_uuid().as_bytes(), value.expose().as_bytes()]))
    }
}

/// Passes every https URL, and refuses every other.
#[derive(Debug, Clone, Copy, Default)]
pub struct FixedOutbound;

#[async_trait]
impl Outbound for FixedOutbound {
    async fn vet(&self, url: &str, _: WorkspaceId) -> Result<OutboundUrl, OutboundRefusal> {
        let host = url.strip_prefix("https://").and_then(|rest| rest.split('/').next()).filter(|h| !h.is_empty());
        let host = host.ok_or_else(|| OutboundRefusal("the URL must start with https://".to_owned()))?;
        Ok(OutboundUrl::vetted(url.to_owned(), format!("https://{host}"), host.to_owned()))
    }
}

/// Says of every model that its credential was accepted.
#[derive(Debug, Clone, Copy, Default)]
pub struct FixedProber;

#[async_trait]
impl ModelProber for FixedProber {
    async fn probe(&self, probe: &Probe) -> ProbeReport {
        ProbeReport {
            reachable: true,
            authenticated: Some(true),
            status: Some(200),
            took_ms: 1,
            detail: format!("{} accepted the credential.", probe.provider.display_name()),
        }
    }
}
