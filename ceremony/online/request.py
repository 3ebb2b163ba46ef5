"""Packs an inbound request on a machine that is online: CSRs checked before they travel. Needs no Azure."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from ceremony.crossing.request import ProofRequest, write_request
from ceremony.errors import CeremonyError
from ceremony.pki.csr import SigningRequest, read_csr
from ceremony.pki.names import name_text, problems_with_name, shown_text
from ceremony.pki.profiles import ALL_KEYS
from ceremony.pki.weak_keys import unsuitable, weaknesses
from ceremony.transcript import Moment
from ceremony.words import words_of


class CsrSummary(msgspec.Struct, frozen=True):
    """A CSR that was packed. `spki_sha256` is SHA-256 (hex) of its key (DER SPKI), `words` the same for the paper form.

    `requested` are the extensions it asks for; no ceremony copies them.
    """

    name: str
    subject: str
    spki_sha256: str
    words: tuple[str, ...]
    requested: tuple[str, ...]


class RequestSummary(msgspec.Struct, frozen=True):
    """The request that was written. `sha256` is that of request.json (hex). All texts may be shown."""

    folder: str
    sha256: str
    made_at: str
    csrs: tuple[CsrSummary, ...]


def pack_request(
    target: Path,
    csrs: Mapping[str, Path | bytes],
    clock: Callable[[], Moment],
    *,
    proofs: Sequence[ProofRequest] = (),
    root_fingerprint: str | None = None,
) -> RequestSummary:
    """Checks each CSR (PEM, or the file that holds it; its signature, its key) and packs them at `target`, which must not exist.

    `proofs` are verification codes for the root of this fingerprint (SHA-256 of its DER, hex).

    Raises CeremonyError: REQUEST-MISSING for a file that can't be read, CSR-KEY-REFUSED, CSR-KEY-WEAK,
    CSR-SUBJECT, CSR-ALREADY-CERTIFIED, and what `read_csr` and `write_request` raise.
    """
    files: dict[str, bytes] = {}
    summaries: list[CsrSummary] = []
    keys: set[str] = set()
    for name, given in sorted(csrs.items()):
        try:
            files[name] = given if isinstance(given, bytes) else given.read_bytes()
        except OSError as failed:
            what = f"The CSR {shown_text(str(given))} can't be read: {failed.strerror}."
            do_now = "Check the path after --csr NAME=."
            raise CeremonyError("REQUEST-MISSING", what, state="Nothing was written.", do_now=do_now) from failed
        summary = _checked(name, files[name], keys)
        keys.add(summary.spki_sha256)
        summaries.append(summary)
    made_at = clock().time
    sha256 = write_request(target, made_at=made_at, root_fingerprint=root_fingerprint, proofs=proofs, csrs=files)
    return RequestSummary(folder=str(target), sha256=sha256, made_at=made_at, csrs=tuple(summaries))


def _checked(name: str, pem: bytes, packed_keys: Collection[str]) -> CsrSummary:
    csr = read_csr(pem)
    subject = shown_text(name_text(csr.subject))
    for code, problem in _problems(csr, packed_keys):
        raise CeremonyError(code, f"{shown_text(name)} ({subject}): {problem}.", state="Nothing was written.")
    return CsrSummary(name, subject, csr.public_key_sha256, tuple(words_of(csr.public_key_sha256)), csr.requested)


def _problems(csr: SigningRequest, packed_keys: Collection[str]) -> Iterator[tuple[str, str]]:
    """What no ceremony takes. Which of the other subjects and keys are taken says the ceremony's script."""
    yield from (("CSR-KEY-REFUSED", problem) for problem in unsuitable(csr.public_key_der, ALL_KEYS))
    yield from (("CSR-KEY-WEAK", problem) for problem in weaknesses(csr.public_key_der))
    yield from (("CSR-SUBJECT", f"its subject: {problem}") for problem in problems_with_name(csr.subject))
    if csr.public_key_sha256 in packed_keys:
        yield "CSR-ALREADY-CERTIFIED", "another CSR of this request holds the same key"
