"""Device certificates in bulk: `ceremony factory issue` against the same certificates made in memory and kept nowhere.

    python -m benchmarks.factory_issue [--count 10000] [--rounds 3] [--memory 1000 10000]

The measure ("in memory"): key generation, the library's builder, signing and PEM of certificate and key, on every processor at once,
each in a process of its own. Ours makes the same certificates, checks each of them, writes and flushes two files for each, and enters
it in the index. Both are timed while they run, without the start of their processes; the time of the whole command is told too.
Rounds are interleaved, and the best of each is taken. Nothing is deleted before the end: ext4 is slow to hand out inodes again.
"""

import argparse
import datetime as dt
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ceremony.factory.issue import BATCH
from ceremony.pki.profiles import KeyName

PASSPHRASE, PIN = "correct horse battery staple 7", "user-pin-1"
CURVES: dict[KeyName, tuple[ec.EllipticCurve, SHA256 | SHA384]] = {
    "ec:secp256r1": (ec.SECP256R1(), SHA256()),
    "ec:secp384r1": (ec.SECP384R1(), SHA384()),
}
PROCESSORS = len(os.sched_getaffinity(0))
LEAST = BATCH * (PROCESSORS + 2)
"""Fewer certificates may all be in their place at the first look, and then there is no time to tell between two."""


class Took(NamedTuple):
    """Certificates a second while it ran, and processor time of all processes for one certificate, in microseconds."""

    rate: float
    processor: float


def in_memory(kind: KeyName, count: int) -> None:
    """What one process of the measure does: waits for a line on its standard input, then makes them, and prints the seconds."""
    curve, hashed = CURVES[kind]
    issuer_key = ec.generate_private_key(curve)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example Devices Factory Alpha 1")])
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.perf_counter()
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
    print(time.perf_counter() - began, flush=True)


def measure(kind: KeyName, count: int) -> Took:
    """The measure, on every processor at once."""
    line = [sys.executable, "-m", "benchmarks.factory_issue", "--in-memory", kind, "--count", str(count // PROCESSORS)]
    runs = [subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSORS)]
    for run in runs:
        assert run.stdout is not None and run.stdout.readline() == "ready\n"
    before = _processor_seconds(runs)
    for run in runs:
        assert run.stdin is not None
        run.stdin.write("\n")
        run.stdin.flush()
    seconds = [float(run.stdout.readline()) for run in runs if run.stdout is not None]
    used = _processor_seconds(runs) - before
    for run in runs:
        run.communicate()
    return Took(count / max(seconds), used / count * 1e6)


def _processor_seconds(runs: list["subprocess.Popen[str]"]) -> float:
    ticks = 0
    for run in runs:
        fields = Path(f"/proc/{run.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class Factory(NamedTuple):
    """An accepted intermediate, and what leads the command to its key."""

    name: str
    kind: KeyName
    folder: Path
    secret: Path
    environ: dict[str, str]


@contextmanager
def factories() -> Iterator[tuple[Path, list[Factory]]]:
    """Intermediates of both curves, in files and on SoftHSM, under made-up roots, in a folder that is removed at the end."""
    from ceremony.factory.folder import read_factory
    from ceremony.factory.request import request_in_file, request_on_token, wanted
    from ceremony.factory.token import login, opened_token
    from ceremony.machine.clock import now
    from hsm.softhsm import find_softhsm
    from tests.factory.given import ALPHA, TOKEN, FactoryToken, secret_file
    from tests.factory.issuing import certify
    from tests.factory.made_up import Root

    folder = Path(tempfile.mkdtemp(prefix="factory-issue-", dir="/var/tmp"))  # noqa: S108  # on a disk, which /tmp need not be
    try:
        secret, pin = secret_file(folder, PASSPHRASE), secret_file(folder, PIN, name="pin")
        held = FactoryToken.made(find_softhsm(), folder / "softhsm")
        os.environ.update(held.environ)
        made = []
        for kind in CURVES:
            curve = kind.removeprefix("ec:")
            request_in_file(wanted(folder / curve, "alpha.1", ALPHA, kind, ""), bytearray(PASSPHRASE.encode()), now)
            made.append(Factory("software", kind, folder / curve, secret, {}))
        for kind in CURVES:
            curve = f"token-{kind.removeprefix('ec:')}"
            with opened_token(str(held.module), TOKEN, state="") as token:
                login(token, bytearray(PIN.encode()), state="")
                asked = wanted(folder / curve, curve, ALPHA, kind, "")
                request_on_token(asked, token, held.module, curve, existing=False, clock=now)
            made.append(Factory("SoftHSM", kind, folder / curve, pin, dict(held.environ)))
        for factory in made:
            certify(read_factory(factory.folder), Root())
        yield folder, made
    finally:
        shutil.rmtree(folder)


def issue_here(factory: Factory, out: Path, count: int) -> Took:
    """Issues in this process, timed from the first batch that is in its place to the last."""
    from ceremony.factory.folder import read_accepted
    from ceremony.factory.id_lists import ask_for_count
    from ceremony.factory.index import About
    from ceremony.factory.issue import Passphrases, issue
    from ceremony.factory.issuer_key import open_issuer_key
    from ceremony.factory.order import Asked
    from ceremony.factory.output import Output
    from ceremony.factory.shards import WHOLE
    from ceremony.factory.terms import Terms
    from ceremony.factory.todo import Todo

    told: list[tuple[int, float]] = []
    accepted = read_accepted(factory.folder)
    about = About(accepted.factory.spki_sha256, accepted.root_fingerprint, False, "1/1")
    secret = bytearray(factory.secret.read_bytes().rstrip())
    with open_issuer_key(accepted.factory, secret) as key, Asked(WHOLE) as asked, Output(out, about) as output:
        ask_for_count(asked, "dev-", count, 1)
        todo = Todo(asked, output, Terms(), accepted.certificate, _now())
        before = _all_processor_seconds()
        issue(
            accepted,
            key,
            todo,
            Passphrases(bytearray(), bytearray()),
            jobs=PROCESSORS + 1,
            now=_now,
            stopping=lambda: False,
            tell=lambda made: told.append((made, time.perf_counter())),
        )
    used = _all_processor_seconds() - before
    (first, began), (last, ended) = told[0], told[-1]
    return Took((last - first) / (ended - began), used / count * 1e6)


def token_alone(factory: Factory, count: int) -> float:
    """Signatures a second that the token makes when nothing else is done: one request after the other is on its way already."""
    from ceremony.factory.folder import read_factory
    from ceremony.factory.issuer_key import TokenIssuerKey, open_issuer_key
    from ceremony.pki.signatures import algorithm_for

    with open_issuer_key(read_factory(factory.folder), bytearray(factory.secret.read_bytes().rstrip())) as key:
        assert isinstance(key, TokenIssuerKey)
        began = time.perf_counter()
        made = sum(1 for _ in key.sign_many((os.urandom(500) for _ in range(count)), algorithm_for(key.public_key_der)))
        return made / (time.perf_counter() - began)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _all_processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


class Command(NamedTuple):
    """A run of the whole command: its seconds, and the most memory that it and all its children held at once, in MiB."""

    seconds: float
    memory: float


def command(factory: Factory, out: Path, count: int) -> Command:
    """`ceremony factory issue`, its memory looked at a hundred times a second."""
    line = [sys.executable, "-m", "ceremony", "factory", "issue", factory.folder, "-o", out, "--count", count, "--prefix", "dev-"]
    given = {**os.environ, **factory.environ}
    began, most = time.perf_counter(), 0
    run = subprocess.Popen(
        [*map(str, line), "--passphrase-file", str(factory.secret), "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=given
    )
    while run.poll() is None:
        most = max(most, sum(map(_resident, _with_children(run.pid))))
        time.sleep(0.01)
    seconds = time.perf_counter() - began
    said = json.loads(run.communicate()[0])
    assert said["made"] == count
    return Command(seconds, most / 2**20)


def _with_children(pid: int) -> list[int]:
    try:
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(one for child in below for one in _with_children(int(child)))]


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def main() -> None:
    """Prints the two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="*", default=[1_000, 10_000])
    parser.add_argument("--in-memory", metavar="KIND", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.in_memory:
        in_memory(args.in_memory, args.count)
        return
    if args.count < LEAST or args.rounds < 1:
        parser.error(f"--count is {LEAST} or more here, and --rounds 1 or more")
    os.umask(0o077)
    with factories() as (folder, made):
        load = os.getloadavg()[0]
        print(f"{args.count:,} certificates, {PROCESSORS} processors, best of {args.rounds} rounds; the machine's load was {load:.1f}")
        heads = f"{'in memory':>10} {'ours':>8} {'ratio':>6} {'CPU in memory':>14} {'CPU ours':>9} {'ratio':>6}"
        print(f"{'key':10} {'curve':10} {heads} {'command':>8} {'token alone':>12}")
        for factory in made:
            bases, ours, whole, alone = [], [], [], []
            for number in range(args.rounds):
                out = folder / f"out-{factory.folder.name}-{number}"
                bases.append(measure(factory.kind, args.count))
                ours.append(issue_here(factory, out, args.count))
                whole.append(command(factory, out.with_name(f"{out.name}-command"), args.count).seconds)
                if factory.environ:
                    alone.append(token_alone(factory, min(args.count, 2_000)))
            base, best = max(base.rate for base in bases), max(took.rate for took in ours)
            base_cpu, best_cpu = min(base.processor for base in bases), min(took.processor for took in ours)
            rates = f"{base:8,.0f}/s {best:6,.0f}/s {base / best:6.2f}"
            processor = f"{base_cpu:11.0f} us {best_cpu:6.0f} us {best_cpu / base_cpu:6.2f}"
            token = f" {max(alone):10,.0f}/s" if alone else ""
            print(f"{factory.name:10} {factory.kind[3:]:10} {rates} {processor} {min(whole):6.1f} s{token}", flush=True)
        print(f"\nMost memory of all processes together (MiB), with {PROCESSORS + 1} that make certificates")
        print(f"{'key':10} {'curve':10} " + " ".join(f"{count:>10,}" for count in args.memory))
        for factory in made:
            found = [command(factory, folder / f"memory-{factory.folder.name}-{count}", count).memory for count in args.memory]
            print(f"{factory.name:10} {factory.kind[3:]:10} " + " ".join(f"{memory:10.1f}" for memory in found), flush=True)


if __name__ == "__main__":
    main()
