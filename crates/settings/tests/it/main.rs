//! The service of `examples/runs`, started on SQLite and called from outside.
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod builder;
mod runs;
#[path = "../../examples/runs/service.rs"]
mod service;
mod stage;
