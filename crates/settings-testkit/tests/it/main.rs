//! The test kit, tested.

mod postgres;
