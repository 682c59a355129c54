//! Stripe: customers, subscriptions, seats, the portal, meters, and the events that it sends.
//!
//! [`StripeClient`] implements the domain's [`BillingGateway`](settings_domain::ports::billing::BillingGateway).
//!
//! | a way in | closed by |
//! |---|---|
//! | a forged, altered or recorded event | HMAC over the bytes as they came, compared in constant time, 5 minutes at most (`webhook.rs`) |
//! | an event that lies about a subscription | nothing but its id, its kind and its customer is read; the rest is asked for |
//! | a Stripe that is slow, away or endless | 9 s with all repetitions, 512 KiB at most; after 5 failures in a row it is left alone for 10 s |
//! | a call that is made twice | `Idempotency-Key` on each POST, equal for each repetition |
//! | an answer from somebody else | TLS is verified, always; no redirect is followed, no proxy is used |
//! | Stripe's sentences in our logs and pages | its codes become words of our own (`failure.rs`) |
mod client;
mod config;
mod failure;
mod objects;
mod transport;
mod webhook;

pub use client::StripeClient;
pub use config::{STRIPE, StripeConfigError};

/// The version of Stripe's API that is asked for, whatever the account's own one is. Answers of older and newer ones are
/// understood as far as they say the same.
pub const API_VERSION: &str = "2026-10-28.endive";
