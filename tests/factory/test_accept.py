"""A certificate is taken over from a bundle that verifies, and from no other; what is there already is kept or said."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.crossing.artifacts import public_key_der
from ceremony.errors import CeremonyError
from ceremony.factory.accept import EARLIER, Acceptance, accept
from ceremony.factory.folder import ACCEPTED, Factory, read_accepted, read_factory
from ceremony.machine.clock import now
from ceremony.pki.names import parse_name
from ceremony.words import sha256_hex
from tests.e2e.commands import PATIENCE, ceremony, environment, refused
from tests.e2e.openssl import openssl
from tests.factory.given import ALPHA, Certified, done, factory_in_file
from tests.factory.made_up import CLIENT, SERVER, Root


@pytest.fixture
def factory(tmp_path: Path) -> Factory:
    return factory_in_file(tmp_path / "alpha")


def public_key(factory: Factory) -> CertificatePublicKeyTypes:
    csr = x509.load_pem_x509_csr((factory.folder / f"{factory.name}.csr.pem").read_bytes())
    return csr.public_key()


def certified_by(root: Root, factory: Factory, **more: Any) -> x509.Certificate:
    return root.certify(public_key(factory), parse_name(ALPHA), **more)


def taken(factory: Factory, root: Root, *certificates: x509.Certificate, **more: Any) -> Acceptance:
    return accept(factory, root.bundle(*certificates, **more), now)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refusal(call: Callable[[], object]) -> CeremonyError:
    with pytest.raises(CeremonyError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize(("place", "name"), [("alpha", "alpha.1"), ("beta", "beta.1")])
def test_the_certificate_of_a_ceremony_is_taken_over_and_openssl_takes_the_chain(
    place: str, name: str, certified: Certified, tmp_path: Path
) -> None:
    folder = certified.copy(place, tmp_path)
    words = json.loads(done("factory", "accept", folder, certified.bundle, "--fingerprint", certified.fingerprint, "--json").out)
    assert (words["outcome"], words["rehearsal"], words["notes"]) == ("accepted", True, [])
    assert words["days_left"] > 1000
    accepted = read_accepted(folder)
    assert accepted.rehearsal and accepted.bundle_fingerprint == certified.fingerprint
    [root] = (certified.bundle / "root").iterdir()
    certificate, chain = folder / f"{name}.cert.pem", folder / f"{name}.chain.pem"
    assert chain.read_bytes() == (certified.bundle / "intermediates" / f"{name}.chain.pem").read_bytes()
    assert openssl("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", root, certificate).endswith(": OK\n")
    assert openssl("x509", "-in", certificate, "-noout", "-pubkey") == openssl(
        "req", "-in", folder / f"{name}.csr.pem", "-noout", "-pubkey"
    )
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    before = files_of(folder)
    again = done("factory", "accept", folder, certified.bundle, "--fingerprint", certified.fingerprint)
    assert "Nothing to do" in again.err and "REHEARSAL" in again.err
    assert files_of(folder) == before


def test_the_fingerprint_is_the_one_typed_or_nothing_is_taken(certified: Certified, tmp_path: Path) -> None:
    folder = certified.copy("alpha", tmp_path)
    before = files_of(folder)
    refused(ceremony("factory", "accept", folder, certified.bundle, "--fingerprint", "0" * 64), 1, "BUNDLE-REFUSED")
    refused(ceremony("factory", "accept", folder, certified.bundle, "--fingerprint", certified.fingerprint[:63]), 2, "ANCHOR-INCOMPLETE")
    refused(ceremony("factory", "accept", folder, tmp_path / "x", "--fingerprint", certified.fingerprint), 2, "BUNDLE-MISSING")
    refused(ceremony("factory", "accept", tmp_path / "x", certified.bundle, "--fingerprint", certified.fingerprint), 2, "FACTORY-MISSING")
    # What the seal names is whole, and something stands beside it: only the whole check sees that.
    more = Path(shutil.copytree(certified.bundle, tmp_path / "more"))
    (more / "notes.txt").write_text("take alpha.2 instead")
    refused(ceremony("factory", "accept", folder, more, "--fingerprint", certified.fingerprint), 1, "BUNDLE-REFUSED")
    bundle = tmp_path / "bundle"
    shutil.copytree(certified.bundle, bundle)
    other = (bundle / "intermediates" / "beta.1.cert.pem").read_bytes()
    (bundle / "intermediates" / "alpha.1.cert.pem").write_bytes(other)
    refused(ceremony("factory", "accept", folder, bundle, "--fingerprint", certified.fingerprint), 1, "BUNDLE-REFUSED")
    assert files_of(folder) == before


def test_a_bundle_without_a_certificate_for_this_key_is_told(certified: Certified, factory: Factory) -> None:
    ended = ceremony("factory", "accept", factory.folder, certified.bundle, "--fingerprint", certified.fingerprint)
    assert "2 intermediates" in refused(ended, 1, "FACTORY-NOT-IN-BUNDLE")
    assert not (factory.folder / ACCEPTED).exists()


UNFIT: list[tuple[dict[str, Any], str]] = [
    ({"begins": -100, "ends": -1}, "it ended at"),
    ({"begins": 1}, "it is not valid before"),
    ({"ca": False}, "not a CA's certificate"),
    ({"signs": False}, "may not sign certificates"),
    ({"usages": (SERVER,)}, "clientAuth"),
]


@pytest.mark.parametrize(("differs", "why"), UNFIT)
def test_a_certificate_that_could_issue_nothing_is_refused(differs: dict[str, Any], why: str, factory: Factory) -> None:
    root = Root()
    failed = refusal(lambda: taken(factory, root, certified_by(root, factory, **differs)))
    assert (failed.code, failed.exit_code) == ("FACTORY-CERTIFICATE-UNFIT", 7)
    assert why in failed.what and why.count(";") == 0
    assert not (factory.folder / ACCEPTED).exists()


def test_a_certificate_that_is_fit_in_other_ways_is_taken(factory: Factory) -> None:
    root = Root()
    taken(factory, root, certified_by(root, factory, usages=()))
    root = Root()
    two = factory_in_file(factory.folder.with_name("two"))
    assert taken(two, root, certified_by(root, two, usages=(SERVER, CLIENT), path_length=None)).outcome == "accepted"


def test_a_root_that_ended_or_allows_no_intermediate_or_did_not_sign_is_refused(factory: Factory) -> None:
    for root, why in ((Root(ends=-1), "its root ended"), (Root(path_length=0), "its root allows no CA")):
        assert why in refusal(lambda root=root: taken(factory, root, certified_by(root, factory))).what  # type: ignore[misc]
    root = Root()
    assert "not signed by the root" in refusal(lambda: taken(factory, root, certified_by(Root(), factory))).what


def test_the_root_itself_is_no_intermediate(factory: Factory) -> None:
    root = Root()
    bundle = root.bundle(root.certificate)
    itself = dataclasses.replace(factory, spki_sha256=sha256_hex(public_key_der(root.certificate)))
    assert "the root's own key" in refusal(lambda: accept(itself, bundle, now)).what
    assert "the root's own" in refusal(lambda: accept(itself, root.bundle(), now)).what


def test_a_newer_certificate_takes_the_place_of_the_old_which_is_kept(factory: Factory) -> None:
    root = Root()
    old, new = certified_by(root, factory), certified_by(root, factory, begins=-1, ends=2000)
    taken(factory, root, old)
    kept = files_of(factory.folder)
    renewed = taken(factory, root, old, new, number=2)
    assert (renewed.outcome, renewed.accepted.certificate) == ("renewed", new)
    assert "calls this intermediate two" in renewed.notes[0]
    [folder] = (factory.folder / EARLIER).iterdir()
    assert files_of(folder) == {name: kept[name] for name in (ACCEPTED, "alpha.1.cert.pem", "alpha.1.chain.pem")}
    assert taken(factory, root, old, new, number=2).outcome == "unchanged"
    # The old one again, and another of the same days that no later ceremony made.
    same_days = certified_by(root, factory, begins=-1, ends=2000)
    before = files_of(factory.folder)
    for certificate in (old, same_days):
        failed = refusal(lambda certificate=certificate: taken(factory, root, certificate, number=3))  # type: ignore[misc]
        assert (failed.code, failed.exit_code) == ("FACTORY-NOT-NEWER", 7)
    assert files_of(factory.folder) == before
    accepted = read_accepted(factory.folder).bundle_fingerprint
    assert taken(factory, root, same_days, number=4, earlier=[accepted]).outcome == "renewed"
    assert len(list((factory.folder / EARLIER).iterdir())) == 2


def test_the_same_certificate_in_a_later_bundle_changes_nothing(factory: Factory) -> None:
    root = Root()
    certificate = certified_by(root, factory)
    taken(factory, root, certificate)
    before = files_of(factory.folder)
    assert taken(factory, root, certificate, number=2).outcome == "unchanged"
    assert files_of(factory.folder) == before


@pytest.mark.parametrize("first", [True, False])
def test_a_key_of_a_rehearsal_never_goes_into_production_nor_the_reverse(first: bool, factory: Factory) -> None:
    one, other = Root(rehearsal=first), Root(rehearsal=not first)
    assert taken(factory, one, certified_by(one, factory)).accepted.rehearsal is first
    before = files_of(factory.folder)
    failed = refusal(lambda: taken(factory, other, certified_by(other, factory, begins=-1)))
    assert (failed.code, failed.exit_code) == ("FACTORY-REHEARSED", 7)
    assert files_of(factory.folder) == before


def test_a_key_serves_one_root(factory: Factory) -> None:
    one, other = Root(), Root()
    taken(factory, one, certified_by(one, factory))
    failed = refusal(lambda: taken(factory, other, certified_by(other, factory, begins=-1)))
    assert (failed.code, failed.exit_code) == ("FACTORY-OTHER-ROOT", 7)


def test_certificate_and_chain_that_are_lost_or_spoilt_are_mended_by_the_same_command(factory: Factory) -> None:
    root = Root()
    certificate = certified_by(root, factory)
    whole = files_of(taken(factory, root, certificate).accepted.factory.folder)
    factory.certificate_path.unlink()
    factory.chain_path.write_bytes(b"broken")
    assert refusal(lambda: read_accepted(factory.folder)).code == "FACTORY-BROKEN"
    # A renewal would have nothing to compare with.
    newer = certified_by(root, factory, begins=-1)
    assert refusal(lambda: taken(factory, root, newer, number=2)).code == "FACTORY-BROKEN"
    assert taken(factory, root, certificate).outcome == "unchanged"
    assert files_of(factory.folder) == whole


def test_a_full_disk_leaves_what_was_accepted(factory: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Root()
    taken(factory, root, certified_by(root, factory))
    before = files_of(factory.folder)

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as spoilt:
        spoilt.setattr("os.fsync", full)
        failed = refusal(lambda: taken(factory, root, certified_by(root, factory, begins=-1), number=2))
    assert failed.code == "FACTORY-UNWRITABLE"
    assert files_of(factory.folder) == before


KILLED = 12
"""Flushes of a renewal: the folder of earlier ones and the factory's; three files, their folder, the one above; three times a file and
its folder."""

DIES = """
import os, signal, sys
from pathlib import Path
number = int(sys.argv[2])
from ceremony.factory.accept import accept
from ceremony.factory.folder import read_factory
from ceremony.machine.clock import now
from cryptography import x509
from tests.factory.made_up import Root
root = Root.__new__(Root)
root.rehearsal = False
folder = Path(sys.argv[1])
root.certificate, old, new = x509.load_pem_x509_certificates((folder.parent / "certificates.pem").read_bytes())
flush = os.fsync
def dying(descriptor):
    global number
    flush(descriptor)
    number -= 1
    if number < 0:
        os.kill(os.getpid(), signal.SIGKILL)
os.fsync = dying
print(accept(read_factory(folder), root.bundle(new, number=2), now).outcome)
"""


@pytest.mark.parametrize("number", range(13))
def test_killed_in_the_middle_of_a_renewal_the_same_command_ends_it(number: int, factory: Factory, tmp_path: Path) -> None:
    root = Root()
    old, new = certified_by(root, factory), certified_by(root, factory, begins=-1, ends=2000)
    taken(factory, root, old)
    kept = files_of(factory.folder)
    pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in (root.certificate, old, new))
    (tmp_path / "certificates.pem").write_bytes(pem)
    line = [sys.executable, "-c", DIES, str(factory.folder), str(number)]
    given = {**environment(), "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(line, env=given, capture_output=True, text=True, timeout=PATIENCE, check=False)
    killed = ended.returncode == -signal.SIGKILL
    assert killed or ended.stdout == "renewed\n", ended
    try:
        between = read_accepted(factory.folder).certificate
        assert between in (old, new)
    except CeremonyError as torn:
        # Told, and never taken for the one or the other.
        assert torn.code == "FACTORY-BROKEN"
    assert accept(factory, root.bundle(new, number=2), now).outcome in ("renewed", "unchanged")
    assert read_accepted(factory.folder).certificate == new
    [folder] = (factory.folder / EARLIER).iterdir()
    assert files_of(folder) == {name: kept[name] for name in (ACCEPTED, "alpha.1.cert.pem", "alpha.1.chain.pem")}
    assert not list(factory.folder.rglob("*.partial"))
    assert killed == (number < KILLED)


def test_the_factory_of_the_folder_is_the_one_that_was_accepted(certified: Certified, tmp_path: Path) -> None:
    folder = certified.copy("alpha", tmp_path)
    assert refusal(lambda: read_accepted(folder)).code == "FACTORY-NOT-ACCEPTED"
    done("factory", "accept", folder, certified.bundle, "--fingerprint", certified.fingerprint)
    assert read_accepted(folder).factory == read_factory(folder)


def test_status_tells_what_is_there_and_how_long_it_lasts(certified: Certified, tmp_path: Path) -> None:
    for place in ("alpha", "beta"):
        folder = certified.copy(place, tmp_path)
        waiting = json.loads(done("factory", "status", folder, "--json").out)
        assert (waiting["accepted"], waiting["problems"], waiting["spki_sha256"]) == (None, [], read_factory(folder).spki_sha256)
        assert "no certificate yet" in done("factory", "status", folder).out
        done("factory", "accept", folder, certified.bundle, "--fingerprint", certified.fingerprint)
        told = json.loads(done("factory", "status", folder, "--json").out)
        assert told["accepted"]["rehearsal"] and told["accepted"]["days_left"] > 1000
        assert "REHEARSAL certificate until 2031-11-19" in done("factory", "status", folder).out


def test_status_warns_of_a_certificate_that_ended(factory: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Root()
    with monkeypatch.context() as earlier:
        # As it was accepted when it was still valid.
        earlier.setattr("ceremony.factory.accept.problems_with_issuer", lambda *given: [])
        taken(factory, root, certified_by(root, factory, begins=-9, ends=-1))
    ended = ceremony("factory", "status", factory.folder)
    assert ended.code == 1 and "! it ended at" in ended.out and "PRODUCTION" in ended.out
    factory.chain_path.unlink()
    refused(ceremony("factory", "status", factory.folder), 1, "FACTORY-BROKEN")
