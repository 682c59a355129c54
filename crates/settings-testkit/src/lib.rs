//! Contract suites, fakes, generators and a throw-away Postgres for tests.
#![expect(clippy::expect_used, clippy::panic, reason = "test support: a failure ends the test that meets it")]

pub mod billing;
mod bytes;
pub mod contract;
pub mod entropy;
pub mod fake;
pub mod log;
pub mod moto;
mod npm;
pub mod openid;
pub mod peers;
pub mod postgres;
pub mod seal;
pub mod senders;
pub mod slack;
pub mod vault;
pub mod webhook_receiver;
pub mod wiremock;
