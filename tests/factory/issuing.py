"""Accepted intermediates to issue under, orders in this process and by the command, and the judge of an output folder."""

import csv
import datetime as dt
import json
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key, load_pem_private_key

from ceremony.crossing.artifacts import certificate_der
from ceremony.factory.accept import accept
from ceremony.factory.folder import Accepted, Factory, read_accepted
from ceremony.factory.index import About
from ceremony.factory.issue import Issued, Passphrases, SigningKey, issue
from ceremony.factory.issuer_key import open_issuer_key
from ceremony.factory.order import Asked
from ceremony.factory.output import Output
from ceremony.factory.registration_ids import file_stem
from ceremony.factory.shards import WHOLE
from ceremony.factory.terms import Terms
from ceremony.factory.todo import Todo
from ceremony.factory.workers import Crew
from ceremony.machine.clock import now as moment
from ceremony.pki.csr import read_csr
from ceremony.pki.profiles import utc_text
from ceremony.words import sha256_hex
from tests.e2e.commands import Ended, ceremony
from tests.factory.given import PASSPHRASE, factory_in_file, secret_file
from tests.factory.made_up import NOW, Root


def accepted_in_file(folder: Path, root: Root | None = None, *, name: str = "alpha.1", days_ago: int = 0, **details: Any) -> Accepted:
    """An intermediate with its key in a file, accepted `days_ago`; `details` are of `Root.certify`."""
    return certify(factory_in_file(folder, name), root or Root(), days_ago=days_ago, **details)


def certify(factory: Factory, root: Root, *, days_ago: int = 0, **details: Any) -> Accepted:
    """The factory with a certificate of this root."""
    request = read_csr((factory.folder / f"{factory.name}.csr.pem").read_bytes())
    certificate = root.certify(load_der_public_key(request.public_key_der), request.subject, **details)  # type: ignore[arg-type]  # EC
    then = moment()._replace(time=utc_text(NOW - dt.timedelta(days=days_ago)))
    accept(factory, root.bundle(certificate), lambda: then)
    return read_accepted(factory.folder)


def issued(accepted: Accepted, out: Path, *options: str | Path) -> Ended:
    """`ceremony factory issue` with the passphrase of a key in a file."""
    secret = secret_file(accepted.factory.folder.parent, PASSPHRASE)
    return ceremony("factory", "issue", accepted.factory.folder, "-o", out, *options, "--passphrase-file", secret)


def summary(ended: Ended) -> dict[str, Any]:
    """What --json said of a run that ended well."""
    assert ended.code == 0, ended
    found: dict[str, Any] = json.loads(ended.out)
    return found


def issue_here(
    accepted: Accepted,
    out: Path,
    ids: Sequence[str],
    *,
    terms: Terms | None = None,
    key: SigningKey | None = None,
    jobs: int = 1,
    stopping: Callable[[], bool] = lambda: False,
    tell: Callable[[int], None] = lambda made: None,
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> Issued:
    """The same in this process, by workers in processes of their own. Without a key that of the file is opened."""
    about = About(accepted.factory.spki_sha256, accepted.root_fingerprint, accepted.rehearsal, "1/1")
    with Asked(WHOLE) as asked:
        for registration_id in ids:
            asked.add("here", registration_id)
        asked.problems.refuse("FACTORY-IDS", "problems")
        with Output(out, about) as output:
            todo = Todo(asked, output, terms or Terms(), accepted.certificate, now())
            nothing = Passphrases(bytearray(), bytearray())

            def run(opened: SigningKey) -> Issued:
                with Crew() as crew:
                    return issue(accepted, opened, todo, nothing, jobs=jobs, crew=crew, now=now, stopping=stopping, tell=tell)

            if key is not None:
                return run(key)
            with open_issuer_key(accepted.factory, bytearray(PASSPHRASE.encode())) as opened:
                return run(opened)


def entries(out: Path) -> list[dict[str, str]]:
    """The rows of index.csv."""
    with (out / "index.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def history(out: Path) -> list[tuple[str, str, str]]:
    """Id, serial and status of every certificate that was ever issued, in the order of issue."""
    with sqlite3.connect(out / "index.sqlite") as index:
        found = index.execute("SELECT registration_id, serial, status FROM device_certificates ORDER BY number").fetchall()
    index.close()
    return found


def broken_off(out: Path) -> int:
    """How many batches were begun and given up, by the index."""
    with sqlite3.connect(out / "index.sqlite") as index:
        found: int = index.execute("SELECT count(*) FROM batches WHERE status = 'broken-off'").fetchone()[0]
    index.close()
    return found


def check_whole(out: Path, accepted: Accepted, ids: Sequence[str], *, own_keys: bool = True) -> list[x509.Certificate]:
    """Each id once, each file whole and of the index, nothing else anywhere. Returns the leaves in the order of the index."""
    rows = entries(out)
    assert sorted(row["registration_id"] for row in rows) == sorted(ids)
    assert len({row["serial"] for row in rows}) == len({row["sha256"] for row in rows}) == len(rows)
    assert list((out / ".work").iterdir()) == []
    issuer = accepted.certificate
    expected, leaves = set[Path](), []
    for row in rows:
        chain = out / row["chain"]
        leaf, above = x509.load_pem_x509_certificates(chain.read_bytes())
        assert above == issuer
        leaf.verify_directly_issued_by(issuer)
        assert sha256_hex(certificate_der(leaf)) == row["sha256"] and f"{leaf.serial_number:040x}" == row["serial"]
        assert [part.value for part in leaf.subject][-1] == row["registration_id"]
        assert (utc_text(leaf.not_valid_before_utc), utc_text(leaf.not_valid_after_utc)) == (row["not_before"], row["not_after"])
        expected.add(chain)
        if own_keys:
            key = chain.with_name(f"{file_stem(row['registration_id'])}.key.pem")
            private = load_pem_private_key(key.read_bytes(), None)
            spki = [one.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for one in (private.public_key(), leaf.public_key())]
            assert spki[0] == spki[1] and key.stat().st_mode & 0o777 == 0o600
            expected.add(key)
        leaves.append(leaf)
    assert {path for path in (out / "devices").rglob("*") if path.is_file()} == expected
    with sqlite3.connect(out / "index.sqlite") as index:
        [found] = index.execute("SELECT count(*) FROM certificates WHERE status = 'issued'").fetchone()
    index.close()
    assert found == len(ids)
    return leaves
