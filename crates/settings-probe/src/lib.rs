//! Calls a model's provider once with its credential, and says in our own words what is wrong.
//!
//! [`HttpProber`] implements the domain's [`ModelProber`](settings_domain::ports::probe::ModelProber). It stands between two
//! crates and holds what neither should: `settings-egress` says what may be connected to, `settings-runtime` puts the
//! credential on the request just as an executor does, so that a test says what a workflow would meet.
//!
//! | provider | the call | the credential was accepted |
//! |---|---|---|
//! | Anthropic | `GET /v1/models`, `x-api-key` | 2xx |
//! | `OpenAI` | `GET /v1/models`, Bearer | 2xx |
//! | Google | `GET /v1beta/models?pageSize=1`, `x-goog-api-key` | 2xx; it says 400 to a wrong key |
//! | Azure `OpenAI` | `GET /openai/models`, `api-key` | 2xx |
//! | AWS Bedrock | `POST {}` to the model's URL, signed (a token: Bearer) | 400: it looked at the body, which is after the signature |
//! | custom | `GET` of the model's URL, Bearer | 2xx |
//!
//! Each of them lists, or is refused for its empty body: nothing is generated and nothing is charged. A custom service that
//! does something on `GET` does it here too.
//!
//! - The call goes to the origin of the model's URL, to no other, and follows no redirect.
//! - Of the answer, its status alone is looked at. Neither body nor header reaches the report (SS14).
//! - How long it took is told in steps of a tenth of a second; what failed before a connection took none (SS14).
//! - A name that does not exist and a name of a private address give the same report.
//! - How a client key is used is known for AWS alone. Elsewhere the call goes without it, and the report says that it was
//!   not tried.
mod prober;
mod question;
mod verdict;

pub use prober::HttpProber;
