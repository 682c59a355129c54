//! One OIDC issuer, Auth0 or any other: verifies its bearer tokens (JWT) and lets people sign in there.
//!
//! [`OidcVerifier`] is the service's [`TokenVerifier`](settings_domain::ports::identity::TokenVerifier). It finds the
//! issuer's signing keys by discovery and keeps them: a new key is learned and a removed one refused within 90 s while
//! the issuer answers; while it does not, the keys last seen serve for up to 24 h. A token says who somebody is and
//! nothing else: roles and permissions are never read from it.
//!
//! What a token must be is written down in `header.rs` (form, algorithm) and `claims.rs` (issuer, audience, times).
//! As bearer tokens, ID tokens are refused because their audience is the client and not this service: never configure a client id as the
//! audience.
//!
//! [`OidcSignIn`] is the service's [`SignInProvider`](settings_domain::ports::sign_in::SignInProvider): Authorization Code
//! with PKCE, `state` and `nonce`, all three kept sealed in the browser that asked.
//!
//! [`Auth0Organizations`] is an [`OrganizationMirror`](settings_domain::ports::mirror::OrganizationMirror).
mod auth0;
mod claims;
mod config;
mod crypto;
mod fetch;
mod header;
mod key_cache;
mod key_set;
mod random;
mod sign_in;
mod userinfo;
mod verified;
mod verifier;

pub use auth0::{Auth0Config, Auth0Organizations};
pub use config::{ConfigError, OidcConfig, http_client, http_client_with};
pub use sign_in::{OidcSignIn, SignInConfig};
pub use verifier::OidcVerifier;
