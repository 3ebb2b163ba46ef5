import datetime as dt
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from pkilint import loader, pkix
from pkilint.cabf import cabf_crl
from pkilint.pkix import crl as pkix_crl
from pkilint.pkix import extension, name

from ceremony.errors import CeremonyError
from ceremony.pki.crl import CrlDraft, crl_pem, draft_crl, problems_after, problems_with_crl, read_crl, read_to_be_signed_crl
from ceremony.pki.profiles import root_profile
from ceremony.pki.revocation import REASONS, CrlProfile, Revoked, crl_profile, merged, number_after, start_of
from tests.pki import material

SERIALS = tuple(0x4A3FCE235DC0C4E9838B45F839F766ADACA62EB9 + 977 * number for number in range(8))
NEXT_UPDATE = dt.datetime(2027, 12, 1, tzinfo=dt.UTC)
ALPHA = Revoked(SERIALS[2], dt.datetime(2026, 11, 24, tzinfo=dt.UTC), "cACompromise")
BETA = Revoked(SERIALS[0], dt.datetime(2026, 12, 24, tzinfo=dt.UTC), "superseded")


def profile(number: int = 1, *revoked: Revoked, day: dt.date = material.DAY, key: str = "ec:secp384r1", **more: object) -> CrlProfile:
    made = crl_profile(material.root(key), day, NEXT_UPDATE, number, merged((), revoked))
    return replace(made, **more)  # type: ignore[arg-type]  # fields by name


def signed(draft: CrlDraft, key: str = "ec:secp384r1") -> bytes:
    return draft.signed_with(material.signature_of(material.private_key(key), draft))


def first(key: str = "ec:secp384r1") -> bytes:
    return signed(draft_crl(profile(1, key=key), None), key)


def second(previous: bytes | None = None) -> bytes:
    return signed(draft_crl(profile(2, ALPHA), previous or first()))


def lint(crl_der: bytes) -> list[str]:
    """What pkilint, as a judge of RFC 5280, finds that is worse than a note. The reasons are judged as those of a list of CAs."""
    kind = pkix_crl.CertificateRevocationListType.ARL
    validator = pkix_crl.create_pkix_crl_validator_container(
        [pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS), pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS)],
        [
            pkix_crl.create_issuer_validator_container([]),
            pkix_crl.create_validity_validator_container([]),
            pkix_crl.create_extensions_validator_container([]),
            cabf_crl.CabfCrlReasonCodeAllowlistValidator(kind),
        ],
    )
    document = loader.RFC5280CertificateListDocumentLoader().load_document(crl_der, "crl")
    return [
        f"{found.finding.severity.name} {found.finding.code}"
        for result in validator.validate(document.root)
        for found in result.finding_descriptions
        if found.finding.severity.name not in ("INFO", "DEBUG")
    ]


def refused(code: str, make: object, *arguments: object, **more: object) -> str:
    with pytest.raises(CeremonyError) as wrong:
        make(*arguments, **more)  # type: ignore[operator]  # any function
    assert wrong.value.code == code
    return wrong.value.what


@pytest.mark.parametrize("key", material.KEYS)
def test_openssl_and_pkilint_find_nothing(key: str, tmp_path: Path) -> None:
    revoked = [Revoked(serial, ALPHA.date, reason) for serial, reason in zip(SERIALS, REASONS, strict=False)]
    crl = b""
    for number, some in ((1, []), (2, revoked)):
        draft = draft_crl(profile(number, *some, key=key), first(key) if number > 1 else None)
        crl = signed(draft, key)
        assert lint(crl) == []
        assert problems_with_crl(crl, draft.profile) == []
        assert read_crl(crl).is_signed_by(material.spki(material.private_key(key)))
    (tmp_path / "crl.pem").write_text(crl_pem(crl))
    (tmp_path / "root.pem").write_bytes(material.pem(material.root(key)))
    said = subprocess.run(
        ["openssl", "crl", "-in", tmp_path / "crl.pem", "-CAfile", tmp_path / "root.pem", "-noout", "-text"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "verify OK" in said.stderr
    assert "Version 2 (0x1)" in said.stdout and "X509v3 CRL Number: \n                2" in said.stdout
    assert said.stdout.count("Serial Number: ") == len(revoked)
    for reason in ("Key Compromise", "CA Compromise", "Affiliation Changed", "Superseded", "Cessation Of Operation", "Privilege Withdrawn"):
        assert reason in said.stdout


def test_openssl_refuses_what_the_crl_revokes_and_takes_the_rest(tmp_path: Path) -> None:
    root, key = material.root(), material.private_key("ec:secp384r1")
    (tmp_path / "root.pem").write_bytes(material.pem(root))
    (tmp_path / "crl.pem").write_text(crl_pem(second()))
    at = str(int(dt.datetime(2026, 11, 25, tzinfo=dt.UTC).timestamp()))
    for serial, verdict in ((ALPHA.serial, b"certificate revoked"), (SERIALS[5], b": OK")):
        certificate = material.issue(material.alpha(root), material.private_key("ec:secp256r1", 1), key, serial)
        (tmp_path / "a.pem").write_bytes(material.pem(certificate))
        files = ["-CAfile", str(tmp_path / "root.pem"), "-CRLfile", str(tmp_path / "crl.pem"), str(tmp_path / "a.pem")]
        said = subprocess.run(["openssl", "verify", "-x509_strict", "-crl_check", "-attime", at, *files], capture_output=True)
        assert verdict in said.stdout + said.stderr


def test_the_linter_would_find_something() -> None:
    made = profile()
    builder = x509.CertificateRevocationListBuilder(made.issuer, made.this_update, made.next_update)
    crl = builder.sign(material.private_key("ec:secp384r1"), hashes.SHA384()).public_bytes(Encoding.DER)
    assert lint(crl) != []
    assert "number and an end" in refused("CRL-BROKEN", read_crl, crl)


def test_the_bytes_are_those_of_the_first_release() -> None:
    """CRLs of earlier years are made again to the byte when a bundle is verified: how one is put together may not drift."""
    table = material.ROOT_TABLE
    issuer = root_profile(table, material.DAY, False)
    spki = bytes.fromhex(
        "3076301006072a8648ce3d020106052b8104002203620004aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c"
        "3a545e3872760ab73617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f"
    )
    made = CrlProfile(issuer.subject, spki, b"\x5a" * 20, 7, start_of(material.DAY), NEXT_UPDATE, merged((), [ALPHA, BETA]))
    draft = draft_crl(made, None)
    assert draft.sha256 == "b120ebb1cf05855291b3383f4f619f91d62939f6a80d29f2228a5f995e9d236c"
    assert read_to_be_signed_crl(draft.to_be_signed).revoked == made.revoked


def test_what_is_shown_tells_each_entry_and_what_is_new() -> None:
    draft = draft_crl(profile(2, ALPHA), first())
    assert draft.shown() == (
        "signature algorithm: ecdsa-sha384",
        "issuer: CN=Example Devices Root CA G1,O=Example,C=NO",
        "this update: 2026-11-24T00:00:00Z",
        "next update: 2027-12-01T00:00:00Z (372 days)",
        f"authorityKeyIdentifier: {draft.profile.issuer_key_identifier.hex()}",
        "cRLNumber: 2",
        "entries: 1",
        f"revoked {ALPHA.serial:040x}: cACompromise, since 2026-11-24T00:00:00Z",
        "difference to the profile: none",
    )
    assert draft.difference_to(first()) == (
        "cRLNumber: 2 (the last one: 1)",
        "entries: 1 (the last one: 0)",
        f"revoked {ALPHA.serial:040x}: cACompromise, since 2026-11-24T00:00:00Z (the last one: none)",
    )
    assert draft.difference_to(None) == ("the first of its kind",)


def test_a_signature_by_another_key_or_over_other_bytes_is_refused() -> None:
    draft, other = draft_crl(profile(2, ALPHA), first()), draft_crl(profile(3, ALPHA), first())
    key = material.private_key("ec:secp384r1")
    refused("DRAFT-SIGNATURE-BAD", draft.signed_with, material.signature_of(material.private_key("ec:secp384r1", 9), draft))
    refused("DRAFT-SIGNATURE-BAD", draft.signed_with, material.signature_of(key, other))
    swapped = replace(draft, profile=other.profile)
    refused("DRAFT-BYTES-DIFFER", swapped.signed_with, material.signature_of(key, swapped))


def test_a_crl_that_is_not_what_was_asked_for_is_not_given() -> None:
    lost = draft_crl(profile(3, BETA, day=dt.date(2026, 12, 30)), None)
    lost = replace(lost, previous=second())
    assert "is lost" in refused("DRAFT-PROFILE", lost.signed_with, material.signature_of(material.private_key("ec:secp384r1"), lost))


BACKWARDS = {
    "the same number": (profile(2, ALPHA), "is not higher than 2"),
    "a lower number": (profile(1, ALPHA), "is not higher than 2"),
    "an earlier day": (profile(3, ALPHA, this_update=dt.datetime(2026, 11, 23, tzinfo=dt.UTC)), "before the one before it"),
    "an entry lost": (profile(3), f"{ALPHA.serial:040x} (cACompromise, since 2026-11-24T00:00:00Z) of the one before is lost"),
    "another reason": (profile(3, replace(ALPHA, reason="superseded")), "is changed to: superseded"),
    "another root": (profile(3, ALPHA, key="ec:secp521r1", issuer=x509.Name([])), "another root"),
}


@pytest.mark.parametrize("what", BACKWARDS)
def test_a_crl_that_goes_backwards_is_refused(what: str) -> None:
    made, told = BACKWARDS[what]
    assert told in refused("CRL-BACKWARDS", draft_crl, made, second())


def test_a_number_goes_up_by_one_or_jumps() -> None:
    assert (number_after(None), number_after(7), number_after(7, jump=1000)) == (1, 8, 1008)
    assert draft_crl(profile(number_after(2, jump=1000), ALPHA), second()).profile.number == 1003


def test_what_is_revoked_already_is_refused_by_its_serial() -> None:
    told = refused("REVOKE-ALREADY", merged, [ALPHA], [BETA, replace(ALPHA, reason="superseded")])
    assert f"{ALPHA.serial:040x}" in told and "cACompromise" in told
    refused("REVOKE-ALREADY", merged, [], [ALPHA, ALPHA])


@given(st.permutations(range(len(SERIALS))), st.integers(0, len(SERIALS)))
def test_entries_are_sorted_and_none_is_lost(order: list[int], cut: int) -> None:
    entries = [Revoked(SERIALS[number], ALPHA.date, "superseded") for number in order]
    assert merged(merged((), entries[:cut]), entries[cut:]) == tuple(sorted(entries, key=lambda entry: entry.serial))


DATES: dict[str, tuple[dict[str, Any], str]] = {
    "ends before it begins": ({"next_update": dt.datetime(2026, 11, 24, tzinfo=dt.UTC)}, "not after its beginning"),
    "ends after its root": ({"next_update": dt.datetime(2046, 11, 20, tzinfo=dt.UTC)}, "later than its root"),
    "ends within a second": ({"next_update": NEXT_UPDATE.replace(microsecond=1)}, "not a whole second"),
    "begins before its root": ({"day": dt.date(2026, 11, 23)}, "before its root does"),
    "revokes tomorrow": ({"revoked": (BETA,)}, "later than the day it is made on"),
    "revokes before the root": ({"revoked": (replace(ALPHA, date=dt.datetime(2026, 11, 23, tzinfo=dt.UTC)),)}, "before there was a root"),
}


@pytest.mark.parametrize("what", DATES)
def test_dates_that_can_not_be_are_refused(what: str) -> None:
    given, told = DATES[what]
    usual: dict[str, Any] = {"day": material.DAY, "next_update": NEXT_UPDATE, "number": 1, "revoked": ()}
    assert told in refused("CRL-DATES", crl_profile, material.root(), **(usual | given))


def _built(*, entries: list[x509.RevokedCertificate], extensions: list[tuple[x509.ExtensionType, bool]]) -> bytes:
    made = profile()
    builder = x509.CertificateRevocationListBuilder(made.issuer, made.this_update, made.next_update)
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    for entry in entries:
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(material.private_key("ec:secp384r1"), hashes.SHA384()).public_bytes(Encoding.DER)


def _entry(serial: int, *extensions: tuple[x509.ExtensionType, bool]) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(ALPHA.date)
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    return builder.build()


_AKI = (x509.AuthorityKeyIdentifier(profile().issuer_key_identifier, None, None), False)
_NUMBER = (x509.CRLNumber(2), False)
_REASON = (x509.CRLReason(REASONS["cACompromise"]), False)
_IDP = x509.IssuingDistributionPoint(None, None, False, True, None, False, False)
OTHERS: dict[str, tuple[list[x509.RevokedCertificate], list[tuple[x509.ExtensionType, bool]]]] = {
    "the number is critical": ([_entry(ALPHA.serial, _REASON)], [_AKI, (_NUMBER[0], True)]),
    "no key identifier": ([_entry(ALPHA.serial, _REASON)], [_NUMBER]),
    "another key identifier": (
        [_entry(ALPHA.serial, _REASON)], [(x509.AuthorityKeyIdentifier(b"x" * 20, None, None), False), _NUMBER]
    ),
    "only some certificates": ([_entry(ALPHA.serial, _REASON)], [_AKI, _NUMBER, (_IDP, True)]),
    "a delta": ([_entry(ALPHA.serial, _REASON)], [_AKI, _NUMBER, (x509.DeltaCRLIndicator(1), True)]),
    "one entry more": ([_entry(ALPHA.serial, _REASON), _entry(BETA.serial, _REASON)], [_AKI, _NUMBER]),
    "an entry without a reason": ([_entry(ALPHA.serial)], [_AKI, _NUMBER]),
    "a reason of one that comes back": (
        [_entry(ALPHA.serial, (x509.CRLReason(x509.ReasonFlags.certificate_hold), False))], [_AKI, _NUMBER]
    ),
    "a critical reason": ([_entry(ALPHA.serial, (_REASON[0], True))], [_AKI, _NUMBER]),
    "an invalidity date": ([_entry(ALPHA.serial, _REASON, (x509.InvalidityDate(ALPHA.date), False))], [_AKI, _NUMBER]),
    "an entry twice": ([_entry(ALPHA.serial, _REASON), _entry(ALPHA.serial, _REASON)], [_AKI, _NUMBER]),
    "extensions in another order": ([_entry(ALPHA.serial, _REASON)], [_NUMBER, _AKI]),
}  # fmt: skip


def test_what_differs_from_the_profile_is_told() -> None:
    asked = profile(2, ALPHA)
    assert problems_with_crl(_built(entries=[_entry(ALPHA.serial, _REASON)], extensions=[_AKI, _NUMBER]), asked) == []
    for what, (entries, extensions) in OTHERS.items():
        assert problems_with_crl(_built(entries=entries, extensions=extensions), asked) != [], what
    unsorted = _built(entries=[_entry(ALPHA.serial, _REASON), _entry(BETA.serial, _REASON)], extensions=[_AKI, _NUMBER])
    both = profile(2, ALPHA, replace(BETA, date=ALPHA.date, reason="cACompromise"))
    assert problems_with_crl(unsorted, both) == ["its bytes are not those that its profile gives"]
    assert problems_with_crl(b"\x30\x03\x02\x01\x00", asked)[0].startswith("The CRL cannot be read")
    assert problems_after(b"", second())[0].startswith("The CRL cannot be read")


def test_large_lists_are_read_from_the_bytes_to_be_signed() -> None:
    for count in (0, 1, 3, 2000):
        entries = [Revoked(SERIALS[0] + number, ALPHA.date, "superseded") for number in range(count)]
        draft = draft_crl(profile(2, *entries), None)
        assert len(read_to_be_signed_crl(draft.to_be_signed).revoked) == count
        for broken in (b"", draft.to_be_signed[:6], draft.to_be_signed[:-1], b"\x30" + draft.to_be_signed):
            refused("CRL-BROKEN", read_to_be_signed_crl, broken)
