"""Reading a ceremony script: every problem that the model can tell, all at once; hostile bytes give a refusal and nothing else."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ceremony.activation.roster import example_credential
from ceremony.errors import ExitCode
from ceremony.script import LARGEST_SCRIPT, ScriptRefused, certificates_planned, read_script, script_digest
from ceremony.words import sha256_hex

FIRST = (Path(__file__).parents[1] / "ceremony-scripts" / "first-ceremony.toml").read_text()


def problems_of(text: str | bytes) -> list[str]:
    with pytest.raises(ScriptRefused) as refused:
        read_script(text if isinstance(text, bytes) else text.encode())
    assert all(problem.what in " ".join(refused.value.lines()) for problem in refused.value.problems)
    return [f"{problem.where}: {problem.what}" for problem in refused.value.problems]


def edited(*pairs: tuple[str, str], times: int = 1) -> str:
    text = FIRST
    for before, after in pairs:
        assert before in text, before
        text = text.replace(before, after, times)
    return text


def step(kind: str) -> str:
    return f'[[steps]]\nkind = "{kind}"'


def before(kind: str, *steps: str) -> str:
    """The script with steps put in before the first of a kind."""
    return edited((step(kind), "\n\n".join((*steps, step(kind)))))


def put(kind: str, actor: str = "admin", more: str = 'confirm = ["witness-1"]') -> str:
    return f'{step(kind)}\ntitle = "Put in"\nactor = "{actor}"\n{more}'


def without(kind: str, number: int = 1) -> str:
    """The script without the given occurrence of a step."""
    parts = FIRST.split("[[steps]]\n")
    places = [place for place, part in enumerate(parts) if part.startswith(f'kind = "{kind}"')]
    del parts[places[number - 1]]
    return "[[steps]]\n".join(parts)


def test_the_shipped_script_holds_and_its_digest_is_of_its_bytes() -> None:
    script = read_script(FIRST.encode())
    assert script.id == "example-root-2026"
    assert script_digest(FIRST.encode()) == sha256_hex(FIRST.encode())
    assert len(certificates_planned(script)) == 4


@pytest.mark.parametrize(
    ("before", "after", "where", "what"),
    [
        ("format = 1", "format = 1\nfromat = 1", "fromat", "did you mean 'format'?"),
        ("path_length = 1", "path_lenght = 1", "root.path_lenght", "did you mean 'path_length'?"),
        ('[activation]\n', '[activation]\ntreshold = 3\n', "activation.treshold", "did you mean 'threshold'?"),
        ('[activation.so]\nkind = "pin"', '[activation.so]\nkinds = "pin"', "activation.so.kinds", "did you mean 'kind'?"),
        ("extended_key_usage =", "extended_key_usages =", "profiles.factory.extended_key_usages", "did you mean 'extended_key_usage'?"),
        ('name = "alpha.1"', 'nmae = "alpha.1"', "intermediates[1].nmae", "did you mean 'name'?"),
        ('service = "example-dps"', 'servise = "example-dps"', "proofs[1].servise", "did you mean 'service'?"),
        ("alternates = [{ name", "alternate = [{ name", "participants[1].alternate", "did you mean 'alternates'?"),
        ('title = "Roll-call"', 'titel = "Roll-call"', "steps[1].titel", "did you mean 'title'?"),
        ('what = "bag", text', 'waht = "bag", text', "steps[4].facts[1].waht", "did you mean 'what'?"),
        ("from = 2026-11-20", "form = 2026-11-20", "window.form", "did you mean 'from'?"),
        ('owner = "Ola', 'ower = "Ola', "backup.ower", "did you mean 'owner'?"),
        ('token = "blank"', 'tokne = "blank"', "world.tokne", "did you mean 'token'?"),
        ('kind = "roll-call"', 'kind = "rol-call"', "steps[1].kind", "did you mean 'roll-call'?"),
        ("format = 1", "format = 2", "format", "invalid"),
        ("from = 2026-11-20", 'from = "2026-11-20T"', "window.from", ""),
        ('policy = "private-iot-root"', "", "policy", "is missing"),
        ('id = "example-root-2026"', 'id = "Example/../root"', "id", ""),
        ('id = "example-root-2026"', 'id = "example\\n"', "id", ""),
        ("not_after = 2046-11-19T00:00:00Z", "not_after = 2046-11-19T00:00:00", "root.not_after", "timezone"),
        ("not_after = 2046-11-19T00:00:00Z", "not_after = 0001-01-01T00:00:00+23:59", "root.not_after", "beyond"),
        ("not_after = 2031-11-19T00:00:00Z", "not_after = 0001-01-01T00:00:00+23:59", "profiles.factory", "beyond"),
        ('key = "ec:secp384r1"', 'key = "rsa:1024"', "root.key", ""),
        ('subject = "CN=Example Devices Root CA G1,O=Example,C=NO"', 'subject = "CN=REHEARSAL Root,O=Example"', "root", "REHEARSAL"),
        ('subject = "CN=*,O=Example"', 'subject = "CN=*,XX=Example"', "profiles.factory", ""),
        ('profile = "factory"', 'profile = "factroy"', "intermediates[1].profile", "did you mean 'factory'?"),
        ('name = "beta.1"', 'name = "alpha.1"', "intermediates", "stands twice"),
        ('certificate = "example-root-g1"', 'certificate = "other"', "proofs[1].certificate", "is not the root's label"),
        ('id = "auditor"', 'id = "officer"', "participants", "stands twice"),
        ('name = "Jon Vik"', 'name = "per  AAS"', "participants", "two places"),
        ('name = "Jon Vik"', 'name = "Ida Moe"', "participants", "nobody holds two roles"),
        ('name = "Jon Vik"', 'name = "absent"', "participants", "can't be a name"),
        ('{ name = "Ida Moe"', '{ name = ""', "participants[3].alternates[1].name", "length >= 1"),
        ('{ name = "Ida Moe"', '{ nmae = "Ida Moe"', "participants[3].alternates[1].nmae", "did you mean 'name'?"),
        ("credential = ", "credentail = ", "participants[1].credentail", "did you mean 'credential'?"),
        (f'credential = "{example_credential(3)}"\n', "", "participants[2].credential", "is missing"),
        (f', credential = "{example_credential(5)}"', "", "participants[3].alternates[1].credential", "is missing"),
        (example_credential(3), "nils.pub", "participants[2].credential", "64 hex digits"),
        (example_credential(3), example_credential(3).upper(), "participants[2].credential", "64 hex digits"),
        (example_credential(3), f"ec:secp256r1:02{'f' * 64}", "participants[2].credential", "no point of the curve"),
        (example_credential(3), example_credential(5), "participants", "one credential stands in two places (Nils Berg, Ida Moe)"),
        ('role = "administrator"', 'role = "witness"', "participants", "nobody has the role administrator"),
        ('role = "administrator"', 'role = "boss"', "participants[1].role", ""),
        ('actor = "admin"', 'actor = "amdin"', "steps[1]", "did you mean 'admin'?"),
        ('actor = "admin"', 'actor = "auditor"', "steps[1]", "does not act"),
        ('role = "crypto-officer"', 'role = "observer"', "steps[4]", "observer"),
        ('confirm = ["witness-1"]', "confirm = []", "steps[2].confirm", "needs 1 other than the actor"),
        ('confirm = ["witness-1"]', 'confirm = ["admin"]', "steps[2].confirm", "names somebody twice, or the actor"),
        ('confirm = ["witness-1", "auditor"]', 'confirm = ["auditor", "auditor"]', "steps[23].confirm", "twice"),
        ("from = 2026-11-20", "from = 2027-11-20", "window", "ends before it begins"),
        ("not_after = 2046-11-19T00:00:00Z", "not_after = 2026-11-19T00:00:00Z", "root", ""),
        ("not_after = 2031-11-19T00:00:00Z", "not_after = 2047-11-19T00:00:00Z", "profiles.factory", ""),
        ("path_length = 0", "path_length = 1", "profiles.factory", ""),
        ('root = "absent"', 'root = "present"', "world.root", "[previous]"),
        ('reason = "Devices', 'reason = ""\n# "Devices', "backup", "needs a `reason`"),
        ('label = "example-root"\n', f'label = "{"x" * 33}"\n', "steps[6] 'Take the blank token into use'", "1 to 32"),
        ('name = "token-seal", what = "seal"', 'name = "token-bag", what = "seal"', "steps[4] \"Open the token's bag\"", "stands twice"),
        ("[[steps]]", "[[step]]", "step", "did you mean 'steps'?"),
    ],
)  # fmt: skip
def test_a_problem_is_told_with_its_key_path(before: str, after: str, where: str, what: str) -> None:
    found = problems_of(edited((before, after)))
    assert any(problem.startswith(f"{where}:") and what in problem for problem in found), found


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (without("roll-call"), "no roll-call since the start of the session"),
        (without("roll-call", 2), "no roll-call since the start of the session"),
        (without("check-clock"), "no check-clock since the start of the session"),
        (without("check-clock", 2), "no check-clock since the start of the session"),
        (without("check-machine"), "no check-machine since the start of the session"),
        (without("check-machine", 2), "no check-machine since the start of the session"),
        (without("initialise-token"), "the token is blank"),
        (without("unlock", 1), "an unlock must come right before"),
        (without("unlock", 3), "an unlock must come right before"),
        (without("generate-root"), "there is no root key"),
        (without("certify-root"), "the root key has no certificate yet"),
        (without("import-request"), "no import-request before it"),
        (without("prove-possession"), "no step proves possession to 'example-dps'"),
        (without("sign-intermediates"), "no step signs the intermediate 'alpha.1'"),
        (without("close"), "the last step must be of kind close"),
        (FIRST + FIRST[FIRST.rindex("[[steps]]") :], "comes after the ceremony is closed"),
        (before("attest", put("sign-intermediates", "officer")), "signed already"),
        (before("attest", put("prove-possession", "officer")), "made already"),
        (before("attest", put("import-request")), "came in already"),
        (before("certify-root", put("attest", "officer", 'statement = "x"')), "an unlock must come right before"),
        (before("crossing", put("use-root")), "no root to take up"),
        (before("unlock", put("generate-root", "officer")), "there is a root key already"),
        (before("attest", put("crossing"), put("roll-call", more=""), put("crossing")), "nothing was made since the last export"),
    ],
)  # fmt: skip
def test_an_impossible_order_is_told(text: str, what: str) -> None:
    with pytest.raises(ScriptRefused) as refused:
        read_script(text.encode())
    found = refused.value.lines()
    assert any(what in line for line in found), found
    assert refused.value.code == "SCRIPT-INVALID"


def test_all_problems_are_told_at_once() -> None:
    found = problems_of(
        edited(("path_length = 1", "path_lenght = 1"), ('role = "administrator"', 'role = "boss"'), ('kind = "attest"', 'kind = "atest"'))
    )
    assert len(found) == 3
    found = problems_of(
        edited(("not_after = 2031", "not_after = 2047"), ('name = "beta.1"', 'name = "alpha.1"'), ('actor = "admin"', 'actor = "amdin"'))
    )
    assert len(found) == 3


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('policy = "private-iot-root"', 'policy = "public-trust"'),
        ('key = "ec:secp384r1"', 'key = "ec:secp384r1"\nalways_authenticate = true'),
    ],
)  # fmt: skip
def test_what_is_not_built_is_refused_by_name(before: str, after: str) -> None:
    with pytest.raises(ScriptRefused) as refused:
        read_script(edited((before, after)).encode())
    assert (refused.value.code, refused.value.exit_code) == ("NOT-BUILT", ExitCode.REFUSED)
    assert all("not built yet" in problem.what for problem in refused.value.problems)


@pytest.mark.parametrize("table", ["", 'version = "1"', 'image_sha256 = "5A"', f'image_sha256 = "{"5A" * 32}"', "image_sha256 = 5"])
def test_an_image_is_named_by_its_digest_and_by_nothing_else(table: str) -> None:
    assert read_script(edited(("[[participants]]", f'[tool]\nimage_sha256 = "{"5a" * 32}"\n\n[[participants]]')).encode()).image_sha256
    found = problems_of(edited(("[[participants]]", f"[tool]\n{table}\n\n[[participants]]")))
    assert found and all(problem.startswith("tool.") for problem in found)


def test_a_wrong_script_with_something_not_built_is_wrong_first() -> None:
    with pytest.raises(ScriptRefused) as refused:
        read_script(edited(('policy = "private-iot-root"', 'policy = "public-trust"'), ('name = "beta.1"', 'name = "alpha.1"')).encode())
    assert (refused.value.code, refused.value.exit_code) == ("SCRIPT-INVALID", ExitCode.USAGE)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\xff\xfe",
        b"x" * (LARGEST_SCRIPT + 1),
        b"a = " + b"[" * 100_000,
        b"a = " + b"9" * 5000,
        b"a = 1\na = 2",
        b"steps = 1",
        b"steps = [1, 2]",
        b"[steps]",
        b"[[window]]",
        b"root = []",
        b"participants = 1979-05-27",
        b"profiles = { a = 1 }",
        b'world = "x"',
        b"format = 9999999999999999999999999999",
        b"max_batch = nan",
        b'"\\u0000" = 1',
        b"\"\xe2\x80\xae\" = 'bidi'",
    ],
)
def test_hostile_bytes_are_refused_in_words(octets: bytes) -> None:
    with pytest.raises(ScriptRefused) as refused:
        read_script(octets)
    assert all(line.isascii() and line.isprintable() for line in refused.value.lines())


_KEYS = st.sampled_from(
    [
        "format",
        "id",
        "title",
        "window",
        "root",
        "profiles",
        "steps",
        "participants",
        "backup",
        "world",
        "kind",
        "actor",
        "confirm",
        "from",
        "é",
    ]
)
_DATES = ["2026-11-24", "2026-11-24T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "07:32:00"]
_PLAIN = ["1", "-1", "true", "1.5", "inf", '""', '"x"', '"attest"', '"\\u202e"']


def _list_of(items: list[str]) -> str:
    return f"[{', '.join(items)}]"


def _table_of(table: dict[str, str]) -> str:
    return "{" + ", ".join(f"{key} = {value}" for key, value in table.items()) + "}"


_VALUES = st.recursive(
    st.sampled_from(_DATES + _PLAIN),
    lambda inner: st.lists(inner, max_size=3).map(_list_of) | st.dictionaries(_KEYS.filter(str.isascii), inner, max_size=3).map(_table_of),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(_KEYS, _VALUES, max_size=6))
def test_any_toml_is_refused_or_read(table: dict[str, str]) -> None:
    text = "".join(f"{key if key.isascii() else repr(key)} = {value}\n" for key, value in table.items())
    with pytest.raises(ScriptRefused):
        read_script(text.encode())


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(FIRST.splitlines()) - 1), _VALUES)
def test_any_value_in_the_place_of_another_is_refused_or_read(number: int, value: str) -> None:
    lines = FIRST.splitlines()
    key, equals, _ = lines[number].partition(" = ")
    lines[number] = f"{key} = {value}" if equals else lines[number]
    try:
        read_script("\n".join(lines).encode())
    except ScriptRefused as refused:
        assert refused.problems


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(FIRST.encode())), st.binary(max_size=4), st.integers(0, 40))
def test_any_bytes_put_in_are_refused_or_read(place: int, put: bytes, dropped: int) -> None:
    octets = FIRST.encode()
    try:
        read_script(octets[:place] + put + octets[place + dropped :])
    except ScriptRefused as refused:
        assert refused.problems
