"""A held ceremony one of whose intermediates is the issuing CA of Azure Device Registry, and a simulator with its policy."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ceremony.simulator.device_registry import add_policy
from ceremony.simulator.state import IssuingPolicy
from tests.online.held_service import HeldService, simulated

PLACE, NAME = "example-registry/example-policy", "azure-issuing-ca.1"
_PROFILE = b'[profiles.azure]\nnot_after = 2031-11-19T00:00:00Z\nsubject = "CN=*"\nkeys = ["ec:secp384r1"]\n\n[[intermediates]]'


def for_azure(script: bytes) -> bytes:
    """The script with its last name made that of Azure's issuing CA."""
    of_factory = f'name = "{NAME}"\nprofile = "factory"\n'.encode()
    assert of_factory in script
    of_azure = f'name = "{NAME}"\nprofile = "azure"\ndevice_registry = "{PLACE}"\n'.encode()
    return script.replace(of_factory, of_azure).replace(b"[[intermediates]]", _PROFILE, 1)


def with_rsa_root(script: bytes) -> bytes:
    return for_azure(script).replace(b'key = "ec:secp384r1"', b'key = "rsa:3072"', 1)


@contextmanager
def registry(folder: Path, *, rsa_root: bool = False) -> Iterator[HeldService]:
    """With the first bundle made: the root is out, and the policy waits."""
    edited = with_rsa_root if rsa_root else for_azure
    with simulated(folder, names=("alpha.1", NAME), edited=edited) as held:
        add_policy(held.state, *PLACE.split("/"))
        yield held


def policy_of(held: HeldService) -> IssuingPolicy:
    return held.state.policies[PLACE]


def signed(held: HeldService) -> HeldService:
    """Up to the second bundle: the CSR fetched by the command, brought in, signed."""
    request = held.folder / "request"
    ran = held.run("request", "-o", request, "--adr", f"{NAME}={PLACE}", "--bundle", held.bundle_1, "--fingerprint", held.fingerprint_1)
    assert ran.code == 0, ran.err
    packed = json.loads((request / "request.json").read_text())
    held.csrs = {csr["name"]: (request / csr["path"]).read_bytes() for csr in packed["csrs"]}
    held.upload()
    held.second_session()
    return held
