"""A folder of certificate requests, one a file: keys that the devices made themselves and never gave away, which is the better way.

The file's name says the registration id. A request gives a key and nothing else: its subject is empty or CN = that id, what it
asks for beside that is not copied, and whoever asks to be a CA is refused.
"""

import base64
import os
import stat
import textwrap
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from cryptography.x509.oid import NameOID

from ceremony.errors import CeremonyError
from ceremony.factory.device_profile import DEVICE_KEYS
from ceremony.factory.order import Asked
from ceremony.factory.registration_ids import id_of_stem
from ceremony.pki.csr import LARGEST_CSR, SigningRequest, read_csr
from ceremony.pki.names import name_text, shown_text
from ceremony.pki.weak_keys import unsuitable, weaknesses

ENDINGS: Final = (".csr.pem", ".csr.der", ".csr", ".pem", ".der")
"""How the names of requests end; before it stands the id, as `registration_ids.file_stem` writes it, or as it is."""


class _Refused(Exception):
    """Why a file is not taken, in words."""


def ask_for_folder(asked: Asked, folder: Path, keys_above: Collection[bytes]) -> None:
    """Enters the id and the key of every request, and every problem. `keys_above` are those of intermediate and root (SPKI, DER).

    Every entry of the folder must be a request: nothing is passed over. Raises CeremonyError FACTORY-CSRS when the folder can't
    be read.
    """
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                _ask_for(asked, folder, entry.name, keys_above)
    except OSError as failed:
        what = f"{shown_text(str(folder))} could not be read: {failed.strerror}."
        raise CeremonyError("FACTORY-CSRS", what, state="Nothing was made.", do_now="Check the path given with --csrs.") from failed


def holds_more_than(folder: Path, count: int) -> bool:
    """Whether the folder has more entries than so many; not, when it can't be read."""
    try:
        with os.scandir(folder) as entries:
            return any(number > count for number, _ in enumerate(entries, 1))
    except OSError:
        return False


def _ask_for(asked: Asked, folder: Path, name: str, keys_above: Collection[bytes]) -> None:
    try:
        ending = next((ending for ending in ENDINGS if name.lower().endswith(ending)), None)
        if ending is None:
            raise _Refused(f"does not end with one of {' '.join(ENDINGS)}")
        registration_id = id_of_stem(name[: -len(ending)])
        request = _read(folder / name)
        if problems := list(_problems(request, registration_id, keys_above)):
            raise _Refused("; ".join(problems))
    except _Refused as why:
        asked.problems.add(f"{name}:", str(why))
        return
    asked.add(name, registration_id, request.public_key_der)


def _read(path: Path) -> SigningRequest:
    try:
        # O_NONBLOCK: a pipe in the file's place must not hold us up.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as failed:
        raise _Refused("is a link" if path.is_symlink() else f"can't be read: {failed.strerror}") from failed
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _Refused("is not a file")
    with open(descriptor, "rb") as file:
        octets = file.read(LARGEST_CSR + 1)
    if len(octets) > LARGEST_CSR:
        raise _Refused(f"has more than {LARGEST_CSR} bytes")
    try:
        return read_csr(octets if b"-----BEGIN" in octets else _as_pem(octets))
    except CeremonyError as failed:
        raise _Refused(f"{failed.what.removesuffix('.')} ({failed.code})") from failed


def _as_pem(der: bytes) -> bytes:
    body = "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64))
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n".encode()


def _problems(request: SigningRequest, registration_id: str, keys_above: Collection[bytes]) -> Iterator[str]:
    yield from unsuitable(request.public_key_der, DEVICE_KEYS)
    yield from weaknesses(request.public_key_der)
    if request.public_key_der in keys_above:
        yield "it is for the key of the intermediate or of its root"
    if request.wants_ca:
        yield "it asks to be a CA"
    subject = [(attribute.oid, attribute.value) for attribute in request.subject]
    if subject not in ([], [(NameOID.COMMON_NAME, registration_id)]):
        yield f"it asks for another name than its file's: {name_text(request.subject)[:200]}"
