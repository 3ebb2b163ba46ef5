"""A virtual machine (qemu, in software) that boots the image: its serial line, its monitor, its screen, and sticks put in and taken out.

It has what the image must not see: a network card, an NVMe disk and a SATA disk. Timing is qemu's own; what is waited for is text.
"""

import re
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE_SECONDS = 600.0
_QUIET_SECONDS = 0.7
_PICTURE_SECONDS = 60.0
_END_OF_PNG = b"IEND\xaeB`\x82"
"""The last chunk: W3C PNG, 11.2.5."""
_FIRMWARE = ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/ovmf/OVMF.fd")


class NotAsExpected(Exception):
    """The machine did not show what was waited for; the message holds what it showed."""


class VirtualMachine:
    """One boot. `firmware` is "bios" (the ISO as a CD) or "uefi" (the ISO as a USB stick); `folder` is for its files."""

    def __init__(self, iso: Path, firmware: str, folder: Path, *, memory: int = 1024, keyboard: bool = True) -> None:
        """Starts it. `memory` is in MiB; without `keyboard` there is none until one is put in."""
        self.text = self.everything = ""
        self._folder, self._firmware = folder, firmware
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("nvme.img", "sata.img"):
            with (folder / name).open("wb") as disk:
                disk.truncate(32 << 20)
        if firmware == "uefi":
            code = next(path for path in _FIRMWARE if Path(path).exists())
            boot = ["-drive", f"if=pflash,format=raw,readonly=on,file={code}"]
            boot += ["-drive", f"if=none,id=image,format=raw,readonly=on,file={iso}"]
            boot += ["-device", "usb-storage,id=medium,drive=image,bootindex=0,bus=usb.0"]
        else:
            boot = ["-drive", f"if=none,id=image,media=cdrom,readonly=on,file={iso}"]
            boot += ["-device", "ide-cd,id=medium,drive=image,bootindex=0,bus=ide.0"]
        self._process = subprocess.Popen(
            [
                "qemu-system-x86_64", "-machine", f"q35,i8042={'on' if keyboard else 'off'}", "-accel", "tcg", "-smp", "2",
                "-m", str(memory), "-display", "none", "-vga", "std", "-no-reboot",
                "-monitor", f"unix:{folder}/monitor,server,nowait", "-serial", f"unix:{folder}/serial,server,nowait",
                "-device", "qemu-xhci,id=usb", *boot, "-nic", "user,model=e1000,restrict=on",
                "-drive", f"if=none,id=nvme,format=raw,file={folder}/nvme.img", "-device", "nvme,drive=nvme,serial=NVME",
                "-drive", f"if=none,id=sata,format=raw,file={folder}/sata.img", "-device", "ide-hd,drive=sata,bus=ide.1",
            ],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self._monitor, self._serial = self._connected("monitor"), self._connected("serial")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        self._monitor.close()
        self._serial.close()

    def monitor(self, command: str) -> None:
        """Gives qemu's monitor a line, and waits until it has done it."""
        self._monitor.sendall(f"{command}\n".encode())
        end, answer = time.monotonic() + PATIENCE_SECONDS, b""
        while not answer.endswith(b"(qemu) "):
            answer += self._monitor.recv(65536)
            if time.monotonic() > end:
                raise NotAsExpected(f"the monitor did not answer {command}")

    def keys(self, *names: str) -> None:
        """Presses keys of the keyboard of tty1, by qemu's names."""
        for name in names:
            self.monitor(f"sendkey {name}")
            time.sleep(0.2)

    def picture(self, path: Path) -> None:
        """The screen as a PNG. Raises NotAsExpected when there is none after a minute."""
        path.unlink(missing_ok=True)
        self.monitor(f"screendump {path} -f png")
        # A device that came or went makes the monitor say something more: what it says then may be the answer to another line.
        end = time.monotonic() + _PICTURE_SECONDS
        while not (path.exists() and path.read_bytes().endswith(_END_OF_PNG)):
            if time.monotonic() > end:
                raise NotAsExpected(f"there is no picture {path.name}")
            time.sleep(0.1)

    def put_in(self, image: Path, name: str) -> None:
        """Puts a stick in, whose serial is its name."""
        self.monitor(f"drive_add 0 if=none,id=drive-{name},format=raw,file={image}")
        self.monitor(f"device_add usb-storage,id={name},drive=drive-{name},serial={name},bus=usb.0")

    def take_out(self, name: str) -> None:
        """Pulls a device out."""
        self.monitor(f"device_del {name}")

    def take_out_the_image(self) -> None:
        """Takes the medium out that it was started from."""
        self.monitor("device_del medium" if self._firmware == "uefi" else "eject -f image")

    def type(self, line: str) -> None:
        """Types a line on the serial terminal."""
        self.text = ""
        self._serial.sendall(f"{line}\r".encode())

    def wait_for(self, pattern: str, seconds: float = PATIENCE_SECONDS) -> re.Match[str]:
        """Waits until the serial line shows this since the last line typed. Raises NotAsExpected."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.text, re.MULTILINE)):
            if time.monotonic() > end or self._process.poll() is not None:
                raise NotAsExpected(f"{pattern!r} did not come; there is\n{self.text[-4000:]}")
            self._read()
        return found

    def wait_quiet(self, pattern: str) -> str:
        """Waits until what the line shows ends with this, and nothing follows; returns what was shown since the last line typed."""
        while True:
            self.wait_for(pattern)
            before, end = self.text, time.monotonic() + _QUIET_SECONDS
            while time.monotonic() < end:
                self._read()
            if before == self.text and re.search(pattern, self.text):
                return self.text

    def wait_off(self) -> None:
        """Waits until the machine has switched itself off."""
        self._process.wait(PATIENCE_SECONDS)

    def _read(self) -> None:
        self._serial.settimeout(0.2)
        try:
            came = self._serial.recv(65536).decode("utf-8", "replace").replace("\r", "")
        except TimeoutError:
            return
        self.text += came
        self.everything += came

    def _connected(self, name: str) -> socket.socket:
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            line = socket.socket(socket.AF_UNIX)
            try:
                line.connect(str(self._folder / name))
                return line
            except OSError:
                line.close()
                if time.monotonic() > end or self._process.poll() is not None:
                    raise
                time.sleep(0.1)
