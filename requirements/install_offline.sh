#!/bin/sh
# Installs the ceremony program into a new folder, from this folder alone: no network, every file by its hash.
#   sh install.sh FOLDER        then FOLDER/bin/ceremony
# First compare `sha256sum SHA256SUMS` with the paper: what checks itself proves nothing.
set -eu
# Each of these makes Python or pip install or import from elsewhere than here.
unset PIP_USER PIP_TARGET PIP_PREFIX PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_CONFIG_FILE PYTHONPATH PYTHONHOME

stop() {
    printf 'install: %s\n' "$1" >&2
    exit 1
}

[ $# -eq 1 ] || stop 'one folder, please: sh install.sh FOLDER'
case $1 in /*) into=$1 ;; *) into=$PWD/$1 ;; esac
[ ! -e "$into" ] || stop "$into is there already; give a new folder"
cd "$(dirname "$0")"

sha256sum --strict --quiet -c SHA256SUMS || stop 'a file is missing or is not as SHA256SUMS says; nothing was installed'
for file in * .[!.]*; do
    [ -e "$file" ] && [ "$file" != SHA256SUMS ] || continue
    grep -qxF "$(sha256sum -- "$file")" SHA256SUMS || stop "$file does not stand in SHA256SUMS; nothing was installed"
done

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || stop "needs Python 3.11 or newer: PYTHON=/path/to/python3 sh install.sh FOLDER"
# Without pip: the one of this folder does it, from its wheel, and is not there afterwards.
"$python" -m venv --without-pip "$into"
"$into/bin/python" -I "$(echo pip-*.whl)/pip" --isolated --disable-pip-version-check install -q --no-cache-dir \
    --no-index --find-links . --only-binary :all: --require-hashes -r requirements.txt ||
    { rm -rf "$into"; stop 'pip could not install (it says why above). The wheels are for one platform and one Python version'; }
"$into/bin/ceremony" --version
