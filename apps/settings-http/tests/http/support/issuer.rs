//! An OIDC issuer on loopback, in a thread of its own so that it outlives the runtime of any one test.
use axum::{Json, Router, routing::get};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use std::{net::TcpListener, sync::LazyLock};
use time::OffsetDateTime;

/// The expected audience.
pub(crate) const AUDIENCE: &str = "settings";
const KID: &str = "test-1";

/// An issuer.
pub(crate) struct Issuer {
    /// What `AUTH0_ISSUER_BASE_URL` says; tokens carry it with a slash, as Auth0 does.
    pub(crate) url: String,
    key: EcdsaKeyPair,
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

fn key() -> EcdsaKeyPair {
    let rng = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &rng).unwrap()
}

impl Issuer {
    /// The issuer of this test process.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: LazyLock<Issuer> = LazyLock::new(Issuer::start);
        &SHARED
    }

    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = key();
        let (x, y) = key.public_key().as_ref()[1..].split_at(32);
        let jwk =
            json!({"kty": "EC", "crv": "P-256", "kid": KID, "alg": "ES256", "use": "sig", "x": b64(x), "y": b64(y)});
        let keys = json!({"keys": [jwk]});
        let discovery = json!({"issuer": format!("{url}/"), "jwks_uri": format!("{url}/keys")});
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let app = Router::new()
                    .route("/.well-known/openid-configuration", get(move || async move { Json(discovery) }))
                    .route("/keys", get(move || async move { Json(keys) }));
                axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), app).await.unwrap();
            });
        });
        Self { url, key }
    }

    /// The claims of a good token for a subject.
    pub(crate) fn claims(&self, subject: &str) -> Value {
        json!({"iss": format!("{}/", self.url), "aud": AUDIENCE, "sub": subject, "iat": now(), "exp": now() + 3600})
    }

    /// A token as this issuer makes it.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({"alg": "ES256", "kid": KID, "typ": "JWT"}), claims)
    }

    /// A token with another header.
    pub(crate) fn token_with(&self, header: &Value, claims: &Value) -> String {
        signed(&self.key, header, claims)
    }

    /// A token that another key has signed under this issuer's name.
    pub(crate) fn forged(claims: &Value) -> String {
        signed(&key(), &json!({"alg": "ES256", "kid": KID, "typ": "JWT"}), claims)
    }

    /// The confusion attack: HS256 with the public key as its secret.
    pub(crate) fn confused(&self, claims: &Value) -> String {
        let parts = parts(&json!({"alg": "HS256", "kid": KID, "typ": "JWT"}), claims);
        let secret = hmac::Key::new(hmac::HMAC_SHA256, self.key.public_key().as_ref());
        format!("{parts}.{}", b64(hmac::sign(&secret, parts.as_bytes())))
    }
}

/// Header and claims, not yet signed.
pub(crate) fn parts(header: &Value, claims: &Value) -> String {
    format!("{}.{}", b64(header.to_string()), b64(claims.to_string()))
}

fn signed(key: &EcdsaKeyPair, header: &Value, claims: &Value) -> String {
    let parts = parts(header, claims);
    format!("{parts}.{}", b64(key.sign(&SystemRandom::new(), parts.as_bytes()).unwrap()))
}
