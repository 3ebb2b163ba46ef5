"""Diagnosis without a network: what the files show, what the service shows, and which of several causes is told first."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ceremony.device.causes import CLOCKS_DIFFER, Clocks, causes_in_files
from ceremony.device.diagnosis import LIKELIEST_FIRST, reasons, verdict
from ceremony.device.identity import Identity
from ceremony.device.refusal import Refusal
from ceremony.device.service_view import KnownCertificate, KnownGroup, ServiceView
from ceremony.errors import CODES
from ceremony.words import sha256_hex
from tests.simulator.chains import NOW, Issued, device, intermediate, issue, root

SCOPE = "0ne00A"
NOT_FOUND = Refusal("mqtt", 401, 401002, "CA certificate not found.")


def identity(*chain: Issued) -> Identity:
    return Identity(Path("chain.pem"), Path("key.pem"), tuple(issued.certificate for issued in chain))


def codes(*chain: Issued, name: str = "dev-1", clocks: Clocks | None = None) -> list[str]:
    return [cause.code for cause in causes_in_files(identity(*chain), name, clocks or Clocks(NOW))]


A = intermediate("A")
LEAF = device("dev-1", A)


def test_files_that_are_as_they_should_be_show_nothing():
    assert codes(LEAF, A) == codes(LEAF, A, root()) == codes(LEAF, A, name="DEV-1") == []
    # A leaf that is its own issuer is a whole chain: an individual enrollment may hold it.
    assert codes(device("dev-1", None)) == []  # type: ignore[arg-type]  # its own issuer


def test_chains_that_are_none():
    assert codes(LEAF) == ["DEVICE-CHAIN-MISSING"]
    swapped = causes_in_files(identity(LEAF, root(), A), "dev-1", Clocks(NOW))
    assert [cause.code for cause in swapped] == ["DEVICE-CHAIN-BROKEN"] * 2
    assert "number 2: its issuer is number 3" in swapped[0].what
    # The same name with another key above it: the names link, the signature does not.
    assert codes(LEAF, issue("A", root(), is_ca=True, path_length=0)) == ["DEVICE-CHAIN-BROKEN"]
    assert codes(LEAF, A, A) == ["DEVICE-CHAIN-BROKEN"]


def test_a_key_that_may_not_sign_a_handshake_is_told():
    # An intermediate's certificate in the place of the device's: keyCertSign, and no digitalSignature.
    assert codes(issue("dev-1", root(), is_ca=True, path_length=0), root()) == ["DEVICE-LEAF-USAGE"]


def test_the_services_clock_goes_before_this_machines():
    far, later = NOW + timedelta(days=4000), NOW + CLOCKS_DIFFER / 2
    assert codes(LEAF, A, clocks=Clocks(far)) == ["DEVICE-LEAF-DATES", "DEVICE-CHAIN-DATES"]
    assert codes(LEAF, A, clocks=Clocks(far, NOW)) == []
    assert codes(LEAF, A, clocks=Clocks(NOW, NOW - timedelta(days=9))) == ["DEVICE-LEAF-DATES", "DEVICE-CHAIN-DATES"]
    assert "this machine" not in Clocks(NOW, later).shown
    assert "this machine" in Clocks(NOW, NOW + CLOCKS_DIFFER).shown


def test_names_are_shown_safely():
    odd = issue("dev\x1b[2J\u202e", A)
    what = causes_in_files(identity(odd, A), "dev-1", Clocks(NOW))[0].what
    assert what.isascii() and what.isprintable()
    assert codes(odd, A) == ["DEVICE-NAME-DIFFERS"]


def view(*, verified: bool = True, enabled: bool = True, subject: str = "CN=Simulated Root", **more: object) -> ServiceView:
    known = KnownCertificate("simulated-root", subject, sha256_hex(root().der), verified)
    group = KnownGroup("factory-a", enabled, (sha256_hex(A.der),), ())
    made = {"id_scope": SCOPE, "certificates": (known,), "groups": (group,), **more}
    return ServiceView(**made)  # type: ignore[arg-type]  # whatever a test puts there


def found(seen: ServiceView | None, *chain: Issued, refusals: tuple[Refusal, ...] = (NOT_FOUND,), name: str = "dev-1") -> list[str]:
    return [cause.code for cause in reasons(refusals, identity(*chain), name, SCOPE, Clocks(NOW), seen)]


def test_what_the_service_shows():
    assert found(view(), LEAF, A) == []
    assert found(view(subject="Simulated Root"), LEAF, A) == [], "some show the CN alone"
    assert found(view(verified=False), LEAF, A) == ["DEVICE-ROOT-NOT-VERIFIED"]
    assert found(view(enabled=False), LEAF, A) == ["DEVICE-GROUP-DISABLED"]
    assert found(view(certificates=()), LEAF, A) == ["DEVICE-ROOT-NOT-UPLOADED"]
    assert found(view(groups=()), LEAF, A) == ["DEVICE-GROUP-MISSING"]
    assert found(view(id_scope="0ne00B"), LEAF, A) == ["DEVICE-ID-SCOPE"]
    # An uploaded certificate that was sent, and not only its issuer.
    assert found(view(subject="CN=something else"), LEAF, A, root()) == []


def test_of_a_chain_that_is_not_whole_nothing_is_said_about_what_stands_above():
    assert found(view(), LEAF) == ["DEVICE-CHAIN-MISSING"]
    assert found(view(), LEAF, intermediate("B")) == ["DEVICE-CHAIN-BROKEN"]


def test_a_root_may_issue_devices_itself():
    leaf = device("dev-1", root())
    by_root = KnownGroup("by-root", True, (), ("Simulated-Root",))
    assert found(view(groups=(by_root,)), leaf) == []
    assert found(view(groups=(KnownGroup("by-root", False, (), ("simulated-root",)),)), leaf) == ["DEVICE-GROUP-DISABLED"]
    # The nearest group decides, whatever stands above it.
    above = KnownGroup("by-root", True, (), ("simulated-root",))
    assert found(view(groups=(above, KnownGroup("a", False, (sha256_hex(A.der),), ()))), LEAF, A) == ["DEVICE-GROUP-DISABLED"]


def test_hints_of_the_refusal_give_way_to_what_was_found():
    speaks = Refusal("mqtt", 401, 401002, "The enrollment is Disabled.")
    assert found(None, LEAF, A, refusals=(speaks,)) == ["DEVICE-GROUP-DISABLED"]
    exact = reasons((speaks,), identity(LEAF, A), "dev-1", SCOPE, Clocks(NOW), view(enabled=False))
    assert [cause.what for cause in exact] == ["The enrollment group factory-a, of 'CN=A', is disabled."]
    unavailable = Refusal("connack", 3, message="broker unavailable")
    assert found(None, LEAF, A, refusals=(unavailable,)) == ["DEVICE-ID-SCOPE"]
    assert found(view(), LEAF, A, refusals=(unavailable,)) == [], "the service itself says that this is its id scope"


def test_the_likeliest_cause_gives_the_code_and_the_others_are_told():
    causes = reasons((NOT_FOUND,), identity(LEAF), "dev-2", SCOPE, Clocks(NOW + timedelta(days=400)), view(enabled=False))
    assert [cause.code for cause in causes] == ["DEVICE-LEAF-DATES", "DEVICE-NAME-DIFFERS", "DEVICE-CHAIN-MISSING"]
    error = verdict(NOT_FOUND, causes, asked_service=True, state="S")
    assert error.code == "DEVICE-LEAF-DATES"
    assert error.what.count("Also: ") == 2
    assert all(CODES[cause.code].do_now in error.do_now for cause in causes)


@pytest.mark.parametrize(("how", "asked", "code"), [("mqtt", False, "DEVICE-REFUSED"), ("tls", True, "DEVICE-TLS-REFUSED")])
def test_without_a_cause_it_says_so(how, asked, code):
    error = verdict(Refusal(how, 401, message="no"), [], asked_service=asked, state="S")
    assert error.code == code
    assert ("--online-toml" in error.do_now) is not asked


def test_every_cause_has_its_place_and_its_code():
    assert set(LIKELIEST_FIRST) <= CODES.keys()
    assert len(set(LIKELIEST_FIRST)) == len(LIKELIEST_FIRST)
    assert datetime.now(UTC) > NOW
