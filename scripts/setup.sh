#!/bin/sh
# Install what is missing: system packages (as root, with apt-get), then the Python parts of requirements-dev.lock into .venv.
# Quick when there is nothing to do. `--system`: only the system packages. Which Python: the system's, 3.11 or later; PYTHON names another.
set -eu

cd "$(dirname "$0")/.."
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
LOCK=requirements-dev.lock
STAMP=.venv/latticewall-setup
BACKPORTS_FILE=/etc/apt/sources.list.d/latticewall-backports.sources
POLICY=/usr/sbin/policy-rc.d
only_system=no
[ "${1:-}" = --system ] && only_system=yes

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# -- Python ------------------------------------------------------------------------------------------------------------------------------

# usable PYTHON: it is 3.11 or later and can make virtual environments
usable() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    for candidate in ${PYTHON:+"$PYTHON"} /usr/bin/python3 /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11 python3.13 python3.12 python3.11 python3; do
        if has "$candidate" && usable "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
}

# the packages that give a usable Python on this release
python_packages() {
    if recent /usr/bin/python3; then
        echo "python3 python3-venv"
    else
        echo "python3.11 python3.11-venv"
    fi
}

# -- system packages ---------------------------------------------------------------------------------------------------------------------

suricata_is_recent() { has suricata && [ "$(suricata -V 2>/dev/null | sed -n 's/.*version \([0-9]*\)\..*/\1/p')" -ge 7 ] 2>/dev/null; }

missing_packages() {
    has nft || echo nftables
    has iptables-nft || echo iptables
    has ip || echo iproute2
    has curl || echo curl
    has openssl || echo openssl
    has redis-server || echo redis-server
    has redis-cli || echo redis-tools
    suricata_is_recent || echo suricata
    [ -n "$(find_python)" ] || python_packages | tr ' ' '\n'
}

# the newest Suricata that the enabled archives offer, as its major number; 0 for none
offered_suricata() {
    apt-cache madison suricata 2>/dev/null | sed -n 's/^[^|]*| *\([0-9][0-9]*:\)\{0,1\}\([0-9]*\)\..*/\2/p' | sort -rn | head -n 1 | grep . || echo 0
}

# The suite's backports, at the address that this machine's own apt configuration has for the suite itself.
enable_backports() {
    suite="$1-backports"
    if apt-get indextargets --format '$(RELEASE)' 'Created-By: Packages' 2>/dev/null | grep -qx "$suite"; then
        return
    fi
    target=$(apt-get indextargets --format '$(REPO_URI)|$(SOURCESENTRY)' 'Created-By: Packages' "Release: $1" 'Component: main' | head -n 1)
    [ -n "$target" ] || fail "suricata 7 is needed, and no archive of $1 is configured whose backports could be enabled: install suricata 7 by hand"
    entry=${target#*|}
    keyring=$(sed -n 's/^Signed-By: *\(\/[^ ]*\)$/\1/p; s/.*signed-by=\(\/[^] ,]*\).*/\1/p' "${entry%:*}" 2>/dev/null | head -n 1)
    say "enabling $suite in $BACKPORTS_FILE, for suricata"
    {
        printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "${target%%|*}" "$suite"
        [ -z "$keyring" ] || printf 'Signed-By: %s\n' "$keyring"
    } >"$BACKPORTS_FILE"
    apt-get update -qq
}

# Daemons that come with a package must not run here because of us: not now (policy-rc.d), and not at the next boot.
forbid_starts() {
    [ -e "$POLICY" ] && return
    printf '#!/bin/sh\nexit 101\n' >"$POLICY"
    chmod 755 "$POLICY"
    trap 'rm -f "$POLICY"' EXIT
    trap 'exit 130' INT TERM
}

disable_service() {
    if has systemctl; then
        systemctl disable --now "$1.service" >/dev/null 2>&1 || true
    else
        update-rc.d "$1" disable >/dev/null 2>&1 || true
    fi
}

apt_install() { apt-get install -qq -y --no-install-recommends "$@" >/dev/null || fail "apt-get could not install $*: its words are above"; }

# what to do where the release has no Suricata 7: an archive of its makers is enabled by the user only, never by us
foreign_suricata() {
    case $1 in
    ubuntu) printf '%s' "run \`sudo add-apt-repository ppa:oisf/suricata-7.0\` (in the package software-properties-common), " ;;
    *) printf '%s' "install it by hand, " ;;
    esac
}

# Suricata 7, from the release itself or, on Debian, from its backports
install_suricata() {
    had_suricata=no
    ! has suricata || had_suricata=yes
    if [ "$(offered_suricata)" -lt 7 ]; then
        system=$(. /etc/os-release && echo "$ID")
        release=$(. /etc/os-release && echo "$PRETTY_NAME")
        codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
        [ "$system" != debian ] || enable_backports "$codename"
        [ "$(offered_suricata)" -ge 7 ] || fail "suricata 7 is needed and $release does not offer it: $(foreign_suricata "$system")then run this again"
    fi
    suite=$(apt-cache madison suricata | awk -F'|' '$2 ~ /(^| |:)([7-9]|[1-9][0-9])\./ { split($3, words, " "); split(words[2], suite, "/"); print suite[1]; exit }')
    apt_install -t "$suite" suricata
    # an older one that was here before may be somebody's service: it stays one
    [ "$had_suricata" = yes ] || disable_service suricata
}

install_packages() {
    say "installing $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || say "apt-get update failed: going on with the package lists that are there"
    forbid_starts
    others=
    for package in "$@"; do
        [ "$package" = suricata ] || others="$others $package"
    done
    if [ -n "$others" ]; then
        # shellcheck disable=SC2086 # one word is one package
        apt_install $others
        case " $* " in *" redis-server "*) disable_service redis-server ;; esac
    fi
    case " $* " in *" suricata "*) install_suricata ;; esac
}

ensure_system() {
    missing=$(missing_packages | tr '\n' ' ' | sed 's/ *$//')
    [ -n "$missing" ] || return 0
    if ! has apt-get; then
        fail "missing: $missing: install them with this system's package tool (suricata 7 or later), then run this again"
    fi
    if [ "$(id -u)" != 0 ]; then
        fail "missing: $missing: run \`sudo $PWD/scripts/setup.sh --system\`, then this again"
    fi
    # shellcheck disable=SC2086 # one word is one package
    install_packages $missing
    still=$(missing_packages | tr '\n' ' ')
    [ -z "$still" ] || fail "still missing after installation: $still"
}

# clients of tests that are skipped without them: installed where that costs nothing but a moment
ensure_clients() {
    [ "$(id -u)" = 0 ] && has apt-get || return 0
    clients=
    has h2load || clients=nghttp2-client
    [ -x /usr/bin/aws ] || ! apt-cache madison awscli 2>/dev/null | grep -q '| *2\.' || clients="$clients awscli"
    [ -n "$clients" ] || return 0
    say "installing" $clients
    # shellcheck disable=SC2086 # one word is one package
    DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=0 -o Acquire::http::Timeout=10 install -qq -y --no-install-recommends $clients >/dev/null ||
        say "going on without"
}

# -- Python packages ---------------------------------------------------------------------------------------------------------------------

pip_install() { .venv/bin/python -m pip install -qq --disable-pip-version-check --no-input "$@" || fail "pip could not do its part: its words are above"; }

# what the environment was made from: when one of these changes, it is brought up to date
wanted_stamp() {
    { cat "$LOCK" pyproject.toml && echo "$PWD"; } | sha256sum | cut -d ' ' -f 1
}

ensure_python() {
    wanted=$(wanted_stamp)
    if [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$wanted" ] && .venv/bin/python -c 'import latticewall' >/dev/null 2>&1; then
        return
    fi
    python=$(find_python)
    [ -n "$python" ] || fail "Python 3.11 or later with venv is needed: run \`sudo apt-get install $(python_packages)\`, then this again"
    if [ ! -x .venv/bin/python ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        say "making .venv with $python"
        "$python" -m venv --clear .venv || fail "$python could not make .venv: its words are above"
    fi
    say "installing $LOCK into .venv"
    pip_install --require-hashes -r "$LOCK"
    pip_install --no-deps --no-build-isolation -e .
    echo "$wanted" >"$STAMP"
}

[ "$(uname -s)" = Linux ] || fail "latticewall runs on Linux, and this is $(uname -s): use a Linux machine, virtual or not"
[ -z "${PYTHON:-}" ] || usable "$PYTHON" || fail "PYTHON=$PYTHON is no Python 3.11 or later with venv: name another, or none for the system's"
ensure_system
ensure_clients
[ "$only_system" = yes ] || ensure_python
