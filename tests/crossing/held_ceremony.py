"""A ceremony as its record tells of it, held with keys in memory, so that bundles can be made and forged without a token.

`HeldCeremony` writes the lines that the engine and the steps write; `rechained` gives them their numbers and digests anew
after a test has changed some, and `bundle_files` makes a bundle of whatever they say, as a forger would.
"""

import copy
import datetime as dt
import json
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ceremony.activation.statements import CONFIRMATION, OVERRIDE, SIGN_OFF
from ceremony.crossing.artifacts import describe_artifact
from ceremony.crossing.bundle import LEDGER, MANIFEST, REPORTS, SCRIPT, TRANSCRIPT, manifest_bytes, manifest_of
from ceremony.crossing.files import SUMS, sums_of, write_tree
from ceremony.crossing.ledger import ledger_of
from ceremony.crossing.record import Record
from ceremony.crossing.request import ProofRequest, read_request, write_request
from ceremony.crossing.script_data import ScriptAsData, read_script
from ceremony.pki.batch import BatchItem, batch_digest
from ceremony.pki.csr import read_csr
from ceremony.pki.draft import Draft, draft_certificate, pem_of
from ceremony.pki.names import name_text
from ceremony.pki.profiles import intermediate_profile, proof_profile, root_profile
from ceremony.transcript import read_lines
from ceremony.words import sha256_hex, words_of
from tests.credentials import credential
from tests.crossing.chaining import DAY, SEAL, SIGNED, rechained
from tests.crossing.script_text import FIRST_SESSION, LATER_CEREMONY, PEOPLE, SECOND_SESSION, script_of

CODE = "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"
HTML, PDF = b"<!doctype html><title>Report</title>\n", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\nno pages\n%%EOF\n"


def new_csr(subject: str, key: Any = None) -> bytes:
    """A CSR (PEM) for this subject (RFC 4514), with a P-256 key made for it."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name.from_rfc4514_string(subject)).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM)


def new_root_key(kind: str) -> Any:
    """A root's key: RSA of the size that is named, else P-384."""
    return rsa.generate_private_key(65537, int(kind[4:])) if kind.startswith("rsa:") else ec.generate_private_key(ec.SECP384R1())


def spki(key: Any) -> bytes:
    """The public key of a private one, DER SPKI."""
    return bytes(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


class HeldCeremony:
    """Holds a ceremony step by step. `lines` are the transcript's lines before numbers and digests; `artifacts` files by path."""

    def __init__(
        self, folder: Path, script: bytes, *, rehearsal: bool = True, software: bool = True, previous: "HeldCeremony | None" = None
    ) -> None:
        self.folder, self.script, self.rehearsal, self.previous = folder, script, rehearsal, previous
        self.tables: ScriptAsData = read_script(script)
        self.ceremony = secrets.token_hex(16)
        self.lines: list[dict[str, Any]] = []
        self.artifacts: dict[str, bytes] = {}
        self.products: dict[str, Any] = {}
        self.root_key: Any = previous.root_key if previous else new_root_key(self.tables.root.key)
        self.root_der: bytes = previous.root_der if previous else b""
        self.step = 0
        self.carried: tuple[str, ...] = ()
        named = None
        if previous:
            files = previous.bundle_files()
            named = {
                "fingerprint": previous.fingerprint,
                "ledger_sha256": sha256_hex(files[LEDGER]),
                "root_certificate_sha256": sha256_hex(previous.root_der),
            }
            lost = self.tables.previous.lost if self.tables.previous else None
            named |= {"lost": msgspec.to_builtins(lost)} if lost else {}
        self.line(
            "opened",
            {
                "format": 1,
                "ceremony": self.ceremony,
                "rehearsal": rehearsal,
                "script": {"id": "example-root-2026", "title": "Example Devices root key ceremony", "sha256": sha256_hex(script)},
                "site": {"sha256": sha256_hex(b"")},
                "tool": {"version": "0.1.0", "packages": {}},
                "module": {"path": "/usr/lib/softhsm/libsofthsm2.so", "sha256": "0" * 64, "software": software},
                "machine": {},
                "previous": named,
                "credentials": {id: {name: credential(name)} for id, (name, _) in PEOPLE.items()} if rehearsal else {},
                "environment_removed": [],
            },
        )

    def line(self, type: str, data: dict[str, Any], actor: str | None = None) -> None:
        """Adds a line; data as in the contract of the transcript."""
        self.lines.append({"type": type, "step": self.step or None, "actor": actor, "data": data})

    def begin(self, kind: str) -> None:
        """Begins the next step."""
        self.step += 1
        self.line("step-started", {"kind": kind, "title": f"Now {kind}"}, self.tables.steps[self.step - 1].actor)

    def finish(self, **products: Any) -> None:
        """Ends the step."""
        self.products |= products
        self.line("step-finished", {"products": products}, self.tables.steps[self.step - 1].actor)

    def answered(self, key: str, value: str, by: str, *, digest: str | None = None, order: bool = False) -> None:
        """A question answered by a participant."""
        name, role = PEOPLE[by]
        data = {"key": key, "text": "?", "value": value, "by": by, "name": name, "role": role, "digest": digest}
        self.line("ordered" if order else "confirmed", data, by)

    def act(self, key: str, verb: str, args: dict[str, Any], value: dict[str, Any]) -> None:
        """An intent and its result."""
        self.line("intent", {"key": key, "verb": verb, "args": args})
        self.line("result", {"key": key, "verb": verb, "value": value})

    def log_in(self, *givers: str) -> None:
        """Opens the token; `givers` give their shares."""
        login = {"key": "login", "verb": "login", "resource": True}
        self.line("intent", {**login, "args": {"holders": list(givers)}})
        self.line("result", {**login, "value": {"serial": "5a"}})

    def signed_by(self, id: str, key: str, context: str, more: dict[str, Any]) -> dict[str, Any]:
        """Something signed with a person's credential; the statement, with what `rechained` fills in."""
        name, role = PEOPLE[id]
        statement = {"context": context, "ceremony": self.ceremony, "rehearsal": self.rehearsal, "participant": id, "name": name}
        statement |= {"role": role, **more}
        args = {"participant": id, "name": name, "credential": credential(name), "statement": statement}
        made = {"signature": SIGNED, "line": SIGNED}
        self.act(key, "sign-statement", args, {**made, "credential": credential(name)})
        return {**statement, **made}

    def backed(self, key: str, value: str, by: str, *, digest: str | None = None, order: bool = False) -> None:
        """An answer, and its signature."""
        self.answered(key, value, by, digest=digest, order=order)
        more = {"step": self.step, "key": key, "value": value, "digest": digest}
        self.signed_by(by, f"{key}/signed", CONFIRMATION, more)

    def overridden(self, text: str, *people: str) -> None:
        """A deviation of class override, signed by these people."""
        for person in people:
            self.signed_by(person, f"override/signed/{person}", OVERRIDE, {"text": text})
        by = [{"id": person, "name": PEOPLE[person][0]} for person in people]
        self.line("deviation", {"class": "override", "text": text, "by": by}, people[0])

    def prepare(self) -> None:
        """Roll-call, clock, machine: the start of every session."""
        self.begin("roll-call")
        for id in PEOPLE:
            self.answered(f"present/{id}", "present", id)
        self.finish(people={id: {"name": name, "role": role, "stands_in": False} for id, (name, role) in PEOPLE.items()})
        self.begin("check-clock")
        self.act("clock/1", "read-clock", {}, {"utc": f"{DAY}T09:00:00Z", "problems": []})
        self.finish(ceremony_day=DAY, clock_utc=f"{DAY}T09:00:00Z")
        self.begin("check-machine")
        self.check_machine("machine")
        self.finish()

    def check_machine(self, key: str, verdict: str = "ok") -> None:
        """A machine check with one finding."""
        finding = {"check": "routes", "verdict": verdict, "detail": ""}
        self.act(f"{key}/check/1", "check-machine", {"input_devices": []}, {"findings": [finding]})

    def make_root(self) -> None:
        """Generates and certifies the root."""
        self.begin("generate-root")
        self.log_in()
        public_key = spki(self.root_key)
        label = self.tables.root.label
        value = {"label": label, "key_id": "aa", "public_key": public_key.hex(), "public_key_sha256": sha256_hex(public_key)}
        self.backed("agree", "generate", "witness-1")
        self.act("generate", "generate-key", {"label": label, "key_id": "aa", "key": self.tables.root.key}, value)
        digest = sha256_hex(public_key)
        self.backed("seen/witness-1", " ".join(words_of(digest)[4:8]), "witness-1", digest=digest)
        self.finish(root_public_key=public_key.hex())
        self.begin("certify-root")
        profile = root_profile(self.tables.root, dt.date.fromisoformat(DAY), self.rehearsal)
        draft = self.draft("root", profile, public_key)
        self.root_der = self.signed("root", "root", [(label, draft)])[label]
        self.write(f"root/{label}.cert.pem", self.root_der)
        self.finish(root_certificate_sha256=sha256_hex(self.root_der))

    def use_root(self) -> None:
        """Takes up the root of the ceremony before."""
        self.begin("use-root")
        self.write(f"root/{self.tables.root.label}.cert.pem", self.root_der)
        self.carry_on()
        self.finish(root_certificate_sha256=sha256_hex(self.root_der))

    def carry_on(self) -> None:
        """Takes over what `carried` names of the bundle before, as it was."""
        for path in self.carried:
            assert self.previous
            self.write_file(path, self.previous.artifacts[path])

    def draft(self, key: str, profile: Any, public_key: bytes, serial: int | None = None) -> Draft:
        """Drafts and stores the bytes to sign."""
        serial = serial or int.from_bytes(b"\x5a" + secrets.token_bytes(19))
        draft = draft_certificate(profile, public_key, spki(self.root_key), serial)
        args = {"path": f"work/{key}.tbs", "hex": draft.to_be_signed.hex(), "sha256": draft.sha256}
        self.act(f"{key}/store", "store", args, {"path": args["path"], "sha256": draft.sha256})
        return draft

    def signed(self, key: str, purpose: str, batch: list[tuple[str, Draft]], keys: Mapping[str, Any] | None = None) -> dict[str, bytes]:
        """Machine check, order by two, signatures; name → certificate (DER). `keys` sign in place of the root's, by name."""
        self.log_in()
        self.check_machine(f"{key}/machine")
        items = [BatchItem(name, f"{draft.serial:040x}", draft.sha256) for name, draft in batch]
        self.ordered(key, items[0].sha256 if len(items) == 1 else batch_digest(items))
        made = {}
        for name, draft in batch:
            how = (padding.PKCS1v15(), hashes.SHA384()) if self.tables.root.key.startswith("rsa:") else (ec.ECDSA(hashes.SHA384()),)
            signer = (keys or {}).get(name, self.root_key)
            signature = signer.sign(draft.to_be_signed, *how)
            value = {"signature": signature.hex(), "mechanism": "ECDSA", "sha256": draft.sha256}
            self.act(f"{key}/sign/{name}", "sign", {**self.sign_arguments(purpose, draft), "public_key": spki(signer).hex()}, value)
            made[name] = draft.signed_with(signature)
        return made

    def ordered(self, key: str, digest: str, suffix: str = "") -> None:
        """The order by the officer and the confirmation by the witness."""
        words = words_of(digest)
        self.answered(f"{key}/order{suffix}", " ".join(words[:4]), "officer", digest=digest, order=True)
        self.backed(f"{key}/confirm{suffix}", " ".join(words[4:8]), "witness-1", digest=digest, order=True)

    def sign_arguments(self, purpose: str, draft: Draft) -> dict[str, Any]:
        """The arguments of `sign`."""
        return {
            "key_id": "aa",
            "key_label": self.tables.root.label,
            "public_key": spki(self.root_key).hex(),
            "algorithm": draft.algorithm,
            "to_be_signed": "work/x.tbs",
            "sha256": draft.sha256,
            "serial": f"{draft.serial:040x}",
            "subject": name_text(draft.profile.subject),
            "purpose": purpose,
        }

    def write(self, path: str, *ders: bytes) -> None:
        """Writes an artifact."""
        self.write_file(path, "".join(map(pem_of, ders)).encode())

    def write_file(self, path: str, octets: bytes) -> None:
        """Writes an artifact of these bytes."""
        place = self.folder / "work" / "artifacts" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(octets)
        self.artifacts[path] = octets
        self.act(f"{path}/write", "write-artifact", {"path": path}, msgspec.to_builtins(describe_artifact(path, octets)))

    def import_request(self, csrs: Mapping[str, bytes], *, proof: bool) -> None:
        """Brings a request in, and has its keys vouched for by two."""
        self.begin("import-request")
        proofs = [ProofRequest("example-dps", self.tables.root.label, CODE)] if proof else []
        folder = self.folder / "requests" / "1"
        folder.parent.mkdir(parents=True, exist_ok=True)
        fingerprint = sha256_hex(self.root_der) if proof else None
        write_request(folder, made_at=f"{DAY}T08:00:00Z", root_fingerprint=fingerprint, proofs=proofs, csrs=csrs)
        request = read_request(folder).as_value("requests/1")
        self.look_at_medium("inbound/1", "inbox", "INBOUND")
        self.act("import/1", "import-request", {}, {"requests": [request], "made_up": []})
        for csr in request["csrs"]:
            words = words_of(csr["spki_sha256"])
            self.answered(f"vouch/1/{csr['name']}/admin", " ".join(words[:8]), "admin")
            self.answered(f"vouch/1/{csr['name']}/witness-1", " ".join(words[8:16]), "witness-1")
        csrs_by_name = {csr["name"]: csr for csr in request["csrs"]}
        self.finish(csrs=csrs_by_name, codes={entry["service"]: entry for entry in request["proofs"]})

    def prove(self) -> None:
        """Signs the proof of possession."""
        self.begin("prove-possession")
        key = spki(ec.generate_private_key(ec.SECP256R1()))
        self.act("example-dps/key", "proof-key", {}, {"public_key": key.hex()})
        draft = self.draft("example-dps", proof_profile(CODE, self.root_der, dt.date.fromisoformat(DAY)), key)
        made = self.signed("proofs", "proof", [("example-dps", draft)])
        self.write(f"proof-of-possession/example-dps/{self.tables.root.label}.cert.pem", made["example-dps"])
        self.finish()

    def sign_intermediates(self) -> None:
        """Signs what came in, in one batch."""
        self.begin("sign-intermediates")
        batch = []
        for entry in sorted(self.tables.intermediates, key=lambda entry: entry.name):
            csr = read_csr(self.products["csrs"][entry.name]["pem"].encode())
            profile = intermediate_profile(self.tables.profiles[entry.profile], csr.subject, self.root_der, dt.date.fromisoformat(DAY))
            batch.append((entry.name, self.draft(entry.name, profile, csr.public_key_der)))
        for name, der in self.signed("batch/1", "intermediate", batch).items():
            self.write(f"intermediates/{name}.cert.pem", der)
            self.write(f"intermediates/{name}.chain.pem", der, self.root_der)
        self.finish()

    def seal(self, kind: str) -> None:
        """Everyone signs off, and the bundle is sealed; the step stays open."""
        self.begin(kind)
        number = sum(line["type"] == "sealed" for line in self.lines) + 1
        serial = f"{self.ceremony[:8]}-{number}"
        self.look_at_medium("outbound/1", "outbox", serial)
        self.act("outbound/1/take", "take-medium", {"bundle": number, "serial": serial}, {"bundle": number, "serial": serial})
        statement = "with-deviations" if any(line["type"] == "deviation" for line in self.lines) else "as-written"
        for id, (name, _) in PEOPLE.items():
            said = {"statement": statement, "note": "", "credential": credential(name)}
            self.line("signed-off", self.signed_by(id, f"sign-off/{id}/signed", SIGN_OFF, said), id)
        data = {
            "bundle": number,
            "artifacts": [msgspec.to_builtins(describe_artifact(path, self.artifacts[path])) for path in sorted(self.artifacts)],
            "previous_seal": None,
            "ceremony": self.ceremony,
            "rehearsal": self.rehearsal,
            "root_certificate_sha256": sha256_hex(self.root_der),
        }
        self.line("sealed", data, "admin")

    def look_at_medium(self, key: str, box: str, serial: str) -> None:
        """A medium of its own, mounted read-only when it is inbound."""
        value = {"device": "/dev/sdb1", "serial": serial, "read_only": box == "inbox", "used": []}
        self.act(f"{key}/look/1", "look-at-medium", {"box": box}, value)

    def cross(self) -> None:
        """After the seal of a crossing: receipt, pause, resumption."""
        self.act("copy", "copy-out", {"bundle": 1}, {"path": "/media/out/bundle-1", "files": 8})
        self.line("paused", {"reason": "crossing", "text": "bundle 1 is on its way"})
        step, self.step = self.step, 0
        self.line("resumed", {"fingerprint_typed": SEAL, "lines_after": 3, "torn": None, "confirmed_by": []})
        self.step = step
        self.finish()

    @property
    def transcript(self) -> bytes:
        """The bytes of transcript.jsonl."""
        return rechained(self.lines, self.first_prev)

    @property
    def first_prev(self) -> str:
        """What the first line hangs on."""
        return self.previous.fingerprint if self.previous else sha256_hex(self.script)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the last line."""
        return read_lines(self.transcript)[0][-1].sha256

    @property
    def previous_ledger(self) -> bytes | None:
        """The ledger of the ceremony before."""
        return self.previous.bundle_files()[LEDGER] if self.previous else None

    def bundle_files(self, change: Callable[[dict[str, bytes]], None] | None = None) -> dict[str, bytes]:
        """The files of the bundle that the lines make; `change` may change some before manifest and sums are made."""
        transcript = self.transcript
        lines, _ = read_lines(transcript)
        files = {SCRIPT: self.script, TRANSCRIPT: transcript, LEDGER: b"", **dict(zip(REPORTS, (HTML, PDF), strict=True))}
        files |= self.artifacts
        files[LEDGER] = ledger_of(lines, self.previous_ledger)
        if change:
            change(files)
        files[MANIFEST] = manifest_bytes(manifest_of(Record(lines), files))
        files[SUMS] = sums_of(files)
        return files

    def write_bundle(self, target: Path, change: Callable[[dict[str, bytes]], None] | None = None) -> Path:
        """Writes the bundle and returns its folder."""
        write_tree(target, self.bundle_files(change))
        return target

    def forged(self) -> "HeldCeremony":
        """A copy whose lines and files can be changed."""
        other = copy.copy(self)
        # By way of JSON: what two lines hold alike must not be one object.
        other.lines, other.artifacts = json.loads(json.dumps(self.lines)), dict(self.artifacts)
        return other


def first_session(folder: Path, **facts: Any) -> HeldCeremony:
    """A first ceremony up to the seal of its crossing: the root leaves."""
    ceremony = HeldCeremony(folder, script_of((*FIRST_SESSION, *SECOND_SESSION), ("alpha.1", "beta.1"), proof=True), **facts)
    ceremony.prepare()
    ceremony.make_root()
    ceremony.seal("crossing")
    return ceremony


def whole_ceremony(folder: Path, **facts: Any) -> HeldCeremony:
    """A first ceremony up to its last seal: root, proof and two intermediates."""
    ceremony = first_session(folder, **facts)
    ceremony.cross()
    second_session(ceremony)
    return ceremony


def second_session(ceremony: HeldCeremony) -> None:
    """What follows the crossing of a first ceremony."""
    ceremony.prepare()
    ceremony.import_request({name: new_csr(f"CN={name},O=Example") for name in ("alpha.1", "beta.1")}, proof=True)
    ceremony.prove()
    ceremony.sign_intermediates()
    ceremony.seal("close")


def going_on(previous: HeldCeremony) -> dict[str, Any]:
    """How the next ceremony is made: a rehearsal after a rehearsal, on a module that is software."""
    return {"previous": previous, "rehearsal": previous.rehearsal, "software": previous.rehearsal}


def later_ceremony(folder: Path, previous: HeldCeremony) -> HeldCeremony:
    """A later ceremony on the same root: one more intermediate."""
    script = script_of(LATER_CEREMONY, ("gamma.1",), proof=False, previous=previous.fingerprint)
    ceremony = HeldCeremony(folder, script, **going_on(previous))
    ceremony.prepare()
    ceremony.use_root()
    ceremony.import_request({"gamma.1": new_csr("CN=gamma.1,O=Example")}, proof=False)
    ceremony.sign_intermediates()
    ceremony.seal("close")
    return ceremony
