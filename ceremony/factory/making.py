"""A batch of device certificates: keys, certificates, and the files of each device. This runs in a worker process."""

import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from ceremony.errors import CeremonyError
from ceremony.factory.device_profile import DeviceCertificate, DeviceDraft, DeviceProfile, new_serial
from ceremony.factory.messages import Made, Start, Wanted
from ceremony.factory.registration_ids import file_stem
from ceremony.pki.certificates import serial_text
from ceremony.pki.key_wrapping import KeyWrapping
from ceremony.words import sha256_hex

Sign = Callable[[list[bytes], str], Iterable[bytes]]
"""Signs each of these bytes by this algorithm; the signatures come in the same order."""
_OwnKey = ec.EllipticCurvePrivateKey | None


class Maker:
    """Makes the batches of one order."""

    def __init__(self, start: Start, sign: Sign, p12_passphrase: bytearray, key_passphrase: bytearray) -> None:
        """The passphrases (UTF-8) are the caller's to wipe; empty: no .p12 files, and keys in the clear."""
        self._intermediate = x509.load_der_x509_certificate(start.intermediate)
        self._intermediate_pem = self._intermediate.public_bytes(Encoding.PEM)
        not_before, not_after = (datetime.fromtimestamp(seconds, UTC) for seconds in (start.not_before, start.not_after))
        self._profile = DeviceProfile(self._intermediate, not_before, not_after, rehearsal=start.rehearsal)
        self._sign = sign
        self._p12 = BestAvailableEncryption(bytes(p12_passphrase)) if p12_passphrase else None
        self._wrapping = KeyWrapping(key_passphrase) if key_passphrase else None

    def make(self, wanted: list[Wanted], folder: str) -> list[Made]:
        """Makes a batch, each certificate checked, its files in `folder`, which nobody else writes to; not yet flushed to the disk.

        Raises CeremonyError DRAFT-… for a certificate that is not what it must be, what signing raises, and OSError.
        """
        keys = [_new_key(one) for one in wanted]
        drafts = [self._draft(one, key) for one, key in zip(wanted, keys, strict=True)]
        signatures = self._sign([draft.to_be_signed for draft in drafts], self._profile.algorithm)
        certificates = [self._profile.signed(draft, signature) for draft, signature in zip(drafts, signatures, strict=True)]
        self._compare_one(certificates[0], drafts[0])
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for draft, certificate, key in zip(drafts, certificates, keys, strict=True):
                self._write(descriptor, draft.registration_id, certificate.parsed, key)
        finally:
            os.close(descriptor)
        return [_made(draft, certificate) for draft, certificate in zip(drafts, certificates, strict=True)]

    def _draft(self, wanted: Wanted, own: _OwnKey) -> DeviceDraft:
        spki = wanted.public_key_der
        if own is not None:
            spki = own.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert spki is not None  # noqa: S101  # where no key was made, one was given
        return self._profile.draft(wanted.registration_id, spki, new_serial())

    def _compare_one(self, certificate: DeviceCertificate, draft: DeviceDraft) -> None:
        """One of each batch is held against its profile, and against the library's own encoding of it."""
        if problems := self._profile.problems_with(certificate.der, draft.registration_id):
            what = f"The certificate of {draft.registration_id} is not what its profile says: {'; '.join(problems)}."
            raise CeremonyError("DRAFT-PROFILE", what, state="It was thrown away with its key.")

    def _write(self, folder: int, registration_id: str, certificate: x509.Certificate, key: _OwnKey) -> None:
        stem = file_stem(registration_id)
        write_file(folder, f"{stem}.chain.pem", certificate.public_bytes(Encoding.PEM) + self._intermediate_pem)
        if key is None:
            return
        write_file(folder, f"{stem}.key.pem", self._wrapping.pem(key) if self._wrapping else _clear_pem(key))
        if self._p12 is not None:
            packed = serialize_key_and_certificates(registration_id.encode(), key, certificate, [self._intermediate], self._p12)
            write_file(folder, f"{stem}.p12", packed)


def write_file(folder: int, name: str, octets: bytes) -> None:
    """A new file, its owner's alone, in an open folder; not flushed to the disk. Raises OSError."""
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    try:
        written = os.write(descriptor, octets)
        while written < len(octets):
            written += os.write(descriptor, octets[written:])
    finally:
        os.close(descriptor)


def _clear_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _new_key(wanted: Wanted) -> _OwnKey:
    return ec.generate_private_key(ec.SECP256R1()) if wanted.public_key_der is None else None


def _made(draft: DeviceDraft, certificate: DeviceCertificate) -> Made:
    return Made(serial_text(draft.serial), sha256_hex(certificate.der), sha256_hex(draft.public_key_der))
