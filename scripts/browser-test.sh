#!/usr/bin/env bash
# The console in a real browser, against the real program, on SQLite and on Postgres. Installs what is missing, starts
# everything itself on free ports, and ends it. The exit status is 1 if anything failed; nothing is skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/packages.sh
source scripts/packages.sh

usage() {
    cat <<'HELP'
usage: scripts/browser-test.sh [--built] [--full] [--jobs N] [--only PATTERN] [--pictures FOLDER]

  --built             with the programs as they lie in the target folder, without building them
  --full              every screen at both widths in both themes; without it, wide in one theme and narrow in the other
  --jobs N            so many parts of it at a time (default: 2)
  --only PATTERN      only the parts whose name fits: screens, Postgres, SQLite, pages, provider, figures
  --pictures FOLDER   where pictures of every screen go (default: target/console-pictures)
  --help              this text
HELP
}

pictures= built= full= jobs=2 only=.
while (($# > 0)); do
    case $1 in
        --pictures) pictures=${2:?--pictures wants a folder} && shift 2 ;;
        --built) built=1 && shift ;;
        --full) full=1 && shift ;;
        --jobs) jobs=${2:?--jobs wants a number} && shift 2 ;;
        --only) only=${2:?--only wants a pattern} && shift 2 ;;
        --help | -h) usage && exit 0 ;;
        *) echo "unknown argument: $1" >&2 && usage >&2 && exit 2 ;;
    esac
done

mapfile -t packages < <(missing_packages && missing_browser_packages)
install_packages "${packages[@]}"

[[ -n $built ]] || cargo build --locked -p settings-http -p settings-testkit --bins
target=$(cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
(cd tests/browser && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error)

# The OpenID provider of the other tests: somebody else's program, at the same pinned version.
mkdir -p "$target/peers/openid-browser"
cp crates/settings-testkit/peers/openid/{package.json,provider.mjs} "$target/peers/openid-browser/"
(cd "$target/peers/openid-browser" && npm install --no-audit --no-fund --no-package-lock --loglevel=error)

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

BINARY=$target/debug/settings-http THROWAWAY=$target/debug/throwaway-postgres PROVIDER=$target/peers/openid-browser/provider.mjs \
    FULL=$full JOBS=$jobs ONLY=$only POSTGRES=$url PICTURES=${pictures:-$target/console-pictures} node tests/browser/test.mjs
