"""`ceremony new`: a few answers make a script that holds and rehearses. The JSON Schema for editors is the model's own."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from ceremony.schema import schema
from ceremony.shipped import names
from hsm.errors import TokenError
from hsm.softhsm import find_softhsm
from tests.credentials import credential, write_credentials
from tests.e2e.commands import ROOT, SCRIPTS, Ended, ceremony, done, last_bundle, refused
from tests.e2e.openssl import field

SCHEMA = SCRIPTS / "ceremony-script.schema.json"

ANSWERS = {
    "Short name of the ceremony": "acme-root-2027",
    "Title": "Acme root key ceremony",
    "First day on which it may be held": "2027-03-01",
    "Last day": "2027-03-05",
    "Subject of the root": "CN=Acme Root CA G1,O=Acme,C=DE",
    "Label of the root key": "",
    "Last moment of the root": "2047-03-01",
    "Subjects that intermediates may have": "CN=*,O=Acme",
    "Last moment of the intermediates": "2032-03-01",
    "Names of the intermediates": "berlin.1, munich.1",
    "Device Provisioning Services": "acme-dps",
    "Name of the administrator": "Anna Schmidt",
    "Credential of Anna Schmidt": "",
    "Alternates of Anna Schmidt": "Bernd Fuchs",
    "Credential of Bernd Fuchs": credential("Bernd Fuchs"),
    "Name of the crypto-officer": "Carla Weiss",
    "Credential of Carla Weiss": "",
    "Alternates of Carla Weiss": "",
    "Name of the witness": "Dirk Roth",
    "Credential of Dirk Roth": "",
    "Alternates of Dirk Roth": "",
    "Name of the auditor": "Erika Blau",
    "Credential of Erika Blau": "",
    "Alternates of Erika Blau": "",
    "There is no backup of the key": "Devices can be moved to a new root.",
    "Who owns that risk?": "Fritz Gelb, head of operations",
}


def asked(talk: str) -> list[str]:
    """The questions of a dialogue: each ends with what stands in brackets."""
    return [part.strip().splitlines()[-1] for part in talk.split("]: ")[:-1]]


def answered(file: Path, answers: dict[str, str], *options: str) -> Ended:
    """Runs the dialogue with these answers in their order."""
    return ceremony("new", file, *options, typed="".join(f"{answer}\n" for answer in answers.values()))


def test_a_script_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "acme.toml"
    ended = answered(file, ANSWERS)
    assert ended.code == 0, ended
    assert ended.out == ""
    questions = asked(ended.err)
    assert len(questions) == len(ANSWERS)
    assert all(question.startswith(beginning) for question, beginning in zip(questions, ANSWERS, strict=True)), questions
    text = file.read_text()
    script = tomllib.loads(text)
    assert script["id"] == "acme-root-2027"
    assert script["root"]["subject"] == "CN=Acme Root CA G1,O=Acme,C=DE"
    assert script["root"]["label"] == script["proofs"][0]["certificate"] == "acme-root-ca-g1"
    assert [entry["name"] for entry in script["intermediates"]] == ["berlin.1", "munich.1"]
    assert script["participants"][0]["alternates"] == [{"name": "Bernd Fuchs", "credential": credential("Bernd Fuchs")}]
    assert "credential of their own yet: Anna Schmidt, Carla Weiss, Dirk Roth, Erika Blau." in ended.err
    assert "Example Devices" not in text and "Read aloud: This is the root key ceremony of Acme." in text
    plan = json.loads(done("check", file, "--json").out)
    assert plan["sound"] is True


def test_it_rehearses(tmp_path: Path) -> None:
    try:
        find_softhsm()
    except TokenError as missing:
        pytest.skip(missing.what)
    file, folder = tmp_path / "acme.toml", tmp_path / "D"
    assert answered(file, ANSWERS).code == 0
    # The window lies in a year that need not be this one: a rehearsal says so, and goes on.
    done("rehearse", file, "--answers", SCRIPTS / "first-ceremony.answers.toml", "--dir", folder)
    root = last_bundle(folder) / "root" / "acme-root-ca-g1.cert.pem"
    assert field(root, "subject") == "subject=CN=REHEARSAL Acme Root CA G1,O=Acme,C=DE"
    assert (last_bundle(folder) / "intermediates" / "munich.1.cert.pem").exists()


@pytest.mark.parametrize("name", names())
def test_enter_alone_takes_what_stands_in_brackets(name: str, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    ended = ceremony("new", file, "--from", name, typed="\n" * 80)
    assert ended.code == 0, ended
    assert json.loads(done("check", file, "--json").out)["sound"] is True
    shipped = tomllib.loads((SCRIPTS / f"{name}.toml").read_text())
    own = tomllib.loads(file.read_text())
    assert own.keys() == shipped.keys()
    assert [step["kind"] for step in own["steps"]] == [step["kind"] for step in shipped["steps"]]


@pytest.mark.parametrize(
    ("question", "wrong", "why"),
    [
        ("Short name of the ceremony", "Acme Root!", "1 to 64 small letters"),
        ("First day on which it may be held", "next Monday", "Invalid isoformat"),
        ("Last day", "2020-01-01", "Not before 2027-03-01"),
        ("Subject of the root", "Acme", ""),
        ("Last moment of the root", "2027-03-01", "Later than"),
        ("Last moment of the intermediates", "2050-01-01", "Not later than the root"),
        ("Names of the intermediates", "one, one", "each once"),
        ("Credential of Bernd Fuchs", "ed25519:00", "64 hex digits"),
        ("Credential of Bernd Fuchs", "/nowhere/bernd.pem", "No such file"),
        ("Credential of Bernd Fuchs", "/dev/null", "no block ENCRYPTED"),
    ],
)
def test_a_wrong_answer_is_asked_again(question: str, wrong: str, why: str, tmp_path: Path) -> None:
    typed = [line for beginning, answer in ANSWERS.items() for line in ([wrong, answer] if beginning == question else [answer])]
    ended = ceremony("new", tmp_path / "own.toml", typed="".join(f"{line}\n" for line in typed))
    assert ended.code == 0 and why in ended.err, ended
    assert len(asked(ended.err)) == len(ANSWERS) + 1
    assert tomllib.loads((tmp_path / "own.toml").read_text())["id"] == "acme-root-2027"


def test_a_credential_is_taken_from_its_file(tmp_path: Path) -> None:
    medium = write_credentials(tmp_path / "medium", "Bernd Fuchs")
    ended = answered(tmp_path / "acme.toml", {**ANSWERS, "Credential of Bernd Fuchs": str(medium / "bernd-fuchs.pem")})
    assert ended.code == 0, ended
    script = tomllib.loads((tmp_path / "acme.toml").read_text())
    assert script["participants"][0]["alternates"][0]["credential"] == credential("Bernd Fuchs")


def test_nothing_is_written_before_everything_holds(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    refused_in_the_middle = ceremony("new", file, typed="acme\nTitle\n")
    assert refused_in_the_middle.code == 2 and "Code: USAGE" in refused_in_the_middle.err
    twice = {**ANSWERS, "Name of the witness": "Anna Schmidt"}
    ended = answered(file, twice)
    assert ended.code == 2 and "Code: SCRIPT-INVALID" in ended.err and "two places" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_and_an_unknown_name(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("mine")
    refused(ceremony("new", file, typed=""), 2, "FILE-EXISTS")
    assert file.read_text() == "mine"
    refused(ceremony("new", tmp_path / "other.toml", "--from", "secnd-ceremony", typed=""), 2, "SCRIPT-UNREADABLE")


def test_what_is_to_be_revoked_and_until_when_the_crl_holds_are_asked(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    lines = {"Until when": "2028-01-31", "Intermediates to revoke": "berlin.1, munich.1", "Why (": "superseded", "Note": "New factory."}
    enter = ceremony("new", tmp_path / "first.toml", "--from", "revoke-intermediate", typed="\n" * 40)
    typed = [next((lines[begin] for begin in lines if question.startswith(begin)), "") for question in asked(enter.err)]
    ended = ceremony("new", file, "--from", "revoke-intermediate", typed="".join(f"{line}\n" for line in typed))
    assert ended.code == 0, ended
    script = tomllib.loads(file.read_text())
    assert [(entry["name"], entry["reason"], entry["note"]) for entry in script["revoke"]] == [
        ("berlin.1", "superseded", "New factory."), ("munich.1", "superseded", "New factory."),
    ]  # fmt: skip
    assert f"{script['crl']['next_update']:%Y-%m-%d}" == "2028-01-31"


# the schema for editors


def test_the_committed_schema_is_the_models_own() -> None:
    printed = subprocess.run([sys.executable, "-m", "ceremony.schema"], capture_output=True, check=True, cwd=ROOT).stdout
    assert SCHEMA.read_bytes() == printed
    assert json.loads(printed) == json.loads(json.dumps(schema()))


SCHEMA_OF_SCRIPTS = schema()


def problems(value: Any, rule: dict[str, Any], where: str = "") -> list[str]:
    """What a value breaks of this schema, by the keywords that ours uses (JSON Schema 2020-12)."""
    unknown = set(rule) - KEYWORDS
    assert not unknown, f"the check does not know {unknown}"
    if "$ref" in rule:
        return problems(value, SCHEMA_OF_SCRIPTS["$defs"][rule["$ref"].removeprefix("#/$defs/")], where)
    if "anyOf" in rule:
        tried = [problems(value, one, where) for one in rule["anyOf"]]
        return [] if any(not found for found in tried) else min(tried, key=len)
    found = []
    if "enum" in rule and value not in rule["enum"]:
        found.append(f"{where}: {value!r} is not in {rule['enum']}")
    if "const" in rule and value != rule["const"]:
        found.append(f"{where}: {value!r} is not {rule['const']!r}")
    kinds = {"object": dict, "array": list, "integer": int, "null": type(None), "boolean": bool}
    if "type" in rule and rule["type"] in kinds and not isinstance(value, kinds[rule["type"]]):
        return [*found, f"{where}: {value!r} is no {rule['type']}"]
    if isinstance(value, dict):
        found += [f"{where}.{key} is missing" for key in rule.get("required", []) if key not in value]
        for key, item in value.items():
            if key in rule.get("properties", {}):
                found += problems(item, rule["properties"][key], f"{where}.{key}")
            elif rule.get("additionalProperties") is False:
                found.append(f"{where}.{key} is unknown")
            elif isinstance(rule.get("additionalProperties"), dict):
                found += problems(item, rule["additionalProperties"], f"{where}.{key}")
    if isinstance(value, list) and "items" in rule:
        found += [problem for number, item in enumerate(value) for problem in problems(item, rule["items"], f"{where}[{number}]")]
    return found


KEYWORDS = {
    "$schema",
    "$defs",
    "$ref",
    "title",
    "description",
    "type",
    "properties",
    "required",
    "additionalProperties",
    "anyOf",
    "enum",
    "const",
    "default",
    "items",
    "discriminator",
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "propertyNames",
}


@pytest.mark.parametrize("name", names())
def test_the_schema_takes_the_shipped_scripts_and_sees_a_slip(name: str) -> None:
    script = tomllib.loads((SCRIPTS / f"{name}.toml").read_text())
    assert problems(script, SCHEMA_OF_SCRIPTS) == []
    script["steps"][0]["acter"] = script["steps"][0].pop("actor")
    assert problems(script, SCHEMA_OF_SCRIPTS)
