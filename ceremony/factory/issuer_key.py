"""The intermediate's private key in use: in a child process that holds the token, or out of its encrypted file."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from ceremony.errors import CeremonyError
from ceremony.factory.failures import telling
from ceremony.factory.file_issuer_key import FileIssuerKey
from ceremony.factory.folder import Factory, FileKey, TokenKey, file_of
from ceremony.factory.key_file import key_of
from ceremony.factory.secret import secret_from, wipe
from ceremony.factory.token import login, opened_token, pin_for
from ceremony.pki.names import shown_text
from ceremony.words import sha256_hex
from hsm.client import Token

_UNTOUCHED = "Nothing was signed."
_Key = TypeVar("_Key", bound="IssuerKey")


class IssuerKey(Protocol):
    """A key that signs certificates. `public_key_der` is its SPKI."""

    public_key_der: bytes

    def sign(self, to_be_signed: bytes, algorithm: str) -> bytes:
        """The signature value of X.509 (DER ECDSA-Sig-Value, or the RSA block) by an algorithm such as `ecdsa-sha384`."""


class TokenIssuerKey:
    """An IssuerKey on a token that is logged in to. For one process and one thread; a login ends by itself after ten idle minutes."""

    def __init__(self, token: Token, key_id: bytes, public_key_der: bytes) -> None:
        self._token, self._key_id = token, key_id
        self.public_key_der = public_key_der

    def sign(self, to_be_signed: bytes, algorithm: str) -> bytes:
        """Signs on the token; the caller verifies. Raises CeremonyError TOKEN-…, MODULE-…, KEY-…, SIGNATURE-MALFORMED."""
        with telling(""):
            return self._token.sign(self._key_id, algorithm, to_be_signed).signature

    def sign_many(self, to_be_signed: Iterable[bytes], algorithm: str) -> Iterator[bytes]:
        """The same for many, with requests in flight; the signatures come in the order of what is signed. Raises as `sign` does."""
        with telling(""):
            yield from (made.signature for made in self._token.sign_many(self._key_id, algorithm, to_be_signed))


@contextmanager
def unlocked_issuer_key(factory: Factory, passphrase_file: Path | None) -> Iterator[FileIssuerKey | TokenIssuerKey]:
    """The same as `open_issuer_key`, with a secret that is asked for: the file's passphrase, or the token's PIN by what tries are left.

    The token is found before its PIN is asked for, and stays open. Raises CeremonyError as `secret_from` and `open_issuer_key` do.
    """
    if isinstance(factory.key, FileKey):
        with open_issuer_key(factory, secret_from(passphrase_file, f"Passphrase of {factory.key.path}: ")) as key:
            yield key
    else:
        with opened_token(factory.key.module, factory.key.serial, state=_UNTOUCHED) as token:
            login(token, pin_for(token, passphrase_file, state=_UNTOUCHED), state=_UNTOUCHED)
            yield _on_token(factory, factory.key, token)


@contextmanager
def open_issuer_key(factory: Factory, secret: bytearray) -> Iterator[FileIssuerKey | TokenIssuerKey]:
    """The factory's key, which must be the one of factory.json; `secret` is the file's passphrase, or the token's user PIN.

    The secret is wiped. On a token with a pad of its own it may be empty. At the end of the block the token is logged out.
    Raises CeremonyError PASSPHRASE-WRONG, FACTORY-BROKEN, FACTORY-KEY-DIFFERS, and what the token's side refuses.
    """
    try:
        if isinstance(factory.key, FileKey):
            key = _from_file(factory, factory.key, secret)
            wipe(secret)
            yield key
        else:
            with opened_token(factory.key.module, factory.key.serial, state=_UNTOUCHED) as token:
                login(token, secret, state=_UNTOUCHED)
                yield _on_token(factory, factory.key, token)
    finally:
        wipe(secret)


def _from_file(factory: Factory, where: FileKey, passphrase: bytearray) -> FileIssuerKey:
    pem = file_of(factory.folder, where.path)
    if pem is None:
        what = f"{shown_text(where.path)} is not in {shown_text(str(factory.folder))}."
        raise CeremonyError("FACTORY-BROKEN", what, state=_UNTOUCHED)
    return _the_one(factory, FileIssuerKey(key_of(pem, passphrase)))


def _on_token(factory: Factory, where: TokenKey, token: Token) -> TokenIssuerKey:
    key_id = bytes.fromhex(where.key_id)
    with telling(_UNTOUCHED):
        found = token.find_key(key_id)
    if found is None or not found.has_private or found.public_key_der is None:
        what = f"The token {shown_text(where.serial)} holds no whole key pair with the id {where.key_id}."
        raise CeremonyError("FACTORY-KEY-DIFFERS", what, state=_UNTOUCHED)
    return _the_one(factory, TokenIssuerKey(token, key_id, found.public_key_der))


def _the_one(factory: Factory, key: _Key) -> _Key:
    digest = sha256_hex(key.public_key_der)
    if digest != factory.spki_sha256:
        what = f"The key has the digest {digest}, and factory.json names {factory.spki_sha256}."
        raise CeremonyError("FACTORY-KEY-DIFFERS", what, state=_UNTOUCHED)
    return key
