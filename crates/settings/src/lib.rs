#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod builder;
#[cfg(feature = "axum")]
mod caller;
mod database;
mod event;
mod nowhere;
mod open;
mod work;

pub use builder::Builder;
#[cfg(feature = "axum")]
pub use caller::{Caller, Refusal};
pub use database::Database;
pub use event::Event;
pub use open::{OpenError, Settings};
pub use settings_domain::policy::{EventType, Permission, Permit, actions, rights};
pub use settings_runtime::Resolver;
pub use work::{Share, Working};

/// The whole of the crates below, for what this one has no shorter word for. Their types are part of this crate's API.
pub mod crates {
    #[cfg(feature = "axum")]
    pub use settings_api as api;
    pub use settings_app as app;
    pub use settings_domain as domain;
    pub use settings_runtime as runtime;
}
