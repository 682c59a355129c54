//! The two policies against each other, and the search against faults that were planted.
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod agreement;
mod command;
mod planted;
