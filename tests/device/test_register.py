"""Registration through the real library at the simulator: what it shows and keeps, and each way in which it can fail."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from ceremony.device.cache import Registration, read_cache
from ceremony.simulator.dps_mqtt import DpsSession
from ceremony.simulator.faults import Fault
from ceremony.simulator.mqtt_packets import Refusal
from ceremony.words import sha256_hex
from tests.device.field import Field, encrypted, failed, told
from tests.e2e.commands import command_line, environment, four_parts

PASSPHRASE = "five words that nobody guesses"


def test_a_device_is_registered_shown_and_remembered(field: Field) -> None:
    files = field.files("dev-1")
    encrypted(files, PASSPHRASE)
    secret = field.folder / "passphrase"
    secret.write_text(f"{PASSPHRASE}\n")
    secret.chmod(0o600)
    before = set(field.folder.iterdir())
    ended = field.register(files, "--passphrase-file", secret)
    assert ended.code == 0, ended.err
    shown = dict(line.split(maxsplit=1) for line in ended.out.replace("device id", "device-id").splitlines())
    assert shown == {"hub": field.hub, "device-id": "dev-1", "substatus": "initialAssignment", "cache": str(files.cache)}
    assert set(field.folder.iterdir()) - before == {files.cache}, "nothing else is written, least of all a key"
    kept = read_cache(files.cache)
    assert isinstance(kept, Registration)
    assert (kept.host, kept.id_scope, kept.registration_id) == (field.host, field.state.id_scope, "dev-1")
    assert (kept.assigned_hub, kept.device_id, kept.leaf_sha256) == (field.hub, "dev-1", sha256_hex(files.leaf.der))
    assert all(PASSPHRASE not in text for text in (ended.out, ended.err, files.cache.read_text()))
    assert field.asked() == [("PUT", 202), ("GET", 200)]
    wrong = field.folder / "wrong"
    wrong.write_text("something else entirely")
    wrong.chmod(0o600)
    failed(field.register(files, "--passphrase-file", wrong), 2, "PASSPHRASE-WRONG")
    failed(field.register(files), 2, "SECRET-NEEDS-PERSON")
    assert len(field.asked()) == 2


def test_a_wait_that_the_service_asks_for_is_kept_and_a_limit_ends_it(field: Field) -> None:
    field.simulator.faults.throttle(1, 1, face="device")
    found = told(field.register(field.files("dev-1"), "--json"))
    assert (found["assignedHub"], found["substatus"], found["format"]) == (field.hub, "initialAssignment", 1)
    assert field.asked() == [("PUT", 429), ("PUT", 202), ("GET", 200)]
    field.simulator.faults.throttle(9, 3600, face="device")
    began = time.monotonic()
    parts = failed(field.register(field.files("dev-2"), "--time-limit", 3), 4, "DEVICE-THROTTLED")
    assert "asked to wait 3600 seconds" in parts["What happened"]
    assert parts["State"] == "The device is not registered. There is no cache."
    assert time.monotonic() - began < 10, "the library's own timers would have kept the process for an hour"


def test_a_service_that_fails(field: Field) -> None:
    field.simulator.faults.add(Fault(status=503, face="device", times=9))
    failed(field.register(field.files("dev-1"), "--time-limit", 3), 4, "DEVICE-SERVICE-FAILED")


def test_a_service_that_cuts_the_connection(field: Field) -> None:
    field.simulator.faults.add(Fault(drop="before", face="device", times=9))
    parts = four_parts(field.register(field.files("dev-1"), "--time-limit", 1).err)
    # The library connects again and waits on; or it sees the cut in the very act of sending.
    assert parts["Code"] in ("DEVICE-TIME-OUT", "DEVICE-CONNECTION-LOST")


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (("--host", "nothing.invalid"), "DEVICE-HOST-UNKNOWN", "nothing.invalid was not found"),
        (("--host", "127.1.255.1"), "DEVICE-UNREACHABLE", "Connection refused"),
    ],
)
def test_a_host_that_is_not_there(field: Field, more: tuple[str, ...], code: str, says: str) -> None:
    parts = failed(field.register(field.files("dev-1"), *more), 4, code)
    assert says in parts["What happened"]
    assert field.asked() == []


def test_a_server_that_is_not_trusted(field: Field) -> None:
    parts = failed(field.register(field.files("dev-1"), trust=False), 4, "DEVICE-SERVER-UNKNOWN")
    assert "unable to get local issuer certificate" in parts["What happened"]
    assert "--trust" in parts["Do now"]


def test_when_https_says_yes_the_device_is_registered_and_that_is_told(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DpsSession, "connect", lambda *_: Refusal.NOT_AUTHORIZED)
    files = field.files("dev-1")
    ended = field.register(files, "--json")
    assert told(ended)["assignedHub"] == field.hub
    assert "should it say yes now, the device is registered" in ended.err
    assert "the device is registered now, although MQTT was refused" in ended.err
    assert isinstance(read_cache(files.cache), Registration)
    assert "dev-1" in field.state.registrations


def test_what_a_rehearsal_made_goes_to_this_machine_alone(field: Field) -> None:
    from tests.simulator.chains import device, issue, root

    marked = issue("REHEARSAL alpha", root(), is_ca=True, path_length=0)
    field.caller.group("rehearsed", marked)
    files = field.files("dev-1", device("dev-1", marked), marked)
    parts = failed(field.register(files, "--host", "nothing.invalid"), 7, "DEVICE-REHEARSAL")
    assert "REHEARSAL" in parts["What happened"]
    assert told(field.register(files, "--json"))["assignedHub"] == field.hub
    # A hub that is elsewhere is refused too, whoever named it.
    files.cache.write_text(files.cache.read_text().replace(field.hub, "nothing.invalid"))
    failed(field.connect(files), 7, "DEVICE-REHEARSAL")


def test_nothing_goes_on_when_the_command_is_killed(field: Field) -> None:
    field.simulator.faults.throttle(99, 1, face="device")
    files = field.files("dev-1")
    options = field.options(files, "--host", field.host, "--id-scope", field.state.id_scope)
    command = subprocess.Popen(command_line("device", "register", *options), env=environment(), stderr=subprocess.DEVNULL)
    try:
        _until(lambda: bool(field.asked()))
        (child,) = (int(found) for found in Path(f"/proc/{command.pid}/task/{command.pid}/children").read_text().split())
    finally:
        os.kill(command.pid, signal.SIGKILL)
        command.wait()
    _until(lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().rpartition(")")[2][:3])


def _until(is_so) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_arguments_are_checked_before_anything_is_sent(field: Field) -> None:
    files = field.files("dev-1")
    for more, code in (
        (("--id-scope", "0ne/../x"), "DEVICE-ID"),
        (("--host", "host:8883"), "DEVICE-ID"),
        (("--registration-id", "dev 1"), "DEVICE-ID"),
        (("--cloud", "china"), "USAGE"),
        (("--time-limit", "0"), "USAGE"),
        (("--time-limit", "nan"), "USAGE"),
        (("--https-port", "0"), "USAGE"),
        (("--trust", "/dev/null"), "DEVICE-CERTIFICATE-BROKEN"),
        (("--online-toml", "/nowhere"), "ONLINE-CONFIG-MISSING"),
        (("--cert", "/nowhere"), "DEVICE-FILE"),
        (("--key", files.chain), "DEVICE-KEY-BROKEN"),
        (("--cache", field.folder), "DEVICE-CACHE"),
    ):
        assert failed(field.register(files, *more), 2, code)["State"]
    assert field.asked() == []


def test_a_cache_that_cannot_be_written_is_told_with_what_is_lost(field: Field) -> None:
    files = field.files("dev-1")
    parts = failed(field.register(files, "--cache", field.folder / "not-there" / "cache.json"), 2, "DEVICE-CACHE")
    assert parts["State"] == f"The device is registered, for the hub {field.hub}; nothing remembers it."
    assert field.state.registrations["dev-1"].assigned_hub == field.hub
