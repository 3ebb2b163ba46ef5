"""No token, ever, in any output, log or file: a sentinel goes the whole path, at the loudest logging, through every kind of error."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.pipeline.policies import NetworkTraceLoggingPolicy

from ceremony.online import control_plane, credentials, pipeline
from ceremony.online.azure_errors import cleaned
from ceremony.simulator.faults import Fault
from tests.online.held_service import HeldService, Ran

SENTINEL = "simulator-SENTINELsentinelSENTINELsentinel0123456789"


def whole_path(held: HeldService) -> Iterator[Ran]:
    plans = held.folder / "plan-1", held.folder / "plan-2"
    yield held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1, "-o", plans[0])
    yield held.run("apply", plans[0])
    held.second_session()
    yield held.run("plan", held.bundle_2, "--fingerprint", held.fingerprint_2, "-o", plans[1], "--json")
    lost = Fault(drop="after", part="verify", times=9)
    for fault in (Fault(status=403), Fault(status=401, times=50), lost, Fault(status=400, method="PUT")):
        held.simulator.faults.add(fault)
        yield held.run("apply", plans[1], "--json")
        held.simulator.faults._waiting.clear()
    held.simulator.faults.expire(SENTINEL)
    yield held.run("apply", plans[1])
    held.simulator.faults._expired_tokens.clear()
    yield held.run("apply", plans[1], "--json")


def test_sentinel_is_in_no_output_log_or_file(held: HeldService, everything_logged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    class Sentinel(credentials.SimulatorCredential):
        def __init__(self) -> None:
            super().__init__()
            self._token = SENTINEL
            seen.append(self._token)

    monkeypatch.setattr(credentials, "SimulatorCredential", Sentinel)
    runs = list(whole_path(held))
    assert [ran.code for ran in runs][:3] == [0, 0, 0]
    assert {ran.code for ran in runs[3:-1]} == {4}
    assert runs[-1].code == 0
    assert len(seen) == len(runs)
    assert everything_logged.stat().st_size > 1000
    for ran in runs:
        assert SENTINEL not in ran.out
        assert SENTINEL not in ran.err
    files = [path for path in held.folder.rglob("*") if path.is_file()]
    assert everything_logged in files
    for path in files:
        assert SENTINEL.encode() not in path.read_bytes(), path


def test_sentinel_is_in_nothing_that_the_other_commands_leave(
    held: HeldService, everything_logged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.upload()
    sent: list[str] = []

    class Sentinel(credentials.SimulatorCredential):
        def __init__(self) -> None:
            super().__init__()
            self._token = SENTINEL
            sent.append(self._token)

    monkeypatch.setattr(credentials, "SimulatorCredential", Sentinel)
    receipts = ("--receipts", held.folder / "receipts.jsonl")
    anchors = ("--bundle", held.bundle_1, "--fingerprint", held.fingerprint_1)
    commands = (
        ("request", "-o", held.folder / "r", "--dps", "example-dps", *anchors, *receipts),
        ("status", "--json", *receipts),
        ("status", *receipts),
        ("disable", "alpha.1", *receipts),
        ("retire", "example-root-g1", "--confirm", "example-root-g1", *receipts),
    )
    runs = [held.run(*command) for command in commands]
    assert [ran.code for ran in runs] == [0, 0, 0, 4, 0]
    for command in commands:
        held.simulator.faults.add(Fault(status=403))
        runs.append(held.run(*command, "--service", "example-dps"))
    assert len(sent) >= len(commands) + 4
    told = [ran.out + ran.err for ran in runs]
    told += [path.read_text(errors="replace") for path in held.folder.rglob("*") if path.is_file()]
    assert not any(SENTINEL in text for text in told)


def test_no_answer_and_no_bug_brings_a_token_out(held: HeldService, everything_logged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command that calls the service, refused by each status and ended by a bug that quotes the request with its headers."""
    secret = "client-SECRET-of-an-application"
    for name, value in {"AZURE_CLIENT_SECRET": secret, "AZURE_PASSWORD": secret, "AZURE_LOG_LEVEL": "debug"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(credentials.SimulatorCredential, "__init__", lambda self: setattr(self, "_token", SENTINEL))
    receipts, plan = ("--receipts", held.folder / "receipts.jsonl"), held.folder / "plan"
    anchors = (held.bundle_1, "--fingerprint", held.fingerprint_1)
    assert held.run("plan", *anchors, "-o", plan).code == 0
    commands = (
        ("plan", *anchors, "-o", held.folder / "other"),
        ("apply", plan),
        ("status", *receipts),
        ("request", "-o", held.folder / "r", "--dps", "example-dps", "--bundle", *anchors, *receipts),
        ("request", "-o", held.folder / "r", "--adr", "a=namespace/policy", "--bundle", *anchors),
        ("disable", "alpha.1", *receipts),
        ("retire", "example-root-g1", "--confirm", "example-root-g1", *receipts),
    )
    ends: list[Ran] = []
    for status in (401, 403, 429, 500, 503):
        # It says how long to wait, which is longer than anybody waits: it is given back at once.
        held.simulator.faults.add(Fault(status=status, retry_after=9999, times=99))
        ends += [held.run(*command) for command in commands]
        held.simulator.faults._waiting.clear()
    assert {ran.code for ran in ends} == {4}

    def careless(self: Any, request: Any, **options: Any) -> Any:
        raise RuntimeError(f"a bug that quotes {dict(request.headers)}")

    monkeypatch.setattr(pipeline.BoundedTransport, "send", careless)
    spoilt = [held.run(*command) for command in commands]
    assert all(ran.code == 1 and "Code: INTERNAL" in ran.err for ran in spoilt)
    told = [ran.out + ran.err for ran in (*ends, *spoilt)]
    told += [path.read_text(errors="replace") for path in held.folder.rglob("*") if path.is_file()]
    assert not any(SENTINEL in text or secret in text for text in told)


def test_search_would_find_a_token_that_is_logged(held: HeldService, everything_logged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one policy of the SDK that prints tokens, put into the list: the log then holds what the tests above look for."""

    def loud(*given: Any) -> list[Any]:
        return [*pipeline.policies_for(*given), NetworkTraceLoggingPolicy(logging_enable=True)]

    monkeypatch.setattr(control_plane, "policies_for", loud)
    held.run("plan", held.bundle_1, "--fingerprint", held.fingerprint_1)
    assert "Bearer simulator-" in everything_logged.read_text()


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SENTINEL} was refused",
        "token eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2ln was refused",
        "SharedAccessSignature sr=x&sig=c2VjcmV0&se=1",
    ],
)
def test_what_looks_like_a_token_is_blotted_out_of_messages(text: str) -> None:
    told = cleaned(text)
    assert "[not shown]" in told
    assert "SENTINEL" not in told
    assert "c2" not in told


def test_no_code_of_ours_asks_the_sdk_to_log(held: HeldService) -> None:
    sources = [path.read_text() for path in Path(credentials.__file__).parent.glob("*.py")]
    assert len(sources) > 10
    assert not any("logging_enable=" in source or "NetworkTraceLoggingPolicy" in source for source in sources)
