#!/bin/sh
# Makes wheelhouse/ (or the folder given): all that the air-gapped machine installs, and how; for this machine's platform, and its Python version or FOR_PYTHON.
# There: sh wheelhouse/install.sh FOLDER (docs/supply-chain.md has the plain commands too).
set -eu
case ${1:-} in "" | /*) into=${1:-} ;; *) into=$PWD/$1 ;; esac
cd "$(dirname "$0")/.."
into=${into:-$PWD/wheelhouse}
version=${FOR_PYTHON:-$(python -c 'import sys; print(*sys.version_info[:2], sep=".")')}
sh requirements/dist.sh
rm -rf "$into"
mkdir "$into"
for pins in offline installer; do
    python -m pip download -q --require-hashes --only-binary :all: --python-version "$version" --dest "$into" -r requirements/$pins.txt
done
cp dist/*.whl "$into"
cp requirements/install_offline.sh "$into/install.sh"
cp requirements/offline.txt "$into/requirements.txt"
make_sbom=$PWD/requirements/make_sbom.py
cd "$into"
ours=$(ls root_ceremony-*.whl)
# By its path and not by its name: then pip notes the wheel's digest, which the program tells and records.
printf './%s --hash=sha256:%s\n' "$ours" "$(sha256sum <"$ours" | cut -d' ' -f1)" >>requirements.txt
python "$make_sbom" . >sbom.cdx.json
sha256sum -- * >SHA256SUMS
# shellcheck disable=SC2012 # names of wheels
echo "$into: $(ls ./*.whl | wc -l) wheels, $(du -sh . | cut -f1), for $(uname -sm) and Python $version."
echo "On paper, to compare before it is installed: sha256sum SHA256SUMS"
sha256sum SHA256SUMS
