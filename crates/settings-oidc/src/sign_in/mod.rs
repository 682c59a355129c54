//! Sign-in of people: Authorization Code with PKCE (RFC 7636, RFC 9700), against any OIDC provider.
//!
//! `state`, `nonce` and the PKCE verifier are made here, sealed, and kept by the browser that asked, so an answer counts in
//! that browser alone. Nothing of the provider's is kept: the tokens are read once and dropped.
mod exchange;
mod seal;

use self::{
    exchange::{Client, Tokens},
    seal::{Kept, Sealer},
};
use crate::{
    claims::{Accepted, Expected},
    config::{self, ConfigError},
    fetch::FetchError,
    header::Header,
    key_cache::{KeyCache, Snapshot},
    key_set::NoKey,
    random,
    verifier::signed_claims,
};
use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use ring::digest::{self, SHA256, SHA384, SHA512};
use secrecy::{ExposeSecret as _, SecretString};
use settings_domain::ports::{
    Clock,
    sign_in::{ATTEMPT_LIFETIME, Answer, Arrival, Attempt, Departure, SignInError, SignInProvider},
};
use std::{fmt, sync::Arc};
use time::OffsetDateTime;
use url::Url;

/// What is asked for: who the person is, and nothing that could be done in their name.
const SCOPE: &str = "openid profile email";
/// Below the base URL: where the provider sends people back to.
const CALLBACK: &str = "/auth/callback";
/// Shortest secret that sealing keys are made of, in characters.
const MIN_SECRET: usize = 32;

/// This service as the provider knows it.
#[derive(Debug, Clone)]
pub struct SignInConfig {
    /// The client id (`AUTH0_CLIENT_ID`).
    pub client_id: String,
    /// The client's secret (`AUTH0_CLIENT_SECRET`).
    pub client_secret: SecretString,
    /// Seals what browsers keep meanwhile (`AUTH0_SECRET`): at least 32 characters, the same for every process.
    pub secret: SecretString,
    /// Where people reach this service (`AUTH0_BASE_URL`). `/auth/callback` below it must be registered as a callback, and
    /// the address with a slash at its end as a place to come to after signing out.
    pub base_url: String,
}

/// Sign-in of people at one issuer. Made by [`OidcVerifier::sign_in`](crate::OidcVerifier::sign_in).
pub struct OidcSignIn {
    client: Client,
    sealer: Sealer,
    keys: Arc<KeyCache>,
    clock: Arc<dyn Clock>,
    /// The issuer's host.
    name: String,
    /// Where people come to after they have signed out there.
    home: String,
}

impl fmt::Debug for OidcSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OidcSignIn").field("client", &self.client.id).finish_non_exhaustive()
    }
}

/// What sends people somewhere has to be able to name them a way back.
fn base(url: &str) -> Result<String, ConfigError> {
    let stem = url.trim().trim_end_matches('/');
    let url = Url::parse(stem).map_err(|_| ConfigError::BaseNotUrl)?;
    let plain = url.query().is_none() && url.fragment().is_none() && !config::has_credentials(&url);
    let secure = config::is_secure(&url, config::is_loopback(&url));
    if plain && secure { Ok(stem.to_owned()) } else { Err(ConfigError::BaseNotUrl) }
}

impl OidcSignIn {
    pub(crate) fn new(config: SignInConfig, keys: Arc<KeyCache>, clock: Arc<dyn Clock>) -> Result<Self, ConfigError> {
        if config.client_id.trim().is_empty() || config.client_secret.expose_secret().is_empty() {
            return Err(ConfigError::ClientMissing);
        }
        if config.secret.expose_secret().chars().count() < MIN_SECRET {
            return Err(ConfigError::SecretShort);
        }
        let base = base(&config.base_url)?;
        let source = keys.source();
        let name = source.issuer.discovery.host_str().unwrap_or_default().to_owned();
        let context = format!("{} {}", source.issuer.stem, config.client_id);
        let sealer = Sealer::new(&config.secret, &context);
        let (callback, http) = (format!("{base}{CALLBACK}"), source.http.clone());
        let client = Client::new(config.client_id, config.client_secret, callback, http, Arc::clone(&clock));
        Ok(Self { client, sealer, keys, clock, name, home: format!("{base}/") })
    }

    async fn published(&self) -> Result<Arc<Snapshot>, SignInError> {
        self.keys.current().await.map_err(unavailable)
    }

    /// What a browser kept, where the answer belongs to it and comes in time.
    fn kept(&self, answer: &Answer) -> Result<Kept, SignInError> {
        let kept = answer.kept.as_ref().and_then(|sealed| self.sealer.open(sealed)).ok_or(SignInError::NotBegunHere)?;
        // The state proves that the answer is to the question of this browser: nobody is signed in as somebody else by an
        // address that an attacker prepared.
        if answer.state.as_deref() != Some(&kept.state) {
            return Err(SignInError::NotBegunHere);
        }
        let age =
            self.clock.now() - OffsetDateTime::from_unix_timestamp(kept.begun_at).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        if age > ATTEMPT_LIFETIME {
            return Err(SignInError::TooLate);
        }
        Ok(kept)
    }

    /// Who the ID token speaks for.
    async fn verify(&self, tokens: &Tokens, nonce: &str, keys: Arc<Snapshot>) -> Result<Accepted, SignInError> {
        let token = tokens.id.expose_secret();
        let header = Header::of_id_token(token).map_err(SignInError::Invalid)?;
        let mut keys = keys;
        if keys.published.keys.find(header.kid.as_deref(), header.alg).is_err_and(|no_key| no_key == NoKey::Unknown) {
            keys = self.keys.newest().await.map_err(unavailable)?;
        }
        let hash = tokens.access.as_ref().map(|access| left_half(header.alg, access.expose_secret()));
        let expected = Expected { client_id: &self.client.id, nonce, access_token_hash: hash.as_deref() };
        let claims = signed_claims(token, &header, &keys).map_err(SignInError::Invalid)?;
        claims.accept_id(&keys.published.issuer, &expected, self.clock.now()).map_err(SignInError::Invalid)
    }

    async fn arrive_with(&self, answer: &Answer, kept: Kept) -> Result<Arrival, SignInError> {
        let keys = self.published().await?;
        match answer.issuer.as_deref() {
            Some(issuer) if issuer != keys.published.issuer => {
                return Err(SignInError::Invalid("another issuer answers"));
            }
            None if keys.published.endpoints.answers_name_issuer => {
                return Err(SignInError::Invalid("the answer names no issuer"));
            }
            _ => {}
        }
        if let Some(error) = &answer.error {
            return Err(said_no(error));
        }
        let code = answer.code.as_ref().ok_or(SignInError::Invalid("the answer has no code"))?;
        let tokens = self.client.exchange(&keys.published.endpoints, code, &kept.verifier).await?;
        let mut accepted = self.verify(&tokens, &kept.nonce, Arc::clone(&keys)).await?;
        if !accepted.tells_email
            && let Some(access) = &tokens.access
            && let Some(info) = self.client.userinfo(&keys.published.endpoints, access).await?
        {
            info.complete(&mut accepted.profile).map_err(SignInError::Invalid)?;
        }
        let session = kept.session.parse().map_err(|_| SignInError::NotBegunHere)?;
        Ok(Arrival { profile: accepted.profile, session, back: kept.back })
    }
}

fn unavailable(error: Arc<FetchError>) -> SignInError {
    SignInError::Unavailable(Box::new(error))
}

/// What the provider says instead of a code (RFC 6749, 4.1.2.1; OIDC Core, 3.1.2.6).
fn said_no(error: &str) -> SignInError {
    match error {
        "server_error" | "temporarily_unavailable" => {
            SignInError::Unavailable("the provider says that it can't".into())
        }
        "invalid_request" | "unauthorized_client" | "unsupported_response_type" | "invalid_scope" => {
            SignInError::Misconfigured("the provider refused the request to sign in")
        }
        _ => SignInError::Declined,
    }
}

/// OIDC Core, 3.1.3.6: the left half of the hash that goes with the token's algorithm.
fn left_half(alg: Algorithm, text: &str) -> String {
    let hash = match alg {
        Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => &SHA384,
        Algorithm::RS512 | Algorithm::PS512 | Algorithm::EdDSA => &SHA512,
        _ => &SHA256,
    };
    let whole = digest::digest(hash, text.as_bytes());
    let (left, _) = whole.as_ref().split_at(whole.as_ref().len() / 2);
    URL_SAFE_NO_PAD.encode(left)
}

#[async_trait]
impl SignInProvider for OidcSignIn {
    fn name(&self) -> &str {
        &self.name
    }

    fn answered(&self) -> Option<bool> {
        self.keys.answered().map(|answered| answered && !self.client.is_away())
    }

    async fn depart(&self, attempt: &Attempt) -> Result<Departure, SignInError> {
        let published = self.published().await?;
        let endpoint = published.published.endpoints.authorization.as_ref();
        let mut url =
            endpoint.ok_or(SignInError::Misconfigured("the provider names no authorization endpoint"))?.clone();
        let random = || random::text().map_err(|e| SignInError::Unavailable(e.into()));
        let kept = Kept {
            session: attempt.session.to_string(),
            back: attempt.back.clone(),
            state: random()?,
            nonce: random()?,
            verifier: random()?,
            begun_at: self.clock.now().unix_timestamp(),
        };
        let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&SHA256, kept.verifier.as_bytes()));
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("response_type", "code")
                .append_pair("client_id", &self.client.id)
                .append_pair("redirect_uri", &self.client.redirect_uri)
                .append_pair("scope", SCOPE)
                .append_pair("state", &kept.state)
                .append_pair("nonce", &kept.nonce)
                .append_pair("code_challenge", &challenge)
                .append_pair("code_challenge_method", "S256");
            let hints = &attempt.hints;
            if hints.afresh {
                query.append_pair("prompt", "login");
            }
            let more = [
                ("login_hint", &hints.login),
                ("organization", &hints.organization),
                ("invitation", &hints.invitation),
            ];
            for (name, hint) in more {
                if let Some(hint) = hint {
                    query.append_pair(name, hint.as_str());
                }
            }
        }
        let kept = self.sealer.seal(&kept).map_err(|e| SignInError::Unavailable(e.into()))?;
        Ok(Departure { address: url.into(), kept })
    }

    async fn arrive(&self, answer: &Answer) -> Result<Arrival, SignInError> {
        let arrival = match self.kept(answer) {
            Ok(kept) => self.arrive_with(answer, kept).await,
            Err(error) => Err(error),
        };
        match &arrival {
            Err(error @ SignInError::Misconfigured(_)) => tracing::error!(%error, "nobody can sign in"),
            Err(error @ SignInError::Invalid(_)) => tracing::warn!(%error, "a sign-in was refused"),
            Err(error) => tracing::info!(%error, "a sign-in did not come to its end"),
            Ok(_) => {}
        }
        arrival
    }

    async fn check(&self) -> Result<(), SignInError> {
        let keys = self.published().await?;
        let endpoints = &keys.published.endpoints;
        if endpoints.authorization.is_none() {
            return Err(SignInError::Misconfigured("the provider names no authorization endpoint"));
        }
        // A code that nobody was given: who knows the client says so of the code.
        let verifier = random::text().map_err(|e| SignInError::Unavailable(e.into()))?;
        match self.client.exchange(endpoints, &"none".to_owned().into(), &verifier).await {
            Ok(_) | Err(SignInError::Invalid(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn farewell(&self) -> Option<String> {
        let published = self.published().await.ok()?;
        let mut url = published.published.endpoints.end_session.clone()?;
        url.query_pairs_mut()
            .append_pair("client_id", &self.client.id)
            .append_pair("post_logout_redirect_uri", &self.home);
        Some(url.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_an_access_token_is_that_of_the_standard() {
        // OpenID Connect Core 1.0, A.3 and A.4: the example's access token and its at_hash.
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(left_half(Algorithm::RS256, token), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(left_half(Algorithm::ES384, token).len(), 32);
        assert_eq!(left_half(Algorithm::EdDSA, token).len(), 43);
    }

    #[test]
    fn people_are_sent_back_over_https_or_to_this_machine() {
        for (given, stem) in [
            ("https://settings.example/", "https://settings.example"),
            ("https://settings.example/app", "https://settings.example/app"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(base(given).ok().as_deref(), Some(stem));
        }
        for bad in [
            "",
            "settings.example",
            "http://settings.example",
            "https://u:p@x.org",
            "https://x.org?a",
            "https://x.org#a",
        ] {
            assert!(base(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn who_says_no_is_told_from_what_is_broken() {
        for (word, declined) in [
            ("access_denied", true),
            ("login_required", true),
            ("unheard_of", true),
            ("server_error", false),
            ("invalid_request", false),
        ] {
            assert_eq!(matches!(said_no(word), SignInError::Declined), declined, "{word}");
        }
    }
}
