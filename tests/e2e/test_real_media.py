"""Media as they are in the room: file systems of their own on block devices, mounted, and taken out again by the program."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.e2e.commands import done, rehearsed
from tests.e2e.held import lines_of
from tests.e2e.openssl import csr
from tests.loop_device import loop_device


@contextmanager
def mounted(device: str, place: Path, *options: str) -> Iterator[Path]:
    """The device at this place, until somebody unmounts it."""
    place.mkdir(exist_ok=True)
    command = ["mount", *options, device, str(place)]
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    for _ in range(40):
        if "busy" not in tried.stderr:
            break
        # The loop device had another file system a moment ago, in a test beside this one, and the kernel is not done with it.
        time.sleep(0.25)
        tried = subprocess.run(command, capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"nothing can be mounted here: {tried.stderr.strip()}")
    try:
        yield place
    finally:
        if place.is_mount():
            subprocess.run(["umount", place], check=True)


def test_a_request_comes_in_and_a_bundle_leaves_on_media_of_their_own(tmp_path: Path) -> None:
    names = ("gamma.1", "delta.1")
    given = [f"--csr={name}={csr(tmp_path / f'{name}.pem', f'/O=Example/CN={name}')}" for name in names]
    with ExitStack() as until_the_end:
        stick, disc = (until_the_end.enter_context(loop_device(tmp_path / name)) for name in ("in.img", "out.img"))
        with mounted(stick, tmp_path / "in"):
            done("online", "request", "-o", tmp_path / "in" / "request-1", *given)
        inbox = until_the_end.enter_context(mounted(stick, tmp_path / "in", "-o", "ro"))
        outbox = until_the_end.enter_context(mounted(disc, tmp_path / "out"))
        ended = rehearsed("sign-intermediates", tmp_path / "D", "--inbox", inbox, "--outbox", outbox)
        assert ended.code == 0, ended
        assert not inbox.is_mount() and not outbox.is_mount(), "both can be taken out"
        results = [line.data for line in lines_of(tmp_path / "D") if line.type == "result"]
        looked = [result["value"] for result in results if result["verb"] == "look-at-medium"]
        assert [(seen["device"], seen["read_only"]) for seen in looked] == [(stick, True), (disc, False)]
        assert [result["value"]["unmounted"] for result in results if result["verb"] == "import-request"] == [True]
        (receipt,) = (result["value"] for result in results if result["verb"] == "copy-out")
        assert (receipt["read_back"], receipt["device"]) == ("after-remount", disc)
        with mounted(disc, tmp_path / "out", "-o", "ro"):
            (copy,) = (path for path in outbox.iterdir() if path.name != "lost+found")
            assert subprocess.run(["diff", "-r", tmp_path / "D" / "bundles" / "1", copy], check=False).returncode == 0
            assert "ok      media: " in done("verify", copy, "--fingerprint", fingerprint(tmp_path / "D")).out


def fingerprint(folder: Path) -> str:
    return [line.sha256 for line in lines_of(folder) if line.type == "sealed"][-1]
