"""Credentials for the people of the tests: a key for each name, always the same, and scripts whose roster names them."""

import re
from functools import cache
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ceremony.activation.roster import roster_text
from ceremony.pki.key_wrapping import KeyWrapping, Work

PASSPHRASE = "five words of the test itself"
_WITH_CREDENTIAL = re.compile(r'(name = "([^"\n]+)"(?:\nrole = "[a-z-]+"\n|, ))credential = "[^"]+"')


def private_key(name: str) -> Ed25519PrivateKey:
    """The private key of the person of this name."""
    return Ed25519PrivateKey.from_private_bytes(sha256(f"credential of {name}".encode()).digest())


def credential(name: str) -> str:
    """The roster text of the person of this name."""
    return roster_text(private_key(name).public_key())


def private_key_by(text: str) -> Ed25519PrivateKey:
    """The private key behind a roster text, of the names in our scripts."""
    names = ("Kari Holm", "Per Aas", "Nils Berg", "Eva Lund", "Ida Moe", "Jon Vik")
    return {credential(name): private_key(name) for name in names}[text]


def with_credentials(script: bytes) -> bytes:
    """A script with the credentials of the tests in place of those that it names."""
    return _WITH_CREDENTIAL.sub(lambda found: f'{found[1]}credential = "{credential(found[2])}"', script.decode()).encode()


@cache
def file_of(name: str, passphrase: str = PASSPHRASE) -> bytes:
    """The credential file of this person, its passphrase stretched little."""
    key = private_key(name)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return public + KeyWrapping(bytearray(passphrase.encode()), Work(16, 8, 1)).pem(key)


def write_credentials(folder: Path, *names: str) -> Path:
    """A medium with the credential files of these people."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or ("Kari Holm", "Per Aas", "Nils Berg", "Eva Lund", "Ida Moe", "Jon Vik"):
        (folder / f"{name.replace(' ', '-').lower()}.pem").write_bytes(file_of(name))
    return folder
