#!/bin/sh
# Builds the image twice and compares the bytes: the second time in other folders, with another umask, time zone, locale, host name, hash
# seed and number of threads, and from the checkout at another path. Needs root and twice the time of a build.
set -eu
cd "$(dirname "$0")/.."
. image/settings.sh
[ "$(id -u)" = 0 ] || stop 'needs root, since it makes root file systems: sudo make image-verify'
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
mkdir -p "$place/first" "$place/another folder of a longer name/checkout" "$place/second"

IMAGE_WORK=$place/first/work IMAGE_INPUTS=$inputs IMAGE_OUT=$place/first/out sh image/build.sh >/dev/null
say 'built once; now once more, elsewhere and otherwise'
# shellcheck disable=SC2016 # the inner shell's variables
unshare --uts --mount sh -c '
    hostname another-machine
    mount --bind "$0" "$1/another folder of a longer name/checkout"
    cd "$1/another folder of a longer name/checkout"
    umask 077
    exec env TZ=Pacific/Chatham LC_ALL=C.UTF-8 LANG=C.UTF-8 PYTHONHASHSEED=4711 HOME=/ IMAGE_JOBS=1 \
        IMAGE_WORK="$1/second/work" IMAGE_INPUTS="$2" IMAGE_OUT="$1/second/out" sh image/build.sh' "$PWD" "$place" "$inputs" >/dev/null

cmp "$place/first/out/ceremony-machine.iso" "$place/second/out/ceremony-machine.iso" || stop 'the two builds differ'
mkdir -p "$out"
cp "$place"/first/out/* "$out/"
say 'two builds, the same bytes'
cat "$out/ceremony-machine.digests"
