"""The documents say what is so: links resolve, tables of the code are told whole, excerpts are what the program prints."""

import importlib.util
import re
import subprocess
import sys
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import get_args

import msgspec
import pytest

from ceremony.cli import COMMANDS
from ceremony.crossing.bundle import CAPS as BUNDLE_CAPS
from ceremony.crossing.request import CAPS as REQUEST_CAPS
from ceremony.engine.answers import LONGEST_TEXT
from ceremony.errors import CODES, ExitCode
from ceremony.machine.site import LARGEST_SITE_FILE, MODULE_VARIABLES, TOKEN_NAMES
from ceremony.pki.csr import LARGEST_CSR
from ceremony.room.verbs import VERBS
from ceremony.script import LARGEST_SCRIPT, Script
from ceremony.shipped import names
from ceremony.steps import AnyStep
from ceremony.transcript import LARGEST_LINE, LARGEST_TRANSCRIPT, LINE_TYPES
from hsm.errors import HSM_CODES

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), ROOT / "ceremony-scripts" / "README.md", ROOT / "benchmarks" / "README.md"])
README, FORMATS, GUIDE, AZURE, FACTORY, DEVICES, SCRIPTS = (
    (ROOT / path).read_text()
    for path in (
        "README.md", "docs/formats.md", "docs/operators-guide.md", "docs/azure.md", "docs/factory.md", "docs/devices.md",
        "ceremony-scripts/README.md",
    )
)  # fmt: skip
KINDS = [str(kind.__struct_config__.tag) for kind in get_args(AnyStep)]


def without_code(markdown: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", markdown, flags=re.MULTILINE | re.DOTALL))


def links(page: Path) -> Iterator[str]:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text())):
        if not re.match(r"https?://", target):
            yield target


def anchors(page: Path) -> set[str]:
    """The anchors that a forge makes of headings: lower case, no punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def made_by(path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{target} is not there"
        assert not anchor or anchor in anchors(there), f"{target} names no heading"


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        page = page / "README.md" if page.is_dir() else page
        if page.suffix == ".md" and page not in reached:
            reached.add(page)
            waiting += [(page.parent / target.partition("#")[0]).resolve() for target in links(page) if target.partition("#")[0]]
    assert set(PAGES) == reached


def test_the_page_of_error_codes_is_the_one_that_the_tables_make() -> None:
    assert (DOCS / "errors.md").read_text() == made_by(DOCS / "make_errors.py").page(), "python docs/make_errors.py > docs/errors.md"


def test_the_page_of_rules_is_the_one_that_the_table_makes() -> None:
    assert (DOCS / "compliance.md").read_text() == made_by(DOCS / "make_compliance.py").page(), "make docs"


@pytest.mark.parametrize("code", [*CODES, *HSM_CODES])
def test_every_code_stands_in_the_page_of_errors(code: str) -> None:
    assert f"| `{code}` | " in (DOCS / "errors.md").read_text()


def test_every_code_that_a_page_names_exists() -> None:
    looks_like_a_code = re.compile(
        r"`((?:ANCHOR|ANSWERS|AZURE|BACKUP|BUNDLE|CERTIFICATE|CREDENTIAL|CSR|DEMO|DEVICE|DRAFT|FACTORY|FILE|FOLDER|KEY|LEDGER|MEDIUM|MODULE|NOT|ONLINE|PASSPHRASE|PLAN|PREVIOUS|PROFILE|RECEIPTS|RECORD|REGISTRY|REPORT|REQUEST|SCRIPT|SECRET|SIGNATURE|SIMULATOR|SITE|TERMINAL|TOKEN)-[A-Z0-9-]+)`"
    )
    named = {code for page in PAGES for code in looks_like_a_code.findall(page.read_text())}
    assert len(named) > len(CODES)
    assert named - CODES.keys() - HSM_CODES.keys() == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_described_in_the_readme(command: str) -> None:
    assert f"`ceremony {command}" in README.split("## Everyday commands")[1].split("## Exit codes")[0]


def options_of(command: str) -> set[str]:
    parser = ArgumentParser()
    importlib.import_module(f"ceremony.commands.{COMMANDS[command].module}").add_arguments(parser)
    return {option for action in parser._actions for option in action.option_strings}


def options_of_verb(command: str, verb: str) -> set[str]:
    parser = ArgumentParser()
    importlib.import_module(f"ceremony.commands.{command}").add_arguments(parser)
    (verbs,) = (action for action in parser._actions if isinstance(action, _SubParsersAction))
    return {option for action in verbs.choices[verb]._actions for option in action.option_strings}


def test_every_command_line_on_a_page_has_options_that_the_command_has() -> None:
    seen = 0
    for page in (README, GUIDE, FORMATS, AZURE, FACTORY, DEVICES, SCRIPTS):
        for line in re.findall(r"(?:^ {4}|`)ceremony ([a-z]+ [^`\n]*)", page, re.MULTILINE):
            command, *rest = line.split()
            if command in ("online", "factory", "device", "credential"):
                wanted, known = {word for word in rest[1:] if word.startswith("-")}, options_of_verb(command, rest[0])
            else:
                wanted, known = {word for word in rest if word.startswith("-")}, options_of(command)
            assert wanted <= known, line
            seen += 1
    assert seen > 30


@pytest.mark.parametrize("code", [code for code in CODES if code.startswith("DEVICE-")])
def test_every_code_of_the_device_is_explained_on_its_page(code: str) -> None:
    assert f"`{code}`" in DEVICES


@pytest.mark.parametrize("verb", ["register", "connect"])
def test_every_option_of_the_devices_commands_is_on_their_page(verb: str) -> None:
    assert {option for option in options_of_verb("device", verb) - {"-h", "--help"} if f"`{option}" not in DEVICES} == set()


@pytest.mark.parametrize("verb", ["request", "accept", "status", "issue"])
def test_every_option_of_the_factorys_commands_is_on_their_page(verb: str) -> None:
    told = re.findall(r"--?[a-z0-9][a-z0-9-]*", FACTORY)
    assert options_of_verb("factory", verb) - {"-h", "--help", "--output"} <= set(told)


def test_every_command_of_the_original_has_its_row_in_the_guide() -> None:
    rows = set(re.findall(r"^\| `([a-z-]+)`[^|]* \| [^|]*`[^|]+ \| [^|]{20,} \|$", SCRIPTS, re.MULTILINE))
    assert rows == {"create-ca-root", "proof-ca-root-possession", "create-ca-intermediate", "create-device-cert", "connect"}


def test_every_exit_code_is_described_in_the_readme() -> None:
    table = README.split("## Exit codes")[1].split("\n\n")[0]
    told = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE) for code in row.split(",")}
    assert told >= {int(code) for code in ExitCode}


def section(of: str, begin: str, end: str) -> str:
    assert begin in of and end in of
    return of.split(begin)[1].split(end)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_kind_is_described_with_its_parameters(kind: str) -> None:
    rows = re.findall(rf"^\| `{kind}` \| (.*?) ?\| (.+) \|$", section(FORMATS, "### Step kinds", "### Certificates"), re.MULTILINE)
    assert len(rows) == 1
    model = next(found for found in get_args(AnyStep) if found.__struct_config__.tag == kind)
    common = {field.encode_name for field in msgspec.structs.fields(model.__mro__[1])}
    for field in msgspec.structs.fields(model):
        assert field.encode_name in common or f"`{field.encode_name}`" in rows[0][0]


def tables_of(model: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    yield model
    for field in msgspec.structs.fields(model):
        for inner in (field.type, *get_args(field.type)):
            if isinstance(inner, type) and issubclass(inner, msgspec.Struct) and inner not in get_args(AnyStep):
                yield from tables_of(inner)


def test_every_key_of_the_script_is_described() -> None:
    described = section(FORMATS, "### Tables", "### Certificates")
    keys = {field.encode_name for model in tables_of(Script) for field in msgspec.structs.fields(model)}
    assert len(keys) > 30
    told = {key for key in keys if re.search(rf"`(\[+)?{key}[\].`]", described)}
    assert keys - told == set()


@pytest.mark.parametrize("line_type", LINE_TYPES)
def test_every_type_of_line_is_described(line_type: str) -> None:
    assert re.search(rf"^\|[^|]*`{line_type}`[^|]*\|", section(FORMATS, "## Transcript", "## Bundle"), re.MULTILINE)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_described(verb: str) -> None:
    assert re.search(rf"^\|[^|]*`{verb}`[^|]*\|", section(FORMATS, "The verbs of acts", "## Bundle"), re.MULTILINE)


def test_the_caps_are_those_of_the_code() -> None:
    kib, mib = 1 << 10, 1 << 20
    for cap, said in (
        (LARGEST_SCRIPT, f"TOML, at most {LARGEST_SCRIPT // kib} KiB. What people approve"),
        (LARGEST_SITE_FILE, f"TOML, at most {LARGEST_SITE_FILE // kib} KiB: what differs"),
        (LARGEST_TRANSCRIPT, f"at most {LARGEST_LINE // mib} MiB a line and {LARGEST_TRANSCRIPT // mib} MiB in all"),
        (LONGEST_TEXT, f"at most {LONGEST_TEXT:,} characters"),
        (BUNDLE_CAPS.most_files, f"At most {BUNDLE_CAPS.most_files:,} files"),
        (BUNDLE_CAPS.largest_file, f"{BUNDLE_CAPS.largest_file // mib} MiB a file, {BUNDLE_CAPS.largest_total // mib} MiB in all"),
        (
            REQUEST_CAPS,
            f"{REQUEST_CAPS.largest_file // kib} KiB a file, {REQUEST_CAPS.most_files} files, {REQUEST_CAPS.largest_total // mib} MiB",
        ),
        (LARGEST_CSR, f"in PEM, at most {LARGEST_CSR // kib} KiB"),
    ):
        assert cap and said in FORMATS


@pytest.mark.parametrize("name", [*MODULE_VARIABLES, *TOKEN_NAMES, *names()])
def test_names_that_a_person_may_write_are_told(name: str) -> None:
    assert f"`{name}`" in FORMATS + GUIDE


def test_the_site_file_of_the_page_is_one_that_is_taken() -> None:
    from ceremony.machine.site import parse_site

    example = section(FORMATS, "## Site file", "## Transcript").split("```toml\n")[1].split("```")[0]
    site = parse_site(example.encode())
    assert site.module and site.inbox and site.outbox and set(site.tokens) == set(TOKEN_NAMES)


def test_the_answers_file_of_the_page_is_one_that_is_taken() -> None:
    from ceremony.unattended import read_answers

    example = section(FORMATS, "## Answers file", "## Site file").split("```toml\n")[1].split("```")[0]
    answers = read_answers(example.encode())
    assert answers.answers and answers.deviations and answers.mistakes


@pytest.mark.parametrize("target", re.findall(r"^\| `make ([a-z]+)", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE))
def test_every_make_target_that_is_named_is_there(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_pictures_fetch_nothing_and_are_small() -> None:
    pictures = sorted((DOCS / "pictures").glob("*.svg"))
    assert {f"docs/pictures/{picture.name}" for picture in pictures} == set(re.findall(r"docs/pictures/[a-z]+\.svg", README))
    for picture in pictures:
        drawn = picture.read_text()
        assert "REHEARSAL" in drawn
        assert not re.search(r"@font-face|url\(\s*[\"']?http|href=[\"']http", drawn)
        assert len(drawn) < 40_000


def test_the_help_names_the_commands_of_the_readme() -> None:
    told = subprocess.run([sys.executable, "-m", "ceremony", "--help"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert all(re.search(rf"^  {command} ", told, re.MULTILINE) for command in COMMANDS)
