"""A made-up ceremony with every type of line, for the tests of the report. Its certificates are real, its key is in software."""

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from ceremony.activation.statements import SIGN_OFF, signed_octets
from ceremony.transcript import Line, LineType, Moment, Transcript
from ceremony.words import sha256_hex, words_of
from tests.credentials import credential, private_key

SCRIPT = f'''\
format = 1
id = "example-root-2026"
title = "Example Devices root key ceremony"
policy = "private-iot-root"
evidence = "witness"

[window]
from = 2026-11-24
to = 2026-11-28

[root]
subject = "CN=Example Devices Root CA G1,O=Example,C=NO"
key = "ec:secp384r1"
label = "example-root-g1"
not_before = "ceremony-day"
not_after = 2046-11-19T00:00:00Z
path_length = 1

[profiles.factory]
path_length = 0
not_after = 2031-11-19T00:00:00Z
extended_key_usage = ["clientAuth"]
subject = "CN=*,O=Example"

[[intermediates]]
name = "alpha.1"
profile = "factory"

[[proofs]]
service = "example-dps"
certificate = "example-root-g1"

[activation]
kind = "pin"

[backup]
kind = "none"
reason = "The first year is a trial; devices can be enrolled anew."
owner = "Ingrid Dahl, head of product"

[[participants]]
id = "admin"
name = "Kari Nordmann"
role = "administrator"
credential = "{credential("Kari Nordmann")}"
alternates = [{{ name = "Ola Nordmann", credential = "{credential("Ola Nordmann")}" }}]

[[participants]]
id = "officer-1"
name = "Per Hansen"
role = "crypto-officer"
credential = "{credential("Per Hansen")}"

[[participants]]
id = "witness-1"
name = "Anne Berg"
role = "witness"
credential = "{credential("Anne Berg")}"

[[steps]]
kind = "roll-call"
title = "Who is here"
say = """
Read aloud: we are here to make the root key of Example Devices.
Each of us says name and role.
"""
actor = "admin"
confirm = ["witness-1"]

[[steps]]
kind = "generate-root"
title = "Generate the root key on the token"
say = "Read aloud: the key is made on the token and cannot leave it."
actor = "admin"
confirm = ["officer-1", "witness-1"]

[[steps]]
kind = "certify-root"
title = "Sign the root certificate"
actor = "admin"
confirm = ["officer-1"]
max_batch = 25

[[steps]]
kind = "crossing"
title = "The root certificate leaves, requests come back"
say = "Read aloud: write the fingerprint on paper, all of it."
actor = "admin"
confirm = ["officer-1", "witness-1"]

[[steps]]
kind = "import-request"
title = "What came in"
actor = "admin"
confirm = ["officer-1"]

[[steps]]
kind = "close"
title = "The end"
actor = "admin"
confirm = ["witness-1"]
'''.encode()

PEOPLE = {"admin": ("Ola Nordmann", "administrator"), "officer-1": ("Per Hansen", "crypto-officer"), "witness-1": ("Anne Berg", "witness")}
ATTRIBUTES = {
    "CKA_TOKEN": (True, True), "CKA_PRIVATE": (True, True), "CKA_SENSITIVE": (True, True), "CKA_ALWAYS_SENSITIVE": (True, True),
    "CKA_EXTRACTABLE": (False, False), "CKA_NEVER_EXTRACTABLE": (True, True), "CKA_LOCAL": (True, True), "CKA_SIGN": (True, True),
    "CKA_DECRYPT": (False, False), "CKA_UNWRAP": (False, False), "CKA_DERIVE": (False, False), "CKA_MODIFIABLE": (False, False),
}  # fmt: skip


@dataclass
class MadeUp:
    """A ceremony's script, transcript and certificates (DER by path), and the folder of its transcript."""

    script: bytes
    lines: list[Line]
    certificates: dict[str, bytes]
    transcript: Path


class _Writer:
    def __init__(self, path: Path) -> None:
        ticks = itertools.count()
        start = datetime(2026, 11, 24, 23, 58, tzinfo=UTC)
        self.transcript = Transcript(path, lambda: _moment(start, next(ticks)))
        self.step: int | None = None

    def __call__(self, type: LineType, data: dict[str, Any], actor: str | None = None, prev: str | None = None) -> Line:
        return self.transcript.append(type, data, step=self.step, actor=actor, prev=prev)

    def answered(self, by: str, text: str, value: str, digest: str | None = None, order: bool = False) -> None:
        name, role = PEOPLE[by]
        data = {"key": f"asked-{by}", "text": text, "value": value, "by": by, "name": name, "role": role, "digest": digest}
        self("ordered" if order else "confirmed", data, actor=by)

    def act(self, verb: str, args: dict[str, Any], value: Any) -> None:
        self("intent", {"key": verb, "verb": verb, "args": args})
        self("result", {"key": verb, "verb": verb, "value": value})

    def started(self, number: int, kind: str, title: str) -> None:
        self.step = number
        self("step-started", {"kind": kind, "title": title}, actor="admin")

    def signed_off(self, ceremony: str, rehearsal: bool, **statements: str) -> None:
        for id, statement in statements.items():
            participant = id.replace("_", "-")
            name, role = PEOPLE[participant]
            note = "" if statement == "as-written" else "The machine check found a route."
            said = {"context": SIGN_OFF, "ceremony": ceremony, "rehearsal": rehearsal, "participant": participant, "name": name}
            said |= {"role": role, "statement": statement, "note": note, "credential": credential(name)}
            args = {"participant": participant, "name": name, "credential": credential(name), "statement": said}
            line = self("intent", {"key": participant, "verb": "sign-statement", "args": args}).sha256
            signature = private_key(name).sign(signed_octets(said, line)).hex()
            made = {"signature": signature, "line": line, "credential": credential(name)}
            self("result", {"key": participant, "verb": "sign-statement", "value": made})
            self("signed-off", {**said, "line": line, "signature": signature}, actor=participant)


def _moment(start: datetime, tick: int) -> Moment:
    time = start + timedelta(seconds=7 * tick)
    return Moment(time.strftime("%Y-%m-%dT%H:%M:%SZ"), "0f7d8a52-0000-4000-8000-5b1c7e0d9a31", 60_000 + 7_000 * tick)


def root_certificate(rehearsal: bool, common_name: str = "Example Devices Root CA G1") -> bytes:
    """A self-signed certificate (DER) with a key of the test's own."""
    key = ec.generate_private_key(ec.SECP384R1())
    text = f"REHEARSAL {common_name}" if rehearsal else common_name
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example")])
    builder = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(0x41 << 152 | 0x1234)
    )
    builder = builder.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2046, 11, 19, tzinfo=UTC))
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    builder = builder.add_extension(x509.BasicConstraints(True, 1), True).add_extension(usage, True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    return builder.sign(key, hashes.SHA384()).public_bytes(Encoding.DER)


def hold(folder: Path, *, rehearsal: bool = True, script: bytes = SCRIPT, upto: int | None = None) -> MadeUp:
    """Writes the transcript of a whole ceremony, with every type of line, into `folder`. `upto` keeps that many lines."""
    path = folder / "transcript.jsonl"
    write = _Writer(path)
    der = root_certificate(rehearsal)
    certificate = x509.load_der_x509_certificate(der)
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    subject, tbs = certificate.subject.rfc4514_string(), sha256_hex(certificate.tbs_certificate_bytes)
    ceremony, serial = "5e1f" * 8, f"{certificate.serial_number:040x}"
    pem = certificate.public_bytes(Encoding.PEM)
    artifact = {
        "path": "root/example-root-g1.cert.pem",
        "kind": "root-certificate",
        "sha256": sha256_hex(pem),
        "size": len(pem),
        "serial": serial,
        "subject": subject,
    }

    surroundings = {
        "tool": {"version": "0.1.0", "packages": {"cryptography": {"version": "50.0.2", "sha256": "ab" * 32}}},
        "module": {
            "path": "/usr/lib/softhsm/libsofthsm2.so",
            "sha256": "12" * 32,
            "manufacturer": "SoftHSM",
            "description": "Implementation of PKCS11",
            "version": "2.6",
            "software": rehearsal,
        },
        "machine": {"kernel": "Linux 6.12.9", "hostname": "ceremony", "model": "Made-up 1", "python": "3.13.5"},
    }
    names = {
        "script": {"id": "example-root-2026", "title": "Example Devices root key ceremony", "sha256": sha256_hex(script)},
        "site": {"sha256": "34" * 32},
    }
    write(
        "opened",
        {
            "format": 1,
            "ceremony": ceremony,
            "rehearsal": rehearsal,
            **names,
            **surroundings,
            "previous": None,
            "credentials": {id: {name: credential(name)} for id, (name, _) in PEOPLE.items()} if rehearsal else {},
            "environment_removed": ["TEXTUAL_DEBUG"],
        },
        prev=sha256_hex(script),
    )
    write.started(1, "roll-call", "Who is here")
    write.answered("admin", "Administrator: who acts?", "Ola Nordmann")
    write.answered("witness-1", "Witness: who acts?", "Anne Berg")
    finding = {"check": "routes", "verdict": "found", "detail": "default via 192.0.2.1 dev eth0"}
    write.act("check-machine", {}, {"findings": [{"check": "swap", "verdict": "ok", "detail": "none"}, finding]})
    write(
        "deviation",
        {
            "class": "override",
            "text": "A route was found; the cable was pulled.",
            "by": [{"id": "admin", "name": "Ola Nordmann"}, {"id": "officer-1", "name": "Per Hansen"}],
        },
        actor="admin",
    )
    seal_of_bag = {"name": "bag-1", "what": "bag", "text": "Number of the bag", "value": "NO 0047 1182"}
    people = {id: {"name": name, "role": role, "stands_in": id == "admin"} for id, (name, role) in PEOPLE.items()}
    token = {"label": "root", "serial": "9d21c7e0b1f4a365", "manufacturer": "SoftHSM project", "model": "SoftHSM v2"}
    write("step-finished", {"products": {"people": people, "physical": [seal_of_bag], "token": token}}, actor="admin")

    write.started(2, "generate-root", "Generate the root key on the token")
    write("intent", {"key": "login", "verb": "login", "resource": True, "args": {}})
    write("result", {"key": "login", "verb": "login", "resource": True, "error": {"code": "RECORD-IN-USE", "what": "The PIN was wrong."}})
    args = {"label": "example-root-g1", "key_id": "a1" * 16, "key": "ec:secp384r1"}
    attributes = {name: {"value": value, "wanted": wanted, "verdict": "as-wanted"} for name, (value, wanted) in ATTRIBUTES.items()}
    key = {
        "label": args["label"],
        "key_id": args["key_id"],
        "public_key": spki.hex(),
        "public_key_sha256": sha256_hex(spki),
        "attributes": attributes,
        "mechanism": "CKM_EC_KEY_PAIR_GEN",
        "profile": "softhsm",
    }
    write.act("generate-key", args, key)
    write("step-finished", {"products": {"root_public_key": spki.hex()}}, actor="admin")

    write.started(3, "certify-root", "Sign the root certificate")
    words = words_of(tbs)
    write.answered("admin", "Type the first four words of the digest: this is the order to sign.", " ".join(words[:4]), tbs, order=True)
    write.answered("officer-1", "Type the next four words of the digest.", " ".join(words[4:8]), tbs, order=True)
    signature = {
        "key_id": args["key_id"],
        "key_label": args["label"],
        "algorithm": "ecdsa-sha384",
        "to_be_signed": "work/root.tbs",
        "sha256": tbs,
        "serial": serial,
        "subject": subject,
        "purpose": "root",
    }
    write("intent", {"key": "sign", "verb": "sign", "args": signature})
    write.step = None
    write("resumed", {"fingerprint_typed": None, "lines_after": 3, "torn": {"length": 41, "sha256": "56" * 32}, **surroundings})
    write.step = 3
    write("recovered", {"key": "sign", "verb": "sign", "how": "signed-again", "sha256": tbs}, actor="admin")
    write(
        "result",
        {"key": "sign", "verb": "sign", "value": {"signature": certificate.signature.hex(), "mechanism": "CKM_ECDSA", "sha256": tbs}},
    )
    write.act("write-artifact", {"path": artifact["path"]}, artifact)
    write("step-finished", {"products": {"root_certificate_sha256": sha256_hex(der)}}, actor="admin")

    write.started(4, "crossing", "The root certificate leaves, requests come back")
    write.signed_off(ceremony, rehearsal, admin="as-written", officer_1="with-deviations", witness_1="refused")
    seal = {"artifacts": [artifact], "ceremony": ceremony, "rehearsal": rehearsal, "root_certificate_sha256": sha256_hex(der)}
    first = write("sealed", {"bundle": 1, "previous_seal": None, **seal})
    write("paused", {"reason": "crossing", "text": "Take the medium to the online machine."})
    write("resumed", {"fingerprint_typed": first.sha256, "lines_after": 1, "torn": None, **surroundings})
    write("step-finished", {"products": {}}, actor="admin")

    write.started(5, "import-request", "What came in")
    csr = {
        "name": "alpha.1",
        "path": "csr/alpha.1.csr.pem",
        "sha256": "78" * 32,
        "spki_sha256": "9a" * 32,
        "pem": "-----BEGIN CERTIFICATE REQUEST-----\n" + "A" * 400,
    }
    proof = {
        "service": "example-dps",
        "certificate": "example-root-g1",
        "verification_code": "75B86466DA34D2B04C0C4C9557A119687ADAE7D4732BDDB3",
    }
    write.act(
        "import-request",
        {"inbox": True},
        {
            "requests": [
                {
                    "folder": "requests/1",
                    "sha256": "bc" * 32,
                    "made_at": "2026-11-25T08:00:00Z",
                    "root_fingerprint": sha256_hex(der),
                    "proofs": [proof],
                    "csrs": [csr],
                    "made_up": rehearsal,
                }
            ]
        },
    )
    write("step-finished", {"products": {}}, actor="admin")

    write.started(6, "close", "The end")
    write.signed_off(ceremony, rehearsal, admin="with-deviations", officer_1="with-deviations", witness_1="as-written")
    write("sealed", {"bundle": 2, "previous_seal": first.sha256, **seal})
    write("paused", {"reason": "signal", "text": "SIGTERM"})
    write("closed", {"bundle": 2})
    write("aborted", {"text": "Only so that the test has every type of line."})
    write.transcript.close()
    return MadeUp(script, write.transcript.lines[:upto], {"root/example-root-g1.cert.pem": der}, path)
