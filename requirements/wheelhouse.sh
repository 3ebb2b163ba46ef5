#!/bin/sh
# Makes wheelhouse/: all that the air-gapped machine installs, and how; for this machine's platform, and its Python version or FOR_PYTHON.
# There: sh wheelhouse/install.sh FOLDER (docs/supply-chain.md has the plain commands too).
set -eu
cd "$(dirname "$0")/.."
version=${FOR_PYTHON:-$(python -c 'import sys; print(*sys.version_info[:2], sep=".")')}
sh requirements/dist.sh
rm -rf wheelhouse
mkdir wheelhouse
for pins in offline installer; do
    python -m pip download -q --require-hashes --only-binary :all: --python-version "$version" --dest wheelhouse -r requirements/$pins.txt
done
cp dist/*.whl requirements/install_offline.sh wheelhouse
cd wheelhouse
mv install_offline.sh install.sh
ours=$(ls root_ceremony-*.whl)
cp ../requirements/offline.txt requirements.txt
# By its path and not by its name: then pip notes the wheel's digest, which the program tells and records.
printf './%s --hash=sha256:%s\n' "$ours" "$(sha256sum <"$ours" | cut -d' ' -f1)" >>requirements.txt
python ../requirements/make_sbom.py . >sbom.cdx.json
sha256sum -- * >SHA256SUMS
echo "wheelhouse/: $(ls ./*.whl | wc -l) wheels, $(du -sh . | cut -f1), for $(uname -sm) and Python $version."
echo "On paper, to compare before it is installed: sha256sum SHA256SUMS"
sha256sum SHA256SUMS
