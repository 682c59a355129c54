# shellcheck shell=bash
# What the machine lacks, as Debian packages, and how they are installed. Sourced by the scripts beside it.

# Of what the Rust tests and their peers need.
missing_packages() {
    command -v cc >/dev/null || echo build-essential
    [[ -n ${SETTINGS_TEST_PG_BIN:-} ]] || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || echo postgresql
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    command -v node >/dev/null || echo nodejs
    command -v npm >/dev/null || echo npm
}

# Of what the browser test needs besides: it measures pages, so it wants the fonts that they are made for.
missing_browser_packages() {
    [[ -n ${CHROMIUM:-} ]] || command -v chromium >/dev/null || echo chromium
    command -v psql >/dev/null || echo postgresql-client
    compgen -G '/usr/share/fonts/*/inter' >/dev/null || echo fonts-inter
    compgen -G '/usr/share/fonts/*/jetbrains-mono' >/dev/null || echo fonts-jetbrains-mono
}

# install_packages PACKAGE...: as root; otherwise says which they are and ends the script with status 2.
install_packages() {
    (($# > 0)) || return 0
    if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
        echo "error: these Debian packages, or what they are called here, have to be installed first: $*" >&2
        exit 2
    fi
    export DEBIAN_FRONTEND=noninteractive
    local no_cluster=/etc/postgresql-common/createcluster.d/settings-tests.conf status=0
    apt-get update -qq
    if [[ " $* " == *" postgresql "* ]]; then # the package would make a cluster and start it: ask it not to, this once
        apt-get install -qq -y --no-install-recommends postgresql-common
        mkdir -p "${no_cluster%/*}"
        echo 'create_main_cluster = false' >"$no_cluster"
    fi
    apt-get install -qq -y --no-install-recommends "$@" || status=$?
    rm -f "$no_cluster"
    return "$status"
}
