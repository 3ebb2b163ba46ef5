"""The factory's folder: one intermediate, where its key lives, and, once accepted, its certificate and chain.

Nothing of it is believed because it lies there: digests, signatures and marks are compared whenever the folder is read.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.canonical import NotCanonical, canonical_json, parse_json
from ceremony.crossing.artifacts import certificate_der, public_key_der, read_certificates
from ceremony.crossing.request import FILE_NAME, LONGEST_NAME, Sha256
from ceremony.errors import CeremonyError
from ceremony.factory.issuer import is_issued_by
from ceremony.machine.disk import sync_folder, write_new
from ceremony.pki.names import is_rehearsal_name, shown_text
from ceremony.pki.profiles import KeyName
from ceremony.words import sha256_hex

FACTORY, ACCEPTED = "factory.json", "accepted.json"
LARGEST_FILE = 64 << 10
"""A file of the folder is read up to 64 KiB."""

_Time = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")]
_KeyId = Annotated[str, msgspec.Meta(pattern=r"^(?:[0-9a-f]{2}){1,64}\Z")]


class FileKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="file"):
    """The key is the encrypted PKCS#8 file `path` (PEM) of the folder."""

    path: str


class TokenKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="token"):
    """The key is on a PKCS#11 token. `module` is the library's path from / on, `serial` the token's.

    `label` and `key_id` (hex) are CKA_LABEL and CKA_ID of the key.
    """

    module: str
    serial: str
    label: str
    key_id: _KeyId


@dataclass(frozen=True)
class Factory:
    """An intermediate that a factory asks for or has. `subject` is RFC 4514 text, `spki_sha256` hex of its key (DER SPKI).

    `key_type` is a name such as `ec:secp384r1`, `made_at` UTC (RFC 3339 with a Z).
    """

    folder: Path
    name: str
    subject: str
    key_type: KeyName
    key: FileKey | TokenKey
    spki_sha256: str
    made_at: str

    @property
    def certificate_path(self) -> Path:
        """Where its certificate lies once it is accepted (PEM)."""
        return self.folder / f"{self.name}.cert.pem"

    @property
    def chain_path(self) -> Path:
        """Where certificate and root lie once it is accepted (PEM, the intermediate first)."""
        return self.folder / f"{self.name}.chain.pem"


@dataclass(frozen=True)
class Accepted:
    """A factory with its certificate. `chain_pem` is the intermediate, then the root.

    `bundle_fingerprint` is that of the bundle the certificate came from, `root_fingerprint` SHA-256 of the root's DER; both hex.
    """

    factory: Factory
    certificate: x509.Certificate
    chain_pem: bytes
    root: x509.Certificate
    bundle_fingerprint: str
    root_fingerprint: str
    rehearsal: bool


class FactoryFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """factory.json; see Factory."""

    format: Literal[1]
    name: str
    subject: str
    key_type: KeyName
    key: FileKey | TokenKey
    spki_sha256: Sha256
    made_at: _Time


class AcceptedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """accepted.json; see Accepted. `certificate_sha256` is that of the intermediate's DER, `accepted_at` UTC."""

    format: Literal[1]
    bundle_fingerprint: Sha256
    root_fingerprint: Sha256
    rehearsal: bool
    certificate_sha256: Sha256
    accepted_at: _Time


_File = TypeVar("_File", FactoryFile, AcceptedFile)


def json_of(value: FactoryFile | AcceptedFile) -> bytes:
    """The file's bytes: canonical JSON and a newline."""
    return canonical_json(msgspec.to_builtins(value)) + b"\n"


def is_name(text: str) -> bool:
    """Whether an intermediate may be called so: lower-case letters, digits, `.`, `_`, `-`; as in an inbound request."""
    return len(text) <= LONGEST_NAME and FILE_NAME.fullmatch(text) is not None


def read_factory(folder: Path) -> Factory:
    """The factory of this folder. Raises CeremonyError FACTORY-MISSING, FACTORY-BROKEN."""
    octets = file_of(folder, FACTORY)
    if octets is None:
        raise CeremonyError("FACTORY-MISSING", f"{shown_text(str(folder))} holds no {FACTORY}.")
    found = _parsed(octets, FACTORY, FactoryFile)
    if not is_name(found.name):
        raise _broken(FACTORY, f"{shown_text(found.name)!r} is no name that we take")
    match found.key:
        case FileKey(path) if path != key_file_name(found.name):
            raise _broken(FACTORY, f"the key must be the file {key_file_name(found.name)}, not {shown_text(path)!r}")
        case TokenKey(module) if not Path(module).is_absolute():
            raise _broken(FACTORY, f"the module {shown_text(module)!r} is not a path from / on")
    return Factory(folder, found.name, found.subject, found.key_type, found.key, found.spki_sha256, found.made_at)


def key_file_name(name: str) -> str:
    """The name of the encrypted key's file."""
    return f"{name}.key.pem"


def read_accepted(folder: Path) -> Accepted:
    """The factory and its accepted certificate. Whether it may issue now is asked of `issuer.problems_with_issuer`.

    Raises CeremonyError FACTORY-MISSING, FACTORY-NOT-ACCEPTED, and FACTORY-BROKEN when one of the files is not what the
    others say: the certificate is for another key or not of this root, or a rehearsal is marked as none, or the reverse.
    """
    factory = read_factory(folder)
    found = read_accepted_file(factory)
    if found is None:
        raise CeremonyError("FACTORY-NOT-ACCEPTED", f"{shown_text(str(folder))} has no certificate yet.")
    name = factory.chain_path.name
    chain_pem = file_of(folder, name)
    if chain_pem is None:
        raise _broken(name, "it is missing")
    try:
        certificate, root = read_certificates(chain_pem)
    except ValueError as why:
        raise _broken(name, f"it is not an intermediate and its root: {shown_text(str(why))}") from why
    if file_of(folder, factory.certificate_path.name) != certificate.public_bytes(Encoding.PEM):
        raise _broken(factory.certificate_path.name, f"it is not the first certificate of {name}")
    if problems := list(_problems(factory, found, certificate, root)):
        raise _broken(name, "; ".join(problems))
    return Accepted(factory, certificate, chain_pem, root, found.bundle_fingerprint, found.root_fingerprint, found.rehearsal)


def _problems(factory: Factory, found: AcceptedFile, certificate: x509.Certificate, root: x509.Certificate) -> Iterator[str]:
    if sha256_hex(certificate_der(certificate)) != found.certificate_sha256:
        yield f"its certificate is not the one that {ACCEPTED} names"
    if sha256_hex(certificate_der(root)) != found.root_fingerprint:
        yield f"its root is not the one that {ACCEPTED} names"
    if sha256_hex(public_key_der(certificate)) != factory.spki_sha256:
        yield f"its certificate is for another key than {FACTORY} names"
    if not is_issued_by(certificate, root):
        yield "its certificate is not one of its root"
    if is_rehearsal_name(root.subject) != found.rehearsal:
        yield f"its root and {ACCEPTED} do not agree on whether this is a rehearsal"


def read_accepted_file(factory: Factory) -> AcceptedFile | None:
    """accepted.json alone; None before anything was accepted. Raises CeremonyError FACTORY-BROKEN."""
    octets = file_of(factory.folder, ACCEPTED)
    return None if octets is None else _parsed(octets, ACCEPTED, AcceptedFile)


def file_of(folder: Path, name: str) -> bytes | None:
    """The bytes of a file of the folder, None where there is none. Raises CeremonyError FACTORY-BROKEN.

    A link, a special file, a file with a second name and one over LARGEST_FILE are not read.
    """
    try:
        # O_NONBLOCK: a pipe in the file's place must not hold us up.
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as failed:
        raise _broken(name, f"it can't be read: {failed.strerror}") from failed
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode) or facts.st_nlink > 1:
        os.close(descriptor)
        raise _broken(name, "it is a special file, or has another name too")
    with os.fdopen(descriptor, "rb") as file:
        octets = file.read(LARGEST_FILE + 1)
    if len(octets) > LARGEST_FILE:
        raise _broken(name, f"it is larger than {LARGEST_FILE} bytes")
    return octets


def write_file(folder: Path, name: str, octets: bytes) -> None:
    """Writes a file of the folder whole or not at all, over what was there, mode 0600. Raises CeremonyError FACTORY-UNWRITABLE."""
    target, partial = folder / name, folder / f".{name}.partial"
    try:
        partial.unlink(missing_ok=True)
        write_new(partial, octets)
        partial.replace(target)
        sync_folder(folder)
    except OSError as failed:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        what = f"{shown_text(str(target))} could not be written: {failed.strerror}."
        raise CeremonyError("FACTORY-UNWRITABLE", what, state="What stood there before is unchanged.") from failed


def _parsed(octets: bytes, name: str, kind: type[_File]) -> _File:
    try:
        if not octets.endswith(b"\n"):
            raise NotCanonical("the last line has no end")
        return msgspec.convert(parse_json(octets[:-1]), kind)
    except (NotCanonical, msgspec.ValidationError) as why:
        raise _broken(name, shown_text(str(why))) from why


def _broken(name: str, why: str) -> CeremonyError:
    return CeremonyError("FACTORY-BROKEN", f"{shown_text(name)}: {why}.", state="Nothing was changed.")
