"""Certificate requests of devices that made their own keys, as `factory issue --csrs` takes them."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID


def requests_in(folder: Path, count: int) -> list[Path]:
    """Makes that many of P-256 keys, named by their registration ids, in a new folder."""
    folder.mkdir()
    paths = []
    for number in range(count):
        name = f"dev-{number:06}"
        builder = x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        path = folder / f"{name}.csr.pem"
        path.write_bytes(builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.PEM))
        paths.append(path)
    return paths
