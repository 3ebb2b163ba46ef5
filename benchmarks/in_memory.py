"""The measure of device certificates: key generation, the library's builder, signing and PEM, on every processor, kept nowhere.

Each process runs `python -m benchmarks.in_memory KIND COUNT`: it waits for a line on its standard input, makes them, and prints
the seconds.
"""

import datetime as dt
import subprocess
import sys
import time

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from benchmarks.factories import PROCESSORS
from benchmarks.row import Took, processor_seconds

CURVES: dict[str, tuple[ec.EllipticCurve, SHA256 | SHA384]] = {
    "ec:secp256r1": (ec.SECP256R1(), SHA256()),
    "ec:secp384r1": (ec.SECP384R1(), SHA384()),
}


def measure(kind: str, count: int) -> Took:
    """Makes `count` of them under a key of this kind, in one process for each processor; timed without the start of these."""
    line = [sys.executable, "-m", "benchmarks.in_memory", kind, str(count // PROCESSORS)]
    runs = [subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSORS)]
    for run in runs:
        assert run.stdout is not None and run.stdout.readline() == "ready\n"
    before = processor_seconds()
    for run in runs:
        assert run.stdin is not None
        run.stdin.write("\n")
        run.stdin.flush()
    seconds = [float(run.stdout.readline()) for run in runs if run.stdout is not None]
    took = Took(max(seconds), processor_seconds() - before)
    for run in runs:
        run.communicate()
    return took


def make(kind: str, count: int) -> None:
    """What one process does."""
    curve, hashed = CURVES[kind]
    issuer_key = ec.generate_private_key(curve)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example Devices Factory Alpha 1")])
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    for number in range(count):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            x509.CertificateBuilder()
            .issuer_name(issuer)
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"dev-{number:06}")]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + dt.timedelta(days=365))
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(x509.KeyUsage(True, False, False, False, False, False, False, False, False), True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False)
            .sign(issuer_key, hashed)
        )
        assert certificate.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def main() -> None:
    """Arguments: the kind of the issuer's key, and how many."""
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.perf_counter()
    make(sys.argv[1], int(sys.argv[2]))
    print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main()
