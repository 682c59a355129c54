//! Typed identifiers. On the wire each is a plain UUID (version 7, so ids sort by age); in code they cannot be mixed up.
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// The text is not an id: exactly the lower-case hyphenated form of a UUID is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a UUID in its lower-case hyphenated form")]
pub struct ParseIdError;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);
        impl $name {
            /// Wraps a UUID that is already known to name this kind of thing.
            #[must_use] pub const fn from_uuid(id: Uuid) -> Self { Self(id) }
            /// The bare UUID, for adapters.
            #[must_use] pub const fn as_uuid(self) -> Uuid { self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.hyphenated().fmt(f) }
        }
        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(s: &str) -> Result<Self, ParseIdError> {
                // `Uuid::try_parse` also takes braces, URNs, upper case and bare hex: one spelling per id is enough.
                if s.len() != 36 || s.bytes().any(|b| b.is_ascii_uppercase()) { return Err(ParseIdError); }
                Uuid::try_parse(s).map(Self).map_err(|_| ParseIdError)
            }
        }
    )*};
}

ids! {
    /// A workspace (seed B: organization), the tenant.
    WorkspaceId;
    /// A user account, the same in every workspace.
    UserId;
    /// A person inside one workspace: what audit salts hang on, so that an erasure there touches no other workspace.
    PersonId;
    /// An environment.
    EnvironmentId;
    /// An invitation.
    InvitationId;
    /// An API key.
    ApiKeyId;
    /// A variable.
    VariableId;
    /// A secret.
    SecretId;
    /// A model (seed A: model integration).
    ModelId;
    /// An audit event.
    EventId;
    /// A sign-in session.
    SessionId;
    /// A one-time sign-in link.
    SignInId;
    /// An audit digest that began.
    DigestRunId;
    /// An event that was published (not an audit event).
    PublishedEventId;
    /// A connection to another service.
    ConnectionId;
    /// A webhook subscription.
    WebhookSubscriptionId;
    /// An address that notifications are mailed to.
    RecipientId;
    /// A message waiting in the outbox; stable over retries, so receivers can deduplicate.
    DeliveryId;
}

impl WorkspaceId {
    /// The platform's own tenant: system models belong to it, and its chain records what is done to the whole service.
    /// Nobody is a member of it, no list shows it and no address leads to it.
    pub const PLATFORM: Self = Self(Uuid::from_u128(1));
}

impl PersonId {
    /// The person that stands for nobody: free text of actors that are no person is committed under it.
    pub const NOBODY: Self = Self(Uuid::nil());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_is_an_id() {
        let id = "0192f0c1-2d3e-7a4b-8c5d-6e7f80910a1b";
        assert_eq!(id.parse::<UserId>().map(|i| i.to_string()), Ok(id.to_owned()));
        for bad in ["", "x", &id.to_uppercase(), &format!("{{{id}}}"), &id.replace('-', ""), &format!("urn:uuid:{id}")]
        {
            assert_eq!(bad.parse::<UserId>(), Err(ParseIdError), "{bad}");
        }
    }
}
