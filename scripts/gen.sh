#!/usr/bin/env bash
# Writes the files that are made from the code and checked in. With --check: writes nothing, fails when one is stale.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

check=false
case "${1-}" in
    "") ;;
    --check) check=true ;;
    *) echo "usage: scripts/gen.sh [--check]" >&2 && exit 2 ;;
esac

# The same build as the tests', so that nothing is compiled twice.
cargo build --quiet --workspace --locked --lib --bins --tests
target=$(cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
programs=$target/debug
fresh=$(mktemp)
trap 'rm -f "$fresh"' EXIT
stale=0

# generate FILE PROGRAM ARGUMENTS...: FILE is what the workspace's program prints.
generate() {
    local file=$1 program=$2
    shift 2
    "$programs/$program" "$@" >"$fresh"
    if ! $check; then
        mkdir -p "$(dirname "$file")"
        cat "$fresh" >"$file"
        echo "wrote $file"
    elif ! diff -u --label "$file" --label "$file, generated now" "$file" "$fresh"; then
        stale=$((stale + 1))
    fi
}

# One line per file:
generate docs/openapi.json settings-http openapi
generate docs/permissions.md settings-http docs permissions
generate docs/errors.md settings-http docs errors
generate docs/api/settings.txt public-api crates/settings

if ((stale > 0)); then
    echo "$stale stale: run scripts/gen.sh and commit what it writes" >&2
    exit 1
fi
if $check; then
    echo "up to date"
fi
