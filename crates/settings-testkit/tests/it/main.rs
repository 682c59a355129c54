//! The test kit, tested.

mod house;
mod postgres;
