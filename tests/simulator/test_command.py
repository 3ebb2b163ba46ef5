"""`ceremony simulator`: says where it listens, answers, and ends by a signal with nothing left behind."""

import argparse
import dataclasses
import http.client
import json
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509

from ceremony.commands.simulator import add_arguments
from ceremony.online.config import read_config
from ceremony.simulator.faults import Fault
from tests.simulator.chains import root

ROOT = Path(__file__).parent.parent.parent
COMMAND = (sys.executable, "-m", "ceremony", "simulator")


@contextmanager
def running(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """The command and the addresses it told."""
    command = [*COMMAND, "--json", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            told = process.stdout.readline()
            assert told, process.communicate()[1]
            yield process, json.loads(told)
        finally:
            process.kill()


def get(told: dict[str, Any], method: str = "GET", below: str = "", body: Any = None) -> tuple[int, Any]:
    """Asks the control plane; status and body of its answer."""
    status, _, said = answer(told, method, below, body)
    return status, said


def answer(told: dict[str, Any], method: str = "GET", below: str = "", body: Any = None) -> tuple[int, Message, Any]:
    """The same with the headers."""
    path = f"/subscriptions/{told['subscription']}/resourceGroups/{told['resource_group']}/providers/Microsoft.Devices"
    path += f"/provisioningServices/{told['service']}{below}?api-version=2026-11-01"
    context = ssl.create_default_context(cafile=told["ca_file"])
    connection = http.client.HTTPSConnection(urlsplit(told["arm_url"]).netloc, context=context, timeout=20)
    headers = {"Authorization": f"Bearer {told['token_prefix']}anything"}
    try:
        connection.request(method, path, json.dumps(body) if body else None, headers)
        response = connection.getresponse()
        return response.status, response.headers, json.loads(response.read())
    finally:
        connection.close()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_answers_until_a_signal_and_leaves_nothing(sent: signal.Signals) -> None:
    with running() as (process, told):
        assert get(told)[1]["properties"]["idScope"] == told["id_scope"]
        process.send_signal(sent)
        _, talk = process.communicate(timeout=20)
        assert process.returncode == 128 + sent
        assert "it answered 1 requests" in talk
        assert "Bearer" not in talk
        assert not Path(told["ca_file"]).parent.exists()


def test_the_state_outlives_it_even_when_it_is_killed(tmp_path: Path) -> None:
    kept = tmp_path / "state.json"
    body = {"properties": {"certificate": root().pem}}
    with running("--state", kept) as (process, told):
        assert get(told, "PUT", "/certificates/simulated-root", body)[0] == 200
        process.kill()
        process.wait()
    with running("--state", kept) as (_, told):
        status, found = get(told, below="/certificates/simulated-root")
        assert (status, found["properties"]["isVerified"]) == (200, False)


def test_faults_latency_and_the_clock_from_the_command_line(tmp_path: Path) -> None:
    options = ("--fault", "status=429,retry_after=3,times=2,part=certificates", "--latency", "0.3", "--clock-skew", "-7200")
    with running(*options, "--dir", tmp_path / "tls") as (_, told):
        began = time.monotonic()
        answers = [answer(told, below="/certificates") for _ in range(3)]
        assert [(status, headers["Retry-After"]) for status, headers, _ in answers] == [(429, "3"), (429, "3"), (200, None)]
        assert time.monotonic() - began >= 0.9
        date = parsedate_to_datetime(str(answers[0][1]["Date"]))
        assert abs(date + timedelta(hours=2) - datetime.now(UTC)) < timedelta(seconds=30)
    assert (tmp_path / "tls" / "simulator-server.key").stat().st_mode & 0o777 == 0o600


def test_it_writes_the_settings_of_the_online_side(tmp_path: Path) -> None:
    settings = tmp_path / "online.toml"
    with running("--online-toml", settings, "--name", "example-dps") as (_, told):
        config = read_config(settings, {}, {})
        assert config.is_simulator
        assert (config.service, config.endpoint, str(config.ca_file)) == ("example-dps", told["arm_url"], told["ca_file"])
        assert config.hub_port == told["hub_port"] > 0
        assert get(told)[1]["name"] == "example-dps"
        ended = subprocess.run([*COMMAND, "--online-toml", settings], capture_output=True, text=True, cwd=ROOT, timeout=30, check=False)
        assert (ended.returncode, "FILE-EXISTS" in ended.stderr) == (2, True)


def test_without_json_it_is_for_people() -> None:
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(10)]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert [line.split()[0] for line in lines][:4] == ["arm_url", "service_host", "device_host", "mqtt_host"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--host", "0.0.0.0"), 7, "SIMULATOR-NOT-LOOPBACK"),
        (("--host", "localhost"), 7, "SIMULATOR-NOT-LOOPBACK"),
        (("--hub", "hub.example"), 7, "SIMULATOR-NOT-LOOPBACK"),
        (("--hub", "127.0.0.1"), 2, "an address of their own"),
        (("--hub", "127.0.0.2", "--hub", "127.0.0.2"), 2, "an address of their own"),
        (("--arm-port", "99999"), 2, "SIMULATOR-ADDRESS"),
        (("--latency", "-1"), 2, "0 to 600 seconds"),
        (("--latency", "nan"), 2, "0 to 600 seconds"),
        (("--clock-skew", "1e30"), 2, "either way"),
        (("--clock-skew", "nan"), 2, "either way"),
        (("--most-a-minute", "-1"), 2, "must not be negative"),
        (("--name", "a/b"), 2, "letters, digits and hyphens"),
        (("--fault", "statsu=429"), 2, "did you mean status?"),
        (("--fault", "status=200"), 2, "400 to 599"),
        (("--fault", "status=x"), 2, "must be a number"),
        (("--fault", "drop=sometimes"), 2, "before, after"),
        (("--fault", ""), 2, "USAGE"),
        (("--state", "/dev/null"), 2, "SIMULATOR-STATE"),
        (("--dir", "/dev/null"), 2, "FILE-UNWRITABLE"),
    ],
)
def test_what_it_is_refused_for(arguments: tuple[str, ...], code: int, said: str) -> None:
    ended = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=30, check=False)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_that_is_taken() -> None:
    with running() as (_, told):
        port = told["service_host"].rpartition(":")[2]
        command = [*COMMAND, "--service-port", port]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=30, check=False)
    assert ended.returncode == 2
    assert "SIMULATOR-ADDRESS" in ended.stderr


def test_every_option_and_every_key_of_a_fault_is_described() -> None:
    page = (ROOT / "docs" / "simulator.md").read_text()
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    options = {option for action in parser._actions for option in action.option_strings} - {"-h", "--help"}
    assert len(options) > 10
    assert {option for option in options if f"`{option}" not in page} == set()
    assert {key.name for key in dataclasses.fields(Fault) if f"`{key.name}`" not in page} == set()


def test_hubs_at_addresses_of_ones_own(tmp_path: Path) -> None:
    made = []
    for hub in ("127.9.9.9", "127.9.9.9", "127.9.9.10"):
        with running("--hub", hub, "--hub", "127.9.9.11", "--dir", tmp_path / "tls") as (_, told):
            assert told["hubs"] == f"{hub} 127.9.9.11"
            port = int(told["mqtt_host"].rpartition(":")[2])
            socket.create_connection((hub, port), timeout=5).close()
            server = x509.load_pem_x509_certificate((tmp_path / "tls" / "simulator-server.pem").read_bytes())
            named = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.IPAddress)
            assert {hub, "127.9.9.11", "127.0.0.1"} <= {str(address) for address in named}
            made.append(Path(told["ca_file"]).read_bytes())
    assert made[0] == made[1] != made[2], "the same files for the same addresses, others for others"
