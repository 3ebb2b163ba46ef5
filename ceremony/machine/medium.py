"""Which medium lies behind a folder: where it is mounted, how, on which device, and the serial that the system knows.

After proc(5), /proc/pid/mountinfo, and the kernel's sysfs rules: /sys/dev/block/MAJOR:MINOR leads to the device's own folder.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ceremony.custody import problem_with_fact
from ceremony.errors import CeremonyError
from ceremony.machine.linux import text_of

_TIME_LIMIT_SECONDS = 120
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Medium:
    """What holds `place`. `device` is "" for what is no medium of its own: a folder of the machine's own disk, or of no disk at all.

    `read_only` says that nothing can be written through this mount. `serial` is "" where the system knows none. `file_system` (hex)
    is how the kernel tells this file system from others, the same for the same medium in the same slot.
    """

    place: Path
    device: str = ""
    filesystem: str = ""
    options: str = ""
    read_only: bool = False
    serial: str = ""
    file_system: str = ""

    @property
    def may_be_unmounted(self) -> bool:
        """Whether this process can unmount it, and mount it again: a medium of its own, and the rights of root."""
        return bool(self.device) and os.geteuid() == 0 and shutil.which("umount") is not None and shutil.which("mount") is not None

    def unmount(self) -> bool:
        """Unmounts it; False when the system says no (somebody's shell stands in it)."""
        return self.may_be_unmounted and _done("umount", "--", str(self.place))

    def mount(self, *, read_only: bool) -> None:
        """Mounts it where it was. Raises CeremonyError MEDIUM-GONE."""
        options = [option for option in self.options.split(",") if option not in ("ro", "rw")]
        line = ["mount", "-t", self.filesystem, "-o", ",".join(["ro" if read_only else "rw", *options]), "--", self.device, str(self.place)]
        if not _done(*line):
            raise CeremonyError("MEDIUM-GONE", f"The medium {self.device} could not be mounted again at {self.place}.")


def medium_at(place: Path, root: Path = Path("/")) -> Medium:
    """The medium that is mounted at this folder. `root` is "/" or a made-up tree. A folder that is not there is no error here."""
    place = place.resolve()
    number = _number_of(place)
    # The last line wins: what was mounted over another.
    for line in reversed((text_of(root, "proc/self/mountinfo") or "").splitlines()):
        before, _, after = line.partition(" - ")
        fields, (filesystem, device, *of_system) = before.split(), [*after.split(), "", ""][:3]
        if len(fields) < 6 or _unescaped(fields[4]) != str(place):
            continue
        options, read_only = fields[5], "ro" in (*fields[5].split(","), *of_system[0].split(","))
        if fields[2].startswith("0:") or not device.startswith("/"):
            # Major number 0: no block device (tmpfs, network file systems).
            return Medium(place, "", filesystem, options, read_only, file_system=number)
        return Medium(place, _unescaped(device), filesystem, options, read_only, _serial(root, fields[2]), number)
    return Medium(place, file_system=number)


def _number_of(place: Path) -> str:
    # statvfs(3), f_fsid.
    try:
        return f"{os.statvfs(place).f_fsid:x}"
    except OSError:
        return ""


def _serial(root: Path, number: str) -> str:
    """The serial of the disk with this device number: of the USB device it is on, else its own; "" if there is none to be had."""
    try:
        disk = (root / "sys/dev/block" / number).resolve(strict=True)
    except OSError:
        return ""
    disk = disk.parent if (disk / "partition").exists() else disk
    above = [folder for folder in (disk / "device").resolve().parents if folder.is_relative_to(root / "sys")]
    places = [folder / "serial" for folder in above if (folder / "idVendor").exists()] + [disk / "device" / "serial", disk / "serial"]
    for file in places:
        serial = (text_of(root, str(file.relative_to(root))) or "").strip()
        if serial and problem_with_fact("medium", serial) is None:
            return serial
    return ""


def _unescaped(text: str) -> str:
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), text)


def _done(*command: str) -> bool:
    try:
        subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_TIME_LIMIT_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return True
