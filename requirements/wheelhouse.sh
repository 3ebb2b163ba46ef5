#!/bin/sh
# Makes wheelhouse/: everything that the air-gapped machine installs, for this machine's platform and Python version.
# There: python3 -m venv V && V/bin/pip install --no-index --find-links wheelhouse --require-hashes -r wheelhouse/requirements.txt
set -eu
cd "$(dirname "$0")/.."
version=$(hatchling version)
rm -rf wheelhouse
mkdir wheelhouse
python -m pip download -q --require-hashes --only-binary :all: --dest wheelhouse -r requirements/offline.txt
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)} hatchling build -t wheel -d "$PWD/wheelhouse" >/dev/null 2>&1
cd wheelhouse
cp ../requirements/offline.txt requirements.txt
printf 'root-ceremony==%s --hash=sha256:%s\n' "$version" "$(sha256sum <"root_ceremony-$version-py3-none-any.whl" | cut -d' ' -f1)" >>requirements.txt
sha256sum -- * >SHA256SUMS
echo "wheelhouse/: $(ls ./*.whl | wc -l) wheels, $(du -sh . | cut -f1). Check there with: sha256sum -c SHA256SUMS"
