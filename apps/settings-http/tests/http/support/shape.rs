//! Shapes of answers, field by field: nothing missing, nothing more.
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Holds an object against its fields: a kind each, `?` for one that may be null.
#[track_caller]
pub(crate) fn is(value: &Value, fields: &[(&str, &str)]) {
    let object = value.as_object().unwrap_or_else(|| panic!("{value} is no object"));
    for (name, kind) in fields {
        let there = object.get(*name).unwrap_or_else(|| panic!("{name} is missing in {value}"));
        let (kind, nullable) = kind.strip_suffix('?').map_or((*kind, false), |k| (k, true));
        let fits = (nullable && there.is_null()) || fits(there, kind);
        assert!(fits, "{name} is no {kind} in {value}");
    }
    for name in object.keys() {
        assert!(fields.iter().any(|(n, _)| n == name), "{name} should not be there: {value}");
    }
}

fn fits(value: &Value, kind: &str) -> bool {
    let text = value.as_str();
    match kind {
        "text" => text.is_some_and(|t| !t.is_empty()),
        "number" => value.as_i64().is_some_and(|n| n >= 0),
        "flag" => value.is_boolean(),
        "list" => value.is_array(),
        "object" => value.is_object(),
        "uuid" => text
            .is_some_and(|t| t.parse::<uuid::Uuid>().is_ok_and(|id| id.to_string() == t && id.get_version_num() == 7)),
        "hex" => {
            text.is_some_and(|t| t.len() == 64 && t.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()))
        }
        "instant" => text.is_some_and(|t| t.ends_with('Z') && OffsetDateTime::parse(t, &Rfc3339).is_ok()),
        word => text.is_some_and(|t| word.split('|').any(|w| w == t)),
    }
}

pub(crate) const WORKSPACE: &[(&str, &str)] = &[
    ("id", "uuid"),
    ("name", "text"),
    ("slug", "text"),
    ("defaultRegion", "text"),
    ("dataRetentionDays", "number"),
    ("complianceFloorDays", "number"),
    ("seatLimit", "number"),
    ("seatsUsed", "number"),
    ("createdAt", "instant"),
    ("updatedAt", "instant"),
    ("version", "number"),
];
pub(crate) const BILLING: &[(&str, &str)] = &[
    ("configured", "flag"),
    ("plan", "object?"),
    ("currentPeriod", "object"),
    ("seats", "object"),
    ("usage", "list"),
    ("customerId", "text?"),
    ("stale", "flag"),
    ("asOf", "instant?"),
];
pub(crate) const MEMBER: &[(&str, &str)] = &[
    ("userId", "uuid"),
    ("email", "text?"),
    ("name", "text?"),
    ("avatarUrl", "text?"),
    ("role", "admin|editor|viewer"),
    ("joinedAt", "instant"),
    ("lastActiveAt", "instant?"),
    ("version", "number"),
];
pub(crate) const ORGANIZATION_MEMBER: &[(&str, &str)] = &[
    ("userId", "uuid"),
    ("avatar", "text?"),
    ("name", "text?"),
    ("email", "text?"),
    ("role", "admin|user|guest"),
    ("joined", "instant"),
    ("lastActiveAt", "instant?"),
    ("version", "number"),
];
pub(crate) const INVITATION: &[(&str, &str)] = &[
    ("id", "uuid"),
    ("email", "text"),
    ("role", "admin|editor|viewer|user|guest"),
    ("status", "pending|accepted|revoked|expired"),
    ("invitedBy", "object?"),
    ("createdAt", "instant"),
    ("expiresAt", "instant"),
    ("emailStatus", "queued|sent|failed"),
    ("version", "number"),
];
pub(crate) const ENVIRONMENT: &[(&str, &str)] = &[
    ("id", "uuid"),
    ("name", "text"),
    ("tier", "production|staging|development"),
    ("protected", "flag"),
    ("variables", "number"),
    ("createdAt", "instant"),
    ("updatedAt", "instant"),
    ("version", "number"),
];
pub(crate) const API_KEY: &[(&str, &str)] = &[
    ("id", "uuid"),
    ("name", "text"),
    ("prefix", "text"),
    ("last4", "text"),
    ("scopes", "list"),
    ("createdBy", "object?"),
    ("createdAt", "instant"),
    ("lastUsedAt", "instant?"),
    ("expiresAt", "instant?"),
    ("status", "active|expired|revoked"),
];
pub(crate) const EVENT: &[(&str, &str)] = &[
    ("id", "uuid"),
    ("seq", "number"),
    ("createdAt", "instant"),
    ("action", "text"),
    ("risk", "low|medium|high|critical"),
    ("actorKind", "member|api_key|system|service"),
    ("personId", "text?"),
    ("keyId", "uuid?"),
    ("targetKind", "text"),
    ("targetId", "text?"),
    ("changes", "list"),
    ("details", "object"),
    ("requestId", "text?"),
    ("hash", "hex"),
];

pub(crate) const DELIVERY: &[(&str, &str)] = &[
    ("id", "uuid"),
    ("channel", "email|slack|webhook"),
    ("message", "event|test|slack-failing|webhook-failing"),
    ("event", "object?"),
    ("to", "object"),
    ("status", "pending|parked|delivered|failed|dropped"),
    ("attempts", "list"),
    ("nextAttemptAt", "instant?"),
    ("insteadOf", "uuid?"),
    ("createdAt", "instant"),
];
pub(crate) const ATTEMPT: &[(&str, &str)] = &[
    ("at", "instant"),
    ("outcome", "delivered|failed"),
    ("statusCode", "number?"),
    ("error", "text?"),
    ("durationMs", "number"),
];
pub(crate) const SUBSCRIPTION: &[(&str, &str)] = &[
    ("id", "uuid"),
    ("url", "text"),
    ("events", "list"),
    ("status", "active|disabled"),
    ("statusReason", "text?"),
    ("previousSecretUntil", "instant?"),
    ("createdAt", "instant"),
    ("updatedAt", "instant"),
    ("version", "number"),
];
pub(crate) const CONNECTION: &[(&str, &str)] = &[
    ("id", "uuid"),
    ("kind", "slack"),
    ("status", "active|error|disconnected"),
    ("statusReason", "text?"),
    ("channel", "text?"),
    ("channelName", "text?"),
    ("teamName", "text"),
    ("authorizedAt", "instant"),
    ("createdAt", "instant"),
    ("updatedAt", "instant"),
    ("version", "number"),
];

/// A page of a list whose entries have a shape; returns the entries.
#[track_caller]
pub(crate) fn list(page: &Value, fields: &[(&str, &str)]) -> Vec<Value> {
    is(page, &[("items", "list"), ("nextCursor", "text?")]);
    let items = page["items"].as_array().unwrap();
    for item in items {
        is(item, fields);
    }
    items.clone()
}
