//! Contract suites, fakes, generators and a throw-away Postgres for tests.
#![expect(clippy::expect_used, clippy::panic, reason = "test support: a failure ends the test that meets it")]

mod bytes;
pub mod contract;
pub mod entropy;
pub mod fake;
pub mod log;
pub mod moto;
pub mod peers;
pub mod postgres;
pub mod seal;
pub mod senders;
pub mod slack;
pub mod vault;
pub mod webhook_receiver;
