"""The judge: the `openssl` command, which knows nothing of us."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HOSTILE = """\
[req]
distinguished_name = name
req_extensions = asked
attributes = attributes
prompt = no
[name]
{name}
[attributes]
challengePassword = let-me-in
[asked]
basicConstraints = critical,CA:TRUE,pathlen:5
keyUsage = critical,digitalSignature,nonRepudiation,keyEncipherment,dataEncipherment,keyAgreement,keyCertSign,cRLSign
extendedKeyUsage = serverAuth,codeSigning,anyExtendedKeyUsage
subjectAltName = DNS:*.example.com,IP:10.0.0.1,email:admin@example.com
nameConstraints = permitted;DNS:.example.com
certificatePolicies = 2.5.29.32.0
1.3.6.1.4.1.99999.7 = critical,ASN1:UTF8String:of our own making
"""
"""What a hostile CSR asks for: everything that an intermediate may not have."""

EC, RSA = ("ec", "ec_paramgen_curve:P-256"), ("rsa", "rsa_keygen_bits:3072")


def openssl(*arguments: str | Path, given: bytes = b"") -> str:
    """What openssl says; it must end well."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine")
    ended = subprocess.run(["openssl", *map(str, arguments)], input=given, capture_output=True, check=False)
    assert ended.returncode == 0, ended
    return ended.stdout.decode()


def key(path: Path, algorithm: str = "ec", option: str = "ec_paramgen_curve:P-256") -> Path:
    """A private key (PEM)."""
    openssl("genpkey", "-algorithm", algorithm, "-pkeyopt", option, "-out", path)
    return path


def hostile_csr(path: Path, common_name: str, algorithm: str = "ec", option: str = "ec_paramgen_curve:P-256") -> Path:
    """A CSR (PEM) by openssl that asks for all of `HOSTILE`."""
    config = path.with_suffix(".cnf")
    config.write_text(HOSTILE.format(name=f"O = Example\nCN = {common_name}"))
    openssl("req", "-new", "-config", config, "-key", key(path.with_suffix(".key"), algorithm, option), "-out", path)
    return path


def csr(path: Path, subject: str, algorithm: str = "ec", option: str = "ec_paramgen_curve:P-256") -> Path:
    """A plain CSR (PEM); `subject` as openssl writes it, /O=Example/CN=x."""
    openssl("req", "-new", "-utf8", "-key", key(path.with_suffix(".key"), algorithm, option), "-subj", subject, "-out", path)
    return path


def accepts(root: Path, certificate: Path) -> None:
    """`openssl verify -x509_strict` of a certificate under its root."""
    assert openssl("verify", "-x509_strict", "-CAfile", root, certificate).endswith(": OK\n")


def extensions(certificate: Path) -> str:
    """The extensions as openssl prints them; key identifiers are named, not shown."""
    without = "no_header,no_version,no_serial,no_signame,no_validity,no_subject,no_issuer,no_pubkey,no_sigdump"
    text = openssl("x509", "-in", certificate, "-noout", "-text", "-certopt", without)
    return "".join(f"{line.rstrip()}\n" for line in re.sub(r"[0-9A-F]{2}(:[0-9A-F]{2}){19}", "<key>", text).splitlines())


def field(certificate: Path, name: str) -> str:
    """One field as `openssl x509 -NAME` prints it."""
    return openssl("x509", "-in", certificate, "-noout", f"-{name}", "-nameopt", "RFC2253").strip()
