#!/usr/bin/env bash
# Breaks the policy in one place after another; each time a test has to fail. Exit status 0 where no mutant survives.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'HELP'
usage: scripts/mutants.sh [ARGUMENTS OF cargo mutants]

Mutation testing of crates/settings-domain/src/policy with the tests named after it: about twenty minutes on two cores.
What is broken, and what is left alone and why, stands in .cargo/mutants.toml. cargo-mutants is installed if it is missing.

  scripts/mutants.sh --list                                           says what would be broken
  scripts/mutants.sh --file crates/settings-domain/src/policy/actor.rs   breaks one file
HELP
}
case "${1-}" in
    --help | -h) usage && exit 0 ;;
esac

cargo mutants --version >/dev/null 2>&1 || cargo install cargo-mutants --locked --version 27.1.0
# The copy that is broken has a build folder of its own.
unset CARGO_TARGET_DIR
exec cargo mutants --package settings-domain --output target --timeout 60 "$@" -- --test domain policy
