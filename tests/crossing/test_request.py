"""The inbound request: what is written is read again, and whatever else lies on the medium is refused by its code."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ceremony.canonical import canonical_json, parse_json
from ceremony.crossing.files import SUMS, sums_of
from ceremony.crossing.request import REQUEST, ProofRequest, read_request, write_request
from ceremony.errors import CeremonyError, ExitCode
from ceremony.online.request import pack_request
from ceremony.pki.names import shown_text
from ceremony.transcript import Moment
from ceremony.words import sha256_hex, words_of
from tests.crossing.held_ceremony import CODE, new_csr

MADE_AT = "2026-11-24T08:00:00Z"
ROOT = "ab" * 32


@pytest.fixture
def request_folder(tmp_path: Path) -> Path:
    csrs = {name: new_csr(f"CN={name},O=Example") for name in ("beta.1", "alpha.1")}
    proofs = [ProofRequest("example-dps", "example-root-g1", CODE)]
    write_request(tmp_path / "request", made_at=MADE_AT, root_fingerprint=ROOT, proofs=proofs, csrs=csrs)
    return tmp_path / "request"


def code_of(folder: Path) -> str:
    with pytest.raises(CeremonyError) as refused:
        read_request(folder)
    assert all(line == shown_text(line) for line in refused.value.lines())
    return refused.value.code


def test_a_request_is_read_as_it_was_written(request_folder: Path) -> None:
    request = read_request(request_folder)
    assert (request.made_at, request.root_fingerprint) == (MADE_AT, ROOT)
    assert [csr.name for csr in request.csrs] == ["alpha.1", "beta.1"]
    assert request.proofs == (ProofRequest("example-dps", "example-root-g1", CODE),)
    for csr in request.csrs:
        assert csr.pem.encode() == (request_folder / csr.path).read_bytes()
        assert csr.sha256 == sha256_hex(csr.pem.encode())
    assert request.sha256 == sha256_hex((request_folder / REQUEST).read_bytes())
    value = request.as_value("requests/1", made_up=True)
    assert (value["folder"], value["made_up"]) == ("requests/1", True)
    assert parse_json(canonical_json(value)) == value


def test_files_are_for_the_owner_alone(request_folder: Path) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in (request_folder, *request_folder.rglob("*"))}
    assert modes == {"request": 0o700, "csr": 0o700, "alpha.1.csr.pem": 0o600, "beta.1.csr.pem": 0o600, REQUEST: 0o600, SUMS: 0o600}


def test_a_folder_that_is_there_is_never_written_over(request_folder: Path) -> None:
    before = {path: path.read_bytes() for path in request_folder.rglob("*") if path.is_file()}
    with pytest.raises(CeremonyError) as refused:
        write_request(request_folder, made_at=MADE_AT, root_fingerprint=None, proofs=[], csrs={"x": new_csr("CN=x")})
    assert (refused.value.code, refused.value.exit_code) == ("REQUEST-EXISTS", ExitCode.USAGE)
    assert {path: path.read_bytes() for path in request_folder.rglob("*") if path.is_file()} == before


def _with_sums(folder: Path) -> None:
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (folder / SUMS).write_bytes(sums_of(files))


def _says(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    request = parse_json((folder / REQUEST).read_bytes()[:-1])
    change(request)
    (folder / REQUEST).write_bytes(canonical_json(request) + b"\n")
    _with_sums(folder)


SAYINGS: list[tuple[str, Callable[[dict[str, Any]], object], str]] = [
    ("unknown key", lambda request: request.update(profile="factory"), "REQUEST-BROKEN"),
    ("unknown key of a csr", lambda request: request["csrs"][0].update(profile="factory"), "REQUEST-BROKEN"),
    ("missing key", lambda request: request.pop("csrs"), "REQUEST-BROKEN"),
    ("unknown format", lambda request: request.update(format=2), "REQUEST-BROKEN"),
    ("boolean format", lambda request: request.update(format=True), "REQUEST-BROKEN"),
    ("nothing asked for", lambda request: request.update(csrs=[], proofs=[]), "REQUEST-BROKEN"),
    ("proof without a root", lambda request: request.update(root_fingerprint=None), "REQUEST-BROKEN"),
    ("short root", lambda request: request.update(root_fingerprint="abcd"), "REQUEST-BROKEN"),
    ("root with a line end", lambda request: request.update(root_fingerprint=ROOT + "\n"), "REQUEST-BROKEN"),
    ("local time", lambda request: request.update(made_at="2026-11-24T08:00:00+01:00"), "REQUEST-BROKEN"),
    ("no such day", lambda request: request.update(made_at="2026-02-30T08:00:00Z"), "REQUEST-BROKEN"),
    ("csr twice", lambda request: request["csrs"].append(request["csrs"][0]), "REQUEST-BROKEN"),
    ("proof twice", lambda request: request["proofs"].append(request["proofs"][0]), "REQUEST-BROKEN"),
    ("space in the code", lambda request: request["proofs"][0].update(verification_code="A B"), "REQUEST-BROKEN"),
    ("control in the code", lambda request: request["proofs"][0].update(verification_code="A\x1b[2J"), "REQUEST-BROKEN"),
    ("code too long", lambda request: request["proofs"][0].update(verification_code="A" * 65), "REQUEST-BROKEN"),
    ("path out of the folder", lambda request: request["csrs"][0].update(path="../../secret"), "REQUEST-BROKEN"),
    ("absolute path", lambda request: request["csrs"][0].update(path="/etc/passwd"), "REQUEST-BROKEN"),
    ("another csr's path", lambda request: request["csrs"][0].update(path=request["csrs"][1]["path"]), "REQUEST-BROKEN"),
    ("name out of the folder", lambda request: request["csrs"][0].update(name="../alpha"), "REQUEST-NAME"),
    ("name in capitals", lambda request: request["csrs"][0].update(name="Alpha"), "REQUEST-NAME"),
    ("name with bidi", lambda request: request["csrs"][0].update(name="alpha\u202e1"), "REQUEST-NAME"),
    ("name with a line end", lambda request: request["csrs"][0].update(name="alpha.1\n"), "REQUEST-NAME"),
    ("name too long", lambda request: request["csrs"][0].update(name="a" * 57), "REQUEST-NAME"),
    ("service out of the folder", lambda request: request["proofs"][0].update(service=".."), "REQUEST-NAME"),
    ("another digest", lambda request: request["csrs"][0].update(sha256="0" * 64), "REQUEST-SUMS"),
    ("another key", lambda request: request["csrs"][0].update(spki_sha256="0" * 64), "REQUEST-CSR-DIFFERS"),
    ("a csr that is not named", lambda request: request["csrs"].pop(), "REQUEST-FILES"),
]


@pytest.mark.parametrize(("change", "code"), [saying[1:] for saying in SAYINGS], ids=[saying[0] for saying in SAYINGS])
def test_what_request_json_may_not_say(request_folder: Path, change: Callable[[dict[str, Any]], object], code: str) -> None:
    _says(request_folder, change)
    assert code_of(request_folder) == code


@pytest.mark.parametrize(
    "octets",
    [
        *(b"", b"\n", b"{", b"[]\n", b'{"format":1,"format":1}\n', b'{"format": 1}\n', b'{"format":1.0}\n', b"\xff\xfe\n"),
        *(b"[" * 5000 + b"\n", b"9" * 5000 + b"\n"),
    ],
)
def test_a_request_json_that_is_not_canonical_is_refused(request_folder: Path, octets: bytes) -> None:
    (request_folder / REQUEST).write_bytes(octets)
    _with_sums(request_folder)
    assert code_of(request_folder) == "REQUEST-BROKEN"


def _link(folder: Path) -> None:
    (folder / "csr/alpha.1.csr.pem").rename(folder.parent / "a.pem")
    (folder / "csr/alpha.1.csr.pem").symlink_to(folder.parent / "a.pem")


def _linked_folder(folder: Path) -> None:
    (folder / "csr").rename(folder.parent / "csr")
    (folder / "csr").symlink_to(folder.parent / "csr")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


def _too_large(folder: Path) -> None:
    (folder / "csr/alpha.1.csr.pem").write_bytes(b"A" * ((64 << 10) + 1))


def _too_many(folder: Path) -> None:
    for number in range(500):
        (folder / "csr" / f"n{number}").write_bytes(b"")


def _too_deep(folder: Path) -> None:
    (folder / "csr/a/b").mkdir(parents=True)


def _extra(folder: Path) -> None:
    (folder / "autorun.inf").write_bytes(b"")


def _no_csr(folder: Path) -> None:
    (folder / "csr/alpha.1.csr.pem").unlink()


def _no_request(folder: Path) -> None:
    (folder / REQUEST).unlink()


def _no_sums(folder: Path) -> None:
    (folder / SUMS).unlink()


def _changed_csr(folder: Path) -> None:
    (folder / "csr/alpha.1.csr.pem").write_bytes(new_csr("CN=alpha.1,O=Example"))


def _sums_in_another_order(folder: Path) -> None:
    (folder / SUMS).write_bytes(b"".join(reversed((folder / SUMS).read_bytes().splitlines(keepends=True))))


LYING_THERE: list[tuple[Callable[[Path], None], str]] = [
    *((change, "REQUEST-FILES") for change in (_link, _linked_folder, _pipe, _too_large, _too_many, _too_deep, _extra, _no_csr, _no_sums)),
    (_no_request, "REQUEST-MISSING"),
    (_changed_csr, "REQUEST-SUMS"),
    (_sums_in_another_order, "REQUEST-SUMS"),
]


@pytest.mark.parametrize(("change", "code"), LYING_THERE)
def test_what_may_not_lie_in_a_request(request_folder: Path, change: Callable[[Path], None], code: str) -> None:
    change(request_folder)
    assert code_of(request_folder) == code


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert code_of(tmp_path / "nothing") == "REQUEST-MISSING"


def test_a_broken_csr_is_refused_on_both_sides(request_folder: Path, tmp_path: Path) -> None:
    broken = b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"
    with pytest.raises(CeremonyError) as refused:
        write_request(tmp_path / "new", made_at=MADE_AT, root_fingerprint=None, proofs=[], csrs={"x": broken})
    assert refused.value.code == "CSR-BROKEN"
    assert not (tmp_path / "new").exists()
    (request_folder / "csr/alpha.1.csr.pem").write_bytes(broken)
    _says(request_folder, lambda request: request["csrs"][0].update(sha256=sha256_hex(broken)))
    assert code_of(request_folder) == "CSR-BROKEN"


def test_nothing_is_left_of_a_request_that_could_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CeremonyError, match="No space left") as why:
        write_request(tmp_path / "new", made_at=MADE_AT, root_fingerprint=None, proofs=[], csrs={"x": new_csr("CN=x")})
    assert why.value.code == "REQUEST-UNWRITABLE"
    assert list(tmp_path.iterdir()) == []


# --- packed on the online side


def clock() -> Moment:
    return Moment(MADE_AT, "boot", 1)


def test_csrs_are_packed_with_the_words_for_the_paper_form(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_bytes(new_csr("CN=alpha.1,O=Example"))
    summary = pack_request(tmp_path / "request", {"alpha.1": tmp_path / "a.pem"}, clock)
    request = read_request(tmp_path / "request")
    assert summary.sha256 == request.sha256
    assert (request.made_at, request.root_fingerprint, request.proofs) == (MADE_AT, None, ())
    assert summary.csrs[0].spki_sha256 == request.csrs[0].spki_sha256
    assert summary.csrs[0].words == tuple(words_of(request.csrs[0].spki_sha256))
    assert summary.csrs[0].subject == "CN=alpha.1,O=Example"


def test_what_no_ceremony_takes_is_not_packed(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    twins = {"a": new_csr("CN=a", key), "b": new_csr("CN=b", key)}
    small = {"a": new_csr("CN=a", rsa.generate_private_key(65537, 1024))}
    curve = {"a": new_csr("CN=a", ec.generate_private_key(ec.SECP256K1()))}
    bidi = {"a": new_csr("CN=a\u202eb")}
    for csrs, code in ((twins, "CSR-ALREADY-CERTIFIED"), (small, "CSR-KEY-REFUSED"), (curve, "CSR-KEY-REFUSED"), (bidi, "CSR-SUBJECT")):
        paths = {name: tmp_path / f"{name}.pem" for name in csrs}
        for name, path in paths.items():
            path.write_bytes(csrs[name])
        with pytest.raises(CeremonyError) as refused:
            pack_request(tmp_path / "request", paths, clock)
        assert refused.value.code == code
        assert not (tmp_path / "request").exists()


def test_packing_needs_files_names_and_an_empty_place(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_bytes(new_csr("CN=a"))
    for csrs, code in (
        ({"a": tmp_path / "no.pem"}, "REQUEST-MISSING"),
        ({"A b": tmp_path / "a.pem"}, "REQUEST-NAME"),
        ({}, "REQUEST-BROKEN"),
    ):
        with pytest.raises(CeremonyError) as refused:
            pack_request(tmp_path / "request", csrs, clock)
        assert refused.value.code == code
    (tmp_path / "there").mkdir()
    with pytest.raises(CeremonyError) as refused:
        pack_request(tmp_path / "there", {"a": tmp_path / "a.pem"}, clock)
    assert refused.value.code == "REQUEST-EXISTS"
