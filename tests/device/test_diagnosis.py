"""Each reason for which a device is not let in, made for real at a simulator that says no more than the service itself does."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from ceremony.device import sdk
from ceremony.device.https_probe import HttpsAddress, ask_by_https
from ceremony.device.identity import Identity, read_identity
from ceremony.device.provisioning import Helpers, Provisioning
from ceremony.device.register import NotLetIn, register
from ceremony.errors import CeremonyError
from ceremony.simulator.faults import Fault
from tests.device.field import Field, Files, failed
from tests.simulator.chains import NOW, device, intermediate, issue, root


def leaf_alone(field: Field) -> Files:
    return field.files("dev-1", device("dev-1", intermediate("A")))


def of_another_chain(field: Field) -> Files:
    return field.files("dev-1", device("dev-1", intermediate("A")), intermediate("B"))


def expired(field: Field) -> Files:
    return field.files("dev-1", issue("dev-1", intermediate("A"), ends=timedelta(hours=-1)), intermediate("A"))


def expired_above(field: Field) -> Files:
    above = issue("old.1", root(), is_ca=True, path_length=0, ends=timedelta(hours=-1))
    field.caller.group("old", above)
    return field.files("dev-1", device("dev-1", above), above)


def not_for_clients(field: Field) -> Files:
    leaf = issue("dev-1", intermediate("A"), purpose=ExtendedKeyUsageOID.SERVER_AUTH)
    return field.files("dev-1", leaf, intermediate("A"))


def below_a_device(field: Field) -> Files:
    other = device("dev-0", intermediate("A"))
    return field.files("dev-1", device("dev-1", other), other, intermediate("A"))


@pytest.mark.parametrize(
    ("made", "more", "code", "says"),
    [
        (leaf_alone, (), "DEVICE-CHAIN-MISSING", "holds only the leaf: 'CN=A' was not sent"),
        (of_another_chain, (), "DEVICE-CHAIN-BROKEN", "number 2: its issuer, 'CN=A', is not in the file"),
        (expired, (), "DEVICE-LEAF-DATES", "by the service's clock"),
        (expired_above, (), "DEVICE-CHAIN-DATES", "Certificate 2 in the file (CN=old.1) ended"),
        (Field.files, ("--registration-id", "dev-2"), "DEVICE-NAME-DIFFERS", "the CN 'dev-1', and asked was for 'dev-2'"),
        (not_for_clients, (), "DEVICE-LEAF-USAGE", "clientAuth is not among them"),
        (below_a_device, (), "DEVICE-ISSUER-NOT-CA", "'CN=dev-0' stands in the chain as an issuer"),
        (Field.files, ("--id-scope", "0ne00OTHER"), "DEVICE-ID-SCOPE", "an id scope that the service does not know"),
    ],
)
def test_what_the_devices_own_files_show(field: Field, made: Callable[..., Files], more: tuple[str, ...], code: str, says: str) -> None:
    field.state.explains_refusals = False
    files = made(field, "dev-1") if made is Field.files else made(field)
    parts = failed(field.register(files, *more), 4, code)
    assert says in parts["What happened"]
    assert not files.cache.exists()
    assert field.state.registrations == {}


def test_by_whose_clock_is_told_when_they_differ(field: Field) -> None:
    field.simulator.faults.clock_skew = timedelta(days=1000)
    parts = failed(field.register(field.files("dev-1")), 4, "DEVICE-LEAF-DATES")
    assert "by the service's clock, and" in parts["What happened"]
    assert "by this machine's" in parts["What happened"]


def unverified(field: Field) -> Files:
    field.state.certificates["simulated-root"].is_verified = False
    return field.files("dev-1")


def disabled(field: Field) -> Files:
    field.disable()
    return field.files("dev-1")


def without_group(field: Field) -> Files:
    return field.files("dev-1", device("dev-1", intermediate("B")), intermediate("B"))


def of_an_unknown_root(field: Field) -> Files:
    above = intermediate("X", "Unknown Root")
    return field.files("dev-1", device("dev-1", above), above)


@pytest.mark.parametrize(
    ("made", "code", "says", "without"),
    [
        (unverified, "DEVICE-ROOT-NOT-VERIFIED", "certificate simulated-root, which is not verified", "DEVICE-REFUSED"),
        (disabled, "DEVICE-GROUP-DISABLED", "The enrollment group factory-a, of 'CN=A', is disabled", "DEVICE-REFUSED"),
        (without_group, "DEVICE-GROUP-MISSING", "No certificate that was sent has an enrollment group", "DEVICE-REFUSED"),
        (of_an_unknown_root, "DEVICE-ROOT-NOT-UPLOADED", "The chain ends below 'CN=Unknown Root'", "DEVICE-TLS-REFUSED"),
    ],
)
def test_what_only_the_service_itself_shows(field: Field, made: Callable[[Field], Files], code: str, says: str, without: str) -> None:
    field.state.explains_refusals = False
    files = made(field)
    alone = failed(field.register(files), 4, without)
    assert "--online-toml" in alone["Do now"]
    parts = failed(field.register(files, "--online-toml", field.settings()), 4, code)
    assert says in parts["What happened"]
    also = parts["What happened"].partition("Also: ")[2]
    assert also == ("No certificate that was sent has an enrollment group at the service." if made is of_an_unknown_root else "")


def test_a_refusal_that_comes_as_a_failed_registration_is_read_all_the_same(field: Field) -> None:
    field.state.refuses_at_once, field.state.explains_refusals = False, False
    parts = failed(field.register(leaf_alone(field)), 4, "DEVICE-CHAIN-MISSING")
    assert "The registration was begun and failed; the service says 'CA certificate not found.' (error 401002)" in parts["What happened"]


def test_a_service_that_cannot_be_looked_at_is_told_beside_the_refusal(field: Field) -> None:
    field.disable()
    field.simulator.faults.add(Fault(status=403, face="arm"))
    ended = field.register(field.files("dev-1"), "--online-toml", field.settings())
    assert "could not be looked at" in ended.err
    assert "AZURE-ROLE-MISSING" in ended.err
    failed(ended, 4, "DEVICE-GROUP-DISABLED")


def test_without_the_librarys_log_the_words_come_over_https(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    deaf = "import sys; sys.path.insert(0, sys.argv[1]); import ceremony.device.child as child; child.HEARD_BY = 'nothing'; "
    monkeypatch.setattr(sdk, "_CHILD", deaf + sdk._CHILD)
    files, said = leaf_alone(field), list[str]()
    identity = read_identity(files.chain, files.key, files.key.read_bytes(), None)
    port = int(field.simulator.device_host.rpartition(":")[2])
    service = Provisioning(field.host, field.state.id_scope, field.simulator.ca_file.read_text(), port, 20)
    with pytest.raises(NotLetIn) as refused:
        register(identity, None, "dev-1", service, Helpers(said.append, lambda: NOW, lambda: None), state="S")
    assert refused.value.code == "DEVICE-CHAIN-MISSING"
    assert "says 'CA certificate not found. The issuer of a certificate was neither sent" in refused.value.what
    assert field.asked() == [("PUT", 401), ("PUT", 401)]
    assert "should it say yes now" in said[0]


@pytest.mark.parametrize("heard", [True, False])
def test_what_the_service_gave_counts_whatever_the_library_does_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: bool
) -> None:
    given = {"assignedHub": "127.1.0.2", "deviceId": "dev-1", "substatus": "initialAssignment"}
    answer = sdk.Answer(200, None, json.dumps({"status": "assigned", "registrationState": given}).encode())
    alone = sdk.Told(facts={"registered": {"hub": "127.1.0.2", "device_id": "dev-1", "substatus": ""}})
    told = sdk.Told(answers=[answer], out_of_time=True) if heard else alone
    monkeypatch.setattr("ceremony.device.register.ask_library", lambda *_: told)
    service = Provisioning("127.0.0.1", "0ne00A", None, 443, 1)
    chain = Identity(tmp_path / "c", tmp_path / "k", (device("dev-1", intermediate("A")).certificate,))
    helpers = Helpers(lambda _: None, lambda: NOW, lambda: None)
    found = register(chain, None, "dev-1", service, helpers, state="S")
    assert (found.assigned_hub, found.substatus) == ("127.1.0.2", "initialAssignment" if heard else "")
    given["assignedHub"] = "hub/../x"
    answer = sdk.Answer(200, None, json.dumps({"status": "assigned", "registrationState": given}).encode())
    told = sdk.Told(answers=[answer])
    with pytest.raises(CeremonyError) as odd:
        register(chain, None, "dev-1", service, helpers, state="S")
    assert odd.value.code == "DEVICE-LIBRARY"


def test_without_a_time_in_its_answer_the_services_date_counts(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    files = leaf_alone(field)
    port = int(field.simulator.device_host.rpartition(":")[2])
    field.simulator.faults.clock_skew = timedelta(days=100)
    address = HttpsAddress(field.host, port, field.simulator.ca_file.read_text(), files.chain, files.key, None)
    monkeypatch.setattr("ceremony.simulator.device_https.service_body", lambda *_: {"info": {}})
    asked = ask_by_https(address, field.state.id_scope, "dev-1", 20)
    assert asked.refusal is not None and asked.refusal.time is not None
    assert abs(asked.refusal.time - NOW - timedelta(days=100)) < timedelta(hours=1)
    field.simulator.faults.throttle(1, 1, face="device")
    assert ask_by_https(address, field.state.id_scope, "dev-1", 20).unanswered == "it answered 429"
