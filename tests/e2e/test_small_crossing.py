"""What is small crosses without a medium: a code comes in on paper, fingerprint and proof leave as QR codes, both on the record."""

import base64
import hashlib
from pathlib import Path

from ceremony.words import check_words
from tests.e2e.commands import SCRIPTS, ceremony, done, last_bundle, refused, rehearsed
from tests.e2e.held import lines_of
from tests.e2e.openssl import openssl

SCRIPT, ANSWERS = SCRIPTS / "proof-of-possession.toml", SCRIPTS / "proof-of-possession.answers.toml"
SHOWN = '"close/qr/fingerprint" = "show"\n"close/qr/proof/example-dps" = "show"\n'


def test_a_typed_code_comes_in_and_a_proof_leaves_as_qr(tmp_path: Path) -> None:
    script, answers = tmp_path / "script.toml", tmp_path / "answers.toml"
    script.write_text(SCRIPT.read_text().replace("[activation]", '[crossing]\nqr = ["fingerprint", "proof"]\n\n[activation]', 1))
    answers.write_text(ANSWERS.read_text() + SHOWN)
    folder = tmp_path / "D"
    done("rehearse", script, "--answers", answers, "--dir", folder)
    answered = {line.data["key"]: line for line in lines_of(folder) if line.type == "confirmed"}
    code = answered["typed/1/example-dps/code"].data
    assert answered["typed/1/example-dps/words"].data["value"] == " ".join(check_words(code["value"]))
    assert answered["typed/1/example-dps/again"].data["by"] != code["by"]
    seal = next(line for line in reversed(lines_of(folder)) if line.type == "sealed")
    bundle = last_bundle(folder)
    proof = bundle / "proof-of-possession/example-dps/example-root-g1.cert.pem"
    assert code["value"] in openssl("x509", "-in", proof, "-noout", "-subject")
    der = base64.b64decode("".join(proof.read_text().splitlines()[1:-1]))
    for key, text in (("fingerprint", seal.sha256.upper()), ("proof/example-dps", base64.b32encode(der).decode().rstrip("="))):
        asked, read = answered[f"qr/{key}"], answered[f"qr/{key}/read"]
        assert seal.seq < asked.seq < read.seq
        assert (asked.data["value"], read.data["value"]) == ("show", "read")
        assert asked.data["digest"] == hashlib.sha256(text.encode()).hexdigest()


def test_nothing_leaves_as_qr_unless_the_script_says_so(tmp_path: Path) -> None:
    assert rehearsed("proof-of-possession", tmp_path / "D").code == 0
    assert not [line for line in lines_of(tmp_path / "D") if str(line.data.get("key")).startswith("qr/")]


def test_a_proof_that_the_script_does_not_name_cannot_leave(tmp_path: Path) -> None:
    script = tmp_path / "script.toml"
    text = (SCRIPTS / "root-generation.toml").read_text()
    script.write_text(text.replace("[activation]", '[crossing]\nqr = ["proof"]\n\n[activation]', 1))
    assert "crossing.qr" in refused(ceremony("check", script), 2, "SCRIPT-INVALID")
