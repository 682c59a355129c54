//! The Postgres engine of the store.
