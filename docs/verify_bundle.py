#!/usr/bin/env python3
"""Verifies the bundle of a root key ceremony with Python 3.11 and OpenSSL 3, and with nothing of the program that held the ceremony.

    python3 -I verify_bundle.py BUNDLE FINGERPRINT

FINGERPRINT is the one from paper: 64 hex digits or 32 words. Exit code 0: every check holds; else 1. See auditor-guide.md beside it.
"""

import base64
import hashlib
import json
import subprocess
import sys
import tempfile
import tomllib
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

WORDS = Path(__file__).with_name("pgp-words.txt").read_text().split()
RECORD = {f"record/{name}" for name in ("script.toml", "transcript.jsonl", "ledger.json", "report.html", "report.pdf")}
SIGN_OFF, CONFIRMATION, OVERRIDE = (f"root-ceremony {what} v1" for what in ("sign-off", "confirmation", "override"))
BACKED = {"generate-root": ["agree", "seen/"], "initialise-token": ["agree"], "change-activation": ["agree"]}  # by the first confirmer
BROKEN = (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError)


def sha256(octets):
    """64 hex digits."""
    return hashlib.sha256(octets).hexdigest()


def words_of(digest):
    """A word for each byte, of the PGP word list: 256 words for the even places, then 256 for the odd ones."""
    return [WORDS[byte + 256 * (place % 2)] for place, byte in enumerate(bytes.fromhex(digest))]


def canonical(value):
    """RFC 8785 for integers and ASCII keys: the one encoding of a value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def openssl(*arguments):
    """Whether openssl says yes. For an argument of bytes it gets the path of a file that holds them."""
    with tempfile.TemporaryDirectory() as folder:
        for place, octets in enumerate(arguments):
            if isinstance(octets, bytes):
                Path(folder, str(place)).write_bytes(octets)
        given = [f"{folder}/{place}" if isinstance(word, bytes) else word for place, word in enumerate(arguments)]
        return not subprocess.run(["openssl", *given], capture_output=True).returncode  # noqa: S607


def credential_holds(credential, signed, signature):
    """Whether it is a signature of the roster's key: Ed25519 (RFC 8032), or ECDSA on P-256 with SHA-256 (DER)."""
    kind, _, key = credential.rpartition(":")
    # SubjectPublicKeyInfo of RFC 8410 section 4, or of RFC 5480 section 2 with a compressed point.
    head = {"ed25519": "302a300506032b6570032100", "ec:secp256r1": "3039301306072a8648ce3d020106082a8648ce3d030107032200"}[kind]
    verify = ["pkeyutl", "-verify", "-rawin", "-in", signed, "-sigfile", bytes.fromhex(signature), "-pubin", "-keyform", "DER"]
    return openssl(*verify, "-inkey", bytes.fromhex(head + key), *([] if kind == "ed25519" else ["-digest", "sha256"]))


def elements(der):
    """The DER elements that stand one after another, each as (its content, the whole of it)."""
    if not der:
        return []
    start = 2 + (der[1] & 127) * (der[1] > 127)
    length = int.from_bytes(der[2:start]) if start > 2 else der[1]
    return [(der[start : start + length], der[: start + length]), *elements(der[start + length :])]


def certificate(pem):
    """The one certificate or CRL of a PEM file in its parts (RFC 5280 sections 4.1, 5.1); `signed` is what the signature is over."""
    _, kind, text, _, _ = pem.split(b"-----")
    der = base64.b64decode(b"".join(text.split()), validate=True)
    (fields, signed), _, (signature, _) = elements(elements(der)[0][0])
    _, (serial, _), _, _, _, (subject, _), (_, key), *_ = [(b"", b"")] * 7 if kind.endswith(b"CRL") else elements(fields)
    return SimpleNamespace(der=der, signed=signed, signature=signature[1:].hex(), serial=serial.hex(), subject=subject, key=key)


class Bundle:
    """What was read: files, script, lines; each act as its intent with the value of its result; what people signed."""

    def __init__(self, folder):
        self.files, self.problems, self.acts, self.signed, undecided = {}, [], [], [], {}
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not (path.is_dir() or (path.is_file() and path.stat().st_nlink == 1)):
                self.problems.append(f"{path.relative_to(folder)} is a link or no plain file")
            elif path.is_file():
                self.files[path.relative_to(folder).as_posix()] = path.read_bytes()
        self.script = tomllib.loads(self.files["record/script.toml"].decode())
        self.steps = dict(enumerate(self.script["steps"], 1))
        self.places = {person["id"]: person for person in self.script["participants"]}
        *stored, rest = self.files["record/transcript.jsonl"].split(b"\n")
        self.lines = [SimpleNamespace(stored=octets, sha256=sha256(octets + b"\n"), **json.loads(octets)) for octets in stored]
        self.opened, self.seal = self.lines[0].data, self.lines[-1]
        self.artifacts = {entry["path"]: entry for entry in self.seal.data["artifacts"]}
        self.overrides = {line.seq: line.step for line in self.of("deviation") if line.data["class"] == "override"}
        self.finished, self.problems = self.of("step-finished"), self.problems + ["the last line has no end"] * bool(rest)
        for line in self.of("intent", "result"):
            place = line.step, line.data["key"], line.data["verb"]
            if line.type == "intent":
                undecided[place] = SimpleNamespace(seq=line.seq, step=line.step, value=None, **line.data)
                self.acts.append(undecided[place])
            elif place not in undecided:
                self.problems.append(f"line {line.seq} is the result of an act that no line intends")
            else:
                act = undecided.pop(place)
                act.value = line.data.get("value")
                if act.verb == "sign-statement" and act.value is not None:
                    more = {"said": {**act.args["statement"], "line": act.value["line"]}, "signature": act.value["signature"]}
                    self.signed.append(SimpleNamespace(**{**vars(line), **more}))

    def of(self, *types):
        """The lines of these types."""
        return [line for line in self.lines if line.type in types]

    def done(self, verb):
        """The acts of this verb that succeeded."""
        return [act for act in self.acts if act.verb == verb and act.value is not None]

    def products(self, step):
        """What the steps before this one had established."""
        before = [line for line in self.finished if step is not None and line.step < step]
        return {name: value for line in before for name, value in line.data["products"].items()}


def files(b):
    """nothing missing, nothing too much, no link; each file as the seal and SHA256SUMS name it, and sealed as it was written"""
    yield from b.problems
    for path in sorted(b.files.keys() ^ {"SHA256SUMS", "manifest.json", *RECORD, *b.artifacts}):
        yield f"{path} is missing, or has no place here"
    yield from (f"{path} is not what was sealed" for path in b.artifacts if b.artifacts[path]["sha256"] != sha256(b.files.get(path, b"")))
    if sorted(map(canonical, b.seal.data["artifacts"])) != sorted(canonical(act.value) for act in b.done("write-artifact")):
        yield "what was sealed is not what was written"
    if "".join(f"{sha256(b.files[path])}  {path}\n" for path in sorted(b.files.keys() - {"SHA256SUMS"})).encode() != b.files["SHA256SUMS"]:
        yield "SHA256SUMS is not the list of these files"


def chain(b):
    """each line holds the digest of the line before; the first hangs on the script, or on the ceremony before"""
    script, previous = sha256(b.files["record/script.toml"]), b.opened["previous"]
    named = b.script.get("previous", {}).get("fingerprint")
    same = bool(named) == bool(previous) if b.opened["rehearsal"] else named == (previous or {}).get("fingerprint")
    yield from ["line 1 names another script, or another ceremony before"] * (b.opened["script"]["sha256"] != script or not same)
    before = previous["fingerprint"] if previous else script
    for number, line in enumerate(b.lines, 1):
        written = {name: value for name, value in vars(line).items() if name not in ("stored", "sha256")}
        if (line.seq, line.prev, canonical(written)) != (number, before, line.stored) or (line.type == "opened") != (number == 1):
            yield f"line {number} does not follow the line before it, or is written in another way"
        before = line.sha256


def seal(b):
    """the last line seals this bundle; seals are numbered, and each names the one before and all that it listed"""
    before, held, ceremony = None, [], [b.opened["ceremony"], b.opened["rehearsal"], b.seal.data["root_certificate_sha256"]]
    for number, line in enumerate(b.of("sealed"), 1):
        root, said = line.data["root_certificate_sha256"], [line.data[key] for key in ("bundle", "previous_seal", "ceremony", "rehearsal")]
        if [*said, root or ceremony[2]] != [number, before, *ceremony] or any(entry not in line.data["artifacts"] for entry in held):
            yield f"line {line.seq} does not seal bundle {number} of this ceremony, or leaves out what was sealed before"
        before, held = line.sha256, line.data["artifacts"]
    if b.seal.type != "sealed" or b.of("aborted", "closed"):
        yield "the last line is no seal, or the ceremony had ended before it"


def steps(b):
    """the steps of the script up to the seal were begun and ended, once, in its order; each line stands in the step that was open"""
    begun = [(line.step, line.data["kind"], line.data["title"]) for line in b.of("step-started")]
    written = [(number, step["kind"], step["title"]) for number, step in b.steps.items()][: b.seal.step]
    if begun != written or [line.step for line in b.finished] != list(range(1, b.seal.step)):
        yield "the steps that were begun and ended are not those of the script up to the seal"
    running = None
    for line in b.lines:
        running = line.step if line.type == "step-started" else running
        if line.step not in (None, running):
            yield f"line {line.seq} stands in step {line.step}, while step {running} was open"


def orders(b):
    """two people of the step typed four words each of the digest of what was signed, before it; once more where it was signed again"""
    signatures, batches = {}, {}
    for act in [act for act in b.acts if act.verb == "sign"]:
        first = signatures.setdefault((act.args["serial"], act.args.get("crl_number")), act)
        if first is act:
            batches.setdefault((act.step, act.key.rpartition("/sign/")[0]), []).append(act)
        elif (first.args, first.key, first.step) != (act.args, act.key, act.step):
            yield f"line {act.seq} intends a serial for something else than line {first.seq}"
    for batch in batches.values():
        items = [{"name": act.key.rpartition("/")[2], "serial": act.args["serial"], "sha256": act.args["sha256"]} for act in batch]
        numbered = [{"n": number, **item} for number, item in enumerate(items, 1)]
        digest = sha256(canonical(numbered)) if len(items) > 1 else items[0]["sha256"]
        if len(items) > b.script.get("max_batch", 25) or not ordered_by_two(b, batch[0].step, digest, 0, batch[0].seq):
            yield f"two people did not order the signatures from line {batch[0].seq} on by their digest"
    again = [(line, line.step, line.data["key"]) for line in b.of("recovered") if line.data["how"] == "signed-again"]
    for (*which,), act in signatures.items():
        if sum([other.args["serial"], other.args.get("crl_number")] == which for other in b.done("sign")) != 1:
            yield f"what became of the signature of line {act.seq} is not told, or told twice"
        for line, *place in again:
            if place == [act.step, act.key] and not ordered_by_two(b, act.step, act.args["sha256"], act.seq, line.seq):
                yield f"line {line.seq} tells of a second signature that two people did not order"


def ordered_by_two(b, step, digest, after, before):
    """Whether two people of the step ordered this digest between two lines."""
    allowed, words = {b.steps[step]["actor"], *b.steps[step].get("confirm", ())}, words_of(digest)
    said = [line.data for line in b.of("ordered") if line.step == step and after < line.seq < before and line.data["digest"] == digest]
    first, second = ({one["by"] for one in said if one["value"].split() == part} & allowed for part in (words[:4], words[4:8]))
    return any(one != other for one in first for other in second)


def machine(b):
    """the machine was looked at in the step before each signature; what was found was overridden, or this is a rehearsal"""
    for act in [act for act in b.acts if act.verb == "sign"]:
        checks = [check for check in b.done("check-machine") if check.step == act.step and check.seq < act.seq]
        unfit = [finding for check in checks[-1:] for finding in check.value["findings"] if finding["verdict"] == "found"]
        borne = b.opened["rehearsal"] or any(step == act.step and checks[-1].seq < seq < act.seq for seq, step in b.overrides.items())
        if not checks or (unfit and not borne):
            yield f"the machine was not looked at before line {act.seq}, or not fit and not overridden"


def vouching(b):
    """the key of each CSR is pinned by the script, or two people typed words of its digest; codes came in for this root, or two typed it"""
    pinned = {entry["name"]: entry.get("spki_sha256") for entry in b.script.get("intermediates", ())}
    requests, products = [request for act in b.done("import-request") for request in act.value["requests"]], b.products(b.seal.step)
    for name, csr in products.get("csrs", {}).items():
        parts = [" ".join(words_of(csr["spki_sha256"])[place : place + 8]) for place in (0, 8)]
        first, second = ({line.data["by"] for line in b.of("confirmed") if line.data["value"] == part} for part in parts)
        vouched = pinned[name] == csr["spki_sha256"] if pinned.get(name) else any(one != other for one in first for other in second)
        came_in = any(csr in request["csrs"] for request in requests) and csr["name"] == name
        if not came_in or not vouched or sha256(csr["pem"].encode()) != csr["sha256"]:
            yield f"the CSR {name} did not come in, or nobody vouched for its key, or the script pins another"
    for service, proof in products.get("codes", {}).items():
        root, code = b.seal.data["root_certificate_sha256"], proof["verification_code"]
        words, allowed = " ".join(words_of(sha256(code.encode()))[:4]), [one["service"] for one in b.script["proofs"] if one.get("typed")]
        answers = [line.data for line in b.of("confirmed") if line.data["key"].startswith("typed/") and f"/{service}/" in line.data["key"]]
        by, agreed = {said["by"] for said in answers if said["value"] == code}, any(said["value"] == words for said in answers)
        came_in = any(proof in request["proofs"] and request["root_fingerprint"] == root for request in requests)
        if proof["service"] != service or not (came_in or (service in allowed and len(by) > 1 and agreed)):
            yield f"the code of {service} did not come in for this root, and two people did not type it with its check words"


def certificates(b):
    """openssl finds each, and each CRL, signed by its root; each is what was ordered, one to one, on the key that was made or came in"""
    signed = {act.args["sha256"]: act for act in b.done("sign") if "signature" in act.value}
    roots = {path[5:-9]: b.files[path] for path, entry in b.artifacts.items() if entry["kind"] == "root-certificate"}
    [root] = [pem for pem in roots.values() if sha256(certificate(pem).der) == b.seal.data["root_certificate_sha256"]]
    before, moment = json.loads(b.files["record/ledger.json"])["ceremonies"][:-1], str(int(datetime.fromisoformat(b.seal.time).timestamp()))
    judge = ["verify", "-x509_strict", "-check_ss_sig", "-attime", moment, "-no-CApath", "-no-CAstore", "-CAfile"]
    made_up, rehearsal = b.opened["credentials"] or (b.opened["module"] or {}).get("software"), b.opened["rehearsal"]
    if (b"REHEARSAL" in certificate(root).subject) != rehearsal or (made_up and not rehearsal):
        yield "line 1 says otherwise than the root's name, the module or the credentials whether this is a rehearsal"
    chains = {path: b.files[path[:-9] + "cert.pem"] + root for path in b.artifacts if path[:5] + path[-9:] == "interchain.pem"}
    yield from (f"{path} is not the certificate and then the root's" for path in chains if b.files[path] != chains[path])
    crls = {one["crl"]["label"]: one["crl"]["sha256"] for one in before if "crl" in one}  # of each root the last
    cross = [entry["to_be_signed_sha256"] for one in before for entry in one["entries"] if entry["purpose"] == "cross"]
    carried = {*crls.values(), *cross, *(one["root"]["certificate_sha256"] for one in before if one["root"])}
    if before and sha256(canonical({"ceremonies": before, "format": 1}) + b"\n") != b.opened["previous"]["ledger_sha256"]:
        yield "the ledger does not go on from the one that line 1 names"
    for path in sorted(path for path in b.artifacts.keys() - chains.keys() if not path.startswith("attestation/")):
        found, purpose = certificate(b.files[path]), b.artifacts[path]["kind"].split("-")[0]
        act, name = signed.pop(sha256(found.signed), None), Path(path).name
        by = {"crl": roots.get(name[:-8]), "cross": roots.get(name[3:-9]), "root": b.files[path]}.get(purpose, root) or b""
        crl = ["-no_check_time", "-crl_check", "-CRLfile", b.files[path], by] if purpose == "crl" else []
        yield from [f"{path}: openssl does not find it signed by its root"] * (not openssl(*judge, by, *(crl or [b.files[path]])))
        if act is None and carried.isdisjoint((sha256(found.der), sha256(found.signed), sha256(b.files[path]))):
            yield f"{path}: no line tells of its signature"
        elif act and (act.value["signature"], act.args["serial"] or "", act.args["purpose"]) != (found.signature, found.serial, purpose):
            yield f"{path} is not what line {act.seq} signed"
        elif act and not crl and not key_is_right(b, Path(path), found, act):
            yield f"{path} is not for the key, or the code, that was made or came in"
    yield from (f"line {act.seq} tells of a signature, and its certificate is not here" for act in signed.values())


def key_is_right(b, path, found, act):
    """Whether it holds the key that was made on the token, or came in, or was made for the code in its name."""
    if act.args["purpose"] == "intermediate":
        return b.products(act.step)["csrs"][path.name.removesuffix(".cert.pem")]["spki_sha256"] == sha256(found.key)
    made = [done.value["public_key"] for done in b.done({"root": "generate-key", "proof": "proof-key"}.get(act.args["purpose"]))]
    made += [certificate(b.files[f"root/{path.parent.name}.cert.pem"]).key.hex()] if act.args["purpose"] == "cross" else []
    code = b.products(act.step)["codes"][path.parent.name]["verification_code"] if act.args["purpose"] == "proof" else ""
    return found.key.hex() in made and found.subject.endswith(code.encode())


def credentials(b):
    """whatever people signed verifies, with the credential that the roster gives to who was called, over the line before"""
    for one in b.signed:
        id, name = one.said["participant"], one.said["name"]
        names = {entry["name"]: entry.get("credential") for entry in (b.places[id], *b.places[id].get("alternates", ()))}
        called, roster = b.products(one.step)["people"].get(id, {}), b.opened["credentials"].get(id, {}) if b.opened["rehearsal"] else names
        expected = [b.opened["ceremony"], b.opened["rehearsal"], called.get("name"), b.places[id]["role"]]
        if [one.said[key] for key in ("ceremony", "rehearsal", "name", "role")] != expected or name not in names:
            yield f"line {one.seq}: {name} ({one.said['role']}) was not called as such, or signed for another ceremony"
        elif one.said["line"] != one.prev or not credential_holds(roster[name], canonical(one.said), one.signature):
            yield f"line {one.seq} is not signed over the line before it with the credential that the roster gives {name}"


def sign_offs(b):
    """before each seal everybody called, but observers, signed for the ceremony, after all that was made in that step"""
    for seal in b.of("sealed"):
        made = max((act.seq for act in b.done("write-artifact") if act.step == seal.step), default=0)
        last = [one for one in b.signed if one.step == seal.step and made < one.seq < seal.seq and one.said["context"] == SIGN_OFF]
        fit = [{**one.said, "signature": one.signature} for one in last]
        said = [line.data for line in b.of("signed-off") if line.step == seal.step and line.seq < seal.seq]
        yield from (f"{one['name']} did not sign before line {seal.seq} what stands there, or not last" for one in said if one not in fit)
        called = {id for id, person in b.products(seal.step)["people"].items() if person["role"] != "observer"} or {"anybody"}
        yield from (f"no sign-off of {id} before line {seal.seq}" for id in sorted(called - {one["participant"] for one in said}))


def confirmations(b):
    """who confirmed that the root is made or used, or activation changed, signed that answer; both people signed each override"""
    answers, wanted = {}, set()
    for line in b.of("confirmed", "ordered"):
        answer = line.step, *(line.data[name] for name in ("by", "key", "value", "digest"))
        answers.setdefault(answer, line.seq)
        called = b.products(line.step + (b.steps[line.step]["kind"] == "roll-call")).get("people", {}).get(line.data["by"], line.data)
        name = line.data["name"] if line.data["key"].startswith(("who/", "again/")) else called["name"]  # not named yet
        if (name, called["role"], line.actor) != (line.data["name"], line.data["role"], line.data["by"]):
            yield f"line {line.seq}: {line.data['name']} ({line.data['role']}) was not called as such"
        wanted |= {answer[:3]} if line.type == "ordered" and line.data["by"] != b.steps[line.step]["actor"] else set()
    for number in {line.step for line in b.finished}:
        by = (b.steps[number].get("confirm") or [""])[0]
        wanted |= {(number, by, key + by * key.endswith("/")) for key in BACKED.get(b.steps[number]["kind"], ())}
    for one in [one for one in b.signed if one.said["context"] == CONFIRMATION]:
        answer = tuple(one.said[name] for name in ("step", "participant", "key", "value", "digest"))
        if answers.get(answer, one.seq) >= one.seq or one.step != answer[0]:
            yield f"line {one.seq} signs an answer that was not given before it"
        wanted.discard(answer[:3])
    yield from (f"{by} did not sign the answer {key} of step {step}" for step, by, key in sorted(wanted))
    for line in b.of("deviation"):
        by, text = {person["id"] for person in line.data["by"]} & b.places.keys(), (OVERRIDE, line.data["text"])
        before = [one.said for one in b.signed if one.step == line.step and one.seq < line.seq]
        signed = {said["participant"] for said in before if (said["context"], said.get("text")) == text}
        if not by or (line.data["class"] != "note" and (len(by) < 2 or by - signed)):
            yield f"the deviation in line {line.seq} has too few people or signatures behind it"


def activation(b):
    """the root was used after a login; shares came from as many holders as the script says, all called; new ones were all proved first"""
    arranged = b.script.get("activation", {})
    before, unproved, login = arranged.get("before", arranged), {}, 0
    held = {"user": before, "so": before.get("so", arranged.get("so", {}))}
    for act in b.acts:
        which = act.args.get("which", "user")
        pin = held["so" if act.args.get("by") == "so" else which]
        if act.verb in ("login", "prove-activation", "change-activation"):
            givers = act.args.get("holders_before" if act.verb == "change-activation" else "holders", [])
            count, called = pin["threshold"] if pin.get("kind") == "shared-pin" else 0, b.products(act.step)["people"].keys()
            if not count == len(givers) == len(called & givers & set(pin.get("holders", ()))):
                yield f"line {act.seq}: shares of {givers}, which is not as the script says, or not all were called"
            if act.verb == "prove-activation" and act.value is not None:
                unproved[which] = unproved.get(which, set()) - set(givers)
            login = act.step if act.verb == "login" and act.value is not None else login
        for new in {"initialise-token": ["so", "user"], "change-activation": [which]}.get(act.verb, []) if act.value is not None else []:
            held[new] = arranged if new == "user" else arranged.get("so", {})
            unproved[new] = set(held[new].get("holders", ()))
        if act.verb in ("generate-key", "sign") and (any(unproved.values()) or login not in (act.step - 1, act.step)):
            yield f"line {act.seq} comes before all holders had proved their shares, or without a login"
    yield from ["not all holders have proved their shares"] * any(unproved.values())


def custody(b):
    """bags, seals, media and counts were typed alike by two people; what was counted out was counted in, or two people bore it"""
    counted = {}
    for number in sorted(line.step for line in b.finished):
        step, typed = b.steps[number], {}
        for line in [line for line in b.of("confirmed") if line.step == number]:
            typed[*line.data["key"].split("/")[::2]] = line.data["by"], " ".join(line.data["value"].replace(",", " ").split()).casefold()
        for entry in (*step.get("facts", ()), *step.get("items", ())):
            (first, value), (second, again) = (typed.get((entry["name"], which), ("", which)) for which in ("first", "second"))
            if (first, second) != (step["actor"], step["confirm"][0]) or value != again:
                yield f"{entry['name']} (step {number}) was not typed alike by two people"
            elif step.get("count") == "in":
                counted[entry["name"]] = int(value)
            elif step.get("count") and int(value) - counted[entry["name"]] != entry.get("change", 0) and number not in b.overrides.values():
                yield f"{entry['name']} (step {number}) does not balance, and nobody overrode that"


def main(folder, fingerprint):
    """Makes every check, tells each, tells what is worth reading, and returns the exit code."""
    try:
        b = Bundle(Path(folder))
    except BROKEN as broken:
        return f"WRONG  the record can't be read: {ascii(broken)}"
    wrong = "".join(fingerprint.lower().split()) not in (b.seal.sha256, "".join(words_of(b.seal.sha256)).lower())
    print("WRONG  this is not the record of the fingerprint on paper" if wrong else "ok     fingerprint: the one on paper")
    of_people = (vouching, credentials, sign_offs, confirmations, activation, custody)
    for check in (files, chain, seal, steps, orders, machine, certificates, *of_people):
        try:
            problems = list(check(b))
        except BROKEN as broken:
            problems = [f"it can't be checked: {broken!r}"]
        wrong, name, told = wrong or bool(problems), check.__name__.replace("_", "-"), "; ".join(problems[:5]) or check.__doc__
        print(f"{'WRONG' if problems else 'ok':6} {name}: {ascii(told)[1:-1]}")
    for line in b.of("deviation", "resumed", "signed-off"):
        print(f"read   line {line.seq}, {line.type}: {ascii(canonical(line.data).decode())[1:-1]}")
    kind, root = "REHEARSAL" if b.opened["rehearsal"] else "PRODUCTION", ascii(b.seal.data["root_certificate_sha256"])
    print("WRONG " if wrong else "GOOD  ", kind, "with the root of SHA-256", root)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) == 3 else __doc__)
