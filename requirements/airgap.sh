#!/bin/sh
# The installation without a network, tried: wheelhouse/ is made, copied away, and installed into a new folder in a namespace that has no
# interface but the loopback, where this checkout and its .venv are hidden. There the installed program rehearses a whole ceremony, with the
# machine check looking at that namespace, and its bundle is verified. SoftHSM stands for the token's module; it comes from this machine.
# AIRGAP_PYTHON=/path/to/python3 takes another Python than the one of .venv.
set -eu
cd "$(dirname "$0")/.."
python=${AIRGAP_PYTHON:-$(python -c 'import os, sys; print(os.path.join(sys.base_prefix, "bin", "python3"))')}
FOR_PYTHON=$("$python" -c 'import sys; print(*sys.version_info[:2], sep=".")') sh requirements/wheelhouse.sh

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
mkdir "$place/work"
cp -r wheelhouse requirements/airgap_inside.sh "$place"
# SoftHSM out of unpacked packages is looked for beside the program.
[ ! -d .venv/debs ] || cp -r .venv/debs "$place/debs"

unshare --map-root-user --net --mount true 2>/dev/null || {
    echo "airgap: this machine makes no namespaces for $(id -un) (unshare --map-root-user --net --mount)" >&2
    exit 1
}
env -i PYTHON="$python" PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME="$place/work" CHECKOUT="$PWD" \
    unshare --map-root-user --net --mount sh "$place/airgap_inside.sh" "$place"
