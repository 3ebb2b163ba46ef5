#!/bin/sh
# Builds the image out of the locked inputs: $out/ceremony-machine.iso. Needs root (chroot), mmdebstrap and dpkg; the network only for missing inputs.
set -eu
cd "$(dirname "$0")/.."
. image/settings.sh
[ "$(id -u)" = 0 ] || stop 'needs root, since it makes root file systems: sudo make image'
for needed in mmdebstrap dpkg-deb chroot apt-get; do
    command -v "$needed" >/dev/null || stop "needs $needed: apt-get install mmdebstrap"
done
mkdir -p "$work" "$out"
sh image/fetch.sh
PIP_NO_INDEX=1 PIP_FIND_LINKS=$inputs/wheels FOR_PYTHON=$python_version sh requirements/wheelhouse.sh "$work/wheelhouse"
sh image/tools.sh
sh image/root.sh
sh image/iso.sh
