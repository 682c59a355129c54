//! What Stripe sends by itself: who sent it, and what it is about (ST01 to ST06).
use crate::{config::Mode, objects::Reference};
use ring::hmac;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use settings_domain::{
    billing::{BillingEvent, EventKind, EventOrigin},
    ports::billing::EventRefusal,
};
use time::{Duration, OffsetDateTime};

/// How old a signature may be, and how far ahead of our clock.
const TOLERANCE: Duration = Duration::minutes(5);
/// The longest header that is looked at. Stripe sends one or two signatures of 64 digits each.
const MAX_HEADER: usize = 4 * 1024;

/// The secrets that events are signed with: two while one is being exchanged (ST12).
#[derive(Clone)]
pub(crate) struct Keys(Vec<hmac::Key>);

impl Keys {
    pub(crate) fn new(secrets: &[SecretString]) -> Self {
        // All of the text is the key, with its `whsec_`.
        Self(secrets.iter().map(|s| hmac::Key::new(hmac::HMAC_SHA256, s.expose_secret().as_bytes())).collect())
    }

    /// Whether one of the signatures was made with one of the keys over exactly these bytes. Nothing is parsed before.
    fn check(&self, payload: &[u8], header: &str, now: OffsetDateTime) -> Result<(), EventRefusal> {
        if header.len() > MAX_HEADER {
            return Err(EventRefusal::Signature);
        }
        let (mut time, mut signatures) = (None, Vec::new());
        for (name, value) in header.split(',').filter_map(|part| part.trim().split_once('=')) {
            match name {
                // With two times nobody could say which one was signed.
                "t" if time.is_some() => return Err(EventRefusal::Signature),
                "t" => time = Some(value),
                // Anything but `v1` is for others: `v0` is signed for tests alone.
                "v1" => signatures.extend(hex::decode(value)),
                _ => {}
            }
        }
        let text = time.filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
        let text = text.ok_or(EventRefusal::Signature)?;
        let mut signed = Vec::with_capacity(text.len() + 1 + payload.len());
        for part in [text.as_bytes(), b".", payload] {
            signed.extend_from_slice(part);
        }
        // `verify` takes as long for a wrong signature as for a right one.
        if !signatures.iter().any(|tag| self.0.iter().any(|key| hmac::verify(key, &signed, tag).is_ok())) {
            return Err(EventRefusal::Signature);
        }
        let at = text.parse().ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
        let age = at.map(|at| (now - at).abs());
        if age.is_some_and(|age| age <= TOLERANCE) { Ok(()) } else { Err(EventRefusal::Time) }
    }
}

/// The little that is read of an event.
#[derive(Deserialize)]
struct Envelope {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    created: i64,
    livemode: Option<bool>,
    /// Of an account that is connected to ours.
    account: Option<String>,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    id: Option<String>,
    #[serde(rename = "object")]
    kind: Option<String>,
    customer: Option<Reference>,
}

/// Checks and reads an event.
pub(crate) fn read(
    keys: &Keys,
    mode: Mode,
    payload: &[u8],
    header: &str,
    now: OffsetDateTime,
) -> Result<BillingEvent, EventRefusal> {
    keys.check(payload, header, now)?;
    let event: Envelope = serde_json::from_slice(payload).map_err(|_| EventRefusal::Malformed)?;
    let origin = match (mode, event.livemode) {
        _ if event.account.is_some() => EventOrigin::OtherAccount,
        (Mode::Live, Some(false)) | (Mode::Test, Some(true)) => EventOrigin::OtherMode,
        _ => EventOrigin::Ours,
    };
    let object = event.data.object;
    let customer = match object.kind.as_deref() {
        Some("customer") => object.id.as_deref(),
        _ => object.customer.as_ref().map(Reference::id),
    };
    Ok(BillingEvent {
        id: event.id.parse().map_err(|_| EventRefusal::Malformed)?,
        kind: EventKind::of(&event.kind),
        origin,
        customer: customer.and_then(|id| id.parse().ok()),
        at: OffsetDateTime::from_unix_timestamp(event.created).map_err(|_| EventRefusal::Malformed)?,
    })
}
