"""Sign-offs, confirmations and overrides forged: signature, person, role, order, statement, place. Each fails by name and says why.

All but what is forged is signed anew by the right people, so that nothing else is wrong with the record.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ceremony.activation.statements import CONFIRMATION
from ceremony.crossing import checks_of_statements
from ceremony.crossing.verify import verify_bundle
from tests.credentials import credential
from tests.crossing.chaining import rechained
from tests.crossing.forging import drop, failed, insert_after, lines_where, put
from tests.crossing.held_ceremony import HeldCeremony, whole_ceremony

WITNESS = "sign-off/witness-1/signed"


@pytest.fixture(scope="module")
def held(tmp_path_factory) -> HeldCeremony:
    return whole_ceremony(tmp_path_factory.mktemp("held"))


def last(ceremony: HeldCeremony, type: str, **data: Any) -> dict[str, Any]:
    return lines_where(ceremony, type, **data)[-1]


def another_signature(ceremony: HeldCeremony) -> None:
    for line in (last(ceremony, "result", key=WITNESS)["data"]["value"], last(ceremony, "signed-off", participant="witness-1")["data"]):
        line["signature"] = "00" * 64


def another_statement(ceremony: HeldCeremony) -> None:
    """The line says that she found all as written; she signed that she did not."""
    last(ceremony, "intent", key=WITNESS)["data"]["args"]["statement"]["statement"] = "refused"


def another_person(ceremony: HeldCeremony) -> None:
    """The officer signs in the witness's place, with a credential of his own that the roster gives to him."""
    signed_with(ceremony, credential("Nils Berg"))


def outside_the_roster(ceremony: HeldCeremony) -> None:
    """Her alternate is not in this script."""
    signed_with(ceremony, credential("Ida Moe"))


def signed_with(ceremony: HeldCeremony, other: str) -> None:
    args = last(ceremony, "intent", key=WITNESS)["data"]["args"]
    args["credential"] = args["statement"]["credential"] = other
    last(ceremony, "result", key=WITNESS)["data"]["value"]["credential"] = other
    last(ceremony, "signed-off", participant="witness-1")["data"]["credential"] = other


def another_role(ceremony: HeldCeremony) -> None:
    last(ceremony, "intent", key=WITNESS)["data"]["args"]["statement"]["role"] = "auditor"
    last(ceremony, "signed-off", participant="witness-1")["data"]["role"] = "auditor"


def moved_to_another_line(ceremony: HeldCeremony) -> None:
    """What she signed at the first seal stands in for what she did not sign at the second."""
    lines = ceremony.lines
    at_first = lines_where(ceremony, "result", key=WITNESS)[0]
    # The record up to her first signature, as it was truly signed.
    octets = rechained(lines[: lines.index(at_first) + 1], ceremony.first_prev)
    value = json.loads(octets.splitlines()[-1])["data"]["value"]
    last(ceremony, "result", key=WITNESS)["data"]["value"] = value
    last(ceremony, "signed-off", participant="witness-1")["data"] |= {"line": value["line"], "signature": value["signature"]}


def after_the_seal(ceremony: HeldCeremony) -> None:
    """She signs the first bundle when it is sealed already."""
    sealed = lines_where(ceremony, "sealed")[0]
    line = lines_where(ceremony, "signed-off", participant="witness-1")[0]
    ceremony.lines.remove(line)
    ceremony.lines.insert(ceremony.lines.index(sealed) + 1, line)


def before_the_work(ceremony: HeldCeremony) -> None:
    """Something is made after she has signed, in the same step."""
    signed = last(ceremony, "signed-off", participant="witness-1")
    written = last(ceremony, "result", verb="write-artifact")["data"]["value"]
    insert_after(ceremony, signed, lambda held: held.act("late", "write-artifact", {"path": written["path"]}, written))


def without_act(ceremony: HeldCeremony) -> None:
    drop("result", key=WITNESS)(ceremony)
    last(ceremony, "signed-off", participant="witness-1")["data"] |= {"line": "0" * 64, "signature": "0" * 128}


def for_something_else(ceremony: HeldCeremony) -> None:
    last(ceremony, "intent", key=WITNESS)["data"]["args"]["statement"]["context"] = CONFIRMATION
    last(ceremony, "signed-off", participant="witness-1")["data"]["context"] = CONFIRMATION


SIGN_OFFS: list[tuple[Callable[[HeldCeremony], None], str]] = [
    (another_signature, "does not verify"),
    (another_statement, "is not what line"),
    (another_person, "with a credential that the roster does not give them"),
    (outside_the_roster, "with a credential that the roster does not give them"),
    (another_role, "about another ceremony, person or role"),
    (moved_to_another_line, "is not over the line before it"),
    (after_the_seal, "Eva Lund (witness) did not sign off before line"),
    (before_the_work, "something was made after Eva Lund signed"),
    (without_act, "was not made in this step"),
    (for_something_else, "is for something else"),
    (drop("signed-off", participant="officer"), "Nils Berg (crypto-officer) did not sign off before line"),
]


def not_signed(key: str) -> Callable[[HeldCeremony], None]:
    def forge(ceremony: HeldCeremony) -> None:
        drop("intent", key=key)(ceremony)
        drop("result", key=key)(ceremony)

    return forge


def statement_put(key: str, **new: Any) -> Callable[[HeldCeremony], None]:
    def forge(ceremony: HeldCeremony) -> None:
        for line in lines_where(ceremony, "intent", key=key):
            line["data"]["args"]["statement"] |= new

    return forge


def answer_missing(ceremony: HeldCeremony) -> None:
    not_signed("agree/signed")(ceremony)
    drop("confirmed", key="agree")(ceremony)


def override_unsigned(ceremony: HeldCeremony) -> None:
    by = [{"id": "officer", "name": "Nils Berg"}, {"id": "witness-1", "name": "Eva Lund"}]
    place = lines_where(ceremony, "result", key="proofs/machine/check/1")[0]
    data = {"class": "override", "text": "known route", "by": by}
    insert_after(ceremony, place, lambda held: held.line("deviation", data, "officer"))


CONFIRMATIONS: list[tuple[Callable[[HeldCeremony], None], str]] = [
    (not_signed("root/confirm/signed"), "is not signed with their credential"),
    (not_signed("seen/witness-1/signed"), "is not signed with their credential"),
    (answer_missing, "witness-1 did not confirm step 4 (generate-root): agree"),
    (statement_put("proofs/confirm/signed", digest="0" * 64), "signature of an answer that was not given"),
    (statement_put("proofs/confirm/signed", step=1), "signature of an answer that was not given"),
    (statement_put("proofs/confirm/signed", value="aardvark"), "signature of an answer that was not given"),
    (statement_put("proofs/confirm/signed", ceremony="0" * 32), "about another ceremony, person or role"),
    (statement_put("proofs/confirm/signed", context="root-ceremony something v1"), "a signature of something else"),
    (put("ordered", {"key": "root/confirm"}, digest="0" * 64), "signature of an answer that was not given"),
    (override_unsigned, "is not signed with the credential of Nils Berg"),
]
FORGERIES = [(forge, "sign-offs", why) for forge, why in SIGN_OFFS] + [(forge, "confirmations", why) for forge, why in CONFIRMATIONS]


@pytest.mark.parametrize(("forge", "check", "why"), FORGERIES, ids=[f"{check}-{number}" for number, (_, check, _) in enumerate(FORGERIES)])
def test_a_forged_statement_fails_by_name_and_reason(
    held: HeldCeremony, tmp_path: Path, forge: Callable[[HeldCeremony], None], check: str, why: str
) -> None:
    forged = held.forged()
    forge(forged)
    verdict = verify_bundle(forged.write_bundle(tmp_path / "forged"))
    assert [why in found.detail for found in verdict.checks if found.name == check and not found.passed] == [True], verdict.checks


@pytest.mark.parametrize("forge", [another_signature, another_person, another_role, moved_to_another_line])
def test_without_its_check_the_forgery_would_pass(
    held: HeldCeremony, tmp_path: Path, forge: Callable[[HeldCeremony], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of these is found by the check of the statement itself, and by nothing else."""
    monkeypatch.setattr(checks_of_statements, "_problems_with", lambda subject, statement: ())
    forged = held.forged()
    forge(forged)
    assert failed(verify_bundle(forged.write_bundle(tmp_path / "forged"))) == set()


def test_a_production_with_made_up_credentials_fails(tmp_path: Path) -> None:
    held = whole_ceremony(tmp_path / "held", rehearsal=False, software=False)
    put("opened", {}, credentials={"admin": {"Kari Holm": credential("Kari Holm")}})(held)
    assert failed(verify_bundle(held.write_bundle(tmp_path / "bundle"))) == {"rehearsal"}


def test_a_rehearsal_is_signed_with_made_up_credentials_alone(held: HeldCeremony, tmp_path: Path) -> None:
    forged = held.forged()
    put("opened", {}, credentials={})(forged)
    assert failed(verify_bundle(forged.write_bundle(tmp_path / "forged"))) == {"sign-offs", "confirmations"}
