#!/bin/sh
# Makes the root file system of the image in $work/tools/w/root: Debian's packages, the allowed kernel modules, the program, the menu.
set -eu
cd "$(dirname "$0")/.."
. image/settings.sh
. image/strap.sh
w=$work/tools/w
root=$w/root
tool() {
    chroot "$work/tools" env -i PATH=/usr/sbin:/usr/bin LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH="$epoch" "$@"
}

strap root "$root"
for deb in $(python image/locks.py debs "$inputs" unpacked); do
    dpkg-deb --extract "$deb" "$root"
done

# The kernel: unpacked only, so that nothing of it runs here. Its modules: those of the list, and what these need.
rm -rf "$w/kernel"
dpkg-deb --extract "$(python image/locks.py debs "$inputs" kernel)" "$w/kernel"
modules=$(echo "$w"/kernel/usr/lib/modules/*)
version=${modules##*/}
tool depmod -b /w/kernel/usr "$version" 2>/dev/null || tool depmod -b /w/kernel "$version"
python image/modules.py closure "$modules" >"$w/allowed"
mkdir -p "$root/usr/lib/modules/$version"
(cd "$modules" && xargs cp --parents -t "$root/usr/lib/modules/$version" <"$w/allowed")
cp "$modules/modules.builtin" "$modules/modules.builtin.modinfo" "$modules/modules.order" "$w/allowed" "$root/usr/lib/modules/$version"
tool depmod -b /w/root "$version"

# The program, as it is installed everywhere: by the wheelhouse and its own pip.
cp -r "$work/wheelhouse" "$root/tmp/wheelhouse"
chroot "$root" env -i PATH=/usr/bin LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 SOURCE_DATE_EPOCH="$epoch" HOME=/tmp \
    sh /tmp/wheelhouse/install.sh /opt/ceremony >&2
rm -r "$root/tmp/wheelhouse"

# The machine's own files.
here=$root/usr/lib/ceremony-machine
mkdir -p "$here/image/menu" "$here/keymaps"
cp image/machine/boot "$here/boot"
chmod 755 "$here/boot"
cp image/menu/*.py "$here/image/menu"
: >"$here/image/__init__.py"
grep -v '^#' image/modules.list >"$here/modules"
cp "$w"/keymaps/*.map "$here/keymaps"
for font in Terminus16 Terminus32x16 DejaVu59x32; do
    cp "$work/tools/usr/share/consolefonts/Uni2-$font.psf.gz" "$here"
done
rm -rf "$root"/usr/lib/udev/rules.d/* "$root"/usr/lib/udev/hwdb.d "$root"/etc/udev/rules.d "$root"/usr/lib/systemd/network
cp image/machine/readers.rules "$root/usr/lib/udev/rules.d/50-readers.rules"
# What dpkg would tell; dpkg's own lists stay out.
awk '$2 == "root" || $2 == "unpacked" || $2 == "kernel" || $2 == "initramfs" { print $3, $4, $1 }' image/debs.lock >"$here/packages"

sh image/settle.sh "$root"
python image/modules.py check "$root"
say "the root file system is ready: $(du -sm "$root" | cut -f1) MB"
