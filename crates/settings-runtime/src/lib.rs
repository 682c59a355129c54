//! What a workflow executor embeds: secrets brought into a script, into a request, and kept out of what comes back.
//!
//! Pure: no I/O, no clock, no randomness, no database, no HTTP client. Instants are passed in; requests are built and
//! signed, sent by whoever embeds this.
//!
//! - [`inject`]: variables as the source of a JavaScript prelude, in the three ways scripts know them.
//! - [`entity_model`]: the `entityModel` object of a Prompt script.
//! - [`authorize`]: a model call's headers: Bearer token, AWS Signature Version 4, OAuth client credentials.
//! - [`redact`]: takes secret values out of output, however it is cut into pieces.
//!
//! # Why the signature is our own
//!
//! `aws-sigv4` (1.6.4) without its default features and with `sign-http` alone brings 52 crates into an executor that
//! embeds this one, with a second SHA-256 and HMAC beside ring. Signature Version 4 is four HMACs over a text with a
//! dozen rules, most of them about paths and queries. Those rules are checked against Amazon's own test suite and
//! against requests signed by botocore: the tests are the larger part either way.
//!
//! # Secrets
//!
//! Values are [`secrecy`] types or wiped buffers from the moment they come in. Nothing here prints or serialises one;
//! what has to leave, leaves through `expose_secret`, so that one search finds every place. ring's own key types are
//! made for each use, because they are not zeroized.
#![warn(missing_docs)]

pub mod authorize;
mod encode;
pub mod entity_model;
pub mod inject;
mod model;
mod prelude;
pub mod redact;
pub mod resolve;

pub use model::{Credential, Model, Owner};
pub use prelude::Prelude;
pub use resolve::{ResolveError, Resolver};
pub use settings_domain::variables::{RESERVED_VARIABLE_NAMES, VariableName, VariableNameError};
