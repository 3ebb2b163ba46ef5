#!/bin/sh
# Brings what the locks name and is not here yet into .image/inputs, from any mirror and any index: the hash decides. Then all of it is checked.
set -eu
cd "$(dirname "$0")/.."
. image/settings.sh
. image/apt.sh
mkdir -p "$inputs/debs" "$inputs/wheels" "$work"

wanted=$(python image/locks.py wanted "$inputs")
if [ -n "$wanted" ]; then
    begin_apt
    own_apt apt-get update || true # what can't be had is told by its name below
    rm -rf "$work/downloads"
    mkdir -p "$work/downloads"
    # Only what the mirror still has: apt would refuse all for the sake of one.
    printf '%s\n' "$wanted" >"$work/wanted.list"
    # shellcheck disable=SC2046 # a list of words
    there=$(own_apt apt-cache madison $(cut -d= -f1 "$work/wanted.list") | sed 's/^ *\([^ ]*\) *| *\([^ ]*\) .*/\1=\2/' |
        sort -u | grep -Fx -f "$work/wanted.list" || true)
    # shellcheck disable=SC2086 # a list of words
    [ -z "$there" ] || (cd "$work/downloads" && own_apt apt-get download $there)
    for deb in "$work"/downloads/*.deb; do
        [ ! -e "$deb" ] || mv "$deb" "$inputs/debs/$(sha256sum <"$deb" | cut -d' ' -f1).deb"
    done
fi

python image/locks.py wheels "$inputs" >"$work/wheels.txt"
while read -r requirement; do
    [ -n "$requirement" ] || continue
    printf '%s\n' "$requirement" >"$work/wheel.txt"
    # One at a time, so that one that is gone does not keep the others out.
    python -m pip download -q --no-deps --require-hashes --only-binary :all: --python-version "$python_version" \
        --platform manylinux_2_34_x86_64 --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 \
        --platform manylinux2014_x86_64 --platform any --implementation cp \
        --abi "cp${python_version%.*}${python_version#*.}" --abi abi3 --abi none --dest "$inputs/wheels" -r "$work/wheel.txt" || true
done <"$work/wheels.txt"

python image/locks.py check "$inputs"
say "all inputs are here, as locked: $(grep -c '^[0-9a-f]' image/debs.lock) packages, $(wc -l <image/wheels.lock) wheels"
