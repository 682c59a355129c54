//! The contract, kept by the fake.
use settings_testkit::contract::{World, run};

fn main() {
    run("fake", || Box::pin(async { World::fake() }));
}
