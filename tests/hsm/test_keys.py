"""Keys on SoftHSM, beside what test_contract_keys.py says of every token."""

import subprocess
import sys
from pathlib import Path

from hsm.client import Module, Token
from hsm.softhsm import loader_environment
from tests.hsm.given import USER_PIN, refusal, token_logged_in_to


def test_every_attribute_is_read_back_as_wanted(token: Token):
    made = token.generate_key("ec:secp384r1", "root", b"\1")
    values = {name: reading.value for name, reading in made.attributes.items()}
    assert {reading.verdict for reading in made.attributes.values()} == {"as-wanted"}
    for name in ("TOKEN", "PRIVATE", "SENSITIVE", "ALWAYS_SENSITIVE", "NEVER_EXTRACTABLE", "LOCAL", "SIGN"):
        assert values[name] is True
    for name in ("EXTRACTABLE", "MODIFIABLE", "DECRYPT", "UNWRAP", "DERIVE", "SIGN_RECOVER", "PUBLIC_KEY.PRIVATE", "PUBLIC_KEY.MODIFIABLE"):
        assert values[name] is False
    assert values["KEY_GEN_MECHANISM"] == made.mechanism == "CKM_EC_KEY_PAIR_GEN"
    assert made.profile == "softhsm"
    assert token.attributes(b"\1") == made.attributes


def test_facts_of_a_key_are_plain_json_values(token: Token):
    facts = token.generate_key("ec:secp256r1", "root", b"\1").facts()
    assert facts["attributes"]["SIGN"] == {"value": True, "wanted": True, "verdict": "as-wanted"}
    assert facts["key_id"] == "01"


def test_kinds_that_we_do_not_make(token: Token):
    for key in ("rsa:1024", "rsa:2048", "ec:secp224r1", "ed25519", ""):
        assert refusal(token.generate_key, key, "root", b"\1").code == "KEY-UNKNOWN"
    assert token.inventory() == []


WITHOUT_PRIVATE_HALF = """
import sys, pkcs11
with pkcs11.lib(sys.argv[1]).get_token(token_label="test").open(rw=True, user_pin=sys.argv[2]) as session:
    session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, id=b"\\1").destroy()
"""


def test_half_a_key_as_a_crash_leaves_it_is_found_and_destroyed(softhsm: Path, store: dict[str, str]):
    with Module.start(softhsm, store) as module:
        made = token_logged_in_to(module).generate_key("ec:secp384r1", "root", b"\1")
    command = [sys.executable, "-c", WITHOUT_PRIVATE_HALF, str(softhsm), USER_PIN.decode()]
    subprocess.run(command, env={**store, **loader_environment(softhsm)}, check=True)
    with Module.start(softhsm, store) as module:
        token = module.token(label="test")
        token.login(bytearray(USER_PIN))
        found = token.find_key(b"\1")
        assert found is not None
        assert (found.has_private, found.has_public, found.public_key_der) == (False, True, made.public_key_der)
        assert refusal(token.sign, b"\1", "ecdsa-sha384", b"x").code == "KEY-NOT-FOUND"
        assert refusal(token.attributes, b"\1").code == "KEY-NOT-FOUND"
        assert refusal(token.generate_key, "ec:secp384r1", "root", b"\1").code == "KEY-EXISTS"
        token.destroy(b"\1")
        assert token.inventory() == []
