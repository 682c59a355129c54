# Conveniences over plain commands: nothing needs just.

# lists the recipes
default:
    @just --list

# the service on http://127.0.0.1:8080
run *arguments:
    cargo run -- {{ arguments }}

# everything that has to hold before a merge
test:
    scripts/test.sh

# the same without clippy, the documentation's examples and the browser
fast:
    scripts/test.sh --fast

# the console in Chromium alone: just browser --only SQLite
browser *arguments:
    scripts/browser-test.sh {{ arguments }}

# clippy, with warnings as errors
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# formats the code
fmt:
    cargo fmt --all

# writes the generated files
gen:
    scripts/gen.sh

# the benchmarks
bench *arguments:
    cargo bench --workspace --benches -- {{ arguments }}

# looks for a request on which the policy and its second version in Cedar differ
drt *arguments:
    cargo drt {{ arguments }}

# breaks the policy in one place after another; a test has to fail each time
mutants *arguments:
    scripts/mutants.sh {{ arguments }}

# a throw-away Postgres until Ctrl-D; prints the line to export
postgres *arguments:
    cargo run --quiet --package settings-testkit --bin throwaway-postgres -- {{ arguments }}

# licences, bans, sources and advisories (needs cargo-deny)
deny:
    cargo deny check

# Plants every fault of one line in the Cedar policies and sees that it is noticed: minutes
drt-planted:
    cargo test --package settings-policy-drt --release --features cedar --test it -- --ignored
