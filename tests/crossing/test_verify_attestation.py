"""What `verify` makes of a device attestation: the chain is verified again, for the root's own key, by the root that the script names."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ceremony.crossing.artifacts import describe_artifact
from ceremony.crossing.verify import verify_bundle
from ceremony.pki.attestation import AttestationTable, chain_pem
from ceremony.room.made_up_attestation import make_up_chain
from ceremony.words import sha256_hex, words_of
from tests.crossing.forging import drop, failed, lines_where, put
from tests.crossing.held_ceremony import HeldCeremony, spki
from tests.crossing.held_crl import scripted

KINDS = ("roll-call", "check-clock", "check-machine", "generate-root", "certify-root", "attest-key", "close")
PATH = "attestation/5a/example-root-g1.chain.pem"
CAME_IN = {"verb": "import-attestation"}


def chain_for(key: object) -> tuple[bytes, str]:
    """A chain for this key (PEM), and the digest of its root."""
    made = make_up_chain(spki(key), AttestationTable(vendor_root="0" * 64, certificates=3, style="yubikey-piv"), "5a")
    return chain_pem(made), sha256_hex(made[-1].public_bytes(Encoding.DER))


def attested(folder: Path, *, rehearsal: bool = False) -> HeldCeremony:
    """A ceremony that makes a root and takes its attestation, as the step does; a test's vendor stands in for a real one."""
    blank = HeldCeremony(folder, scripted(KINDS, None, ""), rehearsal=rehearsal, software=rehearsal)
    pem, root = chain_for(blank.root_key)
    table = f'[attestation]\nvendor_root = "{"0" * 64 if rehearsal else root}"\ncertificates = 3\nstyle = "yubikey-piv"\n'
    ceremony = HeldCeremony(folder, scripted(KINDS, None, table), rehearsal=rehearsal, software=rehearsal)
    ceremony.root_key = blank.root_key
    ceremony.prepare()
    ceremony.make_root()
    ceremony.begin("attest-key")
    ceremony.look_at_medium("inbound/1", "inbox", "INBOUND")
    ceremony.act("import/1", "import-attestation", {}, {"pem": pem.decode(), "sha256": sha256_hex(pem), "made_up": rehearsal})
    words = words_of(root)
    ceremony.answered("seen/officer", " ".join(words[:4]), "officer", digest=root)
    ceremony.answered("seen/witness-1", " ".join(words[4:8]), "witness-1", digest=root)
    ceremony.write_file(PATH, pem)
    ceremony.finish()
    ceremony.seal("close")
    return ceremony


def told(ceremony: HeldCeremony, folder: Path) -> tuple[set[str], str]:
    verdict = verify_bundle(ceremony.write_bundle(folder), fingerprint=ceremony.fingerprint)
    return failed(verdict), next(check.detail for check in verdict.checks if check.name == "attestation")


@pytest.mark.parametrize("rehearsal", [False, True])
def test_an_attestation_that_holds_is_good(tmp_path: Path, rehearsal: bool) -> None:
    assert told(attested(tmp_path / "held", rehearsal=rehearsal), tmp_path / "bundle")[0] == set()


def _another_chain(ceremony: HeldCeremony) -> None:
    """A whole chain, accounted for everywhere, that attests somebody else's key by somebody else's root."""
    pem, _ = chain_for(ec.generate_private_key(ec.SECP384R1()))
    ceremony.artifacts[PATH] = pem
    (ceremony.folder / "work" / "artifacts" / PATH).write_bytes(pem)
    new = describe_artifact(PATH, pem)
    for line in ceremony.lines:
        if line["data"].get("verb") == "import-attestation" and line["type"] == "result":
            line["data"]["value"] |= {"pem": pem.decode(), "sha256": sha256_hex(pem)}
        elif line["type"] == "result" and line["data"]["value"].get("path") == PATH:
            line["data"]["value"] |= {"sha256": new.sha256, "size": new.size}
        for artifact in line["data"].get("artifacts", []):
            if artifact["path"] == PATH:
                artifact |= {"sha256": new.sha256, "size": new.size}


def _another_script(ceremony: HeldCeremony) -> None:
    ceremony.script = ceremony.script.replace(b"vendor_root", b"#").replace(b"# = ", b'vendor_root = "' + b"1" * 64 + b'" #')
    ceremony.lines[0]["data"]["script"]["sha256"] = sha256_hex(ceremony.script)


def _made_up(ceremony: HeldCeremony) -> None:
    for line in lines_where(ceremony, "result", **CAME_IN):
        line["data"]["value"]["made_up"] = True


def _in_another_step(ceremony: HeldCeremony) -> None:
    certified = next(line["step"] for line in ceremony.lines if line["data"].get("kind") == "certify-root")
    for line in ceremony.lines:
        if line["data"].get("key") == f"{PATH}/write":
            line["step"] = certified


FORGED: dict[str, tuple[Callable[[HeldCeremony], None], str]] = {
    "another key": (_another_chain, "another key than the root's"),
    "another vendor": (_another_script, "not the vendor's that the script names"),
    "made up": (_made_up, "a rehearsal made up"),
    "not what came in": (put("result", CAME_IN, value={"pem": "", "sha256": "", "made_up": False}), "not the chain of line"),
    "nothing came in": (drop("result", **CAME_IN), "without an attestation"),
    "one saw": (drop("confirmed", key="seen/witness-1"), "no two people typed"),
    "by another step": (_in_another_step, "by no step of kind attest-key"),
}


@pytest.mark.parametrize("what", FORGED)
def test_verify_tells_an_attestation_that_is_none(tmp_path: Path, what: str) -> None:
    forge, why = FORGED[what]
    ceremony = attested(tmp_path / "held")
    forge(ceremony)
    names, detail = told(ceremony, tmp_path / "bundle")
    assert "attestation" in names
    assert why in detail


def test_nobody_looked_at_the_medium_that_it_came_on(tmp_path: Path) -> None:
    ceremony = attested(tmp_path / "held")
    step = lines_where(ceremony, "result", **CAME_IN)[0]["step"]
    ceremony.lines = [line for line in ceremony.lines if line["step"] != step or line["data"].get("verb") != "look-at-medium"]
    assert "media" in told(ceremony, tmp_path / "bundle")[0]
