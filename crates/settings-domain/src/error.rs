//! Refusals: typed per use case, classified once.
use crate::impact::Impact;
use std::fmt;

/// What kind of refusal it is. The HTTP layer maps kinds to statuses in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is not there, or the caller may not know of it.
    NotFound,
    /// It was there, and is over.
    Gone,
    /// A rule of the workspace stands against it.
    Conflict,
    /// The input breaks a rule.
    Invalid,
    /// The caller may not, whatever the input.
    Forbidden,
}

/// A refusal that knows its kind, its stable code and its field.
pub trait Classified: fmt::Display {
    /// Its kind.
    fn kind(&self) -> Kind;
    /// Stable slug; a released one is never reused.
    fn code(&self) -> &'static str;
    /// JSON pointer of the field at fault, where there is one.
    fn pointer(&self) -> Option<&'static str> {
        None
    }
}

/// Why a decision was not made.
#[derive(Debug)]
pub enum Refused<E> {
    /// `If-Match` named another version: somebody else was first.
    Stale,
    /// It would break something, and the caller has not confirmed exactly that.
    Unconfirmed(Impact),
    /// A rule stands against it.
    Rule(E),
}

impl<E> From<E> for Refused<E> {
    fn from(e: E) -> Self {
        Self::Rule(e)
    }
}

/// Declares a refusal enum: variant, kind, code, pointer, sentence.
macro_rules! refusals {
    ($(#[$doc:meta])* $name:ident { $($variant:ident: $kind:ident $code:literal $(at $pointer:literal)?, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $(#[doc = $text] $variant),* }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$variant => $text),* })
            }
        }
        impl std::error::Error for $name {}
        impl $crate::error::Classified for $name {
            fn kind(&self) -> $crate::error::Kind { match self { $(Self::$variant => $crate::error::Kind::$kind),* } }
            fn code(&self) -> &'static str { match self { $(Self::$variant => $code),* } }
            fn pointer(&self) -> Option<&'static str> { match self { $(Self::$variant => refusals!(@p $($pointer)?)),* } }
        }
    };
    (@p) => { None };
    (@p $p:literal) => { Some($p) };
}
pub(crate) use refusals;
