//! What a workflow executor embeds: secrets brought into a script, into a request, and kept out of what comes back.
//!
//! Only [`resolve`] asks anybody, and does so through the ports it is given. All else is pure: no I/O, no clock, no
//! randomness. Instants are passed in; requests are built and signed, sent by whoever embeds this.
//!
//! - [`resolve`]: the variables of an environment and a model with its credential, for one workspace.
//! - [`inject`]: variables as the source of a JavaScript prelude, in the three ways scripts know them.
//! - [`entity_model`]: the `entityModel` object of a Prompt script.
//! - [`authorize`]: a model call's headers: Bearer token, AWS Signature Version 4, OAuth client credentials.
//! - [`redact`]: takes secret values out of output, however it is cut into pieces.
//!
//! # An executor
//!
//! ```
//! use secrecy::ExposeSecret as _;
//! use settings_domain::ids::{EnvironmentId, ModelId};
//! use settings_runtime::{
//!     Resolver,
//!     authorize::{Request, authorize},
//!     entity_model::entity_model_prelude,
//!     inject::variables_prelude,
//!     redact::Redactor,
//! };
//! use time::OffsetDateTime;
//!
//! /// `run` runs sources in a fresh V8 context and gives what they print; `send` sends a body with these headers.
//! async fn prompt(
//!     resolver: &Resolver, // made by the host for the workspace whose run this is
//!     environment: EnvironmentId,
//!     model: ModelId,
//!     script: &str,
//!     run: impl Fn(&[&str]) -> String,
//!     send: impl Fn(&url::Url, &[(&str, &str)], &[u8]) -> String,
//!     now: OffsetDateTime,
//! ) -> Result<String, Box<dyn std::error::Error>> {
//!     let variables = resolver.variables(environment).await?;
//!     let model = resolver.model(model).await?;
//!     // Before anything runs: output that cannot be redacted must not be shown.
//!     let values = variables.iter().map(|variable| &variable.value);
//!     let redactor = Redactor::new(values.chain(model.credential.secrets()))?;
//!
//!     let (bindings, entity) = (variables_prelude(&variables)?, entity_model_prelude(&model));
//!     let body = run(&[bindings.expose_secret(), entity.expose_secret(), script]);
//!
//!     let json = ("content-type", "application/json");
//!     let request = Request { method: "POST", url: &model.url, headers: &[json], body: body.as_bytes() };
//!     let authorization = authorize(&model, &request, now)?;
//!     let mut headers = vec![json];
//!     headers.extend(authorization.headers().map(|(name, value)| (name, value.expose_secret())));
//!     Ok(redactor.redact(&send(&model.url, &headers, body.as_bytes())))
//! }
//! ```
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
