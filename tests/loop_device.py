"""A real block device for tests of media: an empty ext4 in a file, on a loop device."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def loop_device(behind: Path) -> Iterator[str]:
    """The device of an empty file system in the file `behind`; the test is skipped where this system gives us none."""
    if os.geteuid() or not all(map(shutil.which, ("losetup", "mount", "umount", "mkfs.ext4"))):
        pytest.skip("mounting needs root, losetup, mount and mkfs.ext4")
    with behind.open("wb") as file:
        file.truncate(8 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", behind], check=True)
    looped = subprocess.run(["losetup", "-f", "--show", behind], capture_output=True, text=True, check=False)
    if looped.returncode:
        pytest.skip("this machine has no loop devices")
    device = looped.stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "-d", device], check=True)
