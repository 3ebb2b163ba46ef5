import sys
import time
from ipaddress import ip_address

import pytest

from ceremony.machine import checks
from ceremony.machine.checks import check_machine, input_devices
from ceremony.transcript import Moment

ROUTES = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
KEYBOARD = (
    'I: Bus=0003 Vendor=046d Product=c31c Version=0110\nN: Name="Logitech USB Keyboard"\nP: Phys=usb-0000:00:14.0-1/input0\nS: Sysfs=x\n\n'
)
STICK = 'I: Bus=0003 Vendor=1b4f Product=9207 Version=0110\nN: Name="Nice \x1b[2J\u202e stick"\nP: Phys=usb-0000:00:14.0-2/input0\n\n'
SOCKETS = "  sl  local_address rem_address   st tx_queue rx_queue\n"
QUIET: dict[str, str] = {
    "proc/net/route": ROUTES,
    "proc/net/ipv6_route": "00000000000000000000000000000001 80 0 00 0 00000000 00000002 00000000 80200001       lo\n",
    "proc/net/tcp": SOCKETS,
    "proc/net/tcp6": SOCKETS,
    "proc/net/udp": SOCKETS,
    "proc/net/udp6": SOCKETS,
    "proc/swaps": "Filename\tType\tSize\tUsed\tPriority\n",
    "proc/self/mounts": "proc /proc proc rw 0 0\nsystemd-1 /proc/sys/fs/binfmt_misc autofs rw 0 0\n/dev/sda1 / ext4 rw 0 0\n",
    "proc/self/limits": "Limit  Soft Limit  Hard Limit  Units\nMax core file size        0                    0                    bytes\n",
    "proc/bus/input/devices": KEYBOARD,
    "proc/1/comm": "systemd\n",
    "sys/class/net/lo/type": "772\n",
    "sys/class/net/lo/flags": "0x9\n",
    "sys/class/net/eth0/type": "1\n",
    "sys/class/net/eth0/flags": "0x1002\n",
    "sys/class/net/bonding_masters": "",
    "etc/adjtime": "0 0 0\n0\nUTC\n",
}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A made-up machine where all is well; call it with what differs (None takes a file away)."""
    monkeypatch.setattr(checks, "is_dumpable", lambda: False)

    def make(differences=None):
        tree = {**QUIET, "sys/class/rtc/rtc0/since_epoch": f"{int(time.time())}\n", **(differences or {})}
        for path, text in tree.items():
            if text is not None:
                (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / path).write_text(text, encoding="utf-8")
        return tmp_path

    return make


def finding(root, check, **more):
    return next(finding for finding in check_machine(root, **more) if finding.check == check)


def socket(address, port, state):
    packed = ip_address(address).packed
    words = [packed[at : at + 4] for at in range(0, len(packed), 4)]
    hexadecimal = "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
    return f"   0: {hexadecimal}:{port:04X} 00000000:0000 {state} 00000000:00000000\n"


def test_a_quiet_machine_is_ok_in_every_check(machine):
    findings = check_machine(machine())
    assert {finding.check: finding.verdict for finding in findings} == dict.fromkeys(
        ["routes", "interfaces", "radios", "swap", "automount", "input-devices", "listening", "core-dumps", "clock"], "ok"
    )
    assert not any(finding.do_now for finding in findings)


def rfkill(soft):
    return {f"sys/class/rfkill/rfkill0/{file}": text for file, text in (("type", "wlan"), ("soft", soft), ("hard", "0"))}


DIFFERENCES = [
    ("routes", {"proc/net/route": ROUTES + "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"}, "1 by eth0 (IPv4)"),
    ("routes", {"proc/net/ipv6_route": "fe80 40 0 00 0 00000100 00000002 00000000 00000001     wlan0\n"}, "1 by wlan0 (IPv6)"),
    ("interfaces", {"sys/class/net/eth0/flags": "0x1003\n"}, "eth0"),
    ("interfaces", {"sys/class/net/lo/type": "1\n"}, "lo"),
    ("radios", {"sys/class/bluetooth/hci0/name": "x"}, "bluetooth hci0"),
    ("radios", {"sys/class/ieee80211/phy0/index": "0"}, "ieee80211 phy0"),
    ("radios", {"sys/class/net/eth0/wireless/link": "0"}, "wireless interface eth0"),
    ("radios", rfkill(soft="0"), "not blocked"),
    ("radios", rfkill(soft="1"), "wlan (blocked)"),
    ("swap", {"proc/swaps": QUIET["proc/swaps"] + "/dev/sda2 partition 1000 0 -2\n"}, "/dev/sda2"),
    ("automount", {"proc/77/comm": "udisksd\n"}, "udisksd"),
    ("automount", {"proc/self/mounts": QUIET["proc/self/mounts"] + "/etc/auto.misc /misc autofs rw 0 0\n"}, "/misc"),
    ("automount", {"etc/udev/rules.d/99-usb.rules": 'ACTION=="add", RUN+="/usr/bin/systemd-mount $devnode"\n'}, "99-usb.rules"),
    ("listening", {"proc/net/tcp": SOCKETS + socket("0.0.0.0", 22, "0A")}, "tcp 22"),
    ("listening", {"proc/net/tcp6": SOCKETS + socket("::", 631, "0A")}, "tcp6 631"),
    ("listening", {"proc/net/udp": SOCKETS + socket("192.0.2.1", 68, "07")}, "udp 68"),
    ("core-dumps", {"proc/self/limits": QUIET["proc/self/limits"].replace(" 0 ", " unlimited ")}, "unlimited"),
    ("clock", {"sys/class/rtc/rtc0/since_epoch": "1000000000\n"}, "battery clock differs"),
    ("clock", {"proc/78/comm": "chronyd\n"}, "chronyd"),
]


@pytest.mark.parametrize(("check", "differences", "told"), DIFFERENCES)
def test_what_should_not_be_is_found_by_its_check_and_by_no_other(machine, check, differences, told):
    findings = check_machine(machine(differences))
    assert [finding.check for finding in findings if finding.verdict == "found"] == [check]
    found = next(finding for finding in findings if finding.check == check)
    assert told in found.detail
    assert found.do_now


@pytest.mark.parametrize(
    ("check", "missing"),
    [
        ("routes", "proc/net/route"), ("swap", "proc/swaps"), ("automount", "proc/self/mounts"), ("automount", "proc/1/comm"),
        ("input-devices", "proc/bus/input/devices"), ("listening", "proc/net/udp"), ("core-dumps", "proc/self/limits"),
        ("interfaces", "sys/class/net/eth0/flags"), ("clock", "sys/class/rtc/rtc0/since_epoch"),
    ],
)  # fmt: skip
def test_what_could_not_be_checked_is_said(machine, check, missing):
    findings = check_machine(machine({missing: None}))
    assert [finding.check for finding in findings if finding.verdict != "ok"] == [check]
    assert finding(machine({missing: None}), check).verdict == "unknown"


def test_ipv6_routes_that_cannot_be_read_are_said_but_a_kernel_without_ipv6_is_well(machine):
    assert finding(machine({"proc/net/ipv6_route": None}), "routes").verdict == "ok"
    assert finding(machine({"proc/net/ipv6_route": None, "proc/sys/net/ipv6/conf/all": ""}), "routes").verdict == "unknown"


def test_hidden_processes_are_said(machine):
    mounts = "proc /proc proc rw,nosuid,hidepid=2 0 0\n"
    assert finding(machine({"proc/self/mounts": mounts}), "automount").verdict == "unknown"


def test_a_system_without_proc_and_sys_is_unknown_in_every_check(tmp_path):
    assert {finding.verdict for finding in check_machine(tmp_path)} == {"unknown"}
    assert input_devices(tmp_path) == ()


def test_a_rule_in_a_comment_mounts_nothing(machine):
    assert finding(machine({"etc/udev/rules.d/1.rules": '# RUN+="/bin/mount $devnode"\nRUN+="/bin/true"\n'}), "automount").verdict == "ok"


@pytest.mark.parametrize(("address", "state"), [("127.0.0.1", "0A"), ("::1", "0A"), ("::ffff:127.0.0.1", "0A"), ("192.0.2.1", "01")])
def test_what_listens_on_the_loopback_or_does_not_listen_is_well(machine, address, state):
    file = "proc/net/tcp6" if ":" in address else "proc/net/tcp"
    assert finding(machine({file: SOCKETS + socket(address, 22, state)}), "listening").verdict == "ok"


def test_a_new_input_device_is_found_and_its_name_is_shown_harmless(machine):
    before = input_devices(machine())
    root = machine({"proc/bus/input/devices": KEYBOARD + STICK})
    found = finding(root, "input-devices", input_devices_before=before)
    assert found.verdict == "found"
    assert "1b4f:9207 Nice \\u{1B}[2J" in found.detail
    assert "Logitech" not in found.detail
    assert found.detail.isascii() and found.detail.isprintable()


def test_a_second_device_that_poses_as_the_first_is_found(machine):
    before = input_devices(machine())
    root = machine({"proc/bus/input/devices": KEYBOARD * 2})
    assert finding(root, "input-devices", input_devices_before=before).verdict == "found"


def test_a_device_that_went_away_is_no_finding_and_the_start_lists_all(machine):
    root = machine({"proc/bus/input/devices": KEYBOARD + STICK})
    assert "2, at the start" in finding(root, "input-devices").detail
    before = input_devices(root)
    assert finding(machine(), "input-devices", input_devices_before=before).verdict == "ok"


def test_a_dumpable_process_is_found(machine, monkeypatch):
    monkeypatch.setattr(checks, "is_dumpable", lambda: True)
    assert finding(machine(), "core-dumps").verdict == "found"


def test_a_clock_that_was_stepped_since_the_recorded_moment_is_found(machine):
    found = finding(machine(), "clock", clock_before=Moment("2999-01-01T00:00:00Z", "another-boot", 0))
    assert (found.verdict, "set back" in found.detail) == ("found", True)


def test_a_clock_that_was_set_back_while_nobody_watched_is_found(machine):
    found = finding(machine(), "clock", not_before="2999-01-01T00:00:00Z")
    assert (found.verdict, "before 2999-01-01T00:00:00Z, the last line" in found.detail) == ("found", True)
    assert "last line" not in finding(machine(), "clock", not_before="2026-01-01T00:00:00Z").detail


def test_the_record_gets_three_texts(machine):
    facts = [finding.facts() for finding in check_machine(machine())]
    assert all(sorted(fact) == ["check", "detail", "verdict"] and all(type(value) is str for value in fact.values()) for fact in facts)


def test_this_very_machine_can_be_checked():
    assert len(check_machine()) == 9
