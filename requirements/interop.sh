#!/bin/sh
# Brings the other software tokens into .venv/debs, for `make interop`: opencryptoki, NSS, tpm2-pkcs11 with a software TPM, p11-kit.
# Needs no root and changes nothing outside .venv. Only what is not installed is fetched. Safe to run again.
set -eu
cd "$(dirname "$0")/.."
. requirements/debs.sh

wanted='opencryptoki libnss3 libnss3-tools libtpm2-pkcs11-1 swtpm libtss2-tcti-swtpm0 p11-kit p11-kit-modules'

[ ! -e .venv/interop ] || exit 0
command -v apt-get >/dev/null && command -v dpkg >/dev/null || {
    echo "interop: needs Debian's apt and dpkg to get: $wanted" >&2
    exit 1
}
begin_unpacking
# What would be installed anew; what would only be upgraded is here already. udev's packages bring rules for devices that are not here.
# shellcheck disable=SC2086 # a list of words
new=$(own_apt install -s --no-install-recommends -y $wanted | sed -n 's/^Inst \([^ ]*\) (.*/\1/p' | grep -v udev)
# shellcheck disable=SC2086 # a list of words
[ -z "$new" ] || (cd "$debs/cache/archives" && own_apt download $new)
versions=$(for deb in "$debs"/cache/archives/*.deb; do [ ! -e "$deb" ] || dpkg-deb -W --showformat='${Package} ${Version}\n' "$deb"; done)
end_unpacking
printf '%s\n' "$versions" >.venv/interop
