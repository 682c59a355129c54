//! The migrations are embedded: a change of one has to be compiled in.
fn main() {
    println!("cargo:rerun-if-changed=../../migrations/sqlite");
}
