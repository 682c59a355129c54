//! What a delivery is signed with.
use crate::secret;
use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use ring::hmac;
use secrecy::ExposeSecret as _;
use settings_domain::ports::webhooks::WebhookDelivery;
use std::fmt;

/// The headers that vouch for a delivery.
#[derive(Clone, PartialEq, Eq)]
pub struct Signatures {
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`.
    pub timestamp: String,
    /// `webhook-signature`: one for each secret, separated by spaces, newest first.
    pub standard: String,
    /// `x-provenanceone-signature`.
    pub platform: String,
}

impl Signatures {
    /// Signs a delivery; `None` if it has no secret to be signed with, or a text that is no secret.
    #[must_use]
    pub fn new(delivery: &WebhookDelivery) -> Option<Self> {
        let key = |text| Some(hmac::Key::new(hmac::HMAC_SHA256, secret::parse(text)?.expose_secret()));
        let keys: Vec<hmac::Key> = delivery.secrets.iter().map(key).collect::<Option<_>>()?;
        let platform = hex::encode(hmac::sign(keys.first()?, &delivery.body));
        let (id, timestamp) = (delivery.delivery.to_string(), delivery.at.unix_timestamp().to_string());
        let mut standard = String::new();
        for key in &keys {
            let mut context = hmac::Context::with_key(key);
            for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", &delivery.body] {
                context.update(part);
            }
            if !standard.is_empty() {
                standard.push(' ');
            }
            standard.push_str("v1,");
            BASE64.encode_string(context.sign(), &mut standard);
        }
        Some(Self { id, timestamp, standard, platform })
    }
}

/// The id alone: a signature that is still fresh lets whoever reads it replay the delivery.
impl fmt::Debug for Signatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signatures").field("id", &self.id).finish_non_exhaustive()
    }
}
