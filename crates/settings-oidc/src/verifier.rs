//! From a bearer token to a profile.
use crate::{
    claims::{Accepted, Claims},
    config::{ConfigError, Issuer, OidcConfig},
    crypto,
    fetch::{FetchError, Source},
    header::Header,
    key_cache::{KeyCache, Snapshot},
    key_set::NoKey,
    sign_in::{OidcSignIn, SignInConfig},
    verified::{self, Verified},
};
use async_trait::async_trait;
use jsonwebtoken::{Validation, errors::ErrorKind};
use secrecy::{ExposeSecret, SecretString};
use settings_domain::ports::{
    Clock,
    identity::{Profile, TokenError, TokenVerifier},
};
use std::{collections::HashSet, fmt, sync::Arc};
use time::OffsetDateTime;

/// Verifies the bearer tokens of one issuer.
///
/// Share one per process: it holds the issuer's keys and the tokens it has lately verified. Nothing is fetched before
/// the first token. Needs a tokio runtime.
///
/// # Errors of `verify`
/// [`TokenError::Invalid`] where the token is refused (401), with the reason for the log. [`TokenError::Unavailable`]
/// where the issuer's keys could not be had (503): always while no keys are known, and for a token with an unknown key
/// while the issuer does not answer, because that key may well be a new one.
pub struct OidcVerifier {
    audience: String,
    clock: Arc<dyn Clock>,
    keys: Arc<KeyCache>,
    verified: Verified,
}

impl fmt::Debug for OidcVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OidcVerifier").field("audience", &self.audience).finish_non_exhaustive()
    }
}

impl OidcVerifier {
    /// A verifier for the configured issuer. `http` should come from [`http_client`](crate::http_client).
    ///
    /// # Errors
    /// [`ConfigError`] where the configuration breaks a rule.
    pub fn new(config: OidcConfig, http: reqwest::Client, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        let issuer = Issuer::parse(&config.issuer)?;
        if config.audience.trim().is_empty() {
            return Err(ConfigError::AudienceEmpty);
        }
        if !crypto::install() {
            return Err(ConfigError::ForeignCrypto);
        }
        let keys = KeyCache::new(Source { issuer, http }, Arc::clone(&clock));
        Ok(Self { audience: config.audience, clock, keys, verified: Verified::default() })
    }

    /// Sign-in of people at the same issuer. Shares its keys.
    ///
    /// # Errors
    /// [`ConfigError`] where the configuration breaks a rule.
    pub fn sign_in(&self, config: SignInConfig) -> Result<OidcSignIn, ConfigError> {
        OidcSignIn::new(config, Arc::clone(&self.keys), Arc::clone(&self.clock))
    }

    async fn verify_text(&self, token: &str) -> Result<Profile, TokenError> {
        // Garbage is turned away before it can make us talk to the issuer.
        let header = Header::parse(token).map_err(TokenError::Invalid)?;
        let mut keys = self.keys.current().await.map_err(unavailable)?;
        if keys.published.keys.is_empty() {
            return Err(unavailable(Arc::new(FetchError::NoKeys)));
        }
        let digest = verified::digest(token);
        if let Some(profile) = digest.and_then(|digest| self.verified.get(&digest, keys.generation, self.clock.now())) {
            return Ok(profile);
        }
        let kid = header.kid.as_deref();
        if keys.published.keys.find(kid, header.alg).is_err_and(|no_key| no_key == NoKey::Unknown)
            && let Some(newer) = self.keys.newer_than(&keys).await.map_err(unavailable)?
        {
            keys = newer;
        }
        let now = self.clock.now();
        let accepted = self.accept(token, &header, &keys, now).map_err(TokenError::Invalid)?;
        if let Some(digest) = digest {
            self.verified.put(digest, &accepted, keys.generation, now);
        }
        Ok(accepted.profile)
    }

    fn accept(
        &self,
        token: &str,
        header: &Header,
        keys: &Snapshot,
        now: OffsetDateTime,
    ) -> Result<Accepted, &'static str> {
        signed_claims(token, header, keys)?.accept(&keys.published.issuer, &self.audience, now)
    }
}

/// The claims of a token whose signature is good. What they say is checked by [`Claims::accept`], which knows our clock
/// and takes no list for an issuer; so the library's own checks are off.
pub(crate) fn signed_claims(token: &str, header: &Header, keys: &Snapshot) -> Result<Claims, &'static str> {
    let key = keys.published.keys.find(header.kid.as_deref(), header.alg).map_err(|no_key| match no_key {
        NoKey::Unknown => "the signing key is unknown",
        NoKey::Unfit => "the signing key is not for this algorithm",
        NoKey::Ambiguous => "the signing key is ambiguous",
    })?;
    let mut signature_only = Validation::new(header.alg);
    signature_only.validate_exp = false;
    signature_only.validate_nbf = false;
    signature_only.validate_aud = false;
    signature_only.required_spec_claims = HashSet::new();
    match jsonwebtoken::decode::<Claims>(token, key, &signature_only) {
        Ok(token) => Ok(token.claims),
        Err(error) => Err(match error.kind() {
            ErrorKind::InvalidSignature => "the signature is wrong",
            ErrorKind::Json(_) | ErrorKind::Utf8(_) => "the header or the claims are malformed",
            ErrorKind::Base64(_) => "the token is not a JWT",
            _ => "the token cannot be verified",
        }),
    }
}

fn unavailable(error: Arc<FetchError>) -> TokenError {
    TokenError::Unavailable(Box::new(error))
}

#[async_trait]
impl TokenVerifier for OidcVerifier {
    async fn verify(&self, token: &SecretString) -> Result<Profile, TokenError> {
        let verdict = self.verify_text(token.expose_secret()).await;
        if let Err(TokenError::Invalid(reason)) = &verdict {
            tracing::debug!(reason, "a bearer token was refused");
        }
        verdict
    }
}
