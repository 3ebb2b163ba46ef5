"""An intermediate is asked for: its key, its CSR and the paper form that vouches for it, in a folder that is there whole or not at all."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from ceremony.crossing.files import write_tree
from ceremony.errors import CeremonyError
from ceremony.factory.failures import TokenFailure, telling
from ceremony.factory.file_issuer_key import FileIssuerKey
from ceremony.factory.folder import FACTORY, FactoryFile, FileKey, TokenKey, is_name, json_of, key_file_name
from ceremony.factory.form import LONGEST_LINE, form_of, whereabouts
from ceremony.factory.issuer_key import IssuerKey, TokenIssuerKey
from ceremony.factory.key_file import encrypted_pem, key_of, new_key
from ceremony.factory.secret import wipe
from ceremony.pki.assembly import assemble_request
from ceremony.pki.csr import read_csr
from ceremony.pki.names import is_rehearsal_name, name_text, parse_name, shown_text
from ceremony.pki.profiles import ALL_KEYS, KeyName
from ceremony.pki.signatures import algorithm_for
from ceremony.pki.weak_keys import key_text, problems_with_key
from ceremony.report.html import render_html
from ceremony.report.typeset import render_pdf
from ceremony.transcript import Moment
from ceremony.words import sha256_hex, words_of
from hsm.client import Token
from hsm.errors import TokenError
from hsm.facts import AttributeReading, TokenInfo

DEFAULT_KEY: KeyName = "ec:secp384r1"
LONGEST_LABEL = 64
"""Bytes of a key's label on a token."""
_PAIR = ("PRIVATE_KEY", "PUBLIC_KEY")
_NOTHING = "Nothing was written, and no key was made."


@dataclass(frozen=True)
class Wanted:
    """What is asked for, checked. `key_type` is None where any kind that we take will do: a key that is on the token already."""

    folder: Path
    name: str
    subject: x509.Name
    key_type: KeyName | None
    line: str


class Requested(msgspec.Struct, frozen=True):
    """What was made. Digests are SHA-256 in hex; `words` are those of the key's; `attributes` what a token says of its key."""

    folder: str
    name: str
    subject: str
    key_type: str
    spki_sha256: str
    words: tuple[str, ...]
    csr: str
    form: str
    where: str
    attributes: dict[str, Any]

    def facts(self) -> dict[str, Any]:
        """All of it, as JSON takes it."""
        return dict(msgspec.to_builtins(self))


@dataclass(frozen=True)
class _Made:
    """A key, where it lives, its encrypted file if it has one, and what its token says."""

    key: IssuerKey
    where: FileKey | TokenKey
    files: dict[str, bytes] = field(default_factory=dict)
    token: TokenInfo | None = None
    attributes: dict[str, AttributeReading] = field(default_factory=dict)


def wanted(folder: Path, name: str, subject: str, key_type: KeyName | None, line: str) -> Wanted:
    """Checks everything that can be checked before there is a key, and before a secret is asked for.

    Raises CeremonyError FACTORY-NAME, NAME-REFUSED, FACTORY-EXISTS, USAGE.
    """
    if not is_name(name):
        raise CeremonyError("FACTORY-NAME", f"{shown_text(name)!r} is no name that we take.", state=_NOTHING)
    parsed = parse_name(subject)
    why = "has no CN" if not parsed.get_attributes_for_oid(x509.NameOID.COMMON_NAME) else ""
    if is_rehearsal_name(parsed):
        why = "says REHEARSAL, which is for the roots of rehearsals"
    if why:
        raise CeremonyError("NAME-REFUSED", f"The subject '{shown_text(subject)}' {why}.", state=_NOTHING)
    if len(line) > LONGEST_LINE:
        what = f"The name of the production line has {len(line)} characters; the form has room for {LONGEST_LINE}."
        raise CeremonyError("USAGE", what, state=_NOTHING)
    if folder.exists() or folder.is_symlink():
        raise CeremonyError("FACTORY-EXISTS", f"{shown_text(str(folder))} is there already.", state=_NOTHING)
    return Wanted(folder, name, parsed, key_type, line)


def request_in_file(asked: Wanted, passphrase: bytearray, clock: Callable[[], Moment]) -> Requested:
    """Makes a key in an encrypted file, and the folder around it. The passphrase is wiped. Raises CeremonyError FACTORY-UNWRITABLE."""
    try:
        key = new_key(asked.key_type or DEFAULT_KEY)
        pem = encrypted_pem(key, passphrase)
        # What can't be opened again is told now, not on the day of the first certificate.
        key_of(pem, passphrase)
    finally:
        wipe(passphrase)
    name = key_file_name(asked.name)
    return _written(asked, _Made(FileIssuerKey(key), FileKey(name), files={name: pem}), clock, state=_NOTHING)


def request_on_token(asked: Wanted, token: Token, module: Path, label: str, *, existing: bool, clock: Callable[[], Moment]) -> Requested:
    """Makes a key on a token that is logged in to, or with `existing` takes up the one with this label; and the folder around it.

    `module` is the path of the PKCS#11 library. Raises CeremonyError FACTORY-KEY-ON-TOKEN, FACTORY-UNWRITABLE, USAGE, and what the
    token's side refuses (KEY-ATTRIBUTE, MECHANISM-MISSING, TOKEN-FULL, …). A key that was made stays on the token when the folder
    can't be written: `existing` goes on with it.
    """
    with telling(_NOTHING):
        info = token.info()
        there = [found for found in token.inventory() if found.label == label]
    if existing:
        key_id = _whole_pair([(found.object_class, found.key_id) for found in there if found.object_class in _PAIR], label, info)
    elif there:
        raise _already_there(token, label, info, sorted({found.key_id for found in there}))
    else:
        key_id = secrets.token_bytes(16)
        _generate(token, asked.key_type or DEFAULT_KEY, label, key_id)
    left = f"The key {shown_text(label)}, id {key_id.hex()}, is on the token {shown_text(info.serial)}. Nothing else was kept."
    with telling(left):
        found, attributes = token.find_key(key_id), token.attributes(key_id)
        if found is None or found.public_key_der is None:
            raise TokenError("KEY-NOT-FOUND", "The key is no longer on the token.")
        if differing := [f"{name} is {read.value}, wanted {read.wanted}" for name, read in attributes.items() if read.verdict == "differs"]:
            raise TokenError("KEY-ATTRIBUTE", f"The key is not one that signs and never leaves its token: {'; '.join(differing)}.")
    where = TokenKey(module=str(module.absolute()), serial=info.serial, label=label, key_id=key_id.hex())
    made = _Made(TokenIssuerKey(token, key_id, found.public_key_der), where, token=info, attributes=attributes)
    return _written(asked, made, clock, state=left)


def _generate(token: Token, key_type: KeyName, label: str, key_id: bytes) -> None:
    try:
        token.generate_key(key_type, label, key_id)
    except TokenError as failed:
        state = "Nothing was written."
        if failed.outcome_unknown:
            state = "Whether the token holds the new key is not known: the same command with --existing-key takes it up if it is there."
        raise TokenFailure(failed, state) from failed


def check_label(label: str) -> str:
    """The label of a key on a token: printable ASCII without a space at its ends. Raises CeremonyError USAGE."""
    if not 1 <= len(label) <= LONGEST_LABEL or shown_text(label) != label or label != label.strip():
        what = f"The key's label {shown_text(label)!r} is not 1 to {LONGEST_LABEL} printable ASCII characters."
        raise CeremonyError("USAGE", what, state=_NOTHING)
    return label


def _already_there(token: Token, label: str, info: TokenInfo, key_ids: list[str]) -> CeremonyError:
    found = []
    with telling(_NOTHING):
        for key_id in key_ids:
            pair = token.find_key(bytes.fromhex(key_id)) if key_id else None
            whole = pair is not None and pair.has_private and pair.public_key_der is not None
            found.append(f"{'a whole key pair' if whole else 'no whole key pair'} with the id {key_id or '(none)'}")
    what = f"The token {shown_text(info.serial)} holds the label {shown_text(label)} already: {', '.join(found)}."
    return CeremonyError("FACTORY-KEY-ON-TOKEN", what, state=_NOTHING)


def _whole_pair(there: list[tuple[str, str]], label: str, info: TokenInfo) -> bytes:
    """The id of the one pair among these objects (class, id in hex)."""
    ids = {key_id for _, key_id in there}
    if sorted(kind for kind, _ in there) != list(_PAIR) or len(ids) != 1 or "" in ids:
        listed = ", ".join(f"{kind} id {key_id or '(none)'}" for kind, key_id in there) or "nothing"
        what = f"The token {shown_text(info.serial)} holds no single whole key pair with the label {shown_text(label)}, but: {listed}."
        do_now = "Leave --existing-key out and name a --key-label that is free; half a key is taken away by the vendor's tool."
        raise CeremonyError("FACTORY-KEY-ON-TOKEN", what, state=_NOTHING, do_now=do_now)
    return bytes.fromhex(ids.pop())


def _written(asked: Wanted, made: _Made, clock: Callable[[], Moment], *, state: str) -> Requested:
    """The CSR signed and judged, the form set, the folder written. `state` is what stands if this fails."""
    key_type = _key_type(asked, made.key.public_key_der, state)
    csr = _signed_request(asked.subject, made.key, state)
    factory = FactoryFile(
        format=1,
        name=asked.name,
        subject=name_text(asked.subject),
        key_type=key_type,
        key=made.where,
        spki_sha256=sha256_hex(made.key.public_key_der),
        made_at=clock().time,
    )
    form = form_of(factory, made.token, asked.line)
    csr_name, form_name = f"{asked.name}.csr.pem", f"{asked.name}.form"
    files = {
        FACTORY: json_of(factory),
        csr_name: csr,
        f"{form_name}.pdf": render_pdf(form),
        f"{form_name}.html": render_html(form),
        **made.files,
    }
    try:
        write_tree(asked.folder, files)
    except FileExistsError as there:
        raise CeremonyError("FACTORY-EXISTS", f"{shown_text(str(asked.folder))} is there already.", state=state) from there
    except OSError as failed:
        what = f"{shown_text(str(asked.folder))} could not be written: {failed.strerror}."
        do_now = "Make room or mend the path, then give the same command again"
        do_now += " with --existing-key: the key is kept." if isinstance(made.where, TokenKey) else "."
        raise CeremonyError("FACTORY-UNWRITABLE", what, state=state, do_now=do_now) from failed
    return Requested(
        folder=str(asked.folder),
        name=asked.name,
        subject=shown_text(factory.subject),
        key_type=key_type,
        spki_sha256=factory.spki_sha256,
        words=tuple(words_of(factory.spki_sha256)),
        csr=str(asked.folder / csr_name),
        form=str(asked.folder / f"{form_name}.pdf"),
        where=shown_text(whereabouts(made.where, made.token)),
        attributes={name: reading.facts() for name, reading in made.attributes.items()},
    )


def _key_type(asked: Wanted, public_key_der: bytes, state: str) -> KeyName:
    found = key_text(load_der_public_key(public_key_der))
    problems = problems_with_key(public_key_der, ALL_KEYS)
    if asked.key_type not in (None, found):
        problems.append(f"the key is {found}, and --key asks for {asked.key_type}")
    for key_type in ALL_KEYS:
        if key_type == found and not problems:
            return key_type
    raise CeremonyError("CSR-KEY-REFUSED", f"The key is not one that a ceremony takes: {'; '.join(problems)}.", state=state)


def _signed_request(subject: x509.Name, key: IssuerKey, state: str) -> bytes:
    """The CSR in PEM: the bytes that were signed are those in it, and the ceremony's own reader takes it, signature and all."""
    to_be_signed, _ = assemble_request(subject, key.public_key_der, b"")
    try:
        signature = key.sign(to_be_signed, algorithm_for(key.public_key_der))
        signed, request = assemble_request(subject, key.public_key_der, signature)
        pem = x509.load_der_x509_csr(request).public_bytes(Encoding.PEM)
        if signed != to_be_signed or read_csr(pem).public_key_der != key.public_key_der:
            raise CeremonyError("DRAFT-BYTES-DIFFER", "The request would not hold the bytes that were signed.")
    except CeremonyError as failed:
        failed.state = f"{failed.state} {state}".strip()
        raise
    return pem
