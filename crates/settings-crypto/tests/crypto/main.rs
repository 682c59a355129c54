//! The crate as its users see it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice, reason = "test")]
mod audit_attacks;
mod audit_chain;
mod checkpoints;
mod cursors;
mod exports;
mod golden;
mod keyring;
mod keyring_file;
mod keyring_generations;
mod root;
mod support;
mod tokens;
mod vault;
mod vault_memory;
mod vault_support;
