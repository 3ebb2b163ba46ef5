"""What a report says, and that it says all of it."""

import re
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.errors import CeremonyError
from ceremony.report.blocks import Listing
from ceremony.report.content import report_content
from ceremony.report.record import read_record
from ceremony.report.typeset import render_pdf
from ceremony.report.verifying import how_to_verify
from ceremony.transcript import LINE_TYPES, Line
from ceremony.words import grouped, sha256_hex, words_of
from tests.credentials import credential
from tests.report.facts import facts_of, leaves
from tests.report.made_up import SCRIPT, MadeUp, hold
from tests.report.reading import ROOT, content_of, text_of, up_to


def changed(made_up: MadeUp, type: str, **data: Any) -> MadeUp:
    """The same with other data in the first line of this type. The chain is not followed by the report."""
    place = next(place for place, line in enumerate(made_up.lines) if line.type == type)
    lines = [*made_up.lines]
    lines[place] = lines[place]._replace(data={**lines[place].data, **data})
    return replace(made_up, lines=lines)


def test_the_made_up_ceremony_has_every_type_of_line(held: MadeUp) -> None:
    assert {line.type for line in held.lines} == set(LINE_TYPES)


def test_every_line_of_the_record_is_told_of(held: MadeUp) -> None:
    text = text_of(content_of(held))
    for line in held.lines:
        _, _, clock = line.time.rstrip("Z").partition("T")
        assert re.search(rf"#{line.seq} (2026-11-2\d )?{clock} ", text), line


def test_every_value_of_the_record_is_told(held: MadeUp) -> None:
    text = text_of(content_of(held))
    assert [fact for fact in facts_of(held.lines) if " ".join(fact[2].split()) not in text] == []


def test_every_value_of_the_script_is_told() -> None:
    text = text_of(report_content(SCRIPT, [], certificates={}))
    for key, value in leaves(tomllib.loads(SCRIPT.decode())):
        said = value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else " ".join(str(value).split())
        assert said in text or said in ("witness", "none", "pin"), (key, value)


def test_digests_stand_as_hex_and_as_words(held: MadeUp) -> None:
    text = text_of(content_of(up_to(held, "sealed")))
    for digest in (up_to(held, "sealed").lines[-1].sha256, held.lines[0].data["script"]["sha256"]):
        assert grouped(digest) in text
        assert " ".join(words_of(digest)) in text


def test_rehearsal_and_production_say_so(held: MadeUp, in_earnest: MadeUp) -> None:
    assert content_of(held).mode == "REHEARSAL"
    assert content_of(in_earnest).mode == "PRODUCTION"
    assert "REHEARSAL" not in text_of(content_of(in_earnest)).replace("REHEARSAL Example", "")
    assert "a SOFTWARE module, no hardware protects the key" in text_of(content_of(held))
    assert "hardware as claimed by the module, not attested" in text_of(content_of(in_earnest))


def test_the_first_page_says_that_there_is_no_backup_and_who_owns_the_risk(held: MadeUp) -> None:
    text = text_of(content_of(held))
    first = text[: text.index("Deviations and disturbances")]
    assert "Backup of the root key: NONE" in first
    assert "Ingrid Dahl, head of product" in first
    assert "The first year is a trial" in first
    assert "not evidence" in first


def test_a_backup_is_named() -> None:
    told = b'kind = "vendor-clone"\ntool = "Vendor tool"\nversion = "3.1"\ndomain = "Domain 7"\nholders = ["Eva Lund"]\nby = 2027-01-31'
    text = text_of(report_content(SCRIPT.replace(b'kind = "none"', told), [], certificates={}))
    assert "Backup of the root key: A second token, copied by its vendor's tool" in text
    assert "Vendor tool, version 3.1" in text and "Domain 7" in text and "Eva Lund" in text and "To be proved by 2027-01-31" in text
    twin = b'kind = "twin-root"\nlabel = "example-twin"\nby = 2027-01-31'
    text = text_of(report_content(SCRIPT.replace(b'kind = "none"', twin), [], certificates={}))
    assert "A twin root" in text and "label example-twin" in text and "by 2027-01-31" in text


def test_a_lost_ledger_stands_on_page_one() -> None:
    said = f'[previous]\nfingerprint = "{"a" * 64}"\nledger = "lost"\nlast = "unknown"\nreason = "The safe burnt."\n\n[backup]'
    text = text_of(report_content(SCRIPT.replace(b"[backup]", said.encode()), [], certificates={}))
    first = text[: text.index("Deviations and disturbances")] if "Deviations and disturbances" in text else text
    assert "The ledger of the ceremony before is LOST" in first and "The safe burnt." in first and "is not known" in first


def test_a_copy_is_not_said_to_be_proved_before_it_is(held: MadeUp) -> None:
    script = held.script.replace(b'kind = "none"', b'kind = "vendor-clone"')
    clone = changed(replace(held, script=script), "opened", script={"sha256": sha256_hex(script)})
    assert "its vendor's tool: NOT PROVED YET" in text_of(content_of(clone))
    proved = changed(clone, "step-finished", products={"proved_backup": {"token": "T2", "crl_number": 4}})
    text = text_of(content_of(proved))
    assert "its vendor's tool: PROVED" in text and "Proved in this ceremony: the token T2 signed CRL 4." in text
    lost = {"label": "example-root-g1", "token": "T1", "how": "broken", "reason": "it fell"}
    text = text_of(content_of(changed(clone, "step-finished", products={"lost_tokens": [lost]})))
    assert "LOST: the token T1 with the key of example-root-g1 is broken. What is known: it fell" in text
    earlier = {"backups": [{"token": "T3", "crl_number": 3, "day": "2026-01-02"}]}
    assert "on 2026-01-02: the token T3 signed CRL 3" in text_of(content_of(changed(clone, "opened", previous=earlier)))


def test_who_stood_in_is_named(held: MadeUp) -> None:
    text = text_of(content_of(held))
    assert "admin administrator Kari Nordmann Ola Nordmann Ola Nordmann STOOD IN" in text
    assert "officer-1 crypto-officer Per Hansen nobody in person" in text


def test_without_a_roll_call_the_answers_say_who_acted(held: MadeUp) -> None:
    text = text_of(content_of(changed(held, "step-finished", products={})))
    assert "admin administrator Kari Nordmann Ola Nordmann Ola Nordmann STOOD IN" in text


def test_somebody_whom_the_script_does_not_name_stands_out(held: MadeUp) -> None:
    text = text_of(content_of(changed(held, "confirmed", by="stranger", name="Nobody")))
    assert "stranger NOT IN THE SCRIPT Nobody" in text


def test_what_was_not_as_written_stands_together_and_first(held: MadeUp) -> None:
    text = text_of(content_of(held))
    chapter = text[text.index("Deviations and disturbances") : text.index("What the script approves")]
    for said in (
        "DEVIATION (override) A route was found; the cable was pulled.",
        "admin: Ola Nordmann, officer-1: Per Hansen",
        "FAILED: login",
        "a last line that had not been announced was set aside",
        "the same bytes were ordered and signed again",
        "REFUSED to sign off",
        "Paused (signal)",
        "ABORTED",
    ):
        assert said in chapter
    assert "Paused (crossing)" not in chapter
    assert "#7 2026-11-24 23:58:42" in chapter


def test_nothing_amiss_is_said_too(held: MadeUp) -> None:
    quiet = replace(held, lines=held.lines[:6])
    text = text_of(content_of(quiet))
    assert "Not as written nothing" in text
    assert "The record holds no deviation" in text
    assert "OPEN: the record ends in the middle of a session" in text
    assert "This step was not begun." in text
    assert "Nobody signed off." in text
    assert "Nothing was sealed yet" in text
    assert "No public file was made." in text
    assert "Nothing was ordered" in text


def test_attributes_are_as_asserted_by_the_module(held: MadeUp) -> None:
    text = text_of(content_of(held))
    assert "as asserted by the module" in text
    assert "CKA_SENSITIVE yes yes as-wanted" in text


def test_sign_offs_say_what_backs_them(held: MadeUp) -> None:
    text = text_of(content_of(held))
    signed = f"REFUSED to sign off: The machine check found a route. {credential('Anne Berg')}"
    assert f"34 witness-1 Anne Berg (witness) {signed}" in text


def _line(lines: list[Line], type: str, verb: str) -> int:
    return next(place for place, line in enumerate(lines) if line.type == type and line.data.get("verb") == verb)


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({}, "interrupted, signed again (line 20); signed (line 21)"),
        ({"value": {"given_up": True}}, "given up: a signature may exist (line 21)"),
        ({"value": None, "error": {"code": "TOKEN-REMOVED", "what": "gone"}}, "failed, TOKEN-REMOVED (line 21)"),
    ],
)
def test_each_signature_has_an_outcome(held: MadeUp, change: dict[str, Any], outcome: str) -> None:
    lines = [*held.lines]
    place = _line(lines, "result", "sign")
    lines[place] = lines[place]._replace(data={**lines[place].data, **change})
    assert outcome in text_of(content_of(replace(held, lines=lines)))


def test_a_signature_without_an_outcome_stands_out(held: MadeUp) -> None:
    cut = replace(held, lines=held.lines[: _line(held.lines, "intent", "sign") + 1])
    assert "NOT IN THE RECORD: a signature may exist" in text_of(content_of(cut))


def test_certificates_are_decoded_from_their_bytes(held: MadeUp) -> None:
    certificate = x509.load_der_x509_certificate(held.certificates[ROOT])
    text = text_of(content_of(held))
    assert grouped(certificate.fingerprint(SHA256())) in text
    assert "not after: 2046-11-19" in text


def test_a_certificate_that_no_line_accounts_for_stands_out(held: MadeUp) -> None:
    certificates = {**held.certificates, "root/other.cert.pem": held.certificates[ROOT]}
    text = text_of(report_content(held.script, held.lines, certificates=certificates))
    assert "root/other.cert.pem NOT IN THE RECORD" in text


def test_a_certificate_that_is_not_at_hand_is_named(held: MadeUp) -> None:
    text = text_of(report_content(held.script, held.lines, certificates={}))
    assert f"{ROOT} The certificate itself was not at hand" in text


def test_only_what_the_fingerprint_covers_is_said_to_be_covered(held: MadeUp) -> None:
    assert "Fingerprint of the ceremony (line 54; 2 later lines are told of here and not covered by it)" in text_of(content_of(held))
    assert "Fingerprint of the ceremony (line 53) " in text_of(content_of(up_to(held, "sealed")))


def test_a_pause_for_a_crossing_does_not_move_the_fingerprint(held: MadeUp) -> None:
    first_seal = next(line.seq for line in held.lines if line.type == "sealed")
    after_pause = replace(held, lines=held.lines[: first_seal + 1])
    assert after_pause.lines[-1].data["reason"] == "crossing"
    assert f"(line {first_seal}; 1 later line is told of here" in text_of(content_of(after_pause))


def test_the_paper_script_has_room_to_write() -> None:
    content = report_content(SCRIPT, [], certificates={})
    text = text_of(content)
    assert content.mode == "NOT YET HELD"
    assert text.count("Initials") == 1 + 6
    assert text.count("64 hex digits") == 2 + 2
    assert text.count("What was decided, and why") == 4
    assert "sha256sum -c SHA256SUMS" in text
    assert render_pdf(content).startswith(b"%PDF")


@pytest.mark.parametrize(("evidence", "room"), [(b"video", True), (b"qualified-auditor", True), (b"witness", False)])
def test_a_qualified_auditor_gets_a_page(tmp_path: Path, evidence: bytes, room: bool) -> None:
    held = hold(tmp_path, script=SCRIPT.replace(b'evidence = "witness"', b'evidence = "' + evidence + b'"'))
    assert ("The qualified auditor's opinion" in text_of(content_of(held))) is room


@pytest.mark.parametrize("script", [b"\xff", b"format =", b'id = "x"', SCRIPT + b"# another\n"])
def test_another_script_is_refused(held: MadeUp, script: bytes) -> None:
    with pytest.raises(CeremonyError) as refused:
        report_content(script, held.lines, certificates={})
    assert refused.value.code == "REPORT-SCRIPT"


@pytest.mark.parametrize(
    ("type", "data"),
    [
        ("opened", {"rehearsal": "no"}),
        ("confirmed", {"by": 3}),
        ("deviation", {"by": "admin"}),
        ("sealed", {"artifacts": None}),
        ("sealed", {"root_certificate_sha256": "x"}),
        ("signed-off", {"name": None}),
        ("intent", {"verb": 1}),
        ("result", {"error": "bad"}),
        ("recovered", {"how": []}),
        ("step-finished", {"products": {"people": 1}}),
    ],
)
def test_a_line_of_another_shape_is_refused(held: MadeUp, type: str, data: dict[str, Any]) -> None:
    cut = up_to(held, "sealed") if type != "sealed" else replace(held, lines=[line for line in held.lines if line.seq != 53])
    with pytest.raises(CeremonyError) as refused:
        content_of(changed(cut, type, **data))
    assert refused.value.code == "RECORD-BROKEN"


def _listings(made_up: MadeUp) -> list[tuple[str, ...]]:
    return [block.lines for block in how_to_verify(read_record(made_up.script, made_up.lines)) if isinstance(block, Listing)]


def test_the_commands_of_the_last_chapter_say_what_it_says(held: MadeUp, tmp_path: Path) -> None:
    """With sh, coreutils and openssl alone, in a bundle's folder."""
    sealed = up_to(held, "sealed")
    octets = held.transcript.read_bytes()
    stored = octets.splitlines(keepends=True)[: len(sealed.lines)]
    (tmp_path / "record").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "record/transcript.jsonl").write_bytes(b"".join(stored))
    (tmp_path / "record/script.toml").write_bytes(held.script)
    (tmp_path / ROOT).write_bytes(x509.load_der_x509_certificate(held.certificates[ROOT]).public_bytes(Encoding.PEM))

    def said(command: str) -> str:
        return subprocess.run(["sh", "-c", command], capture_output=True, check=True, cwd=tmp_path, text=True).stdout.strip()

    _with_program, _one_page, _sums, tail, chain, script, root, verified = _listings(sealed)
    for command, printed in (tail, script, root):
        assert said(command).split()[0] == printed
    assert said("\n".join(chain)) == sealed.lines[-1].sha256
    assert [said(command).split()[-1] for command in verified] == ["OK"]

    broken = b"".join(stored).replace(b"Ola Nordmann", b"Ola Nordmenn", 1)
    (tmp_path / "record/transcript.jsonl").write_bytes(broken)
    assert "BROKEN" in said("\n".join(chain)).split()
