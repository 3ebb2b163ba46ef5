"""The image's locked inputs: what is a line of a lock, and what is said of an input that is missing or another."""

from pathlib import Path

import pytest

from ceremony.words import sha256_hex
from image import locks

DEB = f"{sha256_hex(b'a deb')} root mount 2.41.5-0+deb13u1 amd64 pool/main/u/util-linux/mount_2.41.5-0+deb13u1_amd64.deb"
WHEEL = f"{sha256_hex(b'a wheel')} rich-15.0.0-py3-none-any.whl"


def inputs(folder: Path, deb: bytes | None = b"a deb", wheel: bytes | None = b"a wheel") -> Path:
    for entry, octets in ((locks.Deb(*DEB.split()).place, deb), (locks.Wheel(*WHEEL.split()).place, wheel)):
        (folder / entry).parent.mkdir(parents=True, exist_ok=True)
        if octets is not None:
            (folder / entry).write_bytes(octets)
    return folder


def found(folder: Path) -> list[str]:
    return list(locks.problems(folder, [*locks.read_debs(f"# epoch 1\n{DEB}\n"), *locks.read_wheels(f"{WHEEL}\n")]))


def test_the_committed_locks_can_be_read_and_name_a_kernel_and_each_wheel_that_is_pinned() -> None:
    debs = locks.read_debs((locks.HERE / "debs.lock").read_text())
    wheels = locks.read_wheels((locks.HERE / "wheels.lock").read_text())
    listed = {line.split()[1] for line in (locks.HERE / "debs.list").read_text().splitlines() if line and line[0] != "#"}
    assert listed - {deb.package for deb in debs} == {"linux-image-amd64"}
    assert [deb.set for deb in debs].count("kernel") == [deb.set for deb in debs].count("initramfs") == 1
    pinned = "".join((locks.HERE.parent / "requirements" / f"{name}.txt").read_text() for name in ("offline", "installer"))
    assert wheels and all(f"--hash=sha256:{wheel.sha256}" in pinned for wheel in wheels)


def test_inputs_as_locked_are_taken(tmp_path: Path) -> None:
    assert found(inputs(tmp_path)) == []


def test_a_missing_and_a_changed_input_are_told_by_package_and_by_both_digests(tmp_path: Path) -> None:
    missing, changed = found(inputs(tmp_path, deb=None, wheel=b"another"))
    assert missing == f"mount 2.41.5-0+deb13u1 ({DEB.split()[-1]}) is missing"
    assert "rich-15.0.0-py3-none-any.whl is not the one that is locked" in changed
    assert sha256_hex(b"another") in changed and sha256_hex(b"a wheel") in changed


@pytest.mark.parametrize(
    "text",
    ["", DEB, f"# epoch x\n{DEB}", f"# epoch 1\n{DEB} more", f"# epoch 1\n{DEB[:-4]}", f"# epoch 1\n{DEB.replace('pool/', '/pool/')}"],
)
def test_what_is_no_lock_is_refused(text: str) -> None:
    with pytest.raises(locks.BrokenLock, match="debs.lock, line"):
        locks.read_debs(text)
    with pytest.raises(locks.BrokenLock, match=r"wheels.lock, line 1"):
        locks.read_wheels("rich-15.0.0-py3-none-any.whl\n")
