#!/bin/sh
# Makes .venv: the pinned Python packages, SoftHSM, and the tools that the tests judge by (openssl, tmux).
# Needs no root and changes nothing outside .venv (and pip's cache): what a Debian or Ubuntu lacks, apt resolves and
# downloads, and this unpacks into .venv/debs. Safe to run again.
set -eu
# Each of these makes Python or pip install or import from elsewhere than .venv.
unset PIP_USER PIP_TARGET PIP_PREFIX PYTHONPATH PYTHONHOME
cd "$(dirname "$0")/.."
. requirements/debs.sh

stop() {
    printf 'install: %s\n' "$1" >&2
    exit 1
}

find_python() {
    for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return
    done
    stop 'needs Python 3.11 or newer (Debian 12, Ubuntu 24.04 and later have it). Type: make setup PYTHON=/path/to/python'
}

# The Debian names of what is not here. SoftHSM's places are those that hsm/softhsm.py looks in.
what_lacks() {
    "$python" -c 'import ensurepip' 2>/dev/null || printf ' python3-pip-whl'
    ls /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so /usr/lib64/softhsm/libsofthsm2.so \
        /usr/lib64/pkcs11/libsofthsm2.so /usr/local/lib/softhsm/libsofthsm2.so /opt/homebrew/lib/softhsm/libsofthsm2.so \
        2>/dev/null | grep -q . || printf ' libsofthsm2'
    for tool in openssl tmux; do
        command -v $tool >/dev/null || printf ' %s' $tool
    done
}

unpack() {
    by_hand="could not get:$*. Install them yourself (as root, on Debian: apt-get install$(printf ' %s' "$@")), then type make again"
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || stop "$by_hand"
    begin_unpacking
    own_apt install --download-only --reinstall --no-install-recommends -y "$@" || stop "$by_hand"
    end_unpacking
}

# An unpacked tool finds its libraries beside it, and must not look for its configuration in the system.
wrap() {
    [ -x "$debs/usr/bin/$1" ] || return 0
    printf '#!/bin/sh\nLD_LIBRARY_PATH=$(echo "%s"/usr/lib/*-linux-gnu) OPENSSL_CONF=/dev/null exec "%s" "$@"\n' \
        "$debs" "$debs/usr/bin/$1" >".venv/bin/$1"
    chmod +x ".venv/bin/$1"
}

get_pip() {
    wheel=$(echo "$debs"/usr/share/python-wheels/pip-*.whl)
    if [ ! -e "$wheel" ]; then
        .venv/bin/python -m ensurepip >/dev/null
        return
    fi
    packages=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    .venv/bin/python -m zipfile -e "$wheel" "$packages"
    # Debian's pip knows no certificate authorities but the system's, and does not start without them.
    if [ ! -e /etc/ssl/certs/ca-certificates.crt ]; then
        cat "$debs"/usr/share/ca-certificates/mozilla/*.crt >.venv/ca.pem
        sed -i "s|/etc/ssl/certs/ca-certificates.crt|$PWD/.venv/ca.pem|" "$packages/pip/_vendor/certifi/core.py"
    fi
}

find_python
rm -rf .venv
"$python" -m venv --without-pip .venv
lacks=$(what_lacks)
# shellcheck disable=SC2086 # a list of words
[ -z "$lacks" ] || unpack $lacks
wrap openssl
wrap tmux
get_pip
for pins in build dev; do
    # Without isolation: what builds a package of source is pinned too, and not fetched unseen.
    .venv/bin/python -m pip install -q --require-hashes --no-build-isolation --use-pep517 -r requirements/$pins.txt ||
        stop "pip could not get the packages of requirements/$pins.txt. Check the network (pip says why above), then type make again"
done
.venv/bin/python -m pip install -q --no-deps --no-build-isolation -e .
