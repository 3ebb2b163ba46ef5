"""Which medium lies behind a folder: on made-up trees as the kernel lays them out, and on real file systems mounted from a file."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ceremony.errors import CeremonyError
from ceremony.machine.media import copy_out, must_be_fresh
from ceremony.machine.medium import Medium, medium_at
from tests.loop_device import loop_device

_USB = "sys/devices/pci0/usb1/1-2"
_BLOCK = f"{_USB}/1-2:1.0/host0/target0:0:0/0:0:0:0/block/sdb"


def machine(root: Path, *mounts: str) -> Path:
    """A tree with these lines of mountinfo, a USB stick sdb with a partition (8:17), an NVMe disk (259:0) and a virtual one (254:0)."""
    files = {
        "proc/self/mountinfo": "".join(f"{line}\n" for line in mounts),
        f"{_USB}/idVendor": "0781\n",
        f"{_USB}/serial": "AA00000000000489\n",
        f"{_BLOCK}/sdb1/partition": "1\n",
        "sys/devices/pci0/nvme/nvme0/serial": "S4XBNF0M \n",
        "sys/devices/virtio0/block/vda/serial": "disk\x1b-1\n",
    }
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (root / _BLOCK / "device").symlink_to("../../../0:0:0:0")
    (root / "sys/devices/pci0/nvme/nvme0/nvme0n1").mkdir()
    (root / "sys/devices/pci0/nvme/nvme0/nvme0n1/device").symlink_to("../../nvme0")
    (root / "sys/dev/block").mkdir(parents=True)
    disks = {"8:17": f"{_BLOCK}/sdb1", "259:0": "sys/devices/pci0/nvme/nvme0/nvme0n1", "254:0": "sys/devices/virtio0/block/vda"}
    for number, path in disks.items():
        (root / "sys/dev/block" / number).symlink_to(f"../../../{path}")
    return root


@pytest.mark.parametrize(
    ("mount", "device", "read_only", "serial"),
    [
        ("36 27 8:17 / {place} rw,relatime shared:5 - vfat /dev/sdb1 rw,fmask=0022", "/dev/sdb1", False, "AA00000000000489"),
        ("36 27 8:17 / {place} ro,relatime - vfat /dev/sdb1 rw", "/dev/sdb1", True, "AA00000000000489"),
        ("36 27 8:17 / {place} rw - iso9660 /dev/sdb1 ro", "/dev/sdb1", True, "AA00000000000489"),
        ("36 27 259:0 / {place} rw - ext4 /dev/nvme0n1 rw", "/dev/nvme0n1", False, "S4XBNF0M"),
        ("36 27 254:0 / {place} rw - ext4 /dev/vda rw", "/dev/vda", False, ""),
        ("36 27 7:0 / {place} rw - ext4 /dev/loop0 rw", "/dev/loop0", False, ""),
        ("36 27 0:25 / {place} ro - tmpfs tmpfs rw", "", True, ""),
        ("36 27 0:25 / {place} rw - nfs4 server:/share rw", "", False, ""),
        ("36 27 254:0 / / rw - ext4 /dev/vda rw", "", False, ""),
        ("36 27", "", False, ""),
    ],
)  # fmt: skip
def test_a_medium_is_known_by_its_mount_and_its_device(tmp_path: Path, mount: str, device: str, read_only: bool, serial: str) -> None:
    place = tmp_path / "in box"
    root = machine(tmp_path / "root", "27 1 254:0 / / rw - ext4 /dev/vda rw", mount.format(place=str(place).replace(" ", "\\040")))
    medium = medium_at(place, root)
    assert (medium.device, medium.read_only, medium.serial) == (device, read_only, serial)


def test_the_mount_on_top_counts(tmp_path: Path) -> None:
    below, above = f"36 27 8:17 / {tmp_path} ro - vfat /dev/sdb1 ro", f"37 36 259:0 / {tmp_path} rw - ext4 /dev/nvme0n1 rw"
    assert medium_at(tmp_path, machine(tmp_path / "root", below, above)).device == "/dev/nvme0n1"


@pytest.fixture
def stick(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A real file system of its own on a loop device, mounted for writing: where, and the file behind it."""
    place, behind = tmp_path / "stick", tmp_path / "stick.img"
    place.mkdir()
    with loop_device(behind) as device:
        if subprocess.run(["mount", device, place], capture_output=True, check=False).returncode:
            pytest.skip("nothing can be mounted here")
        yield place, behind
        while subprocess.run(["umount", place], capture_output=True, check=False).returncode == 0:
            pass


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundles" / "1"
    folder.mkdir(parents=True)
    (folder / "SHA256SUMS").write_bytes(b"these very sums stand on the device\n")
    (folder / "manifest.json").write_bytes(b'{"ceremony":"ab"}\n')
    return folder


def test_a_bundle_is_read_back_from_the_device_itself_and_the_medium_can_be_taken_out(stick: tuple[Path, Path], bundle: Path) -> None:
    place, _ = stick
    must_be_fresh(place)
    medium = medium_at(place)
    assert medium.device.startswith("/dev/loop") and not medium.read_only and medium.filesystem == "ext4"
    receipt = copy_out(bundle, place, "bundle-1", medium=medium)
    assert receipt["read_back"] == "after-remount"
    assert medium_at(place).device == "" and list(place.iterdir()) == []
    medium.mount(read_only=True)
    assert medium_at(place).read_only and (place / "bundle-1" / "SHA256SUMS").exists()
    assert medium_at(place).file_system == medium.file_system
    with pytest.raises(CeremonyError, match="bundle-1") as refused:
        must_be_fresh(place)
    assert refused.value.code == "MEDIUM-NOT-EMPTY"
    medium.unmount()


def test_what_the_device_lost_though_the_memory_still_has_it_is_found(stick: tuple[Path, Path], bundle: Path, monkeypatch) -> None:
    place, behind = stick
    really_mount = Medium.mount

    def mount_after_a_byte_was_lost(self: Medium, *, read_only: bool) -> None:
        octets = behind.read_bytes()
        assert octets.count(b"these very sums") == 1
        behind.write_bytes(octets.replace(b"these very sums", b"those very sums"))
        really_mount(self, read_only=read_only)

    monkeypatch.setattr(Medium, "mount", mount_after_a_byte_was_lost)
    with pytest.raises(CeremonyError) as refused:
        copy_out(bundle, place, "bundle-1", medium=medium_at(place))
    assert refused.value.code == "MEDIUM-DIFFERS"
    assert medium_at(place).device == ""


def test_a_medium_in_which_somebody_stands_is_read_through_the_same_mount_and_the_receipt_says_so(
    stick: tuple[Path, Path], bundle: Path
) -> None:
    place, _ = stick
    descriptor = os.open(place, os.O_RDONLY)
    try:
        assert copy_out(bundle, place, "bundle-1", medium=medium_at(place))["read_back"] == "after-flush"
    finally:
        os.close(descriptor)
    assert medium_at(place).device


def test_a_real_read_only_medium_takes_nothing(stick: tuple[Path, Path]) -> None:
    place, _ = stick
    subprocess.run(["mount", "-o", "remount,ro", place], check=True)
    assert medium_at(place).read_only
    with pytest.raises(CeremonyError) as refused:
        must_be_fresh(place)
    assert refused.value.code == "MEDIUM-READ-ONLY"
