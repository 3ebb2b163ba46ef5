"""What this machine is and what it lacks, as the kernel tells: for the menu's screen, and for those who test the image."""

from pathlib import Path

from ceremony.machine.checks import input_devices
from ceremony.machine.linux import entries, text_of


def has_keyboard(root: Path = Path("/")) -> bool:
    """Whether an input device leads to the console's keyboard."""
    devices = text_of(root, "proc/bus/input/devices") or ""
    return any(line.startswith("H:") and " kbd" in line.replace("=", "= ") for line in devices.splitlines())


def lines(root: Path = Path("/")) -> list[str]:
    """A line for each fact, `name: value`."""
    swaps = (text_of(root, "proc/swaps") or "").splitlines()[1:]
    disks = [name for name in entries(root, "sys/block") or () if not name.startswith(("loop", "ram"))]
    modules = (text_of(root, "proc/modules") or "").splitlines()
    locked = (text_of(root, "proc/sys/kernel/modules_disabled") or "").strip() == "1"
    memory = next((line.split()[1] for line in (text_of(root, "proc/meminfo") or "").splitlines() if line.startswith("MemTotal")), "0")
    return [
        f"kernel: {(text_of(root, 'proc/sys/kernel/osrelease') or '').strip()}",
        f"started by: {'UEFI' if (root / 'sys/firmware/efi').exists() else 'BIOS'}",
        f"memory: {int(memory) // 1024} MiB",
        f"network interfaces: {' '.join(entries(root, 'sys/class/net') or ('none',))}",
        f"swap: {len(swaps) or 'none'}",
        f"disks: {' '.join(disks) or 'none'}",
        f"modules: {len(modules)}, {'no more can be loaded' if locked else 'MORE CAN BE LOADED'}",
        *(f"input: {device}" for device in input_devices(root)),
    ]
