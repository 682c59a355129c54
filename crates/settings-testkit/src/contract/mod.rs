//! The contract that every store must keep: one list of cases, run by each adapter.
//!
//! A case is an `async fn(World)` whose name is a sentence, listed in its file's `cases!`; one that is written and not
//! listed is dead code, and dead code does not compile here. The files are listed once, in `groups!`.
//!
//! An adapter's `tests/contract.rs`, with `harness = false`, is one call of [`run`] in its `main`:
//! ```no_run
//! use settings_testkit::contract::{World, run};
//! run("fake", || Box::pin(async { World::fake() }));
//! ```
#![deny(dead_code, reason = "a case that is not listed would not be run")]

mod refusal;
mod scenario;
pub mod sql;
mod telling;
mod world;

pub use refusal::No;
pub use scenario::{Person, Scenario};
pub use world::{BoxFuture, Tamper, World};

use libtest_mimic::{Arguments, Trial};
use std::{future::Future, pin::Pin};

/// A case of the contract.
pub struct Case {
    name: &'static str,
    run: fn(World) -> Pin<Box<dyn Future<Output = ()>>>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Lists the cases of a file.
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        pub(super) const CASES: &[$crate::contract::Case] =
            &[$($crate::contract::Case { name: stringify!($name), run: |world| Box::pin($name(world)) }),*];
    };
}

/// Declares the files and all their cases in one breath.
macro_rules! groups {
    ($($group:ident),* $(,)?) => {
        $(mod $group;)*
        const GROUPS: &[(&str, &[Case])] = &[$((stringify!($group), $group::CASES)),*];
    };
}

groups! {
    access, accounts, activity, atomicity, audit_digest, billing, checkpoints, deletion, deliveries, erasure, idempotency, isolation,
    ledger, listing, mirror, notifications, outbox, races, reading, root_key, tampering, turns, upkeep, usage, values,
}

/// Runs every case against worlds made by `make`, and ends the process: the `main` of an adapter's test.
///
/// # Panics
/// When the machine has no threads left to run a case on.
pub fn run(name: &str, make: fn() -> BoxFuture<World>) -> ! {
    let trial = |group: &str, case: &'static Case| {
        let act = case.run;
        Trial::test(format!("{name}::{group}::{}", case.name), move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.expect("a runtime").block_on(async { act(make().await).await });
            Ok(())
        })
    };
    let trials = GROUPS.iter().flat_map(|(group, cases)| cases.iter().map(|case| trial(group, case))).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit()
}
