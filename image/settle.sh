#!/bin/sh
# Brings a root file system into the one state that does not hang on where and when it was made, and takes out what has no business in it.
set -eu
root=$(realpath "$1")
cd "$(dirname "$0")/.."
. image/settings.sh

echo ceremony-machine >"$root/etc/hostname"
printf '127.0.0.1 localhost ceremony-machine\n' >"$root/etc/hosts"
for file in machine-id resolv.conf fstab motd; do
    : >"$root/etc/$file"
done
ln -sf /usr/share/zoneinfo/UTC "$root/etc/localtime"
echo Etc/UTC >"$root/etc/timezone"
for user in ceremony:1000 pcscd:998; do
    name=${user%:*} number=${user#*:}
    echo "$name:x:$number:$number::/run/$name:/usr/sbin/nologin" >>"$root/etc/passwd"
    echo "$name:x:$number:" >>"$root/etc/group"
    echo "$name:!:20000::::::" >>"$root/etc/shadow"
done

cd "$root/usr/lib/ceremony-machine/../../.." # stops where this is no root of ours
rm -rf ./var/lib/apt ./var/lib/dpkg ./var/lib/ucf ./var/cache ./var/log ./var/backups ./var/mail ./etc/apt ./etc/init.d ./etc/rc?.d ./etc/cron* \
    ./etc/sv ./usr/lib/systemd/system ./etc/systemd ./usr/share/doc ./usr/share/man ./usr/share/info ./usr/share/locale ./usr/share/lintian \
    ./usr/share/bug ./usr/share/polkit-1 ./usr/share/initramfs-tools ./usr/share/bash-completion ./usr/share/zsh ./etc/ld.so.cache ./etc/*- \
    ./etc/.pwd.lock ./root ./tmp ./var/tmp ./run ./dev ./boot/* ./media
mkdir -m 700 ./root
mkdir -m 755 ./dev ./run ./media ./var/log ./var/cache
mkdir -m 1777 ./tmp ./var/tmp
chroot "$root" /usr/sbin/ldconfig -X
rm -rf "$root/var/cache/ldconfig"
# PID 1 is root, and nothing else can become it.
find "$root" -xdev -type f -perm /6000 -exec chmod a-s {} +

# Byte code in a fixed order, never compared with its source again: the files can't change.
find "$root" -xdev -name __pycache__ -prune -exec rm -rf {} +
find "$root" -xdev -name '*.pyc' -delete
(cd "$root" && find usr/lib/python3* opt usr/lib/ceremony-machine -name '*.py' ! -path '*/test/*' ! -path '*/tests/*' | sort | sed 's,^,/,') >"$root/tmp/sources"
chroot "$root" env -i PATH=/usr/bin PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 python3 -S -c '
import py_compile
for source in open("/tmp/sources").read().splitlines():
    try:
        py_compile.compile(source, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    except py_compile.PyCompileError:
        pass  # a template, or for another Python: nobody imports it
'
rm "$root/tmp/sources"

# No library may be missing: what was unpacked without its dependencies must have them all the same.
missing=$(chroot "$root" env -i PATH=/usr/bin:/usr/sbin sh -c '
    ldd /usr/sbin/pcscd /usr/lib/pcsc/drivers/ifd-ccid.bundle/Contents/Linux/libccid.so /usr/lib/systemd/systemd-udevd /usr/bin/udevadm \
        /usr/bin/opensc-tool /usr/lib/softhsm/libsofthsm2.so /usr/bin/mount' | grep 'not found' || true)
[ -z "$missing" ] || stop "libraries are missing: $missing"
