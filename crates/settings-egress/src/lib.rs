//! Outbound HTTP to places that tenants choose (webhooks, model probes), which cannot reach private networks.
//!
//! A text becomes a [`Target`] through [`Policy::check`], and nothing but a `Target` can be sent to. [`Client`] then looks
//! the name up itself, once per attempt, refuses it unless every answer is allowed, and connects to just those answers.
//!
//! | way in | closed by |
//! |---|---|
//! | a private address, in any spelling | `url` parses once and normalises; [`is_public`] decides about the result |
//! | a name of a private address, rebinding | all answers of the one lookup are judged, and only they are connected to |
//! | redirects, proxies, cookies, referers | the HTTP client follows, reads, keeps and sends none |
//! | a receiver that is slow, dead or endless | a deadline, 64 KiB at most, a limit of attempts per tenant; after 5 failures in a row the tenant leaves it alone for 30 s |
//! | a receiver that is somebody else | TLS is verified, always; there is no switch |
//!
//! Only TCP connections to the target are made here. What the machine's resolver is asked leaves as DNS.
mod address;
mod bulkhead;
mod classify;
mod client;
mod error;
mod exchange;
mod pinned;
mod policy;
mod resolver;
mod resting;
mod target;

pub use address::is_public;
pub use client::{Client, Limits, SetupError};
pub use error::{Refused, SendError, TlsFault};
pub use exchange::{Method, Request, Response};
pub use policy::{OwnHostError, Policy};
pub use resolver::{Resolver, SystemResolver};
pub use resting::REST;
pub use target::Target;
