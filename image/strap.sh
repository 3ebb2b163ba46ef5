# shellcheck shell=sh disable=SC2034,SC2154 # what is read here is used by those that read it, and the reverse
# Read by tools.sh and root.sh: a root file system of one set of locked packages, unpacked and set up by mmdebstrap from local files alone.
strap() {
    set=$1 into=$2
    rm -rf --one-file-system "$into" # a build that was broken off may have left mounts in it
    python image/locks.py repository "$inputs" "$set" "$work/repository-$set"
    include=$(packages_of "$set" | tr '\n' ',')
    # A flat repository has no suite, hence the empty one. Its hashes were checked against the lock, which is what is trusted.
    mmdebstrap --quiet --mode=root --variant=essential --include="${include%,}" --skip=check/qemu \
        --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/bug/*' \
        --dpkgopt='path-exclude=/usr/share/lintian/*' \
        '' "$into" "deb [trusted=yes] copy:$work/repository-$set ./" >&2
}
