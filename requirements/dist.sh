#!/bin/sh
# Makes dist/ (or the new folder given): sdist and wheel, and shows that they are the same bytes when others build them.
# They are built here, and once more from the unpacked sdist: in another folder, with another umask, time zone, locale and hash seed,
# from files of another age. The bytes depend on hatchling (pinned) and on the zlib of Python, which packs them; not on when and where.
set -eu
case ${1:-} in "" | /*) dist=${1:-} ;; *) dist=$PWD/$1 ;; esac
cd "$(dirname "$0")/.."
unset SOURCE_DATE_EPOCH # hatchling's own fixed time is the same for everybody

again=$(mktemp -d)
trap 'rm -rf "$again"' EXIT
if [ -z "$dist" ]; then
    dist=$PWD/dist
    rm -rf dist
fi
mkdir "$dist"
python -m hatchling build -d "$dist" >/dev/null 2>&1 || python -m hatchling build -d "$dist"
version=$(python -m hatchling version)
(
    umask 077
    mkdir -p "$again/another folder/with a longer name"
    cd "$again/another folder/with a longer name"
    tar -xzf "$dist/root_ceremony-$version.tar.gz"
    cd "root_ceremony-$version"
    find . -exec touch -d '2001-02-03 04:05:06 UTC' {} +
    TZ=Pacific/Chatham LC_ALL=C PYTHONHASHSEED=4711 python -m hatchling build -d "$again/dist" >/dev/null 2>&1
)
for made in "root_ceremony-$version.tar.gz" "root_ceremony-$version-py3-none-any.whl"; do
    cmp "$dist/$made" "$again/dist/$made" || {
        echo "dist: $made is not the same when it is built again" >&2
        exit 1
    }
done
cd "$dist"
sha256sum -- * >SHA256SUMS
cat SHA256SUMS
echo "$dist: built twice, the same bytes. $(python -m zipfile -e ./*.whl "$again/wheel" && cat "$again/wheel/ceremony/built.json")"
