"""The inbound request: what comes in from outside, CSRs and verification codes, as files on a removable medium.

A request gives names, keys and codes. Nothing in it chooses a profile: the ceremony script says what may be certified.
"""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from ceremony.canonical import NotCanonical, canonical_json, parse_json
from ceremony.crossing.files import SUMS, Caps, problems_with_sums, read_tree, sums_of, write_tree
from ceremony.errors import CeremonyError
from ceremony.pki.csr import read_csr
from ceremony.pki.names import shown_text
from ceremony.words import sha256_hex

REQUEST = "request.json"
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
"""SHA-256 as 64 lower-case hex digits."""

CAPS = Caps(largest_file=64 << 10, largest_total=32 << 20, most_files=500, deepest=2)
"""A file of a request is at most 64 KiB, a request at most 500 files in one folder below its own, 32 MiB in all."""

FILE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
LONGEST_NAME = 64 - len(".csr.pem")
"""Characters of the longest name of a CSR."""

_CODE = re.compile(r"[!-~]{1,64}")


class ProofRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A service's wish for a proof of possession: service and certificate name, and the code as the service gave it."""

    service: str
    certificate: str
    verification_code: str


class PackedCsr(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A CSR as request.json names it; `sha256` is that of the file, `spki_sha256` that of its key (DER SPKI), both hex."""

    name: str
    path: str
    sha256: Sha256
    spki_sha256: Sha256


class ReceivedCsr(PackedCsr, frozen=True, forbid_unknown_fields=False):
    """The same with the file's own text (PEM)."""

    pem: str


class InboundRequest(msgspec.Struct, frozen=True):
    """A request that was read and found whole. `sha256` is that of request.json, `root_fingerprint` that of a root's DER; both hex."""

    sha256: str
    made_at: str
    root_fingerprint: str | None
    proofs: tuple[ProofRequest, ...]
    csrs: tuple[ReceivedCsr, ...]

    def as_value(self, folder: str, *, made_up: bool = False) -> dict[str, Any]:
        """The request as the record holds it. `folder` is its place in the ceremony's folder, `made_up` says that a rehearsal made it."""
        # By way of JSON: what a step is given live must equal what it is given again from the record.
        return {"folder": folder, **msgspec.json.decode(msgspec.json.encode(self)), "made_up": made_up}


class _RequestFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: Literal[1]
    made_at: str
    root_fingerprint: Sha256 | None
    proofs: tuple[ProofRequest, ...]
    csrs: tuple[PackedCsr, ...]


def write_request(
    folder: Path, *, made_at: str, root_fingerprint: str | None, proofs: Sequence[ProofRequest], csrs: Mapping[str, bytes]
) -> str:
    """Writes a request to `folder`, which must not exist, and returns the SHA-256 (hex) of its request.json.

    `made_at` is UTC (RFC 3339 with a Z), `csrs` maps names to PEM. Raises CeremonyError: REQUEST-EXISTS, REQUEST-UNWRITABLE,
    what `read_csr` raises for a CSR, and what `read_request` would raise for the request.
    """
    packed = [PackedCsr(name, _place(name), sha256_hex(pem), read_csr(pem).public_key_sha256) for name, pem in csrs.items()]
    files = {_place(name): pem for name, pem in csrs.items()}
    request = {
        "format": 1,
        "made_at": made_at,
        "root_fingerprint": root_fingerprint,
        "proofs": msgspec.to_builtins(sorted(proofs, key=lambda proof: (proof.service, proof.certificate))),
        "csrs": msgspec.to_builtins(sorted(packed, key=lambda csr: csr.name)),
    }
    files[REQUEST] = canonical_json(request) + b"\n"
    files[SUMS] = sums_of(files)
    _request_of(files)
    if folder.exists():
        raise CeremonyError("REQUEST-EXISTS", f"{shown_text(str(folder))} is there already.", state="Nothing was written.")
    try:
        write_tree(folder, files)
    except OSError as failed:
        what = f"{shown_text(str(folder))} could not be written: {failed.strerror}."
        raise CeremonyError("REQUEST-UNWRITABLE", what, state="Nothing was written.") from failed
    return sha256_hex(files[REQUEST])


def read_request(folder: Path) -> InboundRequest:
    """Reads a request that was copied from its medium, and checks all of it but what the script and the profile say.

    Raises CeremonyError REQUEST-MISSING, REQUEST-FILES, REQUEST-SUMS, REQUEST-BROKEN, REQUEST-NAME, REQUEST-CSR-DIFFERS,
    and what `read_csr` raises (a CSR that is broken or not signed by its own key).
    """
    try:
        tree = read_tree(folder, CAPS)
    except OSError as failed:
        raise CeremonyError("REQUEST-MISSING", f"{shown_text(str(folder))} can't be opened: {failed.strerror}.") from failed
    if tree.problems:
        raise CeremonyError("REQUEST-FILES", f"The request holds what does not belong there: {'; '.join(tree.problems)}.")
    return _request_of(tree.files)


def _request_of(files: Mapping[str, bytes]) -> InboundRequest:
    if REQUEST not in files:
        raise CeremonyError("REQUEST-MISSING", f"The folder holds no {REQUEST}.")
    request = _parsed(files[REQUEST])
    _check_names(request)
    expected = {REQUEST, SUMS, *(csr.path for csr in request.csrs)}
    if unknown := sorted(files.keys() - expected):
        raise CeremonyError("REQUEST-FILES", f"The request does not name these files: {', '.join(map(shown_text, unknown))}.")
    if missing := sorted(expected - files.keys()):
        raise CeremonyError("REQUEST-FILES", f"The request lacks these files: {', '.join(missing)}.")
    if too_large := sorted(path for path, octets in files.items() if len(octets) > CAPS.largest_file):
        raise CeremonyError("REQUEST-FILES", f"Larger than {CAPS.largest_file} bytes: {', '.join(too_large)}.")
    if problems := problems_with_sums(files):
        raise CeremonyError("REQUEST-SUMS", f"SHA256SUMS and the files differ: {'; '.join(problems)}.")
    return InboundRequest(
        sha256=sha256_hex(files[REQUEST]),
        made_at=request.made_at,
        root_fingerprint=request.root_fingerprint,
        proofs=request.proofs,
        csrs=tuple(_received(csr, files[csr.path]) for csr in request.csrs),
    )


def _parsed(octets: bytes) -> _RequestFile:
    try:
        if not octets.endswith(b"\n"):
            raise NotCanonical("the last line has no end")
        return msgspec.convert(parse_json(octets[:-1]), _RequestFile)
    except (NotCanonical, msgspec.ValidationError) as why:
        raise CeremonyError("REQUEST-BROKEN", f"{REQUEST}: {shown_text(str(why))}.") from why


def _check_names(request: _RequestFile) -> None:
    """What the types of request.json do not say: names, times, codes, and that nothing stands twice."""

    def broken(why: str) -> CeremonyError:
        return CeremonyError("REQUEST-BROKEN", f"{REQUEST}: {why}.")

    for name in (*(csr.name for csr in request.csrs), *(name for proof in request.proofs for name in (proof.service, proof.certificate))):
        if len(name) > LONGEST_NAME or not FILE_NAME.fullmatch(name):
            raise CeremonyError("REQUEST-NAME", f"{shown_text(name)!r} is no name that we take.")
    if not request.proofs and not request.csrs:
        raise broken("it asks for nothing")
    if not _is_utc(request.made_at):
        raise broken(f"made_at, {shown_text(request.made_at)!r}, is not a UTC time such as 2026-11-24T09:00:00Z")
    if request.proofs and request.root_fingerprint is None:
        raise broken("a proof is asked for, but not of which root: root_fingerprint is missing")
    for twice in (_twice([csr.name for csr in request.csrs]), _twice([f"{proof.service}/{proof.certificate}" for proof in request.proofs])):
        if twice:
            raise broken(f"{twice} stands twice")
    for csr in request.csrs:
        if csr.path != _place(csr.name):
            raise broken(f"the CSR {csr.name} must be the file {_place(csr.name)}, not {shown_text(csr.path)!r}")
    for proof in request.proofs:
        if not _CODE.fullmatch(proof.verification_code):
            raise broken(f"the verification code for {proof.service} is not 1 to 64 printable ASCII characters without a space")


def _place(name: str) -> str:
    return f"csr/{name}.csr.pem"


def _twice(names: Sequence[str]) -> str | None:
    return next((name for name in names if names.count(name) > 1), None)


def _is_utc(text: str) -> bool:
    try:
        return dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").strftime("%Y-%m-%dT%H:%M:%SZ") == text
    except ValueError:
        return False


def _received(csr: PackedCsr, pem: bytes) -> ReceivedCsr:
    if sha256_hex(pem) != csr.sha256:
        raise CeremonyError("REQUEST-SUMS", f"{csr.path} is not the file whose digest {REQUEST} gives.")
    if read_csr(pem).public_key_sha256 != csr.spki_sha256:
        raise CeremonyError("REQUEST-CSR-DIFFERS", f"{csr.path} holds another key than {REQUEST} says.")
    return ReceivedCsr(csr.name, csr.path, csr.sha256, csr.spki_sha256, pem.decode("ascii"))
