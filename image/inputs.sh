#!/bin/sh
# Packs all inputs of the image into one file, or takes them out of one: sh image/inputs.sh [FROM.tar]. Keep it with the release: mirrors forget.
set -eu
from=${1:+$(realpath "$1")}
cd "$(dirname "$0")/.."
. image/settings.sh
mkdir -p "$inputs" "$out" "$work"
if [ -n "$from" ]; then
    # Whatever else is in the file stays out; what comes in is held against the locks, as from everywhere.
    tar -x -f "$from" -C "$inputs" --no-same-owner --no-same-permissions --wildcards 'debs/*.deb' 'wheels/*.whl'
    python image/locks.py check "$inputs"
    say "all inputs are here, as locked, from $from"
    exit 0
fi
sh image/fetch.sh
packed=$out/ceremony-machine-inputs.tar
{
    awk '/^[0-9a-f]/ { print "debs/" $1 ".deb" }' image/debs.lock
    awk '{ print "wheels/" $2 }' image/wheels.lock
} | sort -u >"$work/inputs.list"
# GNU's format, since the name of a wheel may have more than 100 characters.
tar -c -f "$packed.partial" -C "$inputs" --owner=0 --group=0 --numeric-owner --mode=644 --mtime="@$epoch" --format=gnu -T "$work/inputs.list"
mv "$packed.partial" "$packed"
say "packed: $packed, $(du -h "$packed" | cut -f1)"
sha256sum "$packed"
