#!/usr/bin/env bash
# The console in a real browser, against the real program, on SQLite and on Postgres. Installs what is missing, starts
# everything itself on free ports, and ends it. The exit status is 1 if anything failed; nothing is skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'HELP'
usage: scripts/browser-test.sh [--pictures FOLDER]

  --pictures FOLDER   where pictures of every screen go (default: target/console-pictures)
  --help              this text
HELP
}

pictures=
while (($# > 0)); do
    case $1 in
        --pictures) pictures=${2:?--pictures wants a folder} && shift 2 ;;
        --help | -h) usage && exit 0 ;;
        *) echo "unknown argument: $1" >&2 && usage >&2 && exit 2 ;;
    esac
done

# What the machine lacks, as Debian packages.
missing_packages() {
    [[ -n ${CHROMIUM:-} ]] || command -v chromium >/dev/null || echo chromium
    command -v node >/dev/null || echo nodejs
    command -v npm >/dev/null || echo npm
    command -v psql >/dev/null || echo postgresql-client
    command -v python3 >/dev/null || echo python3
}

mapfile -t packages < <(missing_packages)
if ((${#packages[@]} > 0)); then
    if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
        echo "error: these Debian packages, or what they are called here, have to be installed first: ${packages[*]}" >&2
        exit 2
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -qq -y --no-install-recommends "${packages[@]}" fonts-inter fonts-jetbrains-mono >/dev/null
fi

cargo build --locked -p settings-http -p settings-testkit --bins
target=$(cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
(cd tests/browser && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error)

# A Postgres of its own, which ends with this script, however it ends: it serves until its input closes.
coproc POSTGRES { exec "$target/debug/throwaway-postgres" --tcp; }
url=
while IFS= read -r line <&"${POSTGRES[0]}"; do
    if [[ $line == DATABASE_URL=* ]]; then
        url=${line#DATABASE_URL=} && url=${url//\'/}
        break
    fi
done
[[ -n $url ]] || { echo "error: the throw-away Postgres did not start" >&2 && exit 1; }

BINARY=$target/debug/settings-http POSTGRES=$url PICTURES=${pictures:-$target/console-pictures} node tests/browser/test.mjs
