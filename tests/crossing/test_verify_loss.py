"""What `verify` and `duties` make of a token that is lost; and the steps that may not use it any more."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec import to_builtins

from ceremony.crossing.duties import duties_of
from ceremony.crossing.ledger import read_ledger
from ceremony.crossing.physical import LostToken
from ceremony.crossing.tokens import copies_left, roots_to_go_on_with, roots_without_a_token, spare_tokens, tokens_left
from ceremony.crossing.verify import verify_bundle
from ceremony.engine.step import Act, Ask, Known, Person
from ceremony.errors import CeremonyError
from ceremony.room.change_token import TakeToken
from ceremony.script import ScriptRefused, read_script
from ceremony.shipped import path_of
from ceremony.steps.report_loss import ReportLoss
from ceremony.steps.use_root import UseRoot
from ceremony.words import sha256_hex
from tests.crossing.forging import drop, failed, lines_where, put
from tests.crossing.held_ceremony import HeldCeremony, going_on, spki, whole_ceremony
from tests.crossing.held_crl import CRL, scripted, write_crl
from tests.crossing.test_verify_backup import CLONE, proved

KINDS = ("roll-call", "check-clock", "check-machine", "report-loss", "use-root", "close")
BY = CLONE[CLONE.index("[backup]") :] + "by = 2027-03-01\n"
REASON = "it fell and does not answer"


def reported(folder: Path, previous: HeldCeremony, now: str = "T2", lost: str = "T1") -> HeldCeremony:
    """A later ceremony that reports the loss of one token, and takes up the root on another."""
    ceremony = HeldCeremony(folder, scripted(KINDS, previous, BY), **going_on(previous))
    ceremony.prepare()
    ceremony.begin("report-loss")
    ceremony.answered("token/1/first", lost, "officer")
    ceremony.answered("token/1/second", lost, "witness-1")
    ceremony.answered("how", "broken", "officer")
    ceremony.answered("reason", REASON, "officer")
    ceremony.backed("agree", "recorded", "witness-1")
    digest = sha256_hex(spki(ceremony.root_key))
    told = {"label": "example-root-g1", "public_key_sha256": digest, "token": lost, "how": "broken", "reason": REASON}
    ceremony.finish(lost_tokens=[told])
    ceremony.begin("use-root")
    ceremony.act("find", "find-root", {}, {"token": {"serial": now}})
    ceremony.write("root/example-root-g1.cert.pem", ceremony.root_der)
    ceremony.finish(root_certificate_sha256=sha256_hex(ceremony.root_der), root_token=now)
    write_crl(ceremony, previous.artifacts[CRL], in_step_before=True)
    ceremony.seal("close")
    (opened,) = lines_where(ceremony, "opened")
    if copies := _copies(previous):
        opened["data"]["previous"]["backups"] = copies
    return ceremony


def _copies(ceremony: HeldCeremony) -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], to_builtins(copies_left(read_ledger(ceremony.bundle_files()["record/ledger.json"]).ceremonies)))


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> HeldCeremony:
    """A ceremony that has proved the copy on T2."""
    return proved(tmp_path_factory.mktemp("proved"), whole_ceremony(tmp_path_factory.mktemp("first")))


@pytest.fixture(scope="module")
def good(before: HeldCeremony, tmp_path_factory: pytest.TempPathFactory) -> HeldCeremony:
    return reported(tmp_path_factory.mktemp("reported"), before)


def _told(ceremony: HeldCeremony, folder: Path) -> tuple[set[str], str]:
    verdict = verify_bundle(ceremony.write_bundle(folder), fingerprint=ceremony.fingerprint)
    return failed(verdict), next(check.detail for check in verdict.checks if check.name == "backup")


def test_a_loss_goes_into_the_ledger_and_demands_another_copy(good: HeldCeremony, tmp_path: Path) -> None:
    assert _told(good, tmp_path / "1")[0] == set()
    ceremonies = read_ledger((tmp_path / "1" / "record" / "ledger.json").read_bytes()).ceremonies
    (lost,) = ceremonies[-1].lost_tokens
    assert (lost.token, lost.how, lost.reason, ceremonies[-1].token) == ("T1", "broken", REASON, "T2")
    key = lost.public_key_sha256
    assert (tokens_left(ceremonies, key), spare_tokens(ceremonies, key)) == (["T2"], [])
    (duty,) = [duty for duty in duties_of(tmp_path / "1", None).duties if duty.kind == "backup"]
    assert duty.date == "2027-03-01"


def _not_said(ceremony: HeldCeremony) -> None:
    (line,) = [line for line in lines_where(ceremony, "step-finished") if "lost_tokens" in line["data"]["products"]]
    line["data"]["products"] = {}


FORGED: dict[str, Callable[[HeldCeremony], None]] = {
    "two people did not name the token T1": drop("confirmed", key="token/1/second"),
    "nobody said just that of it (reason)": put("confirmed", {"key": "reason"}, value="another reason"),
    "nobody said just that of it (how)": drop("confirmed", key="how"),
    "nobody agreed to it": drop("confirmed", key="agree"),
    "tells of other lost tokens than were reported": _not_said,
    "takes up the token T1, which was reported as lost": put("result", {"verb": "find-root"}, value={"token": {"serial": "T1"}}),
    "names another token than the one that was taken up": put("result", {"verb": "find-root"}, value={"token": {"serial": "T5"}}),
}


@pytest.mark.parametrize("told", FORGED)
def test_verify_tells_a_loss_that_was_not_so(good: HeldCeremony, tmp_path: Path, told: str) -> None:
    forged = good.forged()
    FORGED[told](forged)
    found, detail = _told(forged, tmp_path / "bundle")
    assert "backup" in found and told in detail


def test_a_lost_token_that_is_used_later_is_told(good: HeldCeremony, tmp_path: Path) -> None:
    again = reported(tmp_path / "again", good, now="T1", lost="T2")
    found, detail = _told(again, tmp_path / "bundle")
    assert found == {"backup"} and "takes up the token T1, which was reported as lost" in detail


def test_a_root_counts_as_lost_when_its_last_token_is(before: HeldCeremony, good: HeldCeremony) -> None:
    ceremonies = read_ledger(good.bundle_files()["record/ledger.json"]).ceremonies
    key = sha256_hex(spki(good.root_key))
    copy = LostToken("example-root-g1", key, "T2", "lost", REASON)
    assert roots_without_a_token(ceremonies) == [], "T1 is lost, and the copy on T2 is not"
    assert [root.label for root in roots_without_a_token(ceremonies, [copy])] == ["example-root-g1"]
    assert roots_to_go_on_with(ceremonies, "0" * 64) == ["example-root-g1"]
    assert roots_to_go_on_with(ceremonies, "0" * 64, [copy]) == [], "the last root that can sign is not destroyed for a lost one"
    assert roots_without_a_token(read_ledger(before.bundle_files()["record/ledger.json"]).ceremonies, []) == []


def _previous(**more: Any) -> dict[str, Any]:
    root = {"root_public_key": "00", "root_public_key_sha256": "1" * 64, "roots_lost": []}
    return {**root, "tokens_left": ["T1", "T2"], "tokens_lost": [], **more}


def _known(products: dict[str, Any]) -> Known:
    people = {"officer": Person("Nils Berg", "crypto-officer"), "witness-1": Person("Eva Lund", "witness")}
    script = read_script(path_of("recover-from-backup").read_bytes())
    return Known(script=script, products=products, opened={"rehearsal": False, "ceremony": "c"}, step=4, people=people)


@pytest.mark.parametrize(("previous", "products"), [(["T2"], []), ([], ["T2"])])
def test_the_root_is_not_taken_up_on_a_token_that_was_lost(previous: list[str], products: list[str]) -> None:
    step = UseRoot(title="Take up", actor="officer", confirm=("witness-1",))
    run = step.run(_known({"lost_tokens": [{"token": serial} for serial in products]}))
    next(run)
    run.send(_previous(tokens_lost=previous))
    with pytest.raises(CeremonyError) as refused:
        run.send({"key_id": "aa", "label": "root", "token": {"serial": "T2"}})
    assert refused.value.code == "TOKEN-WAS-LOST"


def test_the_step_names_a_token_that_the_ledger_knows_and_keeps_what_was_said() -> None:
    run = ReportLoss(title="Loss", actor="officer", confirm=("witness-1",)).run(_known({"lost_tokens": [{"token": "T1"}]}))
    request, products = next(run), {}
    try:
        while True:
            match request:
                case Act(verb="read-previous"):
                    request = run.send(_previous())
                case Ask(key="token/1/first"):
                    assert request.choices == ("T2",), "what is lost already is not lost again"
                    request = run.send("T2")
                case Ask():
                    request = run.send(request.accept or (request.choices or (REASON,))[0])
                case Act(verb="sign-statement"):
                    request = run.send({"signature": "00", "line": "0" * 64, "credential": "x"})
                case _:
                    request = run.send(None)
    except StopIteration as end:
        products = end.value
    assert [lost["token"] for lost in products["lost_tokens"]] == ["T1", "T2"]
    assert products["lost_tokens"][1] | {"token": ""} == {
        "label": "example-root-g1", "public_key_sha256": "1" * 64, "token": "", "how": "broken", "reason": REASON,
    }  # fmt: skip


@pytest.mark.parametrize(("first", "lost", "code"), [(["T2"], [], "BACKUP-IS-PRIMARY"), ([], ["T2"], "TOKEN-WAS-LOST")])
def test_a_first_token_or_a_lost_one_is_no_copy_whatever_the_site_file_calls_it(first: list[str], lost: list[str], code: str) -> None:
    room = cast(Any, SimpleNamespace(serial="T1", rehearsal=False, site=SimpleNamespace(tokens={"backup": "T2"})))
    with pytest.raises(CeremonyError) as refused:
        TakeToken().do(room, {"name": "backup", "first": first, "lost": lost}, cast(Any, None))
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('kind = "use-root"', 'kind = "report-loss"', "use-root"),
        ("by = 2027-01-31", "", "backup.by: is missing"),
        ('[world]\ntoken = "ready"\nroot = "present"', "", "[previous] wants root"),
    ],
)
def test_a_script_that_cannot_hold_is_told(before: str, after: str, told: str) -> None:
    text = path_of("recover-from-backup").read_text()
    assert before in text
    with pytest.raises(ScriptRefused) as refused:
        read_script(text.replace(before, after, 1).encode())
    assert told in refused.value.what


def test_a_loss_is_reported_before_the_root_is_taken_up() -> None:
    text = path_of("recover-from-backup").read_text()
    start, end = text.index('[[steps]]\nkind = "report-loss"'), text.index('[[steps]]\nkind = "record"')
    place = text.index("[[steps]]", text.index('kind = "use-root"'))
    with pytest.raises(ScriptRefused) as refused:
        read_script((text[:start] + text[end:place] + text[start:end] + text[place:]).encode())
    assert "the root is taken up already" in refused.value.what
