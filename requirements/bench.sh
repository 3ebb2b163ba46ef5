#!/bin/sh
# Brings what `make bench` measures us against into .venv/debs: certtool, pkcs11-tool, OpenSSL's engine for PKCS#11.
# Needs no root and changes nothing outside .venv. Only what is not installed is fetched. Safe to run again.
set -eu
cd "$(dirname "$0")/.."
. requirements/debs.sh

wanted='gnutls-bin opensc libengine-pkcs11-openssl'

[ ! -e .venv/bench ] || exit 0
command -v apt-get >/dev/null && command -v dpkg >/dev/null || {
    echo "bench: without Debian's apt and dpkg these are measured only where they are installed: $wanted" >&2
    exit 0
}
begin_unpacking
# What would be installed anew; what would only be upgraded is here already.
# shellcheck disable=SC2086 # a list of words
new=$(own_apt install -s --no-install-recommends -y $wanted | sed -n 's/^Inst \([^ ]*\) (.*/\1/p')
# shellcheck disable=SC2086 # a list of words
[ -z "$new" ] || (cd "$debs/cache/archives" && own_apt download $new)
end_unpacking
: >.venv/bench
