//! An issuer with keys of every kind, and a clock that can be moved.
#![expect(clippy::disallowed_methods, reason = "the issuer's keys are its own, not the service's")]
use axum::{Router, body::Bytes, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair},
};
use secrecy::SecretString;
use serde_json::{Value, json};
use settings_domain::ports::{
    Clock,
    identity::{Profile, TokenError, TokenVerifier},
};
use settings_oidc::{OidcConfig, OidcVerifier, http_client};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst},
};
use time::OffsetDateTime;
use tokio::{net::TcpListener, sync::Semaphore};

pub(crate) const START: i64 = 1_800_000_000;
pub(crate) const AUDIENCE: &str = "settings";

/// Made by `openssl genpkey` for these tests and used nowhere else. Checked in because ring cannot make RSA keys.
const RSA_TEST_ONLY: &[u8] = include_bytes!("keys/rsa-2048-test-only.pk8");

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

enum Pair {
    Ec(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

/// A signing key of the issuer.
pub(crate) struct Key {
    pub(crate) kid: &'static str,
    pub(crate) alg: &'static str,
    pair: Pair,
}

impl Key {
    pub(crate) fn new(kid: &'static str, alg: &'static str) -> Self {
        let rng = SystemRandom::new();
        let ec = |scheme, crv| {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(scheme, &rng).unwrap();
            Pair::Ec(EcdsaKeyPair::from_pkcs8(scheme, pkcs8.as_ref(), &rng).unwrap(), crv)
        };
        let pair = match alg {
            "ES256" => ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
            "ES384" => ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
            "EdDSA" => {
                let pkcs8 = Ed25519KeyPair::generate_pkcs8(&rng).unwrap();
                Pair::Ed(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
            }
            _ => Pair::Rsa(Box::new(RsaKeyPair::from_pkcs8(RSA_TEST_ONLY).unwrap())),
        };
        Self { kid, alg, pair }
    }

    /// The public key as raw bytes: what an attacker would use as an HMAC secret.
    pub(crate) fn public(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Ec(pair, _) => pair.public_key().as_ref().to_vec(),
            Pair::Ed(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    pub(crate) fn jwk(&self) -> Value {
        let public = self.public();
        let mut jwk = match &self.pair {
            Pair::Ec(_, crv) => {
                let (x, y) = public[1..].split_at(public.len() / 2);
                json!({"kty": "EC", "crv": crv, "x": b64(x), "y": b64(y)})
            }
            Pair::Ed(_) => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(public)}),
            Pair::Rsa(pair) => {
                let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "n": b64(n), "e": b64(e)})
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["alg"] = json!(self.alg);
        jwk["use"] = json!("sig");
        jwk
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let rng = SystemRandom::new();
        match &self.pair {
            Pair::Ec(pair, _) => pair.sign(&rng, message).unwrap().as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let padding: &'static dyn RsaEncoding = match self.alg {
                    "RS256" => &signature::RSA_PKCS1_SHA256,
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    "PS512" => &signature::RSA_PSS_SHA512,
                    other => panic!("{other}"),
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &rng, message, &mut signature).unwrap();
                signature
            }
        }
    }
}

/// `base` with every field of `changes` put in, or taken out where it is `null`.
fn changed(mut base: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            base.as_object_mut().unwrap().remove(name);
        } else {
            base[name] = value.clone();
        }
    }
    base
}

/// What the issuer does when it is asked.
#[derive(Clone)]
pub(crate) enum Mood {
    Well,
    /// Answers everything with this status.
    Status(StatusCode),
    /// Answers everything with a redirect to where it would be answered well.
    Redirect,
    /// Answers the key set with this text.
    Keys(Bytes),
    /// Answers the discovery document with this text.
    Discovery(String),
    /// Answers well, a permit each.
    Slow(Arc<Semaphore>),
}

pub(crate) struct Issuer {
    pub(crate) url: String,
    /// What the discovery document calls it.
    pub(crate) name: Mutex<String>,
    pub(crate) keys: Mutex<Vec<Value>>,
    pub(crate) mood: Mutex<Mood>,
    discoveries: AtomicUsize,
    key_sets: AtomicUsize,
    elsewhere: AtomicUsize,
}

impl Issuer {
    async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let issuer = Arc::new(Self {
            name: Mutex::new(format!("{url}/")),
            url,
            keys: Mutex::default(),
            mood: Mutex::new(Mood::Well),
            discoveries: 0.into(),
            key_sets: 0.into(),
            elsewhere: 0.into(),
        });
        let app = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(key_set))
            .route("/elsewhere", get(elsewhere))
            .with_state(Arc::clone(&issuer));
        tokio::spawn(async move { axum::serve(listener, app).await });
        issuer
    }

    pub(crate) fn publish(&self, keys: &[&Key]) {
        *self.keys.lock().unwrap() = keys.iter().map(|key| key.jwk()).collect();
    }
    pub(crate) fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
    /// How often the key set was asked for.
    pub(crate) fn key_sets(&self) -> usize {
        self.key_sets.load(SeqCst)
    }
    /// How often it was asked for anything.
    pub(crate) fn asked(&self) -> usize {
        self.key_sets() + self.discoveries.load(SeqCst) + self.elsewhere.load(SeqCst)
    }
    pub(crate) fn asked_elsewhere(&self) -> usize {
        self.elsewhere.load(SeqCst)
    }

    async fn answer(&self, well: String) -> axum::response::Response {
        let mood = self.mood.lock().unwrap().clone();
        match mood {
            Mood::Status(status) => status.into_response(),
            Mood::Redirect => (StatusCode::FOUND, [("location", "/elsewhere")]).into_response(),
            Mood::Slow(permits) => {
                permits.acquire().await.unwrap().forget();
                well.into_response()
            }
            _ => well.into_response(),
        }
    }
}

async fn discovery(State(issuer): State<Arc<Issuer>>) -> impl IntoResponse {
    issuer.discoveries.fetch_add(1, SeqCst);
    let text = match &*issuer.mood.lock().unwrap() {
        Mood::Discovery(text) => text.clone(),
        _ => json!({"issuer": *issuer.name.lock().unwrap(), "jwks_uri": format!("{}/keys", issuer.url)}).to_string(),
    };
    issuer.answer(text).await
}

async fn key_set(State(issuer): State<Arc<Issuer>>) -> impl IntoResponse {
    issuer.key_sets.fetch_add(1, SeqCst);
    if let Mood::Keys(body) = &*issuer.mood.lock().unwrap() {
        return body.clone().into_response();
    }
    let text = json!({"keys": *issuer.keys.lock().unwrap()}).to_string();
    issuer.answer(text).await
}

async fn elsewhere(State(issuer): State<Arc<Issuer>>) -> String {
    issuer.elsewhere.fetch_add(1, SeqCst);
    json!({"keys": *issuer.keys.lock().unwrap()}).to_string()
}

/// An issuer and a verifier that trusts it.
pub(crate) struct World {
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) verifier: Arc<OidcVerifier>,
    pub(crate) clock: Arc<MovedClock>,
}

/// Stands still unless moved.
#[derive(Default)]
pub(crate) struct MovedClock(AtomicI64);

impl Clock for MovedClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.0.load(SeqCst)).unwrap()
    }
}

impl World {
    pub(crate) async fn with(keys: &[&Key]) -> Self {
        Self::configured(keys, str::to_owned).await
    }

    /// `issuer` makes the configured issuer from the real one.
    pub(crate) async fn configured(keys: &[&Key], issuer: impl Fn(&str) -> String) -> Self {
        let server = Issuer::start().await;
        server.publish(keys);
        let clock = Arc::new(MovedClock(START.into()));
        let config = OidcConfig { issuer: issuer(&server.url), audience: AUDIENCE.into() };
        let verifier = OidcVerifier::new(config, http_client().unwrap(), Arc::<MovedClock>::clone(&clock));
        Self { issuer: server, verifier: Arc::new(verifier.unwrap()), clock }
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.0.load(SeqCst)
    }
    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, SeqCst);
    }

    /// The header and claims of a good token, with changes.
    pub(crate) fn parts(&self, key: &Key, header: &Value, claims: &Value) -> String {
        let header = changed(json!({"alg": key.alg, "kid": key.kid, "typ": "JWT"}), header);
        let good = json!({
            "iss": *self.issuer.name.lock().unwrap(), "aud": AUDIENCE, "sub": "auth0|1", "iat": self.now(), "exp": self.now() + 86_400,
        });
        format!("{}.{}", b64(header.to_string()), b64(changed(good, claims).to_string()))
    }
    pub(crate) fn token_with(&self, key: &Key, header: &Value, claims: &Value) -> String {
        let parts = self.parts(key, header, claims);
        let signature = b64(key.sign(parts.as_bytes()));
        format!("{parts}.{signature}")
    }
    pub(crate) fn token(&self, key: &Key) -> String {
        self.token_with(key, &json!({}), &json!({}))
    }

    pub(crate) async fn verify(&self, token: &str) -> Result<Profile, TokenError> {
        self.verifier.verify(&SecretString::from(token)).await
    }
    /// "accepted", or why the token was refused, or "unavailable: " and why nothing can be said.
    pub(crate) async fn verdict(&self, token: &str) -> String {
        match self.verify(token).await {
            Ok(_) => "accepted".into(),
            Err(TokenError::Invalid(reason)) => reason.into(),
            Err(TokenError::Unavailable(error)) => format!("unavailable: {error}"),
        }
    }
    pub(crate) async fn verdict_with(&self, key: &Key, header: Value, claims: Value) -> String {
        self.verdict(&self.token_with(key, &header, &claims)).await
    }
}
