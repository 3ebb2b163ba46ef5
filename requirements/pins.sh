#!/bin/sh
# Pins what pyproject.toml asks for, with hashes, for every platform and Python that the project knows. No address goes into the files.
set -eu
cd "$(dirname "$0")/.."

pin() {
    into=requirements/$1.txt
    shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
        "$@" --output-file "$into"
}

pin build --group build
pin installer --group installer
pin fuzz --group fuzz
pin offline pyproject.toml
pin online --extra online pyproject.toml
pin adr --extra online --extra adr pyproject.toml
pin device --extra device pyproject.toml
pin dev --extra online --extra adr --extra device --extra dev pyproject.toml
