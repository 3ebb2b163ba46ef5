"""Is this machine cut off and quiet? The machine check of Linux, as far as a process without special rights can see.

What it can't see it says: routing tables other than the main one, other network namespaces, a radio without a driver, what firmware
does, and USB devices that are no input devices. Off Linux every verdict is "unknown".
"""

import re
import sys
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Literal

from ceremony.machine.clock import read_clock, steady_since
from ceremony.machine.hardening import is_dumpable
from ceremony.machine.linux import entries, mounts, running, text_of
from ceremony.pki.names import shown_text
from ceremony.transcript import Moment

_IFF_UP = 0x1  # <linux/if.h>
_ARPHRD_LOOPBACK = "772"  # <linux/if_arp.h>
_TCP_LISTEN, _UDP_BOUND = "0A", "07"  # <net/tcp_states.h>: TCP_LISTEN, and TCP_CLOSE for a socket that takes from anyone
_RADIO_CLASSES = ("ieee80211", "bluetooth", "wwan", "nfc", "ieee802154")
_BATTERY_CLOCK_TOLERANCE_SECONDS = 120

# Names as the kernel cuts them, to 15 characters.
_AUTOMOUNTERS = {"udisksd", "automount", "gvfs-udisks2-vo", "gvfsd-mount", "udiskie", "devmon", "udevil", "usbmount", "pcmanfm", "autofs"}
_UDEV_RULES = ("etc/udev/rules.d", "run/udev/rules.d", "usr/lib/udev/rules.d", "lib/udev/rules.d")
_RULE_THAT_MOUNTS = re.compile(r"^[^#\n]*RUN.*\b(systemd-mount|usbmount|udisksctl|pmount|bin/mount)\b", re.MULTILINE)


_DO_NOW = {
    "routes": "Pull the network cable, then type `ip link set DEVICE down`.",
    "interfaces": "Type `ip link set DEVICE down` for each, or take the adapter out.",
    "radios": "Turn them off in the firmware or take them out; a block by software alone can be lifted by software.",
    "swap": "Type `swapoff --all` as root.",
    "automount": "Stop the service, as with `systemctl stop udisks2 autofs`, and mount by hand.",
    "input-devices": "Take it out and find out what it is: a stick can pose as a keyboard and type.",
    "listening": "Type `ss -lntup` as root to see which, and stop them.",
    "core-dumps": "Start it by the command `ceremony`, which forbids it, and not under a debugger.",
    "clock": "Stop what sets the clock (`timedatectl set-ntp false`), set it by two people's watches, and check it again.",
}


@dataclass(frozen=True)
class Finding:
    """What one check found: "ok", "found" (something that should not be) or "unknown" (could not be checked).

    `detail` is plain ASCII, whatever names the machine's devices have. `do_now` is empty where all is well.
    """

    check: str
    verdict: Literal["ok", "found", "unknown"]
    detail: str
    do_now: str = ""

    def facts(self) -> dict[str, str]:
        """The three values that the record holds."""
        return {"check": self.check, "verdict": self.verdict, "detail": self.detail}


def check_machine(
    root: Path = Path("/"), input_devices_before: Collection[str] | None = None, *, clock_before: Moment | None = None, not_before: str = ""
) -> list[Finding]:
    """All findings, always in the same order and number.

    `root` is "/" or a made-up tree. `input_devices_before` is what `input_devices` gave at the start; None says that this is the
    start. `clock_before` is a moment of this session, since which the clock must have been steady; `not_before` (RFC 3339, UTC) is the time
    of the last line that was recorded before it, "" if there is none: since then nobody watched the clock, but it can't have gone back.
    """
    checks: tuple[Callable[[Path], Finding], ...] = (
        _routes, _interfaces, _radios, _swap, _automount,
        lambda root: _input_devices(root, input_devices_before),
        _listening, _core_dumps,
        lambda root: _clock(root, clock_before, not_before),
    )  # fmt: skip
    return [check(root) for check in checks]


def input_devices(root: Path = Path("/")) -> tuple[str, ...]:
    """Each input device: "vendor:product name at place", sorted; plain ASCII. Empty when there are none or they can't be listed."""
    return tuple(sorted(_listed_inputs(root) or ()))


def _found(check: str, detail: str) -> Finding:
    return Finding(check, "found", detail, _DO_NOW[check])


def _unreadable(check: str, what: str) -> Finding:
    return Finding(check, "unknown", f"{what} could not be read.", "Check this by hand, and say in the record what was seen.")


def _routes(root: Path) -> Finding:
    version_4, version_6 = text_of(root, "proc/net/route"), text_of(root, "proc/net/ipv6_route")
    if version_4 is None:
        return _unreadable("routes", "/proc/net/route")
    if version_6 is None and entries(root, "proc/sys/net/ipv6") is not None:
        return _unreadable("routes", "/proc/net/ipv6_route")
    # "*" stands for a route that refuses.
    by_interface = Counter(
        [f"{fields[0]} (IPv4)" for line in version_4.splitlines()[1:] if (fields := line.split()) and fields[0] not in ("lo", "*")]
        + [f"{fields[-1]} (IPv6)" for line in (version_6 or "").splitlines() if (fields := line.split()) and fields[-1] != "lo"]
    )
    if by_interface:
        told = ", ".join(f"{count} by {interface}" for interface, count in sorted(by_interface.items()))
        return _found("routes", f"Routes to a network: {told}.")
    return Finding("routes", "ok", "No route but by the loopback.")


def _interfaces(root: Path) -> Finding:
    names = entries(root, "sys/class/net")
    if names is None:
        return _unreadable("interfaces", "/sys/class/net")
    live: list[str] = []
    down: list[str] = []
    for name in names:
        folder = f"sys/class/net/{name}"
        kind, flags = text_of(root, f"{folder}/type"), text_of(root, f"{folder}/flags")
        if flags is None:
            # bonding_masters is a plain file among the folders.
            if (root / folder).is_dir():
                return _unreadable("interfaces", f"/{folder}/flags")
        elif (kind or "").strip() != _ARPHRD_LOOPBACK:
            (live if int(flags, 16) & _IFF_UP else down).append(name)
    if live:
        return _found("interfaces", f"Live interfaces: {', '.join(live)}.")
    return Finding("interfaces", "ok", f"No live interface but the loopback; there and down: {', '.join(down) or 'none'}.")


def _radios(root: Path) -> Finding:
    if entries(root, "sys/class") is None:
        return _unreadable("radios", "/sys/class")
    radios = [f"{kind} {name}" for kind in _RADIO_CLASSES for name in entries(root, f"sys/class/{kind}") or ()]
    for name in entries(root, "sys/class/net") or ():
        if (root / f"sys/class/net/{name}/wireless").exists() or (root / f"sys/class/net/{name}/phy80211").exists():
            radios.append(f"wireless interface {name}")
    for name in entries(root, "sys/class/rfkill") or ():
        folder = f"sys/class/rfkill/{name}"
        kind, soft, hard = ((text_of(root, f"{folder}/{file}") or "?").strip() for file in ("type", "soft", "hard"))
        radios.append(f"{name} {kind} ({'blocked' if '1' in (soft, hard) else 'not blocked'})")
    if radios:
        return _found("radios", f"Radios: {', '.join(radios)}.")
    return Finding("radios", "ok", "No radio with a driver.")


def _swap(root: Path) -> Finding:
    text = text_of(root, "proc/swaps")
    if text is None:
        return _unreadable("swap", "/proc/swaps")
    places = [line.split()[0] for line in text.splitlines()[1:] if line.strip()]
    if places:
        return _found("swap", f"Memory may be written to {', '.join(places)}.")
    return Finding("swap", "ok", "No swap.")


def _automount(root: Path) -> Finding:
    programs, mounted = running(root), mounts(root)
    if programs is None or mounted is None:
        return _unreadable("automount", "The list of running programs or of mounts")
    found = sorted(_AUTOMOUNTERS & programs)
    places = [fields[1] for line in mounted if (fields := line.split())[2:3] == ["autofs"]]
    # systemd keeps an automount at binfmt_misc on every machine; it mounts no medium.
    found += [place for place in places if place != "/proc/sys/fs/binfmt_misc"]
    for rules in (f"{folder}/{name}" for folder in _UDEV_RULES for name in entries(root, folder) or ()):
        if _RULE_THAT_MOUNTS.search(text_of(root, rules) or ""):
            found.append(f"/{rules}")
    if found:
        return _found("automount", f"Media may be mounted by themselves: {', '.join(found)}.")
    return Finding("automount", "ok", "Nothing seen that mounts media by itself.")


def _listed_inputs(root: Path) -> list[str] | None:
    text = text_of(root, "proc/bus/input/devices")
    if text is None:
        return None
    devices = []
    for block in text.split("\n\n"):
        lines = {line[:2]: line[3:].strip() for line in block.splitlines()}
        if "I:" in lines:
            numbers = dict(pair.split("=", 1) for pair in lines["I:"].split() if "=" in pair)
            name = shown_text(lines.get("N:", "").removeprefix("Name=").strip('"'))
            place = shown_text(lines.get("P:", "").removeprefix("Phys=")) or "no place"
            devices.append(f"{numbers.get('Vendor', '?')}:{numbers.get('Product', '?')} {name} at {place}")
    return devices


def _input_devices(root: Path, before: Collection[str] | None) -> Finding:
    devices = _listed_inputs(root)
    if devices is None:
        return _unreadable("input-devices", "/proc/bus/input/devices")
    new = sorted((Counter(devices) - Counter(devices if before is None else before)).elements())
    if new:
        return _found("input-devices", f"New since the start: {'; '.join(new)}.")
    when = "at the start" if before is None else "as at the start"
    return Finding("input-devices", "ok", f"{len(devices)}, {when}: {'; '.join(sorted(devices)) or 'none'}.")


def _listening(root: Path) -> Finding:
    open_ports = set()
    for protocol, state in (("tcp", _TCP_LISTEN), ("tcp6", _TCP_LISTEN), ("udp", _UDP_BOUND), ("udp6", _UDP_BOUND)):
        text = text_of(root, f"proc/net/{protocol}")
        if text is None and not protocol.endswith("6"):
            return _unreadable("listening", f"/proc/net/{protocol}")
        for fields in (line.split() for line in (text or "").splitlines()[1:]):
            address, _, port = fields[1].partition(":")
            if fields[3] == state and not _is_loopback(address):
                open_ports.add(f"{protocol} {int(port, 16)}")
    if open_ports:
        return _found("listening", f"Programs listen for others: {', '.join(sorted(open_ports))}.")
    return Finding("listening", "ok", "Nothing listens but on the loopback.")


def _is_loopback(hexadecimal: str) -> bool:
    # proc(5): the address as 32-bit words, each in the machine's byte order.
    words = (hexadecimal[at : at + 8] for at in range(0, len(hexadecimal), 8))
    address = ip_address(b"".join(int(word, 16).to_bytes(4, sys.byteorder) for word in words))
    return address.is_loopback or (isinstance(address, IPv6Address) and address.ipv4_mapped is not None and address.ipv4_mapped.is_loopback)


def _core_dumps(root: Path) -> Finding:
    limit = re.search(r"^Max core file size\s+(\S+)", text_of(root, "proc/self/limits") or "", re.MULTILINE)
    if limit is None:
        return _unreadable("core-dumps", "/proc/self/limits")
    if limit[1] != "0" or is_dumpable():
        return _found("core-dumps", f"This program's memory may be dumped (limit {ascii(limit[1])[1:-1]}) or read by another.")
    return Finding("core-dumps", "ok", "Off for this program.")


def _clock(root: Path, before: Moment | None, not_before: str) -> Finding:
    facts = read_clock(root)
    problems = [problem] if before and (problem := steady_since(before)) else []
    if facts["utc"] < not_before:
        problems.append(f"It stands before {not_before}, the last line of the session before: it was set back.")
    if facts["set_by"]:
        problems.append(f"It may be set by {', '.join(facts['set_by'])} at any time.")
    ahead = facts["battery_clock_ahead_seconds"]
    if ahead is not None and abs(ahead) > _BATTERY_CLOCK_TOLERANCE_SECONDS:
        problems.append(f"The battery clock differs by {ahead} seconds.")
    if problems:
        return _found("clock", f"{facts['utc']}. {' '.join(problems)}")
    if ahead is None:
        nothing = f"{facts['utc']}; no battery clock in UTC to compare with."
        return Finding("clock", "unknown", nothing, "Compare it with two people's watches.")
    return Finding("clock", "ok", f"{facts['utc']}; the battery clock agrees within {_BATTERY_CLOCK_TOLERANCE_SECONDS} seconds.")
