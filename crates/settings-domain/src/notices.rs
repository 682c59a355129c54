//! Messages that a change owes somebody. They are queued in the change's own transaction and hold no secret: the sender
//! looks up the recipient and derives the link when it sends.
use crate::ids::{DeliveryId, DigestRunId, InvitationId, UserId};

/// A message to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The mail of an invitation. Stale once the invitation has a newer generation.
    InvitationMail {
        /// Stable over retries.
        delivery: DeliveryId,
        /// Which invitation.
        invitation: InvitationId,
        /// Which of its links.
        generation: i64,
    },
    /// A mail of an audit digest.
    AuditDigestMail {
        /// Stable over retries.
        delivery: DeliveryId,
        /// Which digest.
        run: DigestRunId,
        /// Which of its recipients, from 0.
        recipient: i64,
    },
    /// The mail to an admin that somebody was erased (GD19).
    ErasureMail {
        /// Stable over retries.
        delivery: DeliveryId,
        /// Which admin.
        admin: UserId,
        /// The place of `member.erased`.
        seq: i64,
    },
    /// A notification over any channel; the ledger says which.
    Delivery(DeliveryId),
    /// The workspace's seat limit changed: the number of seats that are paid for has to follow.
    SeatQuantity(DeliveryId),
}
