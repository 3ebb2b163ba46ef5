"""What people use today on the same key of the same token: each a run, or None where the tool is not on this machine.

They check far less than we do: none looks for weak keys, verifies what the token signed or flushes a file.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.factories import Factory
from benchmarks.row import Run, Took, clocked
from hsm.softhsm import loader_environment, unpacked_packages
from tests.factory.given import PIN, TOKEN

_ENGINES = [
    engine.parent
    for system in (unpacked_packages(), Path("/"))
    for engine in (*system.glob("usr/lib/*/engines-3/pkcs11.so"), *system.glob("usr/lib64/engines-3/pkcs11.so"))
]


_Line = list[str | Path]
_CA = """
[ca]
default_ca = here
[here]
new_certs_dir = {place}/new
database = {place}/index.txt
rand_serial = yes
default_md = sha384
default_days = 365
policy = any
unique_subject = no
x509_extensions = device
[any]
commonName = supplied
[device]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
"""


def raw_sign(factory: Factory, count: int) -> Run:
    """Bare C_Sign through python-pkcs11, one after the other, in a process of its own; timed without its start and login."""
    mechanism = "ECDSA" if factory.kind.startswith("ec:") else "SHA384_RSA_PKCS"

    def run() -> Took:
        line = [sys.executable, "-m", "benchmarks.raw_sign", factory.module, TOKEN, _label(factory), mechanism, str(count)]
        said = subprocess.run(list(map(str, line)), input=PIN, env=_environ(factory), capture_output=True, text=True, check=True).stdout
        return Took(*map(float, said.split()))

    return run


def openssl_ca(factory: Factory, requests: Sequence[Path]) -> Run | None:
    """One `openssl ca` on the PKCS#11 engine for all requests, as a factory without us would do it."""
    if not _has_engine():
        return None
    place, key = factory.folder.parent / "openssl-ca", factory.folder
    place.mkdir()
    config = place / "ca.cnf"
    config.write_text(_CA.format(place=place))
    line: _Line = ["openssl", "ca", "-batch", "-config", config, *_by_engine("-keyfile", factory, "-keyform"), "-cert", _certificate(key)]

    def run() -> Took:
        shutil.rmtree(place / "new", ignore_errors=True)
        (place / "new").mkdir()
        (place / "index.txt").write_text("")
        took = clocked(lambda: _done([*line, "-notext", "-infiles", *requests], factory))
        assert len(list((place / "new").iterdir())) == len(requests)
        return took

    return run


def openssl_request(factory: Factory, requests: Sequence[Path]) -> Run | None:
    """`openssl x509 -req` on the PKCS#11 engine, a process for each request."""
    if not _has_engine():
        return None
    line: _Line = ["openssl", "x509", "-req", "-sha384", "-days", "365", "-CA", _certificate(factory.folder)]
    line += [*_by_engine("-CAkey", factory, "-CAkeyform"), "-out", factory.folder.parent / "one.pem", "-in"]
    return lambda: clocked(lambda: _each([[*line, request] for request in requests], factory))


def certtool(factory: Factory, requests: Sequence[Path]) -> Run | None:
    """GnuTLS' certtool, a process for each request."""
    tool = _tool("certtool")
    if tool is None:
        return None
    template = factory.folder.parent / "certtool.cfg"
    template.write_text("expiration_days = 365\nsigning_key\ntls_www_client\nhonor_crq_ext = 2.5.29.14\n")
    line: _Line = [tool, "--generate-certificate", "--template", template, "--hash", "SHA384", "--provider", factory.module]
    line += ["--load-ca-certificate", _certificate(factory.folder), "--load-ca-privkey", _uri(factory)]
    line += ["--outfile", factory.folder.parent / "one.pem", "--load-request"]
    return lambda: clocked(lambda: _each([[*line, request] for request in requests], factory))


def pkcs11_tool(factory: Factory, count: int) -> Run | None:
    """OpenSC's pkcs11-tool, a process for each bare signature."""
    tool = _tool("pkcs11-tool")
    if tool is None:
        return None
    data = factory.folder.parent / "to-sign"
    data.write_bytes(os.urandom(48))
    line: _Line = [tool, "--module", factory.module, "--token-label", TOKEN, "--login", "--pin", PIN, "--sign", "--label", _label(factory)]
    line += ["--mechanism", "ECDSA" if factory.kind.startswith("ec:") else "SHA384-RSA-PKCS"]
    line += ["--input-file", data, "--output-file", factory.folder.parent / "signed"]
    return lambda: clocked(lambda: _each([line] * count, factory))


def _each(lines: Sequence[_Line], factory: Factory) -> None:
    for line in lines:
        _done(line, factory)


def _done(line: _Line, factory: Factory) -> None:
    ended = subprocess.run(list(map(str, line)), env=_environ(factory), capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{line[0]} ended with {ended.returncode}: {ended.stderr[-500:]}")


def _environ(factory: Factory) -> dict[str, str]:
    engines = {"OPENSSL_ENGINES": str(_ENGINES[0]), "PKCS11_MODULE_PATH": str(factory.module)} if _ENGINES else {}
    # certtool asks for a PIN unless it stands here; the environment is that of a made-up token.
    return {**os.environ, **loader_environment(factory.module), **engines, **factory.environ, "GNUTLS_PIN": PIN}


def _has_engine() -> bool:
    return shutil.which("openssl") is not None and bool(_ENGINES)


def _tool(name: str) -> Path | None:
    unpacked = unpacked_packages() / "usr" / "bin" / name
    found = shutil.which(name)
    return unpacked if unpacked.exists() else Path(found) if found else None


def _label(factory: Factory) -> str:
    return factory.folder.name


def _certificate(folder: Path) -> Path:
    return folder / f"{folder.name}.cert.pem"


def _uri(factory: Factory) -> str:
    return f"pkcs11:token={TOKEN};object={_label(factory)};type=private"


def _by_engine(option: str, factory: Factory, form: str) -> list[str]:
    return ["-engine", "pkcs11", form, "engine", option, f"{_uri(factory)};pin-value={PIN}"]
