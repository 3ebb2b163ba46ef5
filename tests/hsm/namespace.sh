#!/bin/sh
# Runs a command where opencryptoki finds what it has fixed in its code, without changing the machine: in namespaces of its own, with
# /etc/opencryptoki, /etc/group, /var/lib/opencryptoki, /var/lock, /var/run, /usr/sbin/pkcsslotd and the group pkcs11 made up.
# Usage: unshare --user --map-root-user --mount --ipc --pid --fork --kill-child --mount-proc sh namespace.sh DEBS FOLDER COMMAND...
set -eu
debs=$1 made=$2
shift 2

# A folder that shows what another has, and can be added to: links, since the real ones may not be written to.
stand_in() {
    mkdir -p "$made/real$1" "$made/new$1"
    mount --bind "$1" "$made/real$1"
    for entry in "$made/real$1"/* "$made/real$1"/.[!.]*; do
        [ ! -e "$entry" ] && [ ! -L "$entry" ] || ln -s "$entry" "$made/new$1/"
    done
}

stand_in /etc
stand_in /var
stand_in /usr/sbin

rm -rf "$made/new/etc/group" "$made/new/etc/opencryptoki"
{ grep -v '^pkcs11:' /etc/group; echo 'pkcs11:x:0:root'; } >"$made/new/etc/group"
mkdir "$made/new/etc/opencryptoki"
printf 'version opencryptoki-3.1\nslot 0\n{\nstdll = libpkcs11_sw.so\n}\n' >"$made/new/etc/opencryptoki/opencryptoki.conf"

for name in lib lock run log; do rm "$made/new/var/$name"; done
mkdir "$made/new/var/lib"
for entry in "$made/real/var/lib"/*; do ln -s "$entry" "$made/new/var/lib/"; done
rm -f "$made/new/var/lib/opencryptoki"
mkdir -p "$made/new/var/lib/opencryptoki/swtok/TOK_OBJ" "$made/new/var/lock/opencryptoki/swtok" \
    "$made/new/var/run" "$made/new/var/log/opencryptoki"
[ -e /usr/sbin/pkcsslotd ] || ln -s "$debs/usr/sbin/pkcsslotd" "$made/new/usr/sbin/pkcsslotd"

mount -t tmpfs tmpfs /dev/shm
for place in /usr/sbin /var /etc; do mount --bind "$made/new$place" "$place"; done
export CEREMONY_TOKENS_NAMESPACE=1
exec "$@"
