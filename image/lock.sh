#!/bin/sh
# Writes image/debs.lock and image/wheels.lock anew: what the image is built from, by version and SHA-256. Read the diff before it is committed.
# Debian's packages are those of today's mirror, by its signed Release; the wheels are those of requirements/, for the image's Python.
set -eu
cd "$(dirname "$0")/.."
. image/settings.sh
. image/apt.sh
mkdir -p "$work" "$inputs/wheels"
begin_apt
own_apt apt-get update

# One line a package: SHA-256, set, package, version, architecture, path in the pool.
described() {
    # shellcheck disable=SC2046 # a list of words
    own_apt apt-cache show $(cat) | awk -v set="$1" '
        /^$/ { if (f["SHA256"]) print f["SHA256"], set, f["Package"], f["Version"], f["Architecture"], f["Filename"]; delete f; next }
        { key = $1; if (sub(/:$/, "", key)) f[key] = $2 }' | sort -u
}

installed() {
    # shellcheck disable=SC2046 # a list of words
    own_apt apt-get --simulate install '?essential' $(packages_of "$1") |
        sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1=\2/p' | described "$1"
}

candidates() {
    while read -r package; do
        printf '%s=%s\n' "$package" "$(own_apt apt-cache policy "$package" | sed -n 's/^ *Candidate: //p')"
    done | described "$1"
}

{
    printf '# epoch %s\n' "$(date -u -d "$(date -u +%F)" +%s)"
    {
        installed root
        installed tools
        packages_of unpacked | candidates unpacked
        packages_of initramfs | candidates initramfs
        own_apt apt-cache depends --important "$(packages_of kernel)" | sed -n 's/^ *Depends: //p' | head -n 1 | candidates kernel
    } | sort -k 2,3
} >"$work/debs.lock"

rm -rf "$work/wheels"
for pins in offline installer; do
    python -m pip download -q --require-hashes --no-deps --only-binary :all: --dest "$work/wheels" \
        --implementation cp --python-version "$python_version" --abi "cp${python_version%.*}${python_version#*.}" --abi abi3 --abi none \
        --platform manylinux_2_34_x86_64 --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 \
        --platform manylinux2014_x86_64 --platform any -r requirements/$pins.txt
done
(cd "$work/wheels" && sha256sum -- *.whl) | sed 's/  / /' >"$work/wheels.lock"

mv "$work/debs.lock" "$work/wheels.lock" image/
mv "$work"/wheels/*.whl "$inputs/wheels/"
say "locked $(grep -c '^[0-9a-f]' image/debs.lock) packages and $(wc -l <image/wheels.lock) wheels; read the diff: git diff image/*.lock"
