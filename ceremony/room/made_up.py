"""What a rehearsal makes up where nobody brought it: CSRs with keys of their own, and verification codes."""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.crossing.request import ProofRequest, write_request
from ceremony.pki.names import parse_name

if TYPE_CHECKING:
    from ceremony.room.room import TokenRoom


PAST = "work/rehearsal/past"
"""Where the first ceremony lies that a rehearsal of a later script made up, in the rehearsal's folder."""


def make_up_request(room: "TokenRoom", wanted: list[str], root_certificate_sha256: str) -> Path:
    """A request for everything in `wanted` (`csr NAME`, `proof SERVICE`), in a folder below `work/`; the keys are dropped."""
    csrs = {name: _csr(room, name) for kind, name in map(str.split, wanted) if kind == "csr"}
    proofs = [
        ProofRequest(proof.service, proof.certificate, secrets.token_hex(24).upper())
        for proof in room.script.proofs
        if f"proof {proof.service}" in wanted
    ]
    folder = room.folder.path / "work" / "rehearsal" / f"request-{secrets.token_hex(4)}"
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_request(folder, made_at=room.clock().time, root_fingerprint=root_certificate_sha256 if proofs else None, proofs=proofs, csrs=csrs)
    return folder


def _csr(room: "TokenRoom", name: str) -> bytes:
    entry = next(entry for entry in room.script.intermediates if entry.name == name)
    if entry.reissue:
        # The made-up past certified it, and its CSR is as good again: it is signed by the key, which nobody kept.
        return next((room.folder.path / PAST).glob(f"requests/*/csr/{name}.csr.pem")).read_bytes()
    profile = room.script.profiles[entry.profile]
    kind = next((key for key in profile.keys if key.startswith("ec:")), "ec:secp256r1")
    curves: dict[str, type[ec.EllipticCurve]] = {"ec:secp256r1": ec.SECP256R1, "ec:secp384r1": ec.SECP384R1, "ec:secp521r1": ec.SECP521R1}
    subject = parse_name(profile.subject.replace("*", f"REHEARSAL {name}"))
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(ec.generate_private_key(curves[kind]()), hashes.SHA256()).public_bytes(Encoding.PEM)
