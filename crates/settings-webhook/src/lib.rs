//! Webhook deliveries: signed, and sent where a tenant has chosen.
//!
//! [`WebhookClient`] implements the domain's [`WebhookSender`](settings_domain::ports::webhooks::WebhookSender) and
//! [`Outbound`](settings_domain::ports::outbound::Outbound). What may be connected to is the business of
//! `settings-egress`; this crate says what is sent ([`Signatures`]) and what an answer means.
//!
//! | header | what it holds |
//! |---|---|
//! | `webhook-id` | the delivery's id, the same in every attempt |
//! | `webhook-timestamp` | seconds since 1970 of this attempt |
//! | `webhook-signature` | `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`; one for each secret, newest first |
//! | `x-provenanceone-signature` | HMAC-SHA256 over the body alone, in hexadecimal, under the newest secret |
//!
//! The first three are [Standard Webhooks](https://www.standardwebhooks.com). The key of each HMAC is the secret's bytes,
//! not its text. The fourth binds neither id nor time, so a receiver that goes by it alone cannot tell a replay.
//!
//! Nothing of an answer but its status leaves this crate: who could read it here could read other people's networks.
mod answer;
mod client;
mod secret;
mod signature;

pub use client::WebhookClient;
pub use signature::Signatures;
