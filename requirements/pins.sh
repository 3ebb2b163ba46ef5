#!/bin/sh
# Pins what pyproject.toml asks for, with hashes, for every platform and Python that the project knows. No address goes into the files.
set -eu
cd "$(dirname "$0")/.."

pin() {
    into=requirements/$1.txt
    shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
        "$@" pyproject.toml --output-file "$into"
}

pin offline
pin online --extra online
pin dev --extra online --extra dev
