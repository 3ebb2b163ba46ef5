#!/bin/sh
# Writes the image out of $work/tools/w: root.squashfs, initramfs, boot loaders for BIOS and UEFI, and the ISO that is a USB image, too.
# Every file bears the one time of the lock; the tools are those of the lock.
set -eu
cd "$(dirname "$0")/.."
. image/settings.sh
w=$work/tools/w
jobs=${IMAGE_JOBS:-$(nproc)}
tool() {
    chroot "$work/tools" env -i PATH=/usr/sbin:/usr/bin LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH="$epoch" MTOOLS_SKIP_CHECK=1 "$@"
}
of_the_lock() {
    find "$@" -xdev -exec touch -h -d "@$epoch" {} +
}
rm -rf "$w/cd" "$w/initramfs" "$w/efi.img" "$w/busybox"
mkdir -p "$w/cd/boot/grub" "$w/cd/EFI/BOOT" "$w/initramfs/bin" "$w/initramfs/modules"
for folder in dev proc sys below above root; do
    mkdir "$w/initramfs/$folder"
done

# The initramfs: busybox, the init, the modules that it needs.
dpkg-deb --extract "$(python image/locks.py debs "$inputs" initramfs)" "$w/busybox"
cp "$w/busybox/usr/bin/busybox" "$w/initramfs/bin/busybox"
ln -s busybox "$w/initramfs/bin/sh"
cp image/machine/initramfs-init "$w/initramfs/init"
chmod 755 "$w/initramfs/init"
version=$(basename "$w"/root/usr/lib/modules/*)
for module in loop squashfs overlay; do
    tool modprobe -d /w/root -S "$version" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\) *$/\1/p'
done | awk '!seen[$0]++' | while read -r path; do
    name=${path##*/}
    # xz is undone here: the init's insmod takes plain modules.
    case $name in
        *.xz) xz -dc "$work/tools$path" >"$w/initramfs/modules/${name%.xz}" ;;
        *) cp "$work/tools$path" "$w/initramfs/modules/$name" ;;
    esac
    echo "${name%.xz}" >>"$w/initramfs/modules/order"
done
of_the_lock "$w/initramfs"
tool sh -c 'cd /w/initramfs && find . -mindepth 1 | sort | cpio --quiet --reproducible -R 0:0 -H newc -o >/w/cd/boot/initramfs.img'

# Kernel and boot loaders.
cp "$w"/kernel/boot/vmlinuz-* "$w/cd/boot/vmlinuz"
cp image/machine/grub.cfg "$w/cd/boot/grub/grub.cfg"
# shellcheck disable=SC2016 # grub's own variable
printf 'search --no-floppy --set=root --file /boot/root.squashfs\nset prefix=($root)/boot/grub\n' >"$w/early.cfg"
modules='iso9660 linux normal configfile search search_fs_file serial terminal echo test boot part_msdos part_gpt fat'
# shellcheck disable=SC2086 # lists of words
tool grub-mkimage -O i386-pc-eltorito -d /usr/lib/grub/i386-pc -p /boot/grub -c /w/early.cfg -o /w/cd/boot/grub/bios.img biosdisk $modules
# shellcheck disable=SC2086
tool grub-mkimage -O x86_64-efi -d /usr/lib/grub/x86_64-efi -p /boot/grub -c /w/early.cfg -o /w/cd/EFI/BOOT/BOOTX64.EFI \
    $modules all_video gfxterm efi_gop
of_the_lock "$w/cd"
truncate -s 2880K "$w/efi.img"
tool mkfs.vfat --invariant -i CE0E0001 -n EFI /w/efi.img >/dev/null
tool mmd -i /w/efi.img ::/EFI ::/EFI/BOOT
tool mcopy -m -i /w/efi.img /w/cd/EFI/BOOT/BOOTX64.EFI ::/EFI/BOOT/

# The root file system names the digests of all else, and its own digest is the image's. The writer of the ISO changes bios.img.
(cd "$w/cd" && find . -type f ! -name bios.img | sort | xargs sha256sum) | sed 's,  \./,  ,' >"$w/root/usr/lib/ceremony-machine/SHA256SUMS"
of_the_lock "$w/root"
tool mksquashfs /w/root /w/cd/boot/root.squashfs -noappend -quiet -no-progress -no-exports -no-xattrs -no-sparse \
    -comp zstd -Xcompression-level 19 -b 256K -processors "$jobs" >&2
of_the_lock "$w/cd"

day=$(date -u -d "@$epoch" +%Y%m%d%H%M%S00)
tool xorriso -as mkisofs -quiet -r -V CEREMONY --modification-date="$day" --set_all_file_dates "$day" \
    -b boot/grub/bios.img -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info \
    --grub2-mbr /usr/lib/grub/i386-pc/boot_hybrid.img -partition_offset 16 -append_partition 2 0xef /w/efi.img -appended_part_as_gpt \
    -eltorito-alt-boot -e --interval:appended_partition_2:all:: -no-emul-boot -o /w/ceremony-machine.iso /w/cd

mkdir -p "$out"
mv "$w/ceremony-machine.iso" "$out/"
cp image/debs.lock image/wheels.lock "$out/"
python image/digests.py "$out/ceremony-machine.iso" "$w/cd/boot/root.squashfs" | tee "$out/ceremony-machine.digests"
