//! Contract suites, fakes, generators and a throw-away Postgres for tests.

pub mod postgres;
