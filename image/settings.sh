# shellcheck shell=sh disable=SC2034,SC2154 # what is read here is used by those that read it, and the reverse
# Read by the scripts of image/, from the checkout's top: what is built, from where, and into which folders.
# IMAGE_WORK, IMAGE_INPUTS and IMAGE_OUT name other folders than those below .image/, which git does not see.
suite=trixie
python_version=3.13
inputs=${IMAGE_INPUTS:-$PWD/.image/inputs}
work=${IMAGE_WORK:-$PWD/.image/work}
out=${IMAGE_OUT:-$PWD/.image/out}

# The time that every file of the image bears, in seconds since 1970: fixed when the inputs are locked.
epoch=$(sed -n 's/^# epoch \([0-9]*\)$/\1/p' image/debs.lock 2>/dev/null || true)

umask 022
export LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH="$epoch"
unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_USER

stop() {
    printf 'image: %s\n' "$1" >&2
    exit 1
}

say() {
    printf 'image: %s\n' "$1" >&2
}

# The packages of a set of image/debs.list, a word each.
packages_of() {
    awk -v wanted="$1" '$1 == wanted { print $2 }' image/debs.list
}
