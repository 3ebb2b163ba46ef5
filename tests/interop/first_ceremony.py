"""A whole first ceremony on a token: from blank to root, proof of possession and two intermediates, by the commands, judged by `verify`."""

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.hsm.given import USER_PIN
from tests.hsm.stands import STANDS, Stand

_SCRIPT = Path(__file__).parents[2] / "ceremony-scripts" / "first-ceremony.toml"
_REHEARSAL_PIN = b"rehearsal-user-pin"


def first_ceremony(name: str, root_key: str) -> str:
    """Rehearses the shipped script with this root key on the stand of this name, unattended; what came of it, in words."""
    with tempfile.TemporaryDirectory() as place, STANDS[name](Path(place)) as stand:
        folder = Path(place)
        script, site = folder / "script.toml", folder / "site.toml"
        script.write_text(_script(stand, root_key))
        site.write_text(_site(stand))
        if stand.made_ready:
            with stand.start() as module:
                stand.token(module).set_pin("user", bytearray(USER_PIN), bytearray(_REHEARSAL_PIN))
        answers = _SCRIPT.with_suffix(".answers.toml")
        rehearsed = _ceremony("rehearse", script, "--answers", answers, "--dir", folder / "D", "--site", site)
        if rehearsed.returncode:
            return f"no: {_ended(rehearsed.stderr)}"
        bundle = folder / "D" / "bundles" / "2"
        transcript = (bundle / "record" / "transcript.jsonl").read_bytes()
        fingerprint = hashlib.sha256(transcript.splitlines(keepends=True)[-1]).hexdigest()
        verified = _ceremony("verify", bundle, "--fingerprint", fingerprint)
        if verified.returncode:
            return f"no: verify: {verified.stdout}"
        _judged_by_openssl(bundle)
        how = "adopted" if stand.made_ready else "initialised by us"
        return f"yes ({root_key}, {how})"


def _ceremony(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "ceremony", *map(str, arguments)], capture_output=True, text=True, check=False)


def _ended(talk: str) -> str:
    lines = [line.partition(": ")[2] for line in talk.splitlines() if line.startswith(("Ended: ", "What happened: "))]
    return lines[-1] if lines else talk[-200:]


def _script(stand: Stand, root_key: str) -> str:
    text = _SCRIPT.read_text().replace('key = "ec:secp384r1"', f'key = "{root_key}"', 1)
    if stand.made_ready:
        text = text.replace('kind = "initialise-token"', 'kind = "adopt-token"').replace('label = "example-root"\n', "", 1)
    return text


def _site(stand: Stand) -> str:
    """A JSON text is a TOML text of the same value."""
    environment = "".join(f"{name} = {json.dumps(value)}\n" for name, value in stand.environment.items())
    return f'format = 1\n[module]\npath = "{stand.module}"\n' + (f"[module.environment]\n{environment}" if environment else "")


def _judged_by_openssl(bundle: Path) -> None:
    [root] = (bundle / "root").glob("*.cert.pem")
    certificates = [root, *bundle.glob("intermediates/*.cert.pem"), *bundle.glob("proof-of-possession/*/*.cert.pem")]
    assert len(certificates) == 4
    for certificate in certificates:
        subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", root, certificate], check=True, capture_output=True)
