"""Media of the ceremony machine: what is there, and mounting one by its name, for one purpose. Nothing is ever mounted by itself."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ceremony.machine.linux import entries, text_of
from ceremony.machine.medium import medium_at
from ceremony.pki.names import shown_text

MEDIA = Path("/media")

PLACES = {
    "script": "script, site file and earlier bundles; read only",
    "record": "the ceremony's own folder; written",
    "inbox": "what comes in; read only",
    "outbox": "what leaves; written",
    "credentials": "a person's own medium; read only",
    "vendor": "the vendor's module; read only, taken over by the menu",
}
"""What a medium may be mounted for, and how; each has its folder below /media."""

WRITTEN = ("record", "outbox")
_ISO_VOLUME = 16 * 2048 + 40
"""ECMA-119, 8.4.8: where the volume identifier stands in the primary volume descriptor."""
OUR_VOLUME = b"CEREMONY"


@dataclass(frozen=True)
class Device:
    """A block device that can be mounted: its kernel name, size in bytes, and what it tells of itself (foreign text)."""

    name: str
    size: int
    model: str
    serial: str

    def line(self) -> str:
        """For a list of choices, which shows foreign text safely."""
        size = f"{self.size / 1e9:.1f} GB" if self.size >= 1e9 else f"{self.size / 1e6:.0f} MB"
        return f"{self.name:6} {size:>9}  {self.model[:30]:30}  serial {self.serial[:24] or 'none'}"


def devices(root: Path = Path("/")) -> list[Device]:
    """Disks without partitions, and partitions, by name; not the image's own medium. `root` is "/" or a made-up tree."""
    found = []
    for disk in entries(root, "sys/block") or ():
        if disk.startswith(("loop", "ram", "zram", "fd")) or _is_ours(root, disk):
            continue
        folder = f"sys/block/{disk}"
        parts = [name for name in entries(root, folder) or () if name.startswith(disk)]
        for name in parts or [disk]:
            size = int(text_of(root, f"{folder}/{name}/size" if parts else f"{folder}/size") or "0") * 512
            if size:
                model = " ".join((text_of(root, f"{folder}/device/{file}") or "").strip() for file in ("vendor", "model"))
                found.append(Device(name, size, model.strip(), _serial(root, disk)))
    return found


def _is_ours(root: Path, disk: str) -> bool:
    try:
        with (root / "dev" / disk).open("rb") as device:
            device.seek(_ISO_VOLUME)
            return device.read(len(OUR_VOLUME)) == OUR_VOLUME
    except OSError:
        return False


def _serial(root: Path, disk: str) -> str:
    """That of the USB device above it; "" where there is none."""
    folder = (root / "sys/block" / disk / "device").resolve()
    for above in folder.parents:
        if (above / "idVendor").exists():
            return (text_of(root, str(above.relative_to(root.resolve()) / "serial")) or "").strip()
    return ""


def options_of(filesystem: str, place: str) -> str:
    """The options of mount(8): never a device file, a setuid bit or a program; one purpose, one way."""
    options = ["nosuid", "nodev", "noexec", "rw" if place in WRITTEN else "ro"]
    if filesystem in ("vfat", "exfat"):
        # What leaves is for others to read; all else is the program's alone.
        options += ["uid=1000", "gid=1000", *(("dmask=022", "fmask=133") if place == "outbox" else ("dmask=077", "fmask=177"))]
    if filesystem == "ext4" and place not in WRITTEN:
        options.append("noload")  # else the journal would be written back, read only or not
    return ",".join(options)


def mount(device: str, place: str) -> str:
    """Mounts it for this purpose; returns what went wrong, "" for nothing."""
    if medium_at(MEDIA / place).device:
        return f"There is a medium at {place} already. Take that one out first."
    if any(medium_at(MEDIA / other).device == f"/dev/{device}" for other in PLACES):
        return f"{device} is mounted for something else already."
    for filesystem in ("vfat", "exfat", "ext4", "iso9660", "udf"):
        line = ["mount", "-t", filesystem, "-o", options_of(filesystem, place), "--", f"/dev/{device}", str(MEDIA / place)]
        if subprocess.run(line, capture_output=True, check=False).returncode == 0:
            if filesystem == "ext4" and place in WRITTEN:
                os.chown(MEDIA / place, 1000, 1000)
            return ""
    return f"{device} holds no file system that this machine knows: FAT, exFAT, ext4, ISO 9660 or UDF."


def unmount(place: str) -> str:
    """Writes out what is left and unmounts it; returns what went wrong, "" for nothing."""
    if not medium_at(MEDIA / place).filesystem:
        return f"There is no medium at {place}."
    ended = subprocess.run(["umount", "--", str(MEDIA / place)], capture_output=True, text=True, check=False)
    return "" if ended.returncode == 0 else f"{place} is in use: {shown_text(ended.stderr.strip())}"


def mounted() -> dict[str, str]:
    """By place: the device that is mounted there, "" for none."""
    return {place: medium_at(MEDIA / place).device.removeprefix("/dev/") for place in PLACES}
