//! What can be wrong with an audit event, in the words of `/audit/verify`. Each sentence goes after "event N: ".

/// The place does not follow the one before.
pub const SEQUENCE: &str = "its place does not follow the event before it: an event was deleted, moved or inserted";
/// A format that this program does not know.
pub const VERSION: &str = "its format version is unknown to this program: it was changed, or a newer program wrote it";
/// Commitments not in order, or one field twice.
pub const COMMITMENT_ORDER: &str = "its personal fields are not each there once and in order: one was added or moved";
/// The hash is not that of the content.
pub const HASH: &str = "its content or the event before it was changed: the hash does not match";
/// The MAC is not that of the hash.
pub const MAC: &str = "it was not written by this service: the seal over its hash does not match";
/// An opening that belongs to no commitment.
pub const OPENING_WITHOUT_COMMITMENT: &str = "a personal value lies beside it that it never had";
/// Two openings for one field.
pub const OPENING_TWICE: &str = "two personal values lie beside it for one field";
/// A commitment whose opening is gone, row and all.
pub const OPENING_MISSING: &str = "the record of a personal value is gone: even an erased one leaves its place behind";
/// Erased, though its person was not.
pub const HIDDEN: &str = "a personal value was removed without erasing its person: somebody is being hidden";
/// Still there, though its person was erased. (Of a salt that is missing.)
pub const SALT_MISSING: &str =
    "a personal value is there although its person was erased: it was put back, or the salt was lost";
/// A salt that was not wrapped by this service for this person here.
pub const SALT_DOES_NOT_OPEN: &str = "the salt of a person was changed, or belongs to another person or workspace";
/// An opening that was not encrypted for this place.
pub const OPENING_DOES_NOT_OPEN: &str = "a personal value was changed, or belongs to another field, event or person";
/// An opening that is true to its place but not to its commitment.
pub const OPENING_DOES_NOT_MATCH: &str = "a personal value is not the one that was committed to";

/// All of them.
pub const ALL: [&str; 13] = [
    SEQUENCE,
    VERSION,
    COMMITMENT_ORDER,
    HASH,
    MAC,
    OPENING_WITHOUT_COMMITMENT,
    OPENING_TWICE,
    OPENING_MISSING,
    HIDDEN,
    SALT_MISSING,
    SALT_DOES_NOT_OPEN,
    OPENING_DOES_NOT_OPEN,
    OPENING_DOES_NOT_MATCH,
];
