#!/usr/bin/env bash
# THE test command: everything that has to hold before a change is merged. It needs Rust and nothing else set up.
# shellcheck disable=SC2317 # functions that only `step` calls
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec </dev/null
# shellcheck source=scripts/packages.sh
source scripts/packages.sh

usage() {
    cat <<'HELP'
usage: scripts/test.sh [--fast] [--no-browser]

Checks format, lints, forbidden dependencies and generated files, then builds and runs every test. Debian packages that
are missing are installed (as root; otherwise they are named and the exit status is 2). The tests get a throw-away
Postgres of their own; a running one is never touched. The exit status is 1 if anything failed.

  --fast         without clippy, the documentation's examples and the browser
  --no-browser   without the console in a real browser (scripts/browser-test.sh)
  --help         this text

cargo-nextest runs the tests where it is installed, plain `cargo test` where it is not.
HELP
}

fast=false
browser=true
for argument in "$@"; do
    case $argument in
        --fast) fast=true browser=false ;;
        --no-browser) browser=false ;;
        --help | -h) usage && exit 0 ;;
        *) echo "unknown argument: $argument" >&2 && usage >&2 && exit 2 ;;
    esac
done

failed=()
# step HEADLINE COMMAND...: runs it, tells how long it took, remembers when it failed.
step() {
    local headline=$1 start=$SECONDS status
    shift
    printf '\n==> %s\n' "$headline"
    set +e
    (set -e && "$@")
    status=$?
    set -e
    if ((status == 0)); then
        printf '==> %s: ok, %d s\n' "$headline" $((SECONDS - start))
    else
        printf '==> %s: FAILED with status %d, %d s\n' "$headline" "$status" $((SECONDS - start))
        failed+=("$headline")
    fi
}

finish() {
    if ((${#failed[@]} == 0)); then
        printf '\n==> all steps ok, %d s\n' "$SECONDS"
        exit 0
    fi
    printf '\n==> after %d s these steps have failed:\n' "$SECONDS"
    printf '    %s\n' "${failed[@]}"
    exit 1
}

# One TLS and one crypto library: rustls with ring.
forbidden_crates() {
    local tree forbidden
    tree=$(cargo tree --workspace --all-features --locked --edges normal,build,dev --prefix none)
    for forbidden in aws-lc-sys openssl-sys; do
        if grep -q "^$forbidden " <<<"$tree"; then
            cargo tree --workspace --all-features --locked --edges normal,build,dev --invert "$forbidden"
            return 1
        fi
    done
    echo "neither aws-lc-sys nor openssl-sys"
}

# A Postgres that ends with this script, however it ends: the program serves until its input closes.
start_postgres() {
    local line
    coproc POSTGRES { exec "$target/debug/throwaway-postgres"; }
    if ! IFS= read -r line <&"${POSTGRES[0]}" || [[ $line != SETTINGS_TEST_PG=* ]]; then
        failed+=("throw-away Postgres") && finish
    fi
    export "${line?}"
    echo "$line"
}

run_tests() {
    local log profile=default status=0
    if cargo nextest --version >/dev/null 2>&1; then
        if [[ -n ${CI-} ]]; then profile=ci; fi
        cargo nextest run --workspace --locked --profile "$profile"
        return
    fi
    echo "cargo-nextest is not installed: running cargo test"
    log=$(mktemp)
    cargo test --workspace --locked --no-fail-fast --lib --bins --tests 2>&1 | tee "$log" || status=$?
    awk '/^test result:/ { passed += $4; failed += $6 } END { printf "%d passed, %d failed\n", passed, failed }' "$log"
    rm -f "$log"
    return "$status"
}

# The environment of the caller is not part of the test.
for name in DATABASE_URL "${!PG@}" "${!SETTINGS_@}" "${!AUTH0_@}" "${!STRIPE_@}" "${!SLACK_@}" "${!AWS_@}"; do
    [[ $name == SETTINGS_TEST_PG_BIN ]] || unset "$name"
done

mapfile -t packages < <(missing_packages && { ! $browser || missing_browser_packages; })
install_packages "${packages[@]}"
if ! cargo clippy --version >/dev/null 2>&1 || ! cargo fmt --version >/dev/null 2>&1; then
    rustup component add clippy rustfmt
fi
target=$(cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')

step "format" cargo fmt --all --check
$fast || step "lints" cargo clippy --workspace --locked --all-targets -- -D warnings
# Cedar is a feature, so that a build of the workspace is a build of what ships (crates/settings-policy-drt/Cargo.toml).
$fast || step "lints of the policy's peers" cargo clippy --package settings-policy-drt --locked --all-targets --all-features -- -D warnings
step "forbidden dependencies" forbidden_crates
step "build" cargo build --workspace --locked --lib --bins --tests
[[ " ${failed[*]-} " != *" build "* ]] || finish
step "generated files" scripts/gen.sh --check
# Apart from the tests, whose time is limited: the first run takes minutes for this.
step "programs that tests talk to" "$target/debug/install-peers"
[[ " ${failed[*]-} " != *" programs that tests talk to "* ]] || finish
printf '\n==> throw-away Postgres\n'
start_postgres
$fast || step "examples in the documentation" cargo test --workspace --locked --doc
step "tests" run_tests
step "the policy against Cedar" cargo test --package settings-policy-drt --locked --features cedar --tests
# With what was built above: a build of the programs alone would choose other features, and take minutes.
if $browser; then
    step "browser" scripts/browser-test.sh --built
else
    printf '\n==> browser: left out, as asked\n'
fi
finish
