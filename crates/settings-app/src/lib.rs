//! Use cases: permit, open, load, decide, commit.
