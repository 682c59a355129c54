//! Webhook deliveries: signed, and sent where a tenant has chosen.
